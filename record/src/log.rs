//! The issuance log: append-only, one [`Line`] of JSON a line, hashed into an RFC 6962 tree.
//!
//! ```text
//! DIR/entries           the lines, each ended by one line feed; a leaf is a line without it
//! DIR/checkpoint        what the tree held at some time, signed by the log key
//! DIR/checkpoint.note   the same as a C2SP signed note, under the log's public name
//! ```
//!
//! * [`Chain`]: the log's own keys, of which each vouches for the next.
//! * [`Log`] is the one writer: it holds an exclusive lock, and answers only for what is durable.
//! * [`verify_log`] and [`LogView`] read a log without a lock and without a secret.
//! * [`tiles`] is the same log as files that anybody may serve.
//!
//! `checkpoint` is a checkpoint's body ([`crate::checkpoint`]), directly followed by the SSHSIG over it. It is
//! replaced whole after each batch of lines, so that it vouches for all of them, or for all but the last
//! [`limits::LOG_BATCH_LINES`] if the writer or the machine died; a log that is further ahead of it than that was
//! tampered with. `checkpoint.note` is replaced after it, and may be missing or empty, after a power cut or in a log
//! that an older version wrote; where it says something, it has to agree.

mod ahead;
mod chain;
mod disk;
mod error;
mod held;
mod read;
mod signed;
pub mod tiles;
mod view;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use config::limits;
use ssh_key::{PrivateKey, PublicKey};

use crate::checkpoint::note::{self, KeyName, NotAName, NoteError};
use crate::checkpoint::{self, Checkpoint};
use crate::entry::{Entry, Line, LineError};
use crate::keyring::KeyChange;
use crate::lock;
use crate::sshsig::{self, SignError};
use crate::tree::{Hash, Tree, leaf_hash};

use disk::{Disk, Synced};
use error::failed;

pub use chain::{Anchors, Broken, Chain};
pub use error::LogError;
pub use held::LogKeys;
pub use read::{Ending, LogReport, SessionFacts, verify_log, verify_published};
pub use view::{LogView, ViewError};

/// The origin of the log's checkpoints; its notes have [`public_name`].
pub const ORIGIN: &str = "hallpass/log";

/// The file of the signed checkpoint.
const CHECKPOINT: &str = "checkpoint";

/// The file of the checkpoint as a note.
const NOTE: &str = "checkpoint.note";

/// Longest line that is written or read, in bytes: an SSHSIG of the largest size, escaped, fits twice, and its length fits
/// the two bytes that [`tiles`] have for it.
pub const LINE_BYTES: usize = 65_535;

/// The public name of the log of a CA on this host: the origin of its notes, and the name of their key.
pub fn public_name(host: &str) -> Result<KeyName, NotAName> {
    format!("{host}/hallpass").parse()
}

/// How far the log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// How many lines it has.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

/// A line as it will stand in the log: encoded, and not too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    text: String,
    /// What it says of the CA's own keys, so that the log signs with the right one.
    steps: Vec<KeyChange>,
}

impl Encoded {
    /// Encodes a line; refuses one that no reader would take.
    pub fn of(line: &Line) -> Result<Self, LogError> {
        let text = line
            .encode()
            .map_err(|e: LineError| LogError::Unwritable(e.to_string()))?;
        if text.len() > LINE_BYTES {
            return Err(LogError::Unwritable("it is too long".to_owned()));
        }
        let steps = match &line.entry {
            Entry::Keys { steps } => steps.clone(),
            _ => Vec::new(),
        };
        Ok(Self { text, steps })
    }
}

/// The log, open for writing by this process alone.
pub struct Log {
    dir: PathBuf,
    keys: LogKeys,
    /// Which of them signs: the log's own lines say so.
    chain: Chain,
    disk: Box<dyn Disk>,
    tree: Tree,
    /// The public name of the log, under which its notes are written.
    name: Option<KeyName>,
    /// For how many lines a checkpoint vouches that no power cut can take away.
    settled: u64,
    poisoned: bool,
}

/// A log that was just opened.
pub struct Opened {
    /// For appending.
    pub log: Log,
    /// Every line so far.
    pub lines: Vec<Line>,
    /// How many bytes of a torn last line were cut: it was never acknowledged.
    pub cut: u64,
}

