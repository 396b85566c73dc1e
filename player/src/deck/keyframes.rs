//! Screens to come back to, so that going anywhere replays little.

use crate::screen::{Screen, Snapshot};

/// A snapshot is kept for each so many bytes of output, so that a seek replays at most that much: 10 ms of work.
const EVERY: usize = 256 << 10;

/// All snapshots together hold at most so many bytes. Where more would be held, every other one goes.
const MOST_BYTES: usize = 24 << 20;

/// A place between two steps: the first step that comes after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its chunk.
    pub chunk: usize,
    /// Its number in the chunk.
    pub step: usize,
}

/// The screen at a place.
#[derive(Debug, Clone)]
pub struct Keyframe {
    /// Which.
    pub place: Place,
    /// When the last step before it happened.
    pub shown_us: u64,
    /// The screen.
    pub snapshot: Snapshot,
}

/// The screens that are kept, in order, and when the next one is due.
#[derive(Debug, Default)]
pub struct Keyframes {
    kept: Vec<Keyframe>,
    bytes: usize,
    spent: usize,
    thinned: u32,
}

impl Keyframes {
    /// With the first screen.
    pub fn new(screen: &Screen) -> Self {
        let mut keyframes = Self::default();
        if let Some(snapshot) = screen.snapshot() {
            keyframes.keep(Keyframe {
                place: Place::default(),
                shown_us: 0,
                snapshot,
            });
        }
        keyframes
    }

    /// Counts what was shown.
    pub fn spent(&mut self, bytes: usize) {
        self.spent += bytes;
    }

    /// The screen at a place, if one is due there.
    pub fn due(&mut self, place: Place, shown_us: u64, screen: &Screen) -> Option<Keyframe> {
        if self.spent < EVERY << self.thinned.min(16) {
            return None;
        }
        self.spent = 0;
        let snapshot = screen.snapshot()?;
        Some(Keyframe {
            place,
            shown_us,
            snapshot,
        })
    }

    /// Keeps the screen if one is due beyond all others.
    pub(super) fn offer(&mut self, place: Place, shown_us: u64, screen: &Screen) {
        if self.kept.last().is_some_and(|last| last.place >= place) {
            self.spent = 0;
        }
        if let Some(keyframe) = self.due(place, shown_us, screen) {
            self.keep(keyframe);
        }
    }

    /// Keeps this one.
    pub fn keep(&mut self, keyframe: Keyframe) {
        let at = self
            .kept
            .partition_point(|kept| kept.place < keyframe.place);
        if self
            .kept
            .get(at)
            .is_some_and(|kept| kept.place == keyframe.place)
        {
            return;
        }
        self.bytes += keyframe.snapshot.bytes();
        self.kept.insert(at, keyframe);
        while self.bytes > MOST_BYTES && self.kept.len() > 2 {
            self.thin();
        }
    }

    /// The last one that shows nothing later than this.
    pub fn before(&self, to_us: u64) -> Option<&Keyframe> {
        let at = self.kept.partition_point(|kept| kept.shown_us <= to_us);
        at.checked_sub(1).and_then(|at| self.kept.get(at))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The first one stays.
    fn thin(&mut self) {
        let mut number = 0;
        self.kept.retain(|_| {
            number += 1;
            number % 2 == 1
        });
        self.bytes = self.kept.iter().map(|kept| kept.snapshot.bytes()).sum();
        self.thinned += 1;
    }
}
