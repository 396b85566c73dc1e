//! Recordings that the bucket gives back otherwise than it was given them: each goes up again after ever longer times, so that a bucket that
//! always does that costs neither the line nor the disks of both.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::limits;
use config::words::SessionId;

/// What each recording has met with that is not in the bucket as it should be.
#[derive(Debug, Default)]
pub(super) struct Setbacks(Mutex<BTreeMap<SessionId, Setback>>);

#[derive(Debug)]
struct Setback {
    times: u32,
    /// When it may go up again, by the clock that never steps.
    until: Duration,
}

impl Setbacks {
    /// Counts that the bucket has something else, and says so: the first time it may have been somebody's mistake, and the recording goes up
    /// again at the next look.
    pub(super) fn count(&self, session: &SessionId, now: Duration) {
        let mut all = self.all();
        let times = all.get(session).map_or(0, |before| before.times) + 1;
        let wait = wait(times);
        let until = now.saturating_add(wait);
        all.insert(session.clone(), Setback { times, until });
        drop(all);
        if times == 1 {
            tracing::warn!(%session, "the bucket does not have a recording as it was given: it is uploaded again");
        } else {
            tracing::error!(
                %session, times, minutes = wait.as_secs() / 60,
                "the bucket has again something else than it was given: the recording stays on this disk, and is not uploaded for so many \
                 minutes; see who else writes there, what stands before the store, and what its own log says"
            );
        }
    }

    /// Whether a recording is left alone for now.
    pub(super) fn is_waiting(&self, session: &SessionId, now: Duration) -> bool {
        self.all().get(session).is_some_and(|it| it.until > now)
    }

    /// Another is to go up, or none: what was before counts no more.
    pub(super) fn forget(&self, session: &SessionId) {
        self.all().remove(session);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<SessionId, Setback>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Recordings that the bucket took whole, and when, by the clock that never steps: while what it took cannot be read back, that is tried
/// again, and the recording does not go up again but after the longest wait.
#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<BTreeMap<SessionId, Duration>>);

impl Taken {
    /// Notes that the bucket has taken one.
    pub(super) fn note(&self, session: &SessionId, now: Duration) {
        self.all().insert(session.clone(), now);
    }

    /// Whether it took this one not long ago.
    pub(super) fn has(&self, session: &SessionId, now: Duration) -> bool {
        let at = self.all().get(session).copied();
        at.is_some_and(|at| now.saturating_sub(at) < limits::UPLOAD_AGAIN.1)
    }

    /// It is known what the bucket has, or another is to go up.
    pub(super) fn forget(&self, session: &SessionId) {
        self.all().remove(session);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<SessionId, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait after so many times: not at all after the first, then twice as long each time.
fn wait(times: u32) -> Duration {
    let (first, most) = limits::UPLOAD_AGAIN;
    let Some(doublings) = times.checked_sub(2) else {
        return Duration::ZERO;
    };
    let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_as_long_and_none_longer_than_an_hour() {
        let minutes = |times| wait(times).as_secs() / 60;
        let waits: Vec<u64> = (0..=7).map(minutes).collect();
        assert_eq!(waits, [0, 0, 5, 10, 20, 40, 60, 60]);
        assert_eq!(minutes(u32::MAX), 60);
    }
}
