//! Who may have what, and who has to agree: pure and total, from one configuration, one request, the
//! persons who approved, what is known about the person who asks, and the time.

mod asking;
pub mod explain;
mod glass;
mod present;
mod shape;

use config::hours::Hours;
use config::limits;
use config::quorum::{Member, Tally};
use config::rules::{Person, Role};
use config::words::{CheckName, GroupName, PersonName, Principal, RequestId, RoleName};
use record::clock::UnixTime;
use record::text::Command;
use ssh_key::{HashAlg, PublicKey};
use std::net::IpAddr;

use crate::desk::Need;

pub(crate) use asking::{Asking, History, Outside, Owed};
pub(crate) use present::may_approve;
pub(crate) use shape::shape;

/// What the policy says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No, whoever approves.
    Refused(Why),
    /// Not before these approvals.
    Needs(Vec<Need>),
    /// Every person who has to agree has; these automated checks have not.
    Unchecked(Vec<CheckName>),
    /// Not before the person has proven with the PIN of a token that it is they.
    Unproven,
    /// Yes.
    Granted {
        /// The one absolute deadline.
        until: UnixTime,
        /// The persons whose approvals it rests on.
        approved_by: Vec<PersonName>,
    },
}

/// Why the policy says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Why {
    /// An approver said no: nothing outweighs that.
    #[error("{0} denied it")]
    Denied(PersonName),
    /// The request is past its time.
    #[error("the request has expired")]
    Expired,
    /// The person is not registered any more.
    #[error("{0} is not registered any more")]
    NoPerson(PersonName),
    /// The key that would be certified is not the person's any more.
    #[error("the key that it was asked with is not registered any more")]
    NoKey,
    /// The role is gone.
    #[error("there is no role {0} any more")]
    NoRole(RoleName),
    /// The person lost the role.
    #[error("role {0} is not this person's any more")]
    NotTheirs(RoleName),
    /// The role does not cover the access any more.
    #[error("role {role} does not cover {access} any more")]
    NotCovered {
        /// The role.
        role: RoleName,
        /// The access.
        access: Principal,
    },
    /// The role forces another command than the one that approvers read.
    #[error("role {0} forces another command now")]
    OtherCommand(RoleName),
    /// The role gives some commands only, and this is none of them any more.
    #[error("role {0} does not give this command any more")]
    NotThatCommand(RoleName),
    /// The role is not given at this time.
    #[error("role {role} is given {hours} only{}: ask again then", next(.opens.as_ref()))]
    Closed {
        /// The role.
        role: RoleName,
        /// When it is given.
        hours: String,
        /// When it is given next, by the clock there.
        opens: Option<String>,
    },
    /// The role cannot be taken before its approval any more.
    #[error("role {0} cannot be taken before its approval")]
    NoBreakGlass(RoleName),
    /// The person has taken the role first as often as anybody may within a week.
    #[error(
        "{person} took role {role} with --break-glass {per_week} times within seven days, as often as it may be: the next is free {free}; ask without --break-glass"
    )]
    Quota {
        /// Who.
        person: PersonName,
        /// The role.
        role: RoleName,
        /// How often.
        per_week: u32,
        /// When the next one is free.
        free: UnixTime,
    },
    /// What the person did before is to be looked at first, and is overdue.
    #[error("{person} is given nothing new while the review of {request} is overdue: somebody of {} has to review it", groups(.from))]
    Owes {
        /// Who.
        person: PersonName,
        /// The request that has to be reviewed.
        request: RequestId,
        /// By somebody of which groups.
        from: Vec<GroupName>,
    },
    /// The person has as many grants of the role running as it gives at once.
    #[error("{person} has {live} {} of role {role} running, and it gives no more at once: give one back first", grants(*.live))]
    TooManyLive {
        /// Who.
        person: PersonName,
        /// The role.
        role: RoleName,
        /// How many it gives.
        live: u32,
    },
    /// The role is not given to requests from there any more.
    #[error("role {role} is not for requests from {address} any more")]
    Elsewhere {
        /// The role.
        role: RoleName,
        /// Where the request came from.
        address: IpAddr,
    },
}

/// Decides.
///
/// Only persons who are registered, in one of the role's groups, and not the person who asks count, each once and
/// for one quorum, however many of the groups they are in: the same configuration answers for who asks, who approves and what is given.
pub(crate) fn decide(asking: &Asking) -> Decision {
    let Asking { request, now, .. } = *asking;
    if let Some(by) = asking.denied {
        return Decision::Refused(Why::Denied(by.clone()));
    }
    if now >= request.expires {
        return Decision::Refused(Why::Expired);
    }
    let role = match stands(asking) {
        Ok((role, _)) => role,
        Err(why) => return Decision::Refused(why),
    };
    if let Err(why) = free(role, asking).and_then(|()| glass::owes_nothing(asking)) {
        return Decision::Refused(why);
    }
    let until = match deadline(role, asking) {
        Ok(until) => until,
        Err(why) => return Decision::Refused(why),
    };
    let granted = |approved_by| Decision::Granted { until, approved_by };
    if let Some(terms) = role.break_glass.as_ref().filter(|_| request.break_glass) {
        return glass::decide(terms, asking).unwrap_or_else(|| granted(Vec::new()));
    }
    let command = request.command.as_ref().map(Command::as_str);
    if command.is_some_and(|command| role.preapproves(command)) {
        return granted(Vec::new());
    }
    let others = present::others(role, asking);
    let others = others.iter().map(|(name, groups)| (*name, &**groups));
    let (yes, open): (Vec<_>, Vec<_>) =
        others.partition(|(name, _)| asking.approvals.contains(name));
    let tally = Tally::of(&role.quorums, yes);
    if !tally.is_full() {
        return Decision::Needs(needs(&tally, &open));
    }
    let unchecked = unchecked(role, asking.outside);
    if !unchecked.is_empty() {
        return Decision::Unchecked(unchecked);
    }
    let counted = tally.rows().flat_map(|(_, persons)| persons);
    let mut counted: Vec<PersonName> = counted.cloned().collect();
    counted.sort();
    granted(counted)
}

