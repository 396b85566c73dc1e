//! How often each person has asked within the last hour, by the log's lines: whatever became of it, each request stays
//! in the log for good. Counted by minutes, so that it stays small however often that was.

use std::collections::{HashMap, VecDeque};

use config::words::PersonName;
use record::clock::UnixTime;
use record::request::Request;

/// Minutes that are counted together: one more than an hour has, since the first of them may have had a second left.
const MINUTES: u64 = 61;

/// Who asked how often; break-glass apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AskedOften(HashMap<(PersonName, bool), VecDeque<(u64, u32)>>);

impl AskedOften {
    /// A request was made.
    pub(super) fn count(&mut self, request: &Request, at: UnixTime) {
        let whose = (request.person.clone(), request.break_glass);
        let (own, minute) = (self.0.entry(whose).or_default(), at.secs() / 60);
        while own
            .front()
            .is_some_and(|(then, _)| then + MINUTES <= minute)
        {
            own.pop_front();
        }
        let mut now: u32 = 1;
        // Those of a clock that was ahead and is put back count with this one: else none of them would until then.
        while let Some((_, times)) = own.back().filter(|(then, _)| *then >= minute) {
            now = now.saturating_add(*times);
            own.pop_back();
        }
        own.push_back((minute, now));
    }

    /// How often a person has asked, and from when on it is less.
    pub(crate) fn of(
        &self,
        person: &PersonName,
        break_glass: bool,
        now: UnixTime,
    ) -> (u32, UnixTime) {
        let minute = now.secs() / 60;
        let own = self.0.get(&(person.clone(), break_glass));
        let counts = |(then, _): &&(u64, u32)| *then <= minute && then + MINUTES > minute;
        let recent = own.into_iter().flatten().filter(counts);
        let first = recent.clone().map(|(then, _)| *then).min();
        let times = recent.fold(0, |sum: u32, (_, times)| sum.saturating_add(*times));
        let less = first.unwrap_or(minute) + MINUTES;
        (times, UnixTime::from_secs(less * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::request;

    /// The log's lines of requests that were made then; and how often that is, now.
    fn often(then: &[(u64, u32)], now: u64) -> (u32, u64) {
        let mut asked = AskedOften::default();
        for (secs, times) in then {
            for _ in 0..*times {
                asked.count(&request(), UnixTime::from_secs(*secs));
            }
        }
        let (times, less) = asked.of(&request().person, false, UnixTime::from_secs(now));
        (times, less.secs())
    }

    const NOON: u64 = 12 * 3600;

    #[test]
    fn no_hour_is_shorter_than_an_hour() {
        let (last, hour) = (NOON + 59, 3600);
        // A second of the minute was left: an hour on, less a second, it still counts.
        assert_eq!(often(&[(last, 7)], NOON + hour).0, 7);
        assert_eq!(often(&[(last, 7)], last + hour).0, 7);
        assert_eq!(often(&[(last, 7)], last + hour + 1).0, 0);
        let less = NOON + hour + 60;
        assert_eq!(often(&[(last, 7), (NOON + 100, 1)], less - 1), (8, less));
        assert_eq!(often(&[(last, 7), (NOON + 100, 1)], less).0, 1);
        // The same when another is counted meanwhile.
        assert_eq!(often(&[(last, 7), (NOON + hour, 1)], NOON + hour).0, 8);
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_counted_counts_when_it_is_put_back() {
        let day = 24 * 3600;
        let then = [(NOON + day, 3), (NOON + day + 120, 4), (NOON, 1)];
        assert_eq!(often(&then, NOON), (8, NOON + 61 * 60));
        assert_eq!(often(&then, NOON + 61 * 60).0, 0);
        // Nor does it count for ever.
        assert_eq!(often(&then, NOON + day).0, 0);
    }
}