/// A log that this process alone may write, before it is read.
pub struct Unread {
    dir: PathBuf,
    file: File,
}

impl Unread {
    /// Finds the log in `dir`, or begins one, and locks it.
    pub fn lock(dir: &Path) -> Result<Self, LogError> {
        fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
        let path = dir.join("entries");
        let mut options = OpenOptions::new();
        let file = options
            .append(true)
            .read(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| failed(&path, e))?;
        if !lock::alone(&file).map_err(|e| failed(&path, e))? {
            return Err(LogError::Locked(path));
        }
        let dir = dir.to_owned();
        Ok(Self { dir, file })
    }

    /// Reads and checks every line, hands each over with its leaf, and holds the log against its checkpoint. A last line
    /// without its line feed was never acknowledged, and is cut; how many bytes it had is told. What was handed over
    /// counts only if this returns `Ok`. Of the keys that one signs which the log names last; a log that names none is
    /// signed by the first.
    pub fn read(
        self,
        keys: impl Into<LogKeys>,
        mut each: impl FnMut(Line, Hash),
    ) -> Result<(Log, u64), LogError> {
        self.read_ahead(keys, |_| (), |line, (), leaf| each(line, leaf))
    }

    /// The same, with what `known` makes of each line, on other threads and before the line's turn.
    pub fn read_ahead<T: Send>(
        self,
        keys: impl Into<LogKeys>,
        known: impl Fn(&Line) -> T + Sync,
        each: impl FnMut(Line, T, Hash),
    ) -> Result<(Log, u64), LogError> {
        let Self { dir, file } = self;
        let (path, keys) = (dir.join("entries"), keys.into());
        let read = read::read_ahead(&dir, &keys.public(), known, each)?;
        keys.signer(&read.chain)?;
        if read.torn > 0 {
            file.set_len(read.good).map_err(|e| failed(&path, e))?;
        }
        // The last lines may have been written and never synced: they are made durable before
        // anybody is answered on their word.
        file.sync_all().map_err(|e| failed(&path, e))?;
        let disk = Box::new(disk::Files::new(&dir, file));
        let mut log = Log {
            dir,
            keys,
            chain: read.chain,
            disk,
            tree: read.tree,
            name: None,
            settled: 0,
            poisoned: false,
        };
        log.checkpoint()?;
        log.settle()?;
        Ok((log, read.torn))
    }
}

impl Log {
    /// Opens the log in `dir` as [`Unread::read`] does, and keeps every line.
    pub fn open(dir: &Path, keys: impl Into<LogKeys>) -> Result<Opened, LogError> {
        let mut lines = Vec::new();
        let (log, cut) = Unread::lock(dir)?.read(keys, |line, _| lines.push(line))?;
        Ok(Opened { log, lines, cut })
    }

    /// Reads and checks every line again, in order, and hands each over with its leaf.
    pub fn read_again(&self, each: impl FnMut(Line, Hash)) -> Result<(), LogError> {
        read::read(&self.dir, &self.keys.public(), each).map(drop)
    }

    /// Appends one line, as [`Self::append_all`] does.
    pub fn append(&mut self, line: &Line) -> Result<Position, LogError> {
        self.append_all(&[Encoded::of(line)?])
    }