/// The automated checks whose word is missing. None of them stands for a person, nor a person for one of them.
pub(crate) fn unchecked(role: &Role, outside: &Outside) -> Vec<CheckName> {
    let missing = role.checks.difference(&outside.checked);
    missing.cloned().collect()
}

/// Whether the role has a place left for one more grant of this person.
fn free(role: &Role, asking: &Asking) -> Result<(), Why> {
    let request = asking.request;
    let running = asking.history.running.get(&request.role);
    let running = running.copied().unwrap_or_default();
    match role.live {
        Some(live) if running >= live => Err(Why::TooManyLive {
            person: request.person.clone(),
            role: request.role.clone(),
            live,
        }),
        _ => Ok(()),
    }
}

/// The end of a grant that is given now: after the life that was asked for, the role's longest, or when the role's
/// hours end, whichever is first.
fn deadline(role: &Role, asking: &Asking) -> Result<UnixTime, Why> {
    let Asking { request, now, .. } = *asking;
    let until = now.after(request.life().min(role.longest));
    let Some(hours) = role.hours_for(request.break_glass) else {
        return Ok(until);
    };
    let closes = hours.closes(now.secs()).map(UnixTime::from_secs);
    let until = closes.map_or(until, |closes| closes.min(until));
    if closes == Some(until) && until.since(now) < limits::GRANT_SHORTEST {
        return Err(closed(&request.role, hours, until));
    }
    Ok(until)
}

/// It is closed from this moment on, at the latest.
fn closed(name: &RoleName, hours: &Hours, from: UnixTime) -> Why {
    let opens = hours.opens(from.secs());
    Why::Closed {
        role: name.clone(),
        hours: hours.to_string(),
        opens: opens.map(|at| hours.show(at)),
    }
}

fn next(opens: Option<&String>) -> String {
    opens.map_or_else(String::new, |opens| format!(", next from {opens}"))
}

fn groups(groups: &[GroupName]) -> String {
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    names.join(" or ")
}

const fn grants(count: u32) -> &'static str {
    if count == 1 { "grant" } else { "grants" }
}

fn needs(tally: &Tally, open: &[Member]) -> Vec<Need> {
    let needs = tally.rows().map(|(quorum, persons)| {
        let help = tally.helped_by(quorum);
        let able = open
            .iter()
            .filter(|(_, own)| help.iter().any(|group| own.contains(*group)));
        let also = help.iter().filter(|group| ***group != quorum.from);
        Need {
            count: quorum.count,
            from: quorum.from.clone(),
            on_call: quorum.on_call.clone(),
            also: also.map(|group| (*group).clone()).collect(),
            have: persons.cloned().collect(),
            who: able.map(|(name, _)| (*name).clone()).collect(),
        }
    });
    needs.collect()
}

/// Whether the policy in force still gives what a request asked for, apart from its approvals: the role that it
/// stands on, and the registered key that its certificate is for.
pub(crate) fn stands<'a>(asking: &Asking<'a>) -> Result<(&'a Role, &'a PublicKey), Why> {
    let Asking {
        config,
        request,
        source,
        now,
        ..
    } = *asking;
    let name = &request.role;
    let person = config
        .persons
        .get(&request.person)
        .ok_or_else(|| Why::NoPerson(request.person.clone()))?;
    let key = key_of(person, &request.key).ok_or(Why::NoKey)?;
    let role = config
        .roles
        .get(name)
        .ok_or_else(|| Why::NoRole(name.clone()))?;
    if role.groups.is_disjoint(&person.groups) {
        return Err(Why::NotTheirs(name.clone()));
    }
    let target = &request.access.target;
    // What a review role gives is a bastion, which was checked to be none of the targets.
    let there = config.targets.contains_key(target) || role.reads.is_some();
    if !role.covers(&request.access) || !there {
        return Err(Why::NotCovered {
            role: name.clone(),
            access: request.access.clone(),
        });
    }
    let asked = request.command.as_ref().map(Command::as_str);
    if role.command.is_some() && role.command.as_deref() != asked {
        return Err(Why::OtherCommand(name.clone()));
    }
    if !role.takes(asked) {
        return Err(Why::NotThatCommand(name.clone()));
    }
    if request.break_glass && role.break_glass.is_none() {
        return Err(Why::NoBreakGlass(name.clone()));
    }
    if !role.reachable_from(source) {
        return Err(Why::Elsewhere {
            role: name.clone(),
            address: source,
        });
    }
    match role.hours_for(request.break_glass) {
        Some(hours) if !hours.is_open(now.secs()) => Err(closed(name, hours, now)),
        _ => Ok((role, key)),
    }
}

/// A person's registered key with this fingerprint.
fn key_of<'a>(person: &'a Person, fingerprint: &str) -> Option<&'a PublicKey> {
    let keys = person.keys.iter();
    keys.filter(|key| !key.key_data().is_certificate())
        .find(|key| key.fingerprint(HashAlg::Sha256).to_string() == fingerprint)
}

#[cfg(test)]
mod tests;
