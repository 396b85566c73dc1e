//! Whether somebody else looks on, where a role needs that: without input or output.

use std::time::Duration;

use tokio::time::Instant;

/// A session that goes on only while somebody else looks on.
#[derive(Debug)]
pub(super) struct Observed {
    /// How long it may stand still; none: nobody has to look on.
    grace: Option<Duration>,
    /// When it ends, while nobody does.
    ends: Option<Instant>,
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// The last one has left, and it ends after so long.
    Paused(Duration),
    /// Somebody is there again.
    Goes,
}

/// Nobody has looked on for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alone(pub(crate) Duration);

impl Observed {
    /// It begins while somebody looks on.
    pub(super) const fn new(grace: Option<Duration>) -> Self {
        Self { grace, ends: None }
    }

    /// So many others look on now.
    pub(super) fn seen(&mut self, others: usize, now: Instant) -> Option<Change> {
        let grace = self.grace?;
        match (others, self.ends) {
            (0, None) => {
                self.ends = Some(now + grace);
                Some(Change::Paused(grace))
            }
            (0, Some(_)) | (_, None) => None,
            (_, Some(_)) => {
                self.ends = None;
                Some(Change::Goes)
            }
        }
    }

    /// Whether it stands still.
    pub(super) const fn paused(&self) -> bool {
        self.ends.is_some()
    }

    /// When it ends, while it stands still.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.ends
    }

    /// Whether it has stood still for too long.
    pub(super) fn over(&self, now: Instant) -> Result<(), Alone> {
        match (self.ends, self.grace) {
            (Some(ends), Some(grace)) if ends <= now => Err(Alone(grace)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    #[test]
    fn it_pauses_when_the_last_one_leaves_and_ends_after_the_grace() {
        let now = Instant::now();
        let mut observed = Observed::new(Some(GRACE));
        assert_eq!(observed.seen(2, now), None);
        assert_eq!(observed.seen(1, now), None);
        assert_eq!(observed.seen(0, now), Some(Change::Paused(GRACE)));
        let later = now + GRACE / 2;
        assert_eq!(
            observed.seen(0, later),
            None,
            "the grace is not counted again"
        );
        assert_eq!(observed.over(later), Ok(()));
        assert_eq!(observed.seen(1, later), Some(Change::Goes));
        assert!(!observed.paused());
        assert_eq!(observed.over(now + 2 * GRACE), Ok(()));
        assert_eq!(observed.seen(0, later), Some(Change::Paused(GRACE)));
        assert_eq!(observed.over(later + GRACE), Err(Alone(GRACE)));
    }

    #[test]
    fn a_role_that_needs_nobody_never_pauses() {
        let mut observed = Observed::new(None);
        assert_eq!(observed.seen(0, Instant::now()), None);
        assert!(!observed.paused());
    }
}
