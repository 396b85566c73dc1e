//! Break-glass after the fact: how often somebody took what first, and what is still to be looked at. Pure.
//!
//! A **debt** begins when the access certificate of a break-glass grant is about to be issued: a grant whose certificate
//! was never collected opened nothing, and owes nothing. Its terms are those of the role at that moment, and stand in
//! the log, so that no later change of the configuration forgives them. It is paid by reviews of so many persons as it
//! says, whatever they say, and overdue past its deadline. What counts towards a week's quota is the grant, whether or
//! not its certificate was collected: otherwise one could collect many later.

use std::collections::{BTreeMap, BTreeSet};

use config::Config;
use config::limits;
use config::words::{GroupName, PersonName, RequestId, RoleName};
use record::clock::UnixTime;
use record::review::Verdict;
use record::text::Remark;
use serde::{Deserialize, Serialize};

/// Somebody else has to look at what was done under a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Debt {
    /// Since when.
    pub(crate) at: UnixTime,
    /// How many persons have to review.
    pub(crate) count: u32,
    /// Of which groups, any of them.
    pub(crate) from: Vec<GroupName>,
    /// Until when.
    pub(crate) until: UnixTime,
    /// Whether it keeps the person from new requests while it is overdue.
    pub(crate) blocks: bool,
    /// Whether it keeps them from break-glass too.
    pub(crate) blocks_break_glass: bool,
    /// Whether it was announced that it is overdue.
    pub(crate) announced: bool,
    /// Who reviewed, in order.
    pub(crate) reviews: Vec<Reviewed>,
}

/// One review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reviewed {
    /// Who.
    pub(crate) person: PersonName,
    /// When.
    pub(crate) at: UnixTime,
    /// What they say.
    pub(crate) verdict: Verdict,
    /// And why.
    pub(crate) remark: Remark,
    /// The review's canonical text, which they signed.
    pub(crate) text: String,
    /// The armoured SSHSIG.
    pub(crate) signature: String,
}

impl Debt {
    /// Whether as many persons have reviewed as have to.
    pub(crate) fn is_paid(&self) -> bool {
        self.reviews.len() >= self.count as usize
    }

    /// Whether it is unpaid past its deadline.
    pub(crate) fn is_overdue(&self, now: UnixTime) -> bool {
        !self.is_paid() && now >= self.until
    }

    /// How it stands, in one word.
    pub(crate) fn word(&self, now: UnixTime) -> &'static str {
        let rejects = |review: &Reviewed| review.verdict == Verdict::Reject;
        match (self.is_paid(), self.is_overdue(now)) {
            (true, _) if self.reviews.iter().any(rejects) => "rejected",
            (true, _) => "accepted",
            (false, true) => "overdue",
            (false, false) => "owed",
        }
    }

    /// Whether this person has reviewed.
    pub(crate) fn has(&self, person: &PersonName) -> bool {
        self.reviews.iter().any(|review| review.person == *person)
    }

    /// The groups whose members can pay it: those that stand in the log, or, if nobody but its person is in them any
    /// more, those that review the role now. A debt that nobody could pay would never end.
    pub(crate) fn payers(
        &self,
        config: &Config,
        owner: &PersonName,
        role: &RoleName,
    ) -> Vec<GroupName> {
        let others = config.persons.iter().filter(|(name, _)| *name != owner);
        let mut others = others.map(|(_, person)| person);
        let alive =
            others.any(|person| self.from.iter().any(|group| person.groups.contains(group)));
        let now = config
            .roles
            .get(role)
            .and_then(|role| role.break_glass.as_ref());
        match now {
            Some(terms) if !alive => terms.review.from.clone(),
            _ => self.from.clone(),
        }
    }
}

/// Who took what first lately, and which debts are unpaid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Book {
    /// When each person took each role first, within the last week of the log's own time; in order.
    taken: BTreeMap<(PersonName, RoleName), Vec<UnixTime>>,
    /// The requests whose debt is unpaid.
    unpaid: BTreeSet<RequestId>,
}

