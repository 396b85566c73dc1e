//! The issuance log: append-only, one [`Line`] of JSON a line, hashed into an RFC 6962 tree.
//!
//! ```text
//! DIR/entries           the lines, each ended by one line feed; a leaf is a line without it
//! DIR/checkpoint        what the tree held at some time, signed by the log key
//! DIR/checkpoint.note   the same as a C2SP signed note, under the log's public name
//! ```
//!
//! * [`Log`] is the one writer: it holds an exclusive lock, and answers only for what is durable.
//! * [`verify_log`] and [`LogView`] read a log without a lock and without a secret.
//! * [`tiles`] is the same log as files that anybody may serve.
//!
//! `checkpoint` is a checkpoint's body ([`crate::checkpoint`]), directly followed by the SSHSIG over it. It is
//! replaced whole after each batch of lines, so that it vouches for all of them, or for all but the last
//! [`limits::LOG_BATCH_LINES`] if the writer or the machine died; a log that is further ahead of it than that was
//! tampered with. `checkpoint.note` is replaced after it, and may be missing or empty, after a power cut or in a log
//! that an older version wrote; where it says something, it has to agree.

mod disk;
mod read;
pub mod tiles;
mod view;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use config::limits;
use ssh_key::{PrivateKey, PublicKey};

use crate::checkpoint::note::{self, KeyName, NotAName, NoteError};
use crate::checkpoint::{self, Checkpoint};
use crate::entry::{Line, LineError};
use crate::lock;
use crate::sshsig::{self, SignError};
use crate::tree::{Hash, Tree, leaf_hash};

use disk::{Disk, Synced};

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

/// What is wrong with the log. Nothing may be signed then.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk's fault.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the log open for writing.
    #[error("{}: another process writes this log: stop it first", .0.display())]
    Locked(PathBuf),
    /// A line was altered, or never was one.
    #[error("{}:{line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The first bad line, counted from one.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The signed checkpoint is missing, altered, or signed by another key.
    #[error("{}: {what}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A tile of a published log does not hold what its checkpoint needs.
    #[error("{}: {what}: publish the log anew, or keep it as evidence", path.display())]
    Tile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Lines that were there have gone.
    #[error("{}: has {has} lines, and its checkpoint vouches for {size}: lines were removed; restore the log, or keep it as evidence", path.display())]
    Shorter {
        /// The file.
        path: PathBuf,
        /// How many lines it has.
        has: u64,
        /// How many it had.
        size: u64,
    },
    /// Lines that were there have changed.
    #[error("{}: one of its first {size} lines is not the one that the checkpoint vouches for: restore the log, or keep it as evidence", path.display())]
    Forked {
        /// The file.
        path: PathBuf,
        /// How many lines the checkpoint covers.
        size: u64,
    },
    /// Lines stand there that the signed checkpoint does not know, more than a writer that died leaves.
    #[error("{}: has {has} lines, and its checkpoint vouches for {size} only: it is not the newest one; restore it, or keep the log as evidence", path.display())]
    Unvouched {
        /// The file.
        path: PathBuf,
        /// How many lines it has.
        has: u64,
        /// How many the checkpoint covers.
        size: u64,
    },
    /// The CA's address gives the log no name. The configuration's fault.
    #[error("ca.address: {0}")]
    Name(#[from] NotAName),
    /// A line that this program would not read again. A defect of this program.
    #[error("a line that cannot be written: {0}")]
    Unwritable(String),
    /// An earlier write failed: what is on the disk is unknown until a start has read it again.
    #[error("an earlier write to the log failed: mend the disk, then restart")]
    Poisoned,
}

/// A line as it will stand in the log: encoded, and not too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded(String);

impl Encoded {
    /// Encodes a line; refuses one that no reader would take.
    pub fn of(line: &Line) -> Result<Self, LogError> {
        let text = line
            .encode()
            .map_err(|e: LineError| LogError::Unwritable(e.to_string()))?;
        if text.len() > LINE_BYTES {
            return Err(LogError::Unwritable("it is too long".to_owned()));
        }
        Ok(Self(text))
    }
}

/// The log, open for writing by this process alone.
pub struct Log {
    dir: PathBuf,
    key: PrivateKey,
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
    /// counts only if this returns `Ok`.
    pub fn read(
        self,
        key: PrivateKey,
        each: impl FnMut(Line, Hash),
    ) -> Result<(Log, u64), LogError> {
        let Self { dir, file } = self;
        let path = dir.join("entries");
        let read = read::read(&dir, key.public_key(), each)?;
        if read.torn > 0 {
            file.set_len(read.good).map_err(|e| failed(&path, e))?;
        }
        // The last lines may have been written and never synced: they are made durable before
        // anybody is answered on their word.
        file.sync_all().map_err(|e| failed(&path, e))?;
        let disk = Box::new(disk::Files::new(&dir, file));
        let mut log = Log {
            dir,
            key,
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
    pub fn open(dir: &Path, key: PrivateKey) -> Result<Opened, LogError> {
        let mut lines = Vec::new();
        let (log, cut) = Unread::lock(dir)?.read(key, |line, _| lines.push(line))?;
        Ok(Opened { log, lines, cut })
    }

    /// Reads and checks every line again, in order, and hands each over with its leaf.
    pub fn read_again(&self, each: impl FnMut(Line, Hash)) -> Result<(), LogError> {
        read::read(&self.dir, self.key.public_key(), each).map(drop)
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
            .flat_map(|line| [line.0.as_str(), "\n"])
            .collect();
        self.disk
            .append(bytes.as_bytes())
            .map_err(|e| failed(&path, e))?;
        // If we die here, the next start finds some of the lines whole and takes them, and perhaps a torn one and
        // cuts it: nobody was answered, and what an operation wrote is possible up to each of its lines.
        self.disk.sync().map_err(|e| failed(&path, e))?;
        for line in lines {
            self.tree.push(leaf_hash(line.0.as_bytes()));
        }
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
        let signature = sshsig::sign(&self.key, checkpoint::NAMESPACE, body.as_bytes())
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
        let note = note::sign(name, &self.key, &body)
            .map_err(|e: NoteError| LogError::Unwritable(e.to_string()))?;
        // It says only what the checkpoint says: a start that finds it empty after a power cut writes it anew.
        let stored = self.disk.replace(NOTE, note.as_bytes(), Synced::No);
        stored.map_err(|e| failed(&path, e))
    }

    /// The key that signs the checkpoints.
    pub fn key(&self) -> &PublicKey {
        self.key.public_key()
    }
}

fn failed(path: &Path, source: io::Error) -> LogError {
    LogError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
