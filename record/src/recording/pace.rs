//! Whether the disk answers: how often in a row somebody who looks saw the same operation going on.
//!
//! Looks are counted instead of time, because time passes also while this process is frozen, and then it is not the
//! disk that does not answer.

use std::sync::atomic::{AtomicU64, Ordering};

/// One more that has ended, in the upper half of a number.
const ENDED: u64 = 1 << 32;

/// The lower half.
const LOWER: u64 = ENDED - 1;

/// One that uses the disk, perhaps from several threads.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How many operations go on, below; above, how many have ended. Together, so that each operation costs two additions.
    turns: AtomicU64,
    /// How often in a row some operation was seen going on while none ended, below; above, how many had ended then.
    seen: AtomicU64,
}

impl Pace {
    /// Does something with the disk.
    pub(super) fn keep<T>(&self, operation: impl FnOnce() -> T) -> T {
        self.turns.fetch_add(1, Ordering::AcqRel);
        let _goes_on = GoesOn(self);
        operation()
    }

    /// The operation that goes on has come a step further: as if it had ended and another had begun.
    pub(super) fn turn(&self) {
        self.turns.fetch_add(ENDED, Ordering::AcqRel);
    }

    /// Looks what goes on. Only one thread may look.
    pub(super) fn look(&self) {
        let turns = self.turns.load(Ordering::Acquire);
        let seen = self.seen.load(Ordering::Acquire);
        let looks = match turns & LOWER {
            0 => 0,
            _ if turns & !LOWER == seen & !LOWER => (seen & LOWER).saturating_add(1).min(LOWER),
            _ => 1,
        };
        self.seen.store(turns & !LOWER | looks, Ordering::Release);
    }

    /// Whether something goes on that was seen, and then so many more times without a step further.
    pub(super) fn late(&self, most: u64) -> bool {
        let seen = self.seen.load(Ordering::Acquire);
        let turns = self.turns.load(Ordering::Acquire);
        turns & LOWER > 0 && turns & !LOWER == seen & !LOWER && seen & LOWER > most
    }
}

/// An operation that goes on, until it is dropped: a panic ends it too.
struct GoesOn<'a>(&'a Pace);

impl Drop for GoesOn<'_> {
    fn drop(&mut self) {
        // At least one goes on, so nothing is borrowed from the upper half.
        self.0.turns.fetch_add(ENDED - 1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late_after(pace: &Pace, looks: u64) -> bool {
        for _ in 0..looks {
            pace.look();
        }
        pace.late(3)
    }

    #[test]
    fn an_operation_is_late_that_was_seen_and_then_as_often_again_as_one_may_be() {
        let pace = Pace::default();
        assert!(!late_after(&pace, 10), "nothing goes on");
        pace.keep(|| {
            assert!(!late_after(&pace, 3));
            assert!(late_after(&pace, 1));
            // A step further, and it begins again.
            pace.turn();
            assert!(!late_after(&pace, 3));
            assert!(late_after(&pace, 1));
        });
        assert!(!pace.late(3), "it has ended, and nobody has looked since");
        pace.keep(|| assert!(!late_after(&pace, 3)));
    }

    #[test]
    fn the_end_of_one_operation_hides_no_other_that_goes_on() {
        let pace = Pace::default();
        pace.keep(|| {
            pace.keep(|| assert!(!late_after(&pace, 3)));
            assert!(!late_after(&pace, 3), "one has just ended");
            assert!(late_after(&pace, 1), "the other goes on");
        });
    }
}
