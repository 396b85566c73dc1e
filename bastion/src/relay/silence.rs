//! Time as it passes for somebody who listens to a target: without input or output.

use config::limits;
use tokio::time::Instant;

/// A clock that goes while the target could be heard. It stands while the session stands still, because nothing is taken from the
/// target then, and for [`limits::MASK_RESUMES`] longer; between two looks it goes by [`limits::MASK_LOOK`] at most, because nobody
/// listened in between.
#[derive(Debug)]
pub(super) struct Silence {
    time: Instant,
    looked: Instant,
    /// When it goes on.
    goes: Instant,
}

impl Silence {
    /// A clock that goes, and shows the time.
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            time: now,
            looked: now,
            goes: now,
        }
    }

    /// What it shows.
    pub(super) const fn time(&self) -> Instant {
        self.time
    }

    /// Looks at it. `still`: nothing is taken from the target now.
    pub(super) fn look(&mut self, now: Instant, still: bool) {
        if still {
            self.goes = now + limits::MASK_RESUMES;
        } else if self.goes <= now {
            let passed = now.saturating_duration_since(self.looked);
            self.time += passed.min(limits::MASK_LOOK);
        }
        self.looked = now;
    }

    /// When to look again, for somebody who waits until it shows `due`.
    pub(super) fn next(&self, due: Instant) -> Instant {
        let left = due.saturating_duration_since(self.time);
        self.looked.max(self.goes) + left.min(limits::MASK_LOOK)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Looks as often as the clock says, until it shows `due`; how long that took.
    fn waits(silence: &mut Silence, from: Instant, due: Instant) -> Duration {
        let mut now = from;
        while silence.time() < due {
            now = silence.next(due);
            silence.look(now, false);
        }
        now - from
    }

    #[test]
    fn it_goes_while_the_target_may_speak() {
        let start = Instant::now();
        let mut silence = Silence::new(start);
        let due = start + limits::MASK_HOLD;
        assert_eq!(waits(&mut silence, start, due), limits::MASK_HOLD);
        assert_eq!(silence.next(due), silence.looked, "it is time");
    }

    #[test]
    fn it_stands_while_the_session_does_and_a_while_longer() {
        let start = Instant::now();
        let mut silence = Silence::new(start);
        let due = start + limits::MASK_HOLD;
        let mut now = start;
        for _ in 0..100 {
            now += Duration::from_secs(1);
            silence.look(now, true);
        }
        let goes = now + limits::MASK_RESUMES;
        silence.look(goes - Duration::from_millis(1), false);
        assert_eq!(silence.time(), start);
        silence.look(goes, false);
        let first = Duration::from_millis(1);
        assert_eq!(silence.time(), start + first);
        assert_eq!(waits(&mut silence, goes, due) + first, limits::MASK_HOLD);
    }

    #[test]
    fn what_nobody_looked_at_counts_as_one_look() {
        let start = Instant::now();
        let mut silence = Silence::new(start);
        silence.look(start + Duration::from_secs(3600), false);
        assert_eq!(silence.time(), start + limits::MASK_LOOK);
    }
}
