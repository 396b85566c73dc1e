//! A witness: it remembers the newest checkpoint of each log that it watches, and cosigns another only if that one is
//! proven to continue it ([C2SP tlog-witness](https://c2sp.org/tlog-witness)).
//!
//! The heart knows neither network nor disk. In this order:
//!
//! 1. [`Ask::parse`]: what a log sends to `add-checkpoint`.
//! 2. [`judge`]: whether the witness may cosign it, which gives a [`Consistent`] or a [`No`].
//! 3. [`Memory::keep`]: makes it the newest one, durably, which gives a [`Kept`].
//! 4. [`Kept::cosign`]: the only way to a cosignature.
//!
//! A witness that forgot what it cosigned would cosign a fork: so the state is one file for each log, replaced whole and
//! synced before the signature exists.

mod memory;

use std::fmt::Write as _;

use ssh_key::PrivateKey;

use crate::checkpoint::Checkpoint;
use crate::checkpoint::cosign;
use crate::checkpoint::note::{KeyName, NOTE_BYTES, NoteError, NoteKey};
use crate::clock::UnixTime;
use crate::tree::proof::{ProofError, verify_consistency};
use crate::tree::{Hash, Tree};

pub use memory::{Memory, MemoryError};

/// The call, below the witness's prefix.
pub const ADD_CHECKPOINT: &str = "add-checkpoint";

/// Most hashes of a proof that is sent to a witness.
const PROOF_LINES: usize = 63;

/// Longest body of a call, in bytes: the note, and what stands before it.
pub const BODY_BYTES: usize = NOTE_BYTES + (PROOF_LINES + 2) * 64;

/// The media type of an answer that says the size of the tree that the witness knows.
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// What a log asks of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The size of the tree that the witness cosigned last, as the log believes; zero if none.
    pub old: u64,
    /// The proof that the new tree continues that one.
    pub proof: Vec<Hash>,
    /// The new checkpoint, a signed note.
    pub note: String,
}

/// Why a witness does not cosign. Its number is that of the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// 400: the call is not of the form that the protocol has.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// 404: no such log is watched.
    #[error("this witness does not watch a log of that origin")]
    UnknownLog,
    /// 403: the log's key has not signed the checkpoint.
    #[error("the log's key has not signed this checkpoint")]
    Unsigned,
    /// 409, with the size: the witness has cosigned another tree last.
    #[error("the witness has cosigned {0} entries last")]
    Conflict(u64),
    /// 409: the same size with another root.
    #[error("ALARM: the log has signed two trees of {size} entries")]
    Fork {
        /// The size of both.
        size: u64,
    },
    /// 422: the proof does not show that the log was only appended to.
    #[error("the proof does not hold: {0}")]
    Inconsistent(#[from] ProofError),
}

impl No {
    /// The HTTP status that says so.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict(_) | Self::Fork { .. } => 409,
            Self::Inconsistent(_) => 422,
        }
    }
}

impl Ask {
    /// Reads the body of a call.
    pub fn parse(body: &[u8]) -> Result<Self, No> {
        let wrong = No::Malformed;
        if body.len() > BODY_BYTES {
            return Err(wrong("it is too long"));
        }
        let text = std::str::from_utf8(body).map_err(|_| wrong("it is not text"))?;
        let (head, note) = text
            .split_once("\n\n")
            .ok_or(wrong("it has no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old.ok_or(wrong("it does not begin with the old size"))?;
        let size: u64 = old
            .parse()
            .map_err(|_| wrong("its old size is not a number"))?;
        if size.to_string() != old {
            return Err(wrong("its old size is not written as it has to be"));
        }
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_LINES {
                return Err(wrong("its proof is too long"));
            }
            let hash = line.parse().map_err(|_| wrong("its proof is not hashes"))?;
            proof.push(hash);
        }
        Ok(Self {
            old: size,
            proof,
            note: note.to_owned(),
        })
    }

    /// The body of the call.
    pub fn body(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{hash}");
        }
        text + "\n" + &self.note
    }
}

/// A checkpoint that continues the last one that was cosigned of its log.
#[derive(Debug)]
pub struct Consistent {
    said: Checkpoint,
    note: String,
}

/// Whether a witness that watches these logs, and has cosigned `last` of the one in question, may cosign. `last` is asked
/// for by origin, and only for a log that is watched and whose key has signed.
pub fn judge<E: From<No>>(
    ask: Ask,
    logs: &[NoteKey],
    last: impl FnOnce(&KeyName) -> Result<Option<Checkpoint>, E>,
) -> Result<Consistent, E> {
    let said = signed(&ask.note, logs)?;
    if ask.old > said.size {
        return Err(No::Malformed("its old size is larger than the new one").into());
    }
    let name: KeyName = said.origin.parse().map_err(|_| No::UnknownLog)?;
    let known = last(&name)?.map_or((0, Tree::new().root()), |last| (last.size, last.root));
    if ask.old != known.0 {
        return Err(No::Conflict(known.0).into());
    }
    let now = (said.size, said.root);
    if known.0 == now.0 && known.1 != now.1 {
        return Err(No::Fork { size: now.0 }.into());
    }
    verify_consistency(known, now, &ask.proof).map_err(No::Inconsistent)?;
    Ok(Consistent {
        said,
        note: ask.note,
    })
}

/// What a note says that one of these logs has signed.
fn signed(note: &str, logs: &[NoteKey]) -> Result<Checkpoint, No> {
    let origin = note.lines().next().unwrap_or_default();
    let mut keys = logs.iter().filter(|key| key.name().as_str() == origin);
    let mut answer = No::UnknownLog;
    let body = loop {
        let Some(key) = keys.next() else {
            return Err(answer);
        };
        match key.open(note) {
            Ok(body) => break body,
            Err(NoteError::Unsigned | NoteError::Invalid) => answer = No::Unsigned,
            Err(_) => return Err(No::Malformed("its checkpoint is not a signed note")),
        }
    };
    Checkpoint::parse(body).map_err(|_| No::Malformed("its note is not a checkpoint"))
}

/// A checkpoint that the witness will remember, whatever happens: the only thing that it cosigns.
#[derive(Debug)]
pub struct Kept(Consistent);

impl Kept {
    /// The cosignature, as the line of a note.
    pub fn cosign(
        self,
        name: &KeyName,
        key: &PrivateKey,
        at: UnixTime,
    ) -> Result<String, NoteError> {
        cosign::cosign(name, key, at, &self.0.said.to_string())
    }

    /// What will be cosigned.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.0.said
    }
}

#[cfg(test)]
mod tests;
