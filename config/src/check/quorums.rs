//! Who has to agree: that everybody who may ask could ever get it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::roles::known_group;
use super::{Checked, flaw};
use crate::quorum::Tally;
use crate::rules::{Person, Quorum};
use crate::words::{GroupName, PersonName};
use crate::{file, limits};

pub(super) fn quorums(
    given: &Spanned<file::AllOf>,
    askers: &BTreeSet<GroupName>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<Vec<Quorum>> {
    let at = given.span();
    let quorums = match given.get_ref() {
        file::AllOf::One(one) if one.count == 0 => {
            return match &one.from {
                None => Ok(Vec::new()),
                Some(_) => no_count(at),
            };
        }
        file::AllOf::One(one) => vec![quorum(one, at.clone(), persons)?],
        file::AllOf::List(list) => all_of(list, at.clone(), persons)?,
    };
    let stuck = persons.iter().find(|(name, person)| {
        let others = persons.iter().filter(|(other, _)| other != name);
        let others = others.map(|(name, person)| (name, &person.groups));
        !person.groups.is_disjoint(askers) && !Tally::of(&quorums, others).is_full()
    });
    let Some((name, _)) = stuck else {
        return Ok(quorums);
    };
    let each: Vec<String> = quorums
        .iter()
        .map(|q| format!("{} approvals of {}", q.count, q.from))
        .collect();
    flaw(
        at,
        format!("{name} could never get {} by others", each.join(" and ")),
        "nobody approves themselves, and each person counts once: put more persons in the group, or count fewer",
    )
}

fn all_of(
    list: &[Spanned<file::Approvals>],
    at: Range<usize>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<Vec<Quorum>> {
    if list.is_empty() {
        return flaw(
            at,
            "approvals is an empty list",
            "write approvals = { count = 0 } if nobody has to agree",
        );
    }
    if list.len() > limits::QUORUMS {
        return flaw(
            at,
            format!("more than {} groups have to agree", limits::QUORUMS),
            "name fewer",
        );
    }
    let mut quorums: Vec<Quorum> = Vec::new();
    for one in list {
        let checked = quorum(one.get_ref(), one.span(), persons)?;
        if quorums.iter().any(|other| other.from == checked.from) {
            return flaw(
                one.span(),
                format!("{} stands in approvals twice", checked.from),
                "name each group once, with the count of all its persons",
            );
        }
        quorums.push(checked);
    }
    Ok(quorums)
}

fn quorum(
    given: &file::Approvals,
    at: Range<usize>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<Quorum> {
    let Some(from) = &given.from else {
        return flaw(
            at,
            "approvals name no group",
            "say who: approvals = { count = 1, from = \"sre\" }",
        );
    };
    if given.count == 0 {
        return no_count(at);
    }
    known_group(from, persons)?;
    Ok(Quorum {
        count: given.count,
        from: from.get_ref().clone(),
    })
}

fn no_count<T>(at: Range<usize>) -> Checked<T> {
    flaw(
        at,
        "approvals of 0 persons name a group",
        "remove from, or count at least 1",
    )
}
