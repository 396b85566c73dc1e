//! Asking one witness for its cosignature (<https://c2sp.org/tlog-witness>).

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use config::{limits, rules};
use record::checkpoint::cosign::WitnessKey;
use record::http::{Answer, NotAUrl, Url};
use record::log::tiles::{Advanced, Source, consistency};
use record::text::is_visible;
use record::witness::{self, ADD_CHECKPOINT};

/// Longest answer of a witness that is read, in bytes: a few signature lines.
const ANSWER_BYTES: usize = 64 << 10;

/// Why a witness of the configuration cannot be asked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// Its address cannot be read.
    #[error("witness {name}: {why}")]
    Url {
        /// The witness.
        name: String,
        /// What is wrong.
        why: NotAUrl,
    },
    /// Its name or its key cannot sign notes.
    #[error("witness {name}: not a name and an Ed25519 key for notes")]
    Key {
        /// The witness.
        name: String,
    },
}

/// One witness, and how far it has followed the log.
pub(super) struct Witness {
    key: WitnessKey,
    url: Url,
    /// The size that it cosigned last, as far as we know; held while it is asked.
    last: Mutex<u64>,
    /// Whether its last answer was of use: a witness that fails is spoken of once.
    failing: AtomicBool,
}

/// What became of asking.
pub(super) enum Asked {
    /// Its signature lines.
    Cosigned(String),
    /// Nothing that counts.
    Nothing,
}

/// Why a witness gave no cosignature.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("it cannot be reached: {0}")]
    Reach(#[from] std::io::Error),
    #[error("the proof for it cannot be made: {0}")]
    Proof(#[from] record::log::LogError),
    #[error(
        "ALARM: it has cosigned {0} entries, which is more than the log has: the log was rolled back, or somebody else signs with its key"
    )]
    Ahead(u64),
    #[error("it refused with {0}: {1}")]
    Refused(u16, String),
    #[error("its answer has no cosignature of its key")]
    Unsigned,
}

impl Witness {
    pub(super) fn new(given: &rules::Witness) -> Result<Self, Unasked> {
        let name = given.name.clone();
        let key = name.parse().ok();
        let key = key.and_then(|name| WitnessKey::new(name, &given.key).ok());
        let key = key.ok_or_else(|| Unasked::Key { name: name.clone() })?;
        let url = given
            .url
            .parse()
            .map_err(|why| Unasked::Url { name, why })?;
        Ok(Self {
            key,
            url,
            last: Mutex::new(0),
            failing: AtomicBool::new(false),
        })
    }

    /// Asks once, and once more if it has followed further, or less far, than we thought. Waits for the network.
    pub(super) fn ask(&self, tiles: &dyn Source, advanced: &Advanced) -> Asked {
        // It may be busy with an earlier checkpoint still: then this one goes without it.
        let Ok(mut last) = self.last.try_lock() else {
            return Asked::Nothing;
        };
        let witness = self.key.name();
        match self.call(&mut last, tiles, advanced) {
            Ok(lines) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(%witness, "the witness cosigns again");
                }
                Asked::Cosigned(lines)
            }
            Err(why) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(%witness, %why, "a witness has not cosigned");
                }
                Asked::Nothing
            }
        }
    }

    fn call(&self, last: &mut u64, tiles: &dyn Source, advanced: &Advanced) -> Result<String, Why> {
        let size = advanced.checkpoint.size;
        let mut answer = self.post(*last, tiles, advanced)?;
        if let Some(known) = other_size(&answer) {
            if known > size {
                return Err(Why::Ahead(known));
            }
            *last = known;
            answer = self.post(known, tiles, advanced)?;
        }
        if answer.status != 200 {
            return Err(Why::Refused(answer.status, words(&answer.body)));
        }
        let text = advanced.checkpoint.to_string();
        let body = String::from_utf8(answer.body).map_err(|_| Why::Unsigned)?;
        let lines = self.key.own_lines(&text, &body);
        let lines = lines.ok().flatten().ok_or(Why::Unsigned)?;
        *last = size;
        Ok(lines)
    }

    fn post(&self, old: u64, tiles: &dyn Source, advanced: &Advanced) -> Result<Answer, Why> {
        // Of a log that is shorter than the witness remembers there is no proof; the answer tells how long it was.
        let old = if old > advanced.checkpoint.size {
            0
        } else {
            old
        };
        let ask = witness::Ask {
            old,
            proof: consistency(tiles, old, advanced.checkpoint.size)?,
            note: advanced.note.clone(),
        };
        let body = ask.body();
        let limit = limits::WITNESS_ANSWER;
        Ok(self
            .url
            .post(ADD_CHECKPOINT, body.as_bytes(), ANSWER_BYTES, limit)?)
    }
}

/// The size of a conflict's answer.
fn other_size(answer: &Answer) -> Option<u64> {
    let text = std::str::from_utf8(&answer.body).ok()?;
    let size = text.strip_suffix('\n').unwrap_or(text).parse().ok();
    size.filter(|_| answer.status == 409)
}

/// The beginning of what a stranger says, in one line.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| is_visible(*c)).take(200).collect()
}
