//! What a witness remembers: the newest checkpoint of each log, one file a log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{Consistent, Kept};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::note::{KeyName, NOTE_BYTES};
use crate::digest::Digest;
use crate::lock;

/// The directory of a witness's state, held by this process alone.
///
/// One file a log, named by the digest of its origin: the note as the log sent it. It is evidence, if the log is
/// ever forked.
pub struct Memory {
    dir: PathBuf,
    _lock: File,
}

/// The state cannot be read or written: nothing is cosigned then.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The disk's fault.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds it: two witnesses of one state could cosign a fork.
    #[error("{}: another witness uses this directory", .0.display())]
    Locked(PathBuf),
    /// A file is not what this program writes.
    #[error("{}: is not a checkpoint: restore it, or ask the log's owner for proof from the last one you know", .0.display())]
    Damaged(PathBuf),
}

impl Memory {
    /// Opens a directory, or makes one, and locks it.
    pub fn open(dir: &Path) -> Result<Self, MemoryError> {
        fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
        let path = dir.join(".lock");
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600);
        let lock = lock.open(&path).map_err(|e| failed(&path, e))?;
        if !lock::alone(&lock).map_err(|e| failed(&path, e))? {
            return Err(MemoryError::Locked(dir.to_owned()));
        }
        Ok(Self {
            dir: dir.to_owned(),
            _lock: lock,
        })
    }

    /// The newest checkpoint of the log of this origin; none if there has never been one.
    pub fn last(&self, origin: &KeyName) -> Result<Option<Checkpoint>, MemoryError> {
        let path = self.path(origin.as_str());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(&path, e)),
        };
        let mut text = String::new();
        file.take(NOTE_BYTES as u64 + 1)
            .read_to_string(&mut text)
            .map_err(|e| failed(&path, e))?;
        let damaged = || MemoryError::Damaged(path.clone());
        let end = text.find("\n\n").ok_or_else(damaged)?;
        let body = text.get(..=end).unwrap_or_default();
        let said = Checkpoint::parse(body).map_err(|_| damaged())?;
        if said.origin == origin.as_str() {
            Ok(Some(said))
        } else {
            Err(damaged())
        }
    }

    /// Remembers a checkpoint as the newest one. `&mut`: between [`Self::last`] and this nobody else may keep one.
    pub fn keep(&mut self, checkpoint: Consistent) -> Result<Kept, MemoryError> {
        let path = self.path(&checkpoint.said.origin);
        let new = path.with_extension("new");
        let written = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&new)?;
            file.write_all(checkpoint.note.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        // If we die within, there is the old one or the new one, and nobody has a cosignature of either.
        written().map_err(|e| failed(&path, e))?;
        Ok(Kept(checkpoint))
    }

    pub(super) fn path(&self, origin: &str) -> PathBuf {
        let digest = Digest::of(origin.as_bytes()).to_string();
        let name = digest.rsplit(':').next().unwrap_or_default();
        self.dir.join(format!("{name}.checkpoint"))
    }
}

fn failed(path: &Path, source: io::Error) -> MemoryError {
    MemoryError::Io {
        path: path.to_owned(),
        source,
    }
}
