//! How long the disk has taken so far for what it does now.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One who uses the disk, one operation at a time.
#[derive(Debug)]
pub(super) struct Pace {
    base: Instant,
    /// When the operation began, in microseconds after `base` and one more; 0 while there is none.
    since: AtomicU64,
}

impl Pace {
    /// Nothing goes on.
    pub(super) fn new() -> Self {
        Self {
            base: Instant::now(),
            since: AtomicU64::new(0),
        }
    }

    /// Does something with the disk.
    pub(super) fn keep<T>(&self, operation: impl FnOnce() -> T) -> T {
        let now = u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.since.store(now.saturating_add(1), Ordering::Release);
        let done = operation();
        self.since.store(0, Ordering::Release);
        done
    }

    /// How long the operation has lasted that is going on.
    pub(super) fn lasts(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        let since = Duration::from_micros(since);
        Some(self.base.elapsed().saturating_sub(since))
    }
}
