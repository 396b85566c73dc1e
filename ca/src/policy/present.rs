//! Whose word counts while: of a quorum that is limited to persons on call, only of those who are.

use std::borrow::Cow;
use std::collections::BTreeSet;

use config::rules::{Quorum, Role};
use config::words::{GroupName, PersonName, RosterName};

use super::Asking;
use crate::desk::Refused;

/// The persons other than the one who asks, each with the groups that their word counts for: where a quorum is
/// limited to persons on call, its group only if they are on call now and, if they have approved, were so then.
pub(super) fn others<'a>(
    role: &Role,
    asking: &Asking<'a>,
) -> Vec<(&'a PersonName, Cow<'a, BTreeSet<GroupName>>)> {
    if role.quorums.is_empty() {
        return Vec::new();
    }
    let others = asking.config.persons.iter();
    let others = others.filter(|(name, _)| **name != asking.request.person);
    let counting = others.map(|(name, person)| {
        let mut groups = Cow::Borrowed(&person.groups);
        for quorum in &role.quorums {
            if person.groups.contains(&quorum.from) && !is_present(quorum, name, asking) {
                groups.to_mut().remove(&quorum.from);
            }
        }
        (name, groups)
    });
    counting.collect()
}

/// Whether a person's approval would count at all now; if not, why not.
pub(crate) fn may_approve(
    role: &Role,
    person: &PersonName,
    groups: &BTreeSet<GroupName>,
    asking: &Asking,
) -> Result<(), Refused> {
    let own = role.quorums.iter();
    let own = own.filter(|quorum| groups.contains(&quorum.from));
    let mut missed: Option<&RosterName> = None;
    let mut member = false;
    for quorum in own {
        member = true;
        match &quorum.on_call {
            Some(roster) if !is_on_call(roster, person, asking) => missed = Some(roster),
            _ => return Ok(()),
        }
    }
    match missed {
        Some(roster) if member => Err(Refused::NotOnCall {
            roster: roster.clone(),
            who: on_call(roster, asking),
        }),
        _ => Err(Refused::NotApprover(role.approvers())),
    }
}

fn is_present(quorum: &Quorum, person: &PersonName, asking: &Asking) -> bool {
    let Some(roster) = &quorum.on_call else {
        return true;
    };
    let was = || {
        let then = asking.outside.were_on_call.get(person);
        then.is_some_and(|rosters| rosters.contains(roster))
    };
    is_on_call(roster, person, asking) && (!asking.approvals.contains(person) || was())
}

fn is_on_call(roster: &RosterName, person: &PersonName, asking: &Asking) -> bool {
    let now = asking.outside.on_call.get(roster);
    now.is_some_and(|persons| persons.contains(person))
}

fn on_call(roster: &RosterName, asking: &Asking) -> Vec<PersonName> {
    let now = asking.outside.on_call.get(roster);
    now.into_iter().flatten().cloned().collect()
}

#[cfg(test)]
mod tests;
