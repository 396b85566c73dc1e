//! What can be wrong with a log.

use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::note::NotAName;

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
    /// The key that the log goes on with is not there. The operator's side.
    #[error(
        "log key {key} is not held: put its file back, as `log` or as `log.old-1`, or keep the log as evidence"
    )]
    Key {
        /// Its fingerprint.
        key: String,
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

pub(super) fn failed(path: &Path, source: io::Error) -> LogError {
    LogError::Io {
        path: path.to_owned(),
        source,
    }
}
