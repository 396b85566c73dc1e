//! How full tails become frames of the recording.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, TryLockError};

use super::super::event::End;
use super::super::recorder::RecordError;
use super::super::seal::{self, Cast, Content, SealError, Sealed};
use super::super::store::Shared;
use super::{Live, State, Tail};

impl Live {
    /// Seals every full tail, and calls `turn` after each.
    pub(super) fn seal_all(
        &self,
        shared: &Shared,
        end: End,
        turn: &dyn Fn(),
    ) -> Result<Sealed, RecordError> {
        let mut cast = self.cast.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let sealed = self.seal_next(shared, &mut cast).or_else(|e| match e {
                SealError::Write(_) => self.seal_next(shared, &mut cast),
                other => Err(other),
            });
            match sealed {
                Ok(true) => turn(),
                Ok(false) => return Ok(cast.sealed(end)),
                Err(e) => return Err(self.failed(shared, e)),
            }
        }
    }

    /// Seals one full tail, if there is one; says so. Never waits for another who seals.
    pub(in crate::recording) fn seal_one(&self, shared: &Shared) -> bool {
        let mut cast = match self.cast.try_lock() {
            Ok(cast) => cast,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // The recording ends: whoever holds it goes on until nothing is left, or leaves it to the next start.
            Err(TryLockError::WouldBlock) => return false,
        };
        if self.writing().state == State::Failed {
            return false;
        }
        let sealed = self.seal_next(shared, &mut cast).and_then(|sealed| {
            if sealed {
                cast.reserve(shared.disk.as_ref())
                    .map_err(SealError::Write)?;
            }
            Ok(sealed)
        });
        sealed.unwrap_or_else(|e| {
            self.failed(shared, e);
            false
        })
    }

    fn seal_next(&self, shared: &Shared, cast: &mut Cast) -> Result<bool, SealError> {
        let (tail, end) = {
            let writing = self.writing();
            let Some(tail) = writing.full.front().cloned() else {
                return Ok(false);
            };
            let end = match &writing.state {
                State::Ended(end) if writing.full.len() == 1 => Some(end.clone()),
                _ => None,
            };
            (tail, end)
        };
        if tail.number == cast.next() {
            self.seal_tail(shared, cast, &tail, end.as_ref())?;
        }
        shared
            .disk
            .remove(&seal::tail_path(&shared.dir, &self.session, tail.number))
            .or_else(|e| {
                if e.kind() == io::ErrorKind::NotFound {
                    Ok(())
                } else {
                    Err(e)
                }
            })
            .map_err(SealError::Write)?;
        // If we die here or before, recovery removes a tail that is sealed.
        self.writing().full.pop_front();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(true)
    }

    fn seal_tail(
        &self,
        shared: &Shared,
        cast: &mut Cast,
        tail: &Tail,
        end: Option<&End>,
    ) -> Result<(), SealError> {
        let mut bytes = vec![0; usize::try_from(tail.length).unwrap_or_default()];
        tail.file
            .read_exact_at(&mut bytes, 0)
            .map_err(SealError::Write)?;
        let (disk, signer) = (shared.disk.as_ref(), &shared.signer);
        let Some(vault) = &self.vault else {
            return cast.seal(disk, signer, Content::Clear(&bytes), tail.to_us, end);
        };
        let read = vault.tail(tail.number, &bytes);
        if !read.whole {
            let why = "the disk gives back other bytes than were written";
            return Err(SealError::Write(io::Error::other(why)));
        }
        let content = Content::Closed {
            vault,
            lines: &read.lines,
            tail: tail.length,
        };
        cast.seal(disk, signer, content, tail.to_us, end)
    }

    fn failed(&self, shared: &Shared, error: SealError) -> RecordError {
        let mut writing = self.writing();
        if writing.state == State::Open {
            writing.state = State::Failed;
        }
        match error {
            SealError::Write(e) => RecordError::Write(e),
            SealError::Sign(_) => RecordError::Sign,
            SealError::Sync(_) => {
                shared.poison();
                RecordError::Poisoned
            }
        }
    }
}
