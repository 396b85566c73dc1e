//! Alerts that somebody can bring about as often as they like, without getting anything by it.

use std::collections::BTreeMap;

use config::limits;
use config::words::{PersonName, RoleName};
use record::clock::UnixTime;

use super::Event;

/// When each person was last told of, by role. It holds no more than one hour's, and no more than there are persons and
/// roles.
#[derive(Debug, Default)]
pub(super) struct Seldom(BTreeMap<(PersonName, RoleName), UnixTime>);

impl Seldom {
    /// Whether this is to be told now. A refusal over a quota is, once an hour for each person and role, so that a
    /// loop of requests wakes nobody up twice; everything else always.
    pub(super) fn is_news(&mut self, event: &Event, now: UnixTime) -> bool {
        let Event::Quota { person, role, .. } = event else {
            return true;
        };
        // A clock that was put back must silence nothing: what was told later than now counts as long ago.
        self.0
            .retain(|_, told| *told <= now && now.since(*told) < limits::QUOTA_ALERT_EVERY);
        let key = (person.clone(), role.clone());
        if self.0.contains_key(&key) {
            return false;
        }
        self.0.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(person: &str, role: &str) -> Event {
        Event::Quota {
            person: person.parse().unwrap(),
            role: role.parse().unwrap(),
            access: "postgres@db1.prod".parse().unwrap(),
            reason: "because".parse().unwrap(),
            free: UnixTime::from_secs(0),
        }
    }

    #[test]
    fn a_quota_is_told_once_an_hour_for_each_person_and_role() {
        let mut seldom = Seldom::default();
        let start = UnixTime::from_secs(1_000_000);
        let hour = limits::QUOTA_ALERT_EVERY;
        assert!(seldom.is_news(&quota("alice", "db"), start));
        assert!(!seldom.is_news(&quota("alice", "db"), start));
        assert!(seldom.is_news(&quota("alice", "web"), start));
        assert!(seldom.is_news(&quota("bob", "db"), start));
        let last = start.after(hour).before(std::time::Duration::from_secs(1));
        assert!(!seldom.is_news(&quota("alice", "db"), last));
        assert!(seldom.is_news(&quota("alice", "db"), start.after(hour)));
        assert_eq!(seldom.0.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn a_clock_that_is_put_back_silences_nothing() {
        let mut seldom = Seldom::default();
        let late = UnixTime::from_secs(2_000_000);
        assert!(seldom.is_news(&quota("alice", "db"), late));
        let early = UnixTime::from_secs(1_000_000);
        assert!(seldom.is_news(&quota("alice", "db"), early));
    }

    #[test]
    fn everything_else_is_always_told() {
        let mut seldom = Seldom::default();
        let event = Event::Restoration {
            whom: record::entry::Whom::Person("alice".parse().unwrap()),
            by: "carol".parse().unwrap(),
            reason: "found".parse().unwrap(),
        };
        for _ in 0..3 {
            assert!(seldom.is_news(&event, UnixTime::from_secs(5)));
        }
    }
}
