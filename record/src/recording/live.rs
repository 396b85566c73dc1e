//! A recording that is being written.
//!
//! The recorder appends to the last tail; the store's thread makes tails durable and seals those that are full. Two
//! locks keep them apart, so that appending never waits for sealing: `writing` is held for one write at a time,
//! `cast` for one sealing; where both are wanted, `cast` is taken first.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::limits;
use config::words::SessionId;

use super::crypt::Vault;
use super::crypt::keys::Keys;
use super::event::{Data, End, EndReason};
use super::frame::Effort;
use super::pace::Pace;
use super::recorder::RecordError;
use super::seal::{self, Cast, Sealed};
use super::store::Shared;

mod sealing;
mod writing;

/// So many full tails may wait to be sealed before the caller is asked to wait: 16 MiB on disk.
const BEHIND_SOFT: usize = 64;

/// And so many before recording fails: 256 MiB.
const BEHIND_HARD: usize = 1024;

/// A recording that is being written.
#[derive(Debug)]
pub(super) struct Live {
    session: SessionId,
    /// Of an encrypted recording.
    vault: Option<Arc<Vault>>,
    writing: Mutex<Writing>,
    cast: Mutex<Cast>,
    waiting: AtomicUsize,
    abandoned: AtomicBool,
    /// Of whoever records.
    pace: Pace,
}

#[derive(Debug)]
struct Writing {
    tail: Tail,
    /// The time of the last event that stands in the tail.
    at_us: u64,
    /// Tails that are full, in order.
    full: VecDeque<Tail>,
    /// Files that were written since the last group, in order.
    unsynced: Vec<Arc<File>>,
    /// Whether a file was made since the last group.
    entries: bool,
    /// How many tails were filled quickly, one after the other.
    quick: u32,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Open,
    /// Takes nothing but its End.
    Failed,
    /// The End stands in the last tail.
    Ended(End),
}

#[derive(Debug, Clone)]
struct Tail {
    number: u32,
    file: Arc<File>,
    /// Up to here it holds whole lines. What a failed write may have left past it does not count.
    length: u64,
    /// Its length before the first event.
    head: u64,
    opened: Duration,
    to_us: u64,
    /// How many encrypted batches it holds.
    chunks: u32,
    /// How hard its frame is compressed.
    effort: Effort,
}

impl Live {
    /// Makes the files of a recording, and makes them durable with their header.
    pub(super) fn begin(
        shared: &Shared,
        session: &SessionId,
        header: &[u8],
        vault: Option<(Vault, Keys)>,
    ) -> io::Result<Self> {
        let disk = shared.disk.as_ref();
        let (vault, keys) = vault.unzip();
        let head = match &vault {
            None => header.to_vec(),
            Some(vault) => {
                let mut head = vault.statement().line();
                head.extend(vault.chunk(0, 0, 0, None, header)?);
                head
            }
        };
        let cast = Cast::create(disk, &shared.dir, session, keys.as_ref())?;
        // If we die here, the recording is empty, nothing was forwarded, and recovery removes it.
        let mut tail = Self::first_tail(shared, &cast, &head).inspect_err(|_| {
            // Whether or not it was made: without lines there is nothing to keep.
            let _ = disk.remove(&seal::tail_path(&shared.dir, session, 0));
            let _ = disk.remove(&seal::cast_path(&shared.dir, session));
        })?;
        tail.chunks = u32::from(vault.is_some());
        // From here on the recording exists. If we die, recovery ends it as a crash.
        let writing = Writing {
            tail,
            at_us: 0,
            full: VecDeque::new(),
            unsynced: Vec::new(),
            entries: false,
            quick: 0,
            state: State::Open,
        };
        Ok(Self {
            session: session.clone(),
            vault: vault.map(Arc::new),
            writing: Mutex::new(writing),
            cast: Mutex::new(cast),
            waiting: AtomicUsize::new(0),
            abandoned: AtomicBool::new(false),
            pace: Pace::default(),
        })
    }

    fn first_tail(shared: &Shared, cast: &Cast, header: &[u8]) -> io::Result<Tail> {
        let disk = shared.disk.as_ref();
        cast.reserve(disk)?;
        let tail = Tail::create(shared, &cast.session, 0, header)?;
        let durable = disk
            .sync(&cast.file)
            .and_then(|()| disk.sync(&tail.file))
            .and_then(|()| disk.sync(&shared.handle));
        if durable.is_err() {
            shared.poison();
        }
        durable.map(|()| tail)
    }

    /// Writes events that happen now.
    pub(super) fn append(
        &self,
        shared: &Shared,
        now_us: u64,
        events: &mut dyn Iterator<Item = Data>,
    ) -> Result<(), RecordError> {
        if shared.stalled() {
            return Err(RecordError::Stalled);
        }
        let append = || self.append_now(shared, now_us, events);
        self.pace.keep(append)
    }

