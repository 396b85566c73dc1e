//! A finished recording is erased, or copied so that somebody else can open it. Neither touches what was signed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use config::recipients::Recipients;
use config::words::SessionId;

use super::keys::Keys;
use super::statement::{Head, Statement};
use super::{LockedError, Opens, Vault};
use crate::age::{Identities, WrapError};
use crate::recording::frame::{self, SeekTable, Stored};
use crate::recording::index;
use crate::recording::reader::ReadError;
use crate::recording::recover::{file_of, open_plain};

/// Why a recording was neither erased nor shared.
#[derive(Debug, thiserror::Error)]
pub enum ReissueError {
    /// The caller's fault: it is not sealed, so that there is no key to destroy or to wrap.
    #[error("the recording is not sealed: whoever has the file can read it")]
    Clear,
    /// The caller's fault: the session runs, or its bastion has died and was not started since.
    #[error("the recording is not finished: wait for its end, or start its bastion, which ends it")]
    Unfinished,
    /// It cannot be opened.
    #[error(transparent)]
    Locked(#[from] LockedError),
    /// The caller's fault: it was handed on more often than anybody needs.
    #[error("too many hold a share of it already: begin with the original")]
    Often,
    /// It cannot be wrapped for the new recipient.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// The file's fault.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk's fault.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whether [`erase`] could destroy the key of this recording: it is finished, sealed, and has one still.
pub fn erasable(path: &Path) -> Result<(), ReissueError> {
    let (_, _, payload) = opened(path, OpenOptions::new().read(true))?;
    match Keys::parse(&payload) {
        Some(Keys::Erased(_)) => Err(LockedError::Erased.into()),
        // What cannot be read may be an erasure that a power cut has torn.
        Some(Keys::Wrapped(_) | Keys::Split(_)) | None => Ok(()),
    }
}

/// Destroys the content key in a recording's file: nobody can read it any more, and it verifies as before. When this
/// returns, that survives the loss of power. Erasing it once more changes nothing. Copies, and what
/// the disk itself keeps of overwritten blocks, are beyond its reach.
pub fn erase(path: &Path) -> Result<(), ReissueError> {
    let (file, _, payload) = opened(path, OpenOptions::new().read(true).write(true))?;
    let erased = frame::preamble(Some(&Keys::Erased(payload.len()).payload()));
    // If we die within, some of what is wrapped may be there still: the same call again overwrites it, whatever it is.
    file.write_all_at(&erased, 0)?;
    file.sync_all()?;
    // Its index opens with the same key, so that nobody can read it either; if it cannot be removed, it only takes room.
    if let (Some(dir), Some((session, _))) = (path.parent(), name_of(path)) {
        let _ = std::fs::remove_file(index::path(dir, &session));
    }
    Ok(())
}

/// What a copy is for its recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// They open it, each of them alone, and nobody else does.
    Whole,
    /// They hold the shares that the caller's keys hold; as before, so many of its recipients open it together.
    Part {
        /// How many different shares those are.
        held: usize,
        /// How many open it.
        need: usize,
    },
}

/// Writes a copy that other recipients can open, and no others. Of a recording that several open together, fewer of
/// them hand on what they hold: the copy is for its recipients as before, and for the new ones in the callers' place
/// too. The file must not exist. What was signed stays as it is, so that the copy verifies under the same root.
pub fn share(
    path: &Path,
    identities: &Identities,
    recipients: &Recipients,
    to: &Path,
) -> Result<Shared, ReissueError> {
    let mut opened = Opened::at(path, OpenOptions::new().read(true))?;
    let statement = opened.statement()?;
    let (keys, shared) = match Vault::open(&opened.keys, &statement, identities) {
        Ok(vault) => (
            Keys::wrap(recipients, vault.key(), Opens::Recording)?,
            Shared::Whole,
        ),
        Err(LockedError::TooFew { have, need, .. }) => (
            opened.keys.hand_on(identities, recipients)?,
            Shared::Part { held: have, need },
        ),
        Err(e) => return Err(e.into()),
    };
    let out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let copied = opened.copy(&keys, &out);
    if copied.is_err() {
        // Half a recording would pass for one that was cut.
        let _ = std::fs::remove_file(to);
    }
    copied.map(|()| shared)
}

/// A finished, encrypted recording.
struct Opened {
    file: File,
    from: BufReader<File>,
    keys: Keys,
}

/// The file of a finished, encrypted recording, read up to behind its wrapped key, and that key's payload.
fn opened(
    path: &Path,
    how: &OpenOptions,
) -> Result<(File, BufReader<File>, Vec<u8>), ReissueError> {
    if !matches!(name_of(path), Some((_, None))) {
        return Err(ReadError::Name(path.to_owned()).into());
    }
    let file = open_plain(path, how)?;
    let mut from = BufReader::new(file.try_clone()?);
    match frame::read_frame(&mut from).map_err(ReadError::from)? {
        Some(Stored::Preamble { encrypted: true }) => {}
        Some(Stored::Preamble { encrypted: false }) => return Err(ReissueError::Clear),
        _ => return Err(ReadError::NotARecording("it does not begin as one").into()),
    }
    if !frame::looks_finished(&file)? {
        return Err(ReissueError::Unfinished);
    }
    match frame::read_frame(&mut from).map_err(ReadError::from)? {
        Some(Stored::Keys(payload)) => Ok((file, from, payload)),
        _ => Err(unreadable().into()),
    }
}

fn name_of(path: &Path) -> Option<(SessionId, Option<u32>)> {
    path.file_name()?.to_str().and_then(file_of)
}

fn unreadable() -> LockedError {
    LockedError::Damaged("it cannot be read".into())
}

impl Opened {
    fn at(path: &Path, how: &OpenOptions) -> Result<Self, ReissueError> {
        let (file, from, payload) = opened(path, how)?;
        Ok(Self {
            file,
            from,
            keys: Keys::parse(&payload).ok_or_else(unreadable)?,
        })
    }

