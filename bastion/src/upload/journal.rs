//! How far each recording has come on its way to the bucket: `SESSION.json`, one each, in a directory of their own.

use std::path::{Path, PathBuf};
use std::{fs, io};

use config::words::SessionId;
use record::clock::UnixTime;
use record::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::shelf::{self, Shelf};

/// Largest file of one recording that is read, in bytes: as many parts as an object may have fit.
const JOURNAL_BYTES: u64 = 64 << 20;

/// How far a recording has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Progress {
    /// An upload is under way.
    Parts {
        /// The store's name for it.
        upload: String,
        /// The store's names for its parts, each of the same size, in order.
        parts: Vec<String>,
    },
    /// It is there, and was read back. This is kept while it lies there, so that what comes back can be held against it.
    Stored {
        /// Its size.
        bytes: u64,
        /// The SHA-256 of what was read back, which is that of the file.
        digest: Digest,
        /// Since when.
        at: UnixTime,
        /// Whether it is locked there.
        locked: bool,
        /// Whether its index is there too.
        #[serde(default)]
        indexed: bool,
    },
    /// It is to be removed from there.
    Removed {
        /// The upload that was under way, if there was one.
        upload: Option<String>,
    },
}

/// What is known of a recording in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    /// It is to be removed from there: there is none any more.
    Removed,
    /// It was read back by us, and was this.
    Known { bytes: u64, digest: Digest },
}

impl There {
    pub(super) fn of(progress: &Progress) -> Option<Self> {
        match *progress {
            Progress::Parts { .. } => None,
            Progress::Stored { bytes, digest, .. } => Some(Self::Known { bytes, digest }),
            Progress::Removed { .. } => Some(Self::Removed),
        }
    }
}

/// The directory.
#[derive(Debug)]
pub(super) struct Journal {
    shelf: Shelf,
}

impl Journal {
    /// Takes the directory, making it if there is none.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let shelf = Shelf::open(dir)?;
        Ok(Self { shelf })
    }

    /// What is known of a recording. What cannot be read is not known: the upload begins anew.
    pub(super) fn read(&self, session: &SessionId) -> io::Result<Option<Progress>> {
        shelf::read(&self.path(session), JOURNAL_BYTES)
    }

    /// Writes down how far it is. When this returns, that survives the loss of power. If we die meanwhile, it is what it was before:
    /// a part that is there already is uploaded once more.
    pub(super) fn write(&self, session: &SessionId, progress: &Progress) -> io::Result<()> {
        self.shelf.put(&name(session), progress)
    }

    /// Writes down how far it is, unless it is to be removed; says whether it did. Nobody else writes of it meanwhile.
    pub(super) fn unless_removed(
        &self,
        session: &SessionId,
        progress: &Progress,
    ) -> io::Result<bool> {
        if let Some(Progress::Removed { .. }) = self.read(session)? {
            return Ok(false);
        }
        self.write(session, progress).map(|()| true)
    }

    /// Knows nothing of it any more. When this returns, that survives the loss of power.
    pub(super) fn forget(&self, session: &SessionId) -> io::Result<()> {
        match fs::remove_file(self.path(session)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => self.shelf.sync(),
        }
    }

    /// The recordings of which something is known.
    pub(super) fn all(&self) -> io::Result<Vec<(SessionId, Progress)>> {
        let mut all = Vec::new();
        for path in self.shelf.with_extension("json")? {
            let session = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            let Some(session) = session else {
                continue;
            };
            if let Some(progress) = self.read(&session)? {
                all.push((session, progress));
            }
        }
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(all)
    }

    fn path(&self, session: &SessionId) -> PathBuf {
        self.shelf.path(&name(session))
    }
}

fn name(session: &SessionId) -> String {
    format!("{session}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_known_and_what_is_torn_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("uploads")).unwrap();
        let session = SessionId::from_parts(1, [7; 10]);
        assert_eq!(journal.read(&session).unwrap(), None);
        let progress = Progress::Parts {
            upload: "u".to_owned(),
            parts: vec!["a".to_owned()],
        };
        journal.write(&session, &progress).unwrap();
        let all = [(session.clone(), progress)];
        assert_eq!(journal.all().unwrap(), all);
        let path = journal.path(&session);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert_eq!(journal.read(&session).unwrap(), None);
        let removed = Progress::Removed { upload: None };
        journal.write(&session, &removed).unwrap();
        let parts = Progress::Parts {
            upload: "u".to_owned(),
            parts: Vec::new(),
        };
        assert!(!journal.unless_removed(&session, &parts).unwrap());
        assert_eq!(journal.read(&session).unwrap(), Some(removed));
        journal.forget(&session).unwrap();
        journal.forget(&session).unwrap();
        assert!(journal.unless_removed(&session, &parts).unwrap());
        journal.forget(&session).unwrap();
        assert_eq!(journal.all().unwrap(), []);
    }
}