    /// Appends a batch of at most [`limits::LOG_BATCH_LINES`] lines with one sync. When this returns `Ok`, every line
    /// is durable, and the checkpoint that stands there vouches for all of them; after any error but
    /// [`LogError::Unwritable`] nothing more is taken until a restart has read what is really there.
    ///
    /// A power cut may bring an older checkpoint back, because the directory is not synced each time: never one
    /// that is more than [`limits::LOG_BATCH_LINES`] lines behind.
    pub fn append_all(&mut self, lines: &[Encoded]) -> Result<Position, LogError> {
        if self.poisoned {
            return Err(LogError::Poisoned);
        }
        if lines.len() > limits::LOG_BATCH_LINES {
            return Err(LogError::Unwritable("the batch is too large".to_owned()));
        }
        let chain = self.chain_behind(lines)?;
        // Until all have returned, nobody knows what is there.
        self.poisoned = true;
        let ahead = self.tree.size() + lines.len() as u64 - self.settled;
        if ahead > limits::LOG_BATCH_LINES as u64 {
            // Before the lines could be further ahead of the checkpoint than a start takes.
            self.settle()?;
        }
        let path = self.dir.join("entries");
        let bytes: String = lines
            .iter()
            .flat_map(|line| [line.text.as_str(), "\n"])
            .collect();
        self.disk
            .append(bytes.as_bytes())
            .map_err(|e| failed(&path, e))?;
        // If we die here, the next start finds some of the lines whole and takes them, and perhaps a torn one and
        // cuts it: nobody was answered, and what an operation wrote is possible up to each of its lines.
        self.disk.sync().map_err(|e| failed(&path, e))?;
        for line in lines {
            self.tree.push(leaf_hash(line.text.as_bytes()));
        }
        // A batch that lets another key sign is the first that this one signs.
        self.chain = chain.unwrap_or_else(|| std::mem::take(&mut self.chain));
        // If we die here, the lines are durable and the checkpoint is one batch behind; the next start writes it anew.
        self.checkpoint()?;
        // If we die here, the note is one batch behind, and the next start writes it anew. If the power goes from here
        // on, an older checkpoint may stand there, whole: its bytes were synced before it got its name.
        self.note()?;
        self.poisoned = false;
        Ok(self.position())
    }

    /// From now on writes each checkpoint as a signed note too, under this public name, and the one of now at once.
    pub fn publish_as(&mut self, name: KeyName) -> Result<(), LogError> {
        self.name = Some(name);
        self.note()?;
        self.settle()
    }

    /// The log's keys behind these lines, if they change anything; refuses what no reader would follow.
    fn chain_behind(&self, lines: &[Encoded]) -> Result<Option<Chain>, LogError> {
        let mut chain = None;
        for (size, line) in (self.tree.size() + 1..).zip(lines) {
            for step in &line.steps {
                let chain = chain.get_or_insert_with(|| self.chain.clone());
                let followed = chain.step(step, size);
                followed.map_err(|why| LogError::Unwritable(why.to_string()))?;
            }
        }
        if let Some(chain) = &chain {
            self.keys.signer(chain)?;
        }
        Ok(chain)
    }

    /// From now on has these keys. Which of them signs is still what the log says.
    pub fn hold(&mut self, keys: LogKeys) {
        self.keys = keys;
    }

    /// How far the log reaches.
    pub fn position(&self) -> Position {
        Position {
            size: self.tree.size(),
            root: self.tree.root(),
        }
    }

    /// Makes the checkpoint that stands there outlive a power cut.
    fn settle(&mut self) -> Result<(), LogError> {
        self.disk.sync_names().map_err(|e| failed(&self.dir, e))?;
        self.settled = self.tree.size();
        Ok(())
    }

    /// Signs and stores what the log holds now.
    fn checkpoint(&mut self) -> Result<(), LogError> {
        let body = Checkpoint::of(ORIGIN, &self.tree).to_string();
        let path = self.dir.join(CHECKPOINT);
        let key = self.keys.signer(&self.chain)?;
        let signature = sshsig::sign(key, checkpoint::NAMESPACE, body.as_bytes())
            .map_err(|e: SignError| LogError::Unwritable(e.to_string()))?;
        let text = body + &signature;
        let stored = self.disk.replace(CHECKPOINT, text.as_bytes(), Synced::Yes);
        stored.map_err(|e| failed(&path, e))
    }

    /// Signs and stores the same as a note, if the log has a public name.
    fn note(&mut self) -> Result<(), LogError> {
        let Some(name) = &self.name else {
            return Ok(());
        };
        let body = Checkpoint::of(name.to_string(), &self.tree).to_string();
        let path = self.dir.join(NOTE);
        let note = note::sign_by(name, self.keys.signing(&self.chain), &body)
            .map_err(|e: NoteError| LogError::Unwritable(e.to_string()))?;
        // It says only what the checkpoint says: a start that finds it empty after a power cut writes it anew.
        let stored = self.disk.replace(NOTE, note.as_bytes(), Synced::No);
        stored.map_err(|e| failed(&path, e))
    }

    /// The key that signs the checkpoints.
    pub fn key(&self) -> Result<&PublicKey, LogError> {
        self.keys.signer(&self.chain).map(PrivateKey::public_key)
    }
}

#[cfg(test)]
mod tests;
