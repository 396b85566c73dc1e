//! Which person counts for which quorum.
//!
//! A role may need several quorums, and all of them. Each person counts once: somebody who is in two
//! of the groups counts for one of them, whichever leaves the fewest places empty. That is a matching
//! of persons to places, and the largest one is found by augmenting paths (H. W. Kuhn, "The Hungarian
//! method for the assignment problem", 1955).

use std::collections::BTreeSet;

use crate::rules::Quorum;
use crate::words::{GroupName, PersonName};

/// A person, and the groups that they are in.
pub type Member<'a> = (&'a PersonName, &'a BTreeSet<GroupName>);

/// The fullest way to count persons for quorums.
#[derive(Debug)]
pub struct Tally<'a> {
    seats: Vec<Seats<'a>>,
}

#[derive(Debug)]
struct Seats<'a> {
    quorum: &'a Quorum,
    taken: Vec<Member<'a>>,
}

impl<'a> Tally<'a> {
    /// Counts these persons, each of whom stands here once. The same persons in the same order give the same
    /// tally.
    pub fn of(quorums: &'a [Quorum], persons: impl IntoIterator<Item = Member<'a>>) -> Self {
        let seats = quorums.iter().map(|quorum| Seats {
            quorum,
            taken: Vec::new(),
        });
        let mut tally = Self {
            seats: seats.collect(),
        };
        for person in persons {
            tally.seat(person, &mut BTreeSet::new());
        }
        tally
    }

    /// Whether every quorum has its persons.
    pub fn is_full(&self) -> bool {
        self.seats.iter().all(|seats| !seats.is_open())
    }

    /// Each quorum with the persons who count for it, never more than it needs; in the quorums' order.
    pub fn rows(&self) -> impl Iterator<Item = (&'a Quorum, impl Iterator<Item = &'a PersonName>)> {
        self.seats
            .iter()
            .map(|seats| (seats.quorum, seats.taken.iter().map(|(name, _)| *name)))
    }

    /// The groups of which one more person would help this quorum: its own, and those for which somebody
    /// counts who could count for this one instead. None once it has its persons.
    pub fn helped_by(&self, quorum: &Quorum) -> Vec<&'a GroupName> {
        let first = self.seats.iter().position(|seats| seats.quorum == quorum);
        let mut reached: Vec<&Seats> = Vec::new();
        reached.extend(
            first
                .and_then(|n| self.seats.get(n))
                .filter(|s| s.is_open()),
        );
        let mut next = 0;
        while let Some(from) = reached.get(next).map(|seats| &seats.quorum.from) {
            let freed = self.seats.iter().filter(|other| {
                let known = reached.iter().any(|seats| seats.quorum == other.quorum);
                !known && other.taken.iter().any(|(_, groups)| groups.contains(from))
            });
            let freed: Vec<_> = freed.collect();
            reached.extend(freed);
            next += 1;
        }
        reached.iter().map(|seats| &seats.quorum.from).collect()
    }

    /// Seats a person, moving others if need be. Recurses at most once for each quorum: `tried` grows.
    fn seat(&mut self, person: Member<'a>, tried: &mut BTreeSet<usize>) -> bool {
        for n in 0..self.seats.len() {
            let Some(seats) = self.seats.get_mut(n) else {
                return false;
            };
            if !person.1.contains(&seats.quorum.from) || !tried.insert(n) {
                continue;
            }
            if seats.is_open() {
                seats.taken.push(person);
                return true;
            }
            for (place, sitting) in seats.taken.clone().into_iter().enumerate() {
                if self.seat(sitting, tried) {
                    let freed = self.seats.get_mut(n);
                    let freed = freed.and_then(|seats| seats.taken.get_mut(place));
                    return freed.is_some_and(|freed| {
                        *freed = person;
                        true
                    });
                }
            }
        }
        false
    }
}

