//! Who has to agree: that everybody who may ask could ever get it.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;

use super::roles::known_group;
use super::{Checked, Known, flaw};
use crate::quorum::Tally;
use crate::rules::Quorum;
use crate::words::{CheckName, GroupName};
use crate::{file, limits};

/// The persons and the automated checks that have to agree.
pub(super) fn quorums(
    given: &Spanned<file::AllOf>,
    askers: &BTreeSet<GroupName>,
    known: Known<'_>,
) -> Checked<(Vec<Quorum>, BTreeSet<CheckName>)> {
    let at = given.span();
    let mut all = (Vec::new(), BTreeSet::new());
    match given.get_ref() {
        file::AllOf::One(one) if one.count == Some(0) && one.check.is_none() => {
            return match (&one.from, &one.on_call) {
                (None, None) => Ok(all),
                _ => no_count(at),
            };
        }
        file::AllOf::One(one) => add(&mut all, one, at.clone(), known)?,
        file::AllOf::List(list) => all_of(&mut all, list, at.clone(), known)?,
    }
    // Who is in a program's groups, nobody knows yet.
    if all.0.iter().any(|quorum| known.is_told(&quorum.from)) {
        return Ok(all);
    }
    let persons = known.persons;
    let stuck = persons.iter().find(|(name, person)| {
        let others = persons.iter().filter(|(other, _)| other != name);
        let others = others.map(|(name, person)| (name, &person.groups));
        !person.groups.is_disjoint(askers) && !Tally::of(&all.0, others).is_full()
    });
    let Some((name, _)) = stuck else {
        return Ok(all);
    };
    let each: Vec<String> = all
        .0
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
    all: &mut (Vec<Quorum>, BTreeSet<CheckName>),
    list: &[Spanned<file::Approvals>],
    at: Range<usize>,
    known: Known<'_>,
) -> Checked<()> {
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
            format!(
                "more than {} groups and checks have to agree",
                limits::QUORUMS
            ),
            "name fewer",
        );
    }
    for one in list {
        add(all, one.get_ref(), one.span(), known)?;
    }
    Ok(())
}

fn add(
    (quorums, checks): &mut (Vec<Quorum>, BTreeSet<CheckName>),
    one: &file::Approvals,
    at: Range<usize>,
    known: Known<'_>,
) -> Checked<()> {
    if let Some(check) = &one.check {
        let checked = self::check(one, check, at.clone(), known)?;
        if !checks.insert(checked) {
            return flaw(
                at,
                format!("check {} stands in approvals twice", check.get_ref()),
                "name each check once",
            );
        }
        return Ok(());
    }
    let checked = quorum(one, at.clone(), known)?;
    if quorums.iter().any(|other| other.from == checked.from) {
        return flaw(
            at,
            format!("{} stands in approvals twice", checked.from),
            "name each group once, with the count of all its persons",
        );
    }
    quorums.push(checked);
    Ok(())
}

fn check(
    one: &file::Approvals,
    check: &Spanned<CheckName>,
    at: Range<usize>,
    known: Known<'_>,
) -> Checked<CheckName> {
    if one.count.is_some() || one.from.is_some() || one.on_call.is_some() {
        return flaw(
            at,
            "a check is not a person: it has no count, from or on-call",
            "give it an entry of its own: [{ count = 1, from = \"sre\" }, { check = \"ticket\" }]",
        );
    }
    if known.checks.contains_key(check.get_ref()) {
        return Ok(check.get_ref().clone());
    }
    flaw(
        check.span(),
        format!("there is no check {}", check.get_ref()),
        format!("add [check.{}], or correct the name", check.get_ref()),
    )
}

fn quorum(given: &file::Approvals, at: Range<usize>, known: Known<'_>) -> Checked<Quorum> {
    let Some(count) = given.count else {
        return flaw(
            at,
            "approvals say no count",
            "say how many: approvals = { count = 1, from = \"sre\" }",
        );
    };
    let Some(from) = &given.from else {
        return flaw(
            at,
            "approvals name no group",
            "say who: approvals = { count = 1, from = \"sre\" }",
        );
    };
    if count == 0 {
        return no_count(at);
    }
    known_group(from, known)?;
    let roster = given.on_call.as_ref();
    let unknown = roster.filter(|name| !known.rosters.contains_key(name.get_ref()));
    if let Some(name) = unknown {
        return flaw(
            name.span(),
            format!("there is no roster {}", name.get_ref()),
            format!("add [on-call.{}], or correct the name", name.get_ref()),
        );
    }
    Ok(Quorum {
        count,
        from: from.get_ref().clone(),
        on_call: roster.map(|name| name.get_ref().clone()),
    })
}

fn no_count<T>(at: Range<usize>) -> Checked<T> {
    flaw(
        at,
        "approvals of 0 persons name a group",
        "remove from, or count at least 1",
    )
}