    /// Reads the first frame, for what it says.
    fn statement(&mut self) -> Result<Statement, ReissueError> {
        let said = match frame::read_frame(&mut self.from).map_err(ReadError::from)? {
            Some(Stored::Encrypted(frame)) => {
                Head::split(frame.payload()).and_then(|(head, _)| head.statement)
            }
            _ => None,
        };
        let damaged = || ReadError::Damaged("it does not say what is sealed".into());
        Ok(said.ok_or_else(damaged)?)
    }

    /// Writes all frames, after other keys, and the seek table that goes with them.
    fn copy(&mut self, keys: &Keys, out: &File) -> Result<(), ReissueError> {
        let payload = keys.payload();
        let mut from = BufReader::new(self.file.try_clone()?);
        io::Seek::rewind(&mut from)?;
        let mut out = io::BufWriter::new(out);
        out.write_all(&frame::preamble(Some(&payload)))?;
        let mut table = SeekTable::beginning(Some(payload.len()));
        let damaged = || ReadError::Damaged("`hallpass verify` says where".into());
        loop {
            match frame::read_frame(&mut from).map_err(ReadError::from)? {
                Some(Stored::Preamble { .. } | Stored::Keys(_)) => {}
                Some(Stored::Encrypted(frame)) => {
                    table.add(frame.stored.len(), 0);
                    out.write_all(&frame.stored)?;
                }
                Some(Stored::Trailer(payload)) => {
                    let stored = frame::trailer(&payload);
                    table.add(stored.len(), 0);
                    out.write_all(&stored)?;
                }
                Some(Stored::Seek(_)) => break,
                Some(Stored::Lines(_)) | None => return Err(damaged().into()),
            }
        }
        if from.read(&mut [0])? != 0 {
            return Err(damaged().into());
        }
        out.write_all(&table.store())?;
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(())
    }
}