impl Seats<'_> {
    fn is_open(&self) -> bool {
        self.taken.len() < self.quorum.count as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GROUPS: [&str; 4] = ["dba", "manager", "security", "sre"];

    type People = Vec<(PersonName, BTreeSet<GroupName>)>;

    fn people() -> impl Strategy<Value = People> {
        let groups = prop::collection::btree_set(prop::sample::select(&GROUPS[..]), 0..4);
        prop::collection::vec(groups, 0..7).prop_map(|all| {
            let named = all.into_iter().enumerate().map(|(n, groups)| {
                let groups = groups.into_iter().map(|name| name.parse().unwrap());
                (format!("p{n}").parse().unwrap(), groups.collect())
            });
            named.collect()
        })
    }

    fn quorums() -> impl Strategy<Value = Vec<Quorum>> {
        prop::collection::vec(0_u32..4, 4).prop_map(|counts| {
            let wanted = GROUPS.iter().zip(counts).filter(|(_, count)| *count > 0);
            let quorums = wanted.map(|(from, count)| Quorum {
                count,
                from: from.parse().unwrap(),
                on_call: None,
            });
            quorums.collect()
        })
    }

    fn tally<'a>(quorums: &'a [Quorum], people: &'a People) -> Tally<'a> {
        Tally::of(quorums, people.iter().map(|(name, groups)| (name, groups)))
    }

    fn seated(tally: &Tally) -> usize {
        tally.rows().map(|(_, taken)| taken.count()).sum()
    }

    /// Tries every way to count everybody.
    fn most(quorums: &[Quorum], people: &[(PersonName, BTreeSet<GroupName>)]) -> usize {
        let Some(((_, groups), rest)) = people.split_first() else {
            return 0;
        };
        let mut best = most(quorums, rest);
        for n in 0..quorums.len() {
            let mut left = quorums.to_vec();
            if left[n].count > 0 && groups.contains(&left[n].from) {
                left[n].count -= 1;
                best = best.max(1 + most(&left, rest));
            }
        }
        best
    }

    proptest! {
        /// As many places are filled as can be, each by a person of its group, and nobody sits twice.
        #[test]
        fn promise_30_persons_are_counted_once_and_as_well_as_can_be(quorums in quorums(), people in people()) {
            let tally = tally(&quorums, &people);
            prop_assert_eq!(seated(&tally), most(&quorums, &people));
            let all: usize = quorums.iter().map(|quorum| quorum.count as usize).sum();
            prop_assert_eq!(tally.is_full(), seated(&tally) == all);
            let mut seen = BTreeSet::new();
            for (quorum, taken) in tally.rows() {
                let taken: Vec<_> = taken.collect();
                prop_assert!(taken.len() <= quorum.count as usize);
                for name in taken {
                    prop_assert!(seen.insert(name), "{name} counts twice");
                    let (_, groups) = people.iter().find(|(own, _)| own == name).unwrap();
                    prop_assert!(groups.contains(&quorum.from));
                }
            }
        }

        /// One more person helps exactly if they are in a group that is named as helping.
        #[test]
        fn who_would_help_is_named_and_nobody_else(quorums in quorums(), people in people(), more in people()) {
            let before = tally(&quorums, &people);
            let help: BTreeSet<_> = quorums.iter().flat_map(|quorum| before.helped_by(quorum)).collect();
            for (_, groups) in &more {
                let mut all = people.clone();
                all.push(("z".parse().unwrap(), groups.clone()));
                let helps = seated(&tally(&quorums, &all)) > seated(&before);
                prop_assert_eq!(helps, groups.iter().any(|group| help.contains(group)));
            }
        }

        /// The order of the persons does not change how much is filled.
        #[test]
        fn the_order_does_not_matter(quorums in quorums(), people in people()) {
            let mut turned = people.clone();
            turned.reverse();
            prop_assert_eq!(seated(&tally(&quorums, &people)), seated(&tally(&quorums, &turned)));
        }
    }
}
