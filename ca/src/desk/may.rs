//! Who may end what others have, and who may let a machine join: decided here and nowhere else.

use std::collections::BTreeSet;

use config::Config;
use config::words::{GroupName, PersonName};
use record::entry::Whom;
use record::fingerprint::Fingerprint;

use super::{Caller, Refused};
use crate::state::Case;

/// Whether a person may end somebody's grant: those who may approve the role; where nobody has to, those who hold
/// it too; where the role is gone, those who approved the grant; and whoever may shut the person out. One's own grant is
/// given back instead.
pub(super) fn may_revoke(config: &Config, person: &PersonName, case: &Case) -> Result<(), Refused> {
    if case.request.person == *person {
        return Err(Refused::Own("give it back with `return`"));
    }
    if is_revoker(config, person) {
        return Ok(());
    }
    let Some(role) = config.roles.get(&case.request.role) else {
        let gone = Refused::UnknownRequest(case.request.id.clone());
        return case.approvers().contains(person).then_some(()).ok_or(gone);
    };
    let groups = config.persons.get(person).map(|person| &person.groups);
    if role.quorums.is_empty() {
        let holds = groups.is_some_and(|own| !own.is_disjoint(&role.groups));
        let stranger = Refused::UnknownRequest(case.request.id.clone());
        return holds.then_some(()).ok_or(stranger);
    }
    let approves = groups.is_some_and(|own| role.approved_by(own));
    let no = Refused::NotRevoker(role.approvers());
    approves.then_some(()).ok_or(no)
}

/// Whether a person may shut out, and so know of every request.
pub(super) fn is_revoker(config: &Config, person: &PersonName) -> bool {
    is_in(config, person, &config.ca.revokers)
}

/// Whether a person may shut somebody or something out: those whom the configuration names for it; and everybody their
/// own keys, for a laptop is lost at any hour.
pub(super) fn may_exclude(config: &Config, caller: &Caller, whom: &Whom) -> Result<(), Refused> {
    let own = config.persons.get(&caller.person).map(|own| &own.keys);
    let own = own.into_iter().flatten().map(Fingerprint::of);
    let mine = matches!(whom, Whom::Key(key) if own.into_iter().any(|one| one == *key));
    if mine || is_revoker(config, &caller.person) {
        return Ok(());
    }
    Err(Refused::NotExcluder(groups(&config.ca.revokers)))
}

/// Whether a person may let somebody or something in again: those who may shut out, and nobody their own key; whoever
/// has stolen the other one would.
pub(super) fn may_restore(config: &Config, caller: &Caller, whom: &Whom) -> Result<(), Refused> {
    if !is_revoker(config, &caller.person) {
        return Err(Refused::NotExcluder(groups(&config.ca.revokers)));
    }
    let own = config.persons.get(&caller.person).map(|own| &own.keys);
    let own = own.into_iter().flatten().map(Fingerprint::of);
    let mine = matches!(whom, Whom::Key(key) if own.into_iter().any(|one| one == *key));
    if mine {
        return Err(Refused::OwnRestoration);
    }
    Ok(())
}

/// Whether a person may make join tokens.
pub(super) fn may_invite(config: &Config, person: &PersonName) -> Result<(), Refused> {
    if is_in(config, person, &config.ca.enrollers) {
        return Ok(());
    }
    Err(Refused::NotEnroller(groups(&config.ca.enrollers)))
}

fn is_in(config: &Config, person: &PersonName, groups: &BTreeSet<GroupName>) -> bool {
    let own = config.persons.get(person).map(|person| &person.groups);
    own.is_some_and(|own| !own.is_disjoint(groups))
}

fn groups(named: &BTreeSet<GroupName>) -> Vec<GroupName> {
    named.iter().cloned().collect()
}
