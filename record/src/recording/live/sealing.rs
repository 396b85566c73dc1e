//! How full tails become frames of the recording.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::Instant;

use config::limits;

use super::super::event::End;
use super::super::frame::Effort;
use super::super::recorder::RecordError;
use super::super::seal::{self, Batch, Cast, Content, SealError, Sealed};
use super::super::store::Shared;
use super::{Live, State, Tail};

/// Most tails that are made durable at once: each sync takes some milliseconds of a disk, whatever it has to write.
const AT_ONCE: usize = 8;

/// While so many tails wait, 4 MiB, catching up comes before size.
const MANY: usize = 16;

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
            let sealed = self
                .seal_next(shared, &mut cast, Instant::now(), turn)
                .or_else(|e| match e {
                    SealError::Write(_) => self.seal_next(shared, &mut cast, Instant::now(), turn),
                    other => Err(other),
                });
            match sealed {
                Ok(true) => turn(),
                Ok(false) => return Ok(cast.sealed(end)),
                Err(e) => return Err(self.failed(shared, e)),
            }
        }
    }

    /// Seals some full tails, if there are any, and no more than one if the period is over that `began` then; says so, and
    /// calls `turn` after each. Never waits for another who seals.
    pub(in crate::recording) fn seal_some(
        &self,
        shared: &Shared,
        began: Instant,
        turn: &dyn Fn(),
    ) -> bool {
        let mut cast = match self.cast.try_lock() {
            Ok(cast) => cast,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // The recording ends: whoever holds it goes on until nothing is left, or leaves it to the next start.
            Err(TryLockError::WouldBlock) => return false,
        };
        if self.writing().state == State::Failed {
            return false;
        }
        let sealed = self
            .seal_next(shared, &mut cast, began, turn)
            .and_then(|sealed| {
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

    /// Seals the full tails that come next, as many as are made durable at once, and one if the period is over that
    /// `began` then. A tail is removed when its frame is durable.
    fn seal_next(
        &self,
        shared: &Shared,
        cast: &mut Cast,
        began: Instant,
        turn: &dyn Fn(),
    ) -> Result<bool, SealError> {
        let (tails, end) = self.next_tails();
        let Some(last) = tails.last().map(|tail| tail.number) else {
            return Ok(false);
        };
        let effort = if self.waiting.load(Ordering::Relaxed) >= MANY {
            Some(Effort::Fast)
        } else {
            None
        };
        let (now, mut batch) = (Instant::now(), cast.batch());
        let mut added = Ok(());
        for tail in &tails {
            // One whose file could not be removed is sealed already.
            if tail.number != batch.next() {
                continue;
            }
            let end = end.as_ref().filter(|_| tail.number == last);
            let effort = effort.unwrap_or(tail.effort);
            added = self.seal_tail(shared, &mut batch, tail, end, effort);
            if added.is_err() {
                // It costs those before it nothing.
                break;
            }
            turn();
            // On a full disk there is the room that was kept, until these tails are removed.
            let full = batch.len() > seal::TAIL_BYTES;
            let over = began.elapsed() >= limits::SYNC_EVERY;
            if full || over || now.elapsed() >= limits::SYNC_EVERY / 2 {
                break;
            }
        }
        let sealed = batch.next();
        if sealed > cast.next() {
            cast.write(shared.disk.as_ref(), batch)?;
        }
        for tail in tails.iter().filter(|tail| tail.number < sealed) {
            self.remove(shared, tail)?;
        }
        added.map(|()| true)
    }

    /// The full tails that come next, in order, and the End if the last one of them holds it.
    fn next_tails(&self) -> (Vec<Tail>, Option<End>) {
        let writing = self.writing();
        let tails: Vec<Tail> = writing.full.iter().take(AT_ONCE).cloned().collect();
        let end = match &writing.state {
            State::Ended(end) if tails.len() == writing.full.len() => Some(end.clone()),
            _ => None,
        };
        (tails, end)
    }

    /// Removes the file of a tail whose frame is durable.
    fn remove(&self, shared: &Shared, tail: &Tail) -> Result<(), SealError> {
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
        let mut writing = self.writing();
        writing.full.pop_front();
        // What it held is durable elsewhere.
        writing
            .unsynced
            .retain(|file| !Arc::ptr_eq(file, &tail.file));
        drop(writing);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    fn seal_tail(
        &self,
        shared: &Shared,
        batch: &mut Batch,
        tail: &Tail,
        end: Option<&End>,
        effort: Effort,
    ) -> Result<(), SealError> {
        let mut bytes = vec![0; usize::try_from(tail.length).unwrap_or_default()];
        tail.file
            .read_exact_at(&mut bytes, 0)
            .map_err(SealError::Write)?;
        let signer = &shared.signer;
        let Some(vault) = &self.vault else {
            return batch.add(signer, Content::Clear(&bytes), tail.to_us, end, effort);
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
        batch.add(signer, content, tail.to_us, end, effort)
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