impl Book {
    /// Somebody took a role first.
    pub(crate) fn took(&mut self, person: &PersonName, role: &RoleName, at: UnixTime) {
        self.taken.retain(|_, times| {
            times.retain(|time| within_week(*time, at));
            !times.is_empty()
        });
        let own = (person.clone(), role.clone());
        self.taken.entry(own).or_default().push(at);
    }

    /// When this person took this role first, within the week before `now`; in order.
    pub(crate) fn taken(
        &self,
        person: &PersonName,
        role: &RoleName,
        now: UnixTime,
    ) -> Vec<UnixTime> {
        let own = self.taken.get(&(person.clone(), role.clone()));
        let times = own.into_iter().flatten().copied();
        times.filter(|time| within_week(*time, now)).collect()
    }

    /// A debt began.
    pub(crate) fn owes(&mut self, id: RequestId) {
        self.unpaid.insert(id);
    }

    /// A debt is paid.
    pub(crate) fn paid(&mut self, id: &RequestId) {
        self.unpaid.remove(id);
    }

    /// The requests whose debt is unpaid.
    pub(crate) fn unpaid(&self) -> impl Iterator<Item = &RequestId> {
        self.unpaid.iter()
    }
}

/// A clock that was put back does not make what was taken any younger than now.
fn within_week(time: UnixTime, now: UnixTime) -> bool {
    now.since(time) < limits::BREAK_GLASS_WEEK
}

/// When the next break-glass is free under a quota: none if it is now. `times` are those within the week before `now`,
/// in order.
pub(crate) fn next_free(times: &[UnixTime], per_week: u32) -> Option<UnixTime> {
    let most = per_week as usize;
    let oldest = times.len().checked_sub(most).and_then(|n| times.get(n));
    oldest.map(|oldest| oldest.after(limits::BREAK_GLASS_WEEK))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(day: u32) -> UnixTime {
        UnixTime::from_secs(1_795_312_324).after(DAY * day)
    }

    fn book(days: &[u32]) -> (Book, PersonName, RoleName) {
        let (alice, role): (PersonName, RoleName) =
            ("alice".parse().unwrap(), "db".parse().unwrap());
        let mut book = Book::default();
        for day in days {
            book.took(&alice, &role, at(*day));
        }
        (book, alice, role)
    }

    #[test]
    fn a_week_rolls() {
        let (book, alice, role) = book(&[0, 1, 3]);
        assert_eq!(book.taken(&alice, &role, at(3)).len(), 3);
        assert_eq!(book.taken(&alice, &role, at(7)), [at(1), at(3)]);
        assert_eq!(book.taken(&alice, &role, at(10)), []);
        assert_eq!(book.taken(&"bob".parse().unwrap(), &role, at(3)), []);
        assert_eq!(book.taken(&alice, &"other".parse().unwrap(), at(3)), []);
    }

    #[test]
    fn the_next_is_free_when_the_oldest_that_counts_is_a_week_old() {
        assert_eq!(next_free(&[], 1), None);
        assert_eq!(next_free(&[at(0)], 2), None);
        assert_eq!(next_free(&[at(0)], 1), Some(at(7)));
        assert_eq!(next_free(&[at(0), at(2)], 2), Some(at(7)));
        // The quota was lowered since: the one before the last has to grow old too.
        assert_eq!(next_free(&[at(0), at(2), at(3)], 1), Some(at(10)));
    }

    proptest! {
        /// However somebody asks, no week holds more than the quota; and what is refused is free when it says so.
        #[test]
        fn no_week_holds_more_than_its_quota(gaps in prop::collection::vec(0_u64..300_000, 1..60), quota in 1_u32..5) {
            let (mut book, alice, role) = book(&[]);
            let (mut now, mut given) = (at(0), Vec::new());
            for gap in gaps {
                now = now.after(Duration::from_secs(gap));
                match next_free(&book.taken(&alice, &role, now), quota) {
                    None => {
                        book.took(&alice, &role, now);
                        given.push(now);
                    }
                    Some(free) => {
                        prop_assert!(free > now);
                        prop_assert_eq!(next_free(&book.taken(&alice, &role, free), quota), None);
                    }
                }
            }
            for from in &given {
                let week = given.iter().filter(|time| **time >= *from && within_week(*from, **time));
                prop_assert!(week.count() <= quota as usize);
            }
        }
    }
}