    fn append_now(
        &self,
        shared: &Shared,
        now_us: u64,
        events: &mut dyn Iterator<Item = Data>,
    ) -> Result<(), RecordError> {
        let mut writing = self.writing();
        if shared.poisoned() {
            return Err(RecordError::Poisoned);
        }
        if writing.state != State::Open {
            return Err(RecordError::Failed);
        }
        if self.waiting.load(Ordering::Relaxed) >= BEHIND_HARD {
            writing.state = State::Failed;
            return Err(RecordError::Behind);
        }
        // One frame less, so that the End has one.
        if u64::from(writing.tail.number) + 1 >= limits::RECORDING_FRAMES {
            writing.state = State::Failed;
            return Err(RecordError::Long);
        }
        let written = writing.write(shared, self, now_us, events, limits::FRAME_BYTES as u64);
        written.map_err(|e| {
            writing.state = State::Failed;
            RecordError::Write(e)
        })
    }

    /// Writes the End and seals everything, calling `turn` after each tail.
    pub(super) fn finish(
        &self,
        shared: &Shared,
        now_us: u64,
        tallies: Vec<Data>,
        end: End,
        turn: &dyn Fn(),
    ) -> Result<Sealed, RecordError> {
        let sealed = self
            .end(shared, now_us, tallies, end.clone())
            .and_then(|()| self.seal_all(shared, end, turn));
        // Whether or not it could be sealed, the thread has nothing to do for it any more.
        shared.forget(&self.session);
        if let Ok(sealed) = &sealed {
            shared.index(sealed, self.vault.clone());
        } else {
            // What was forwarded since the last group must not be lost with the power before the next start.
            shared.sync(&[self]);
        }
        sealed
    }

    fn end(
        &self,
        shared: &Shared,
        now_us: u64,
        tallies: Vec<Data>,
        end: End,
    ) -> Result<(), RecordError> {
        let mut writing = self.writing();
        if shared.poisoned() {
            return Err(RecordError::Poisoned);
        }
        let events: Vec<Data> = tallies
            .into_iter()
            .chain([Data::End(end.clone())])
            .collect();
        // Without a bound, so that the End needs no new file: room for it was set aside with the tail. Written
        // again after an error, because the disk may have failed only once.
        let mut write = || {
            writing.write(
                shared,
                self,
                now_us,
                &mut events.clone().into_iter(),
                u64::MAX,
            )
        };
        write().or_else(|_| write()).map_err(RecordError::Write)?;
        writing.state = State::Ended(end);
        let mut last = writing.tail.clone();
        last.to_us = writing.at_us;
        self.queue(&mut writing, last);
        // If we die here, recovery finds the End in the tail and seals it as it stands.
        Ok(())
    }

    /// How many bytes are sealed and durable; none while some are being sealed.
    pub(super) fn sealed(&self) -> Option<u64> {
        self.cast.try_lock().ok().map(|cast| cast.length)
    }

    pub(super) fn behind(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= BEHIND_SOFT
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(super) fn end_if_abandoned(&self, shared: &Shared, turn: &dyn Fn()) {
        if !self.abandoned.load(Ordering::Acquire) {
            return;
        }
        let (open, at_us) = {
            let writing = self.writing();
            (writing.state == State::Open, writing.at_us)
        };
        // What waits is sealed first, a period's worth at a time: until then nothing of anybody would be made durable.
        if open && self.waiting.load(Ordering::Relaxed) > 0 {
            return;
        }
        self.abandoned.store(false, Ordering::Release);
        let end = End {
            reason: EndReason::Crash,
            exit: None,
        };
        // An error leaves the recording to the next start, as it would after a crash of the whole process.
        let _ = self.finish(shared, at_us, Vec::new(), end, turn);
    }

    pub(super) fn rotate_if_old(&self, shared: &Shared) {
        let mut writing = self.writing();
        let old = shared.clock.monotonic().saturating_sub(writing.tail.opened) >= limits::FRAME_AGE;
        let used = writing.tail.length > writing.tail.head;
        if writing.state == State::Open && old && used && writing.rotate(shared, self).is_err() {
            writing.state = State::Failed;
        }
    }

    /// Takes the files that were written since the last group, and says in `entries` if the directory
    /// changed.
    pub(super) fn take_unsynced(&self, entries: &mut bool) -> Vec<Arc<File>> {
        let mut writing = self.writing();
        *entries |= std::mem::take(&mut writing.entries);
        std::mem::take(&mut writing.unsynced)
    }

    fn queue(&self, writing: &mut Writing, tail: Tail) {
        writing.full.push_back(tail);
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first line of every tail but the first: a comment that says what must stand before it.
pub(super) fn follows(number: u32, before: u64) -> String {
    format!("# frame {number} follows {before} bytes\n")
}

#[cfg(test)]
impl Live {
    /// Pretends that so many frames were written before.
    pub(super) fn pretend(&self, number: u32) {
        self.writing().tail.number = number;
    }

    /// Pretends that so many frames were sealed before, each of the most bytes that one may have.
    pub(super) fn pretend_sealed(&self, number: u32) {
        let (mut cast, mut writing) = (self.sealing(), self.writing());
        for _ in 0..number {
            cast.tree.push(crate::tree::leaf_hash(b""));
            cast.table.add(usize::MAX, usize::MAX);
            cast.table.add(usize::MAX, 0);
        }
        writing.tail.number = number;
    }

    /// How many full tails wait to be sealed.
    pub(super) fn waits(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Seals, for as long as the guard is kept.
    pub(super) fn sealing(&self) -> MutexGuard<'_, Cast> {
        self.cast.lock().unwrap()
    }
}
