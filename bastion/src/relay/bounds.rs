//! How long a session may do nothing, and how much may pass: without input or output.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::limits;
use config::terms::Terms;
use tokio::time::Instant;

use crate::flow::Way;

/// What a session has left.
#[derive(Debug)]
pub(crate) struct Bounds {
    idle: Option<Idle>,
    /// How many bytes may pass still, by this and by all that shares it.
    left: Option<Arc<AtomicU64>>,
    most: u64,
    /// What comes from the target counts as doing something.
    both: bool,
}

#[derive(Debug)]
struct Idle {
    most: Duration,
    since: Instant,
    warned: bool,
}

impl Idle {
    /// How long before its end the person is warned.
    fn warning(&self) -> Duration {
        limits::IDLE_WARNING.min(self.most / 2)
    }
}

/// What a bound says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// The session has been idle, and ends after so long.
    Soon(Duration),
    /// It has been idle for so long.
    Idle(Duration),
    /// More than so many bytes would have passed.
    Large(u64),
}

impl Bounds {
    /// The bounds of a role's sessions. With a terminal, who types does something; without one, whoever sends.
    pub(crate) fn new(terms: &Terms, pty: bool, now: Instant) -> Self {
        let idle = terms.idle.map(|most| Idle {
            most,
            since: now,
            warned: !pty,
        });
        Self {
            idle,
            left: terms.largest.map(|most| Arc::new(AtomicU64::new(most))),
            most: terms.largest.unwrap_or(u64::MAX),
            both: !pty,
        }
    }

    /// The bounds of what passes beside: what is left is left for both, and nobody has to do anything there.
    pub(crate) fn beside(&self) -> Self {
        Self {
            idle: None,
            left: self.left.clone(),
            most: self.most,
            both: true,
        }
    }

    /// So many bytes want to pass.
    pub(super) fn passes(&mut self, way: Way, bytes: usize, now: Instant) -> Result<(), Reached> {
        if let Some(idle) = &mut self.idle
            && (self.both || way == Way::Up)
        {
            idle.since = now;
            idle.warned &= self.both;
        }
        if let Some(left) = &self.left {
            let less = |left: u64| left.checked_sub(bytes as u64);
            left.fetch_update(Ordering::AcqRel, Ordering::Acquire, less)
                .map_err(|_| Reached::Large(self.most))?;
        }
        Ok(())
    }

    /// When there is something to look at.
    pub(super) fn due(&self) -> Option<Instant> {
        let idle = self.idle.as_ref()?;
        let end = idle.since + idle.most;
        Some(if idle.warned {
            end
        } else {
            end - idle.warning()
        })
    }

    /// What is reached by now.
    pub(super) fn reached(&mut self, now: Instant) -> Option<Reached> {
        let idle = self.idle.as_mut()?;
        let end = idle.since + idle.most;
        if end <= now {
            return Some(Reached::Idle(idle.most));
        }
        if !idle.warned && end - idle.warning() <= now {
            idle.warned = true;
            return Some(Reached::Soon(end - now));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(idle: u64, pty: bool) -> (Bounds, Instant) {
        let terms = Terms {
            idle: Some(Duration::from_secs(idle)),
            largest: Some(10),
            ..Terms::default()
        };
        let now = Instant::now();
        (Bounds::new(&terms, pty, now), now)
    }

    #[test]
    fn who_types_nothing_is_warned_and_then_over() {
        let (mut bounds, start) = bounds(600, true);
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(bounds.due(), Some(at(540)));
        assert_eq!(bounds.reached(at(539)), None);
        assert_eq!(
            bounds.reached(at(540)),
            Some(Reached::Soon(Duration::from_secs(60)))
        );
        assert_eq!(bounds.reached(at(541)), None, "once");
        bounds.passes(Way::Down, 1, at(550)).unwrap();
        assert_eq!(bounds.due(), Some(at(600)), "what is shown is not typed");
        bounds.passes(Way::Up, 1, at(560)).unwrap();
        assert_eq!(bounds.due(), Some(at(1100)), "and warned again");
        assert!(bounds.reached(at(1100)).is_some());
        assert_eq!(bounds.reached(at(1159)), None);
        assert_eq!(
            bounds.reached(at(1160)),
            Some(Reached::Idle(Duration::from_secs(600)))
        );
    }

    #[test]
    fn a_short_time_is_warned_of_when_half_of_it_is_over() {
        let (mut bounds, start) = bounds(20, true);
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(bounds.reached(at(9)), None);
        let soon = Some(Reached::Soon(Duration::from_secs(10)));
        assert_eq!(bounds.reached(at(10)), soon);
        assert!(matches!(bounds.reached(at(20)), Some(Reached::Idle(_))));
    }

    #[test]
    fn without_a_terminal_whatever_passes_counts() {
        let (mut bounds, start) = bounds(600, false);
        let at = |secs| start + Duration::from_secs(secs);
        bounds.passes(Way::Down, 1, at(500)).unwrap();
        assert_eq!(bounds.due(), Some(at(1100)), "nobody is there to be warned");
        assert_eq!(bounds.reached(at(1099)), None);
        assert!(bounds.reached(at(1100)).is_some());
    }

    #[test]
    fn one_byte_past_the_largest_session_does_not_pass() {
        let (mut bounds, now) = bounds(600, true);
        bounds.passes(Way::Down, 6, now).unwrap();
        bounds.passes(Way::Up, 4, now).unwrap();
        assert_eq!(bounds.passes(Way::Up, 1, now), Err(Reached::Large(10)));
    }

    #[test]
    fn what_passes_beside_a_session_is_of_its_size() {
        let (mut bounds, now) = bounds(600, true);
        let mut beside = bounds.beside();
        bounds.passes(Way::Down, 6, now).unwrap();
        beside.passes(Way::Up, 4, now).unwrap();
        assert_eq!(beside.passes(Way::Up, 1, now), Err(Reached::Large(10)));
        assert_eq!(bounds.passes(Way::Up, 1, now), Err(Reached::Large(10)));
        assert_eq!(beside.due(), None);
    }
}
