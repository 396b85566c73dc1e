//! Roles: that each can be enforced, and that no two mean the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::commands::commands;
use super::glass;
use super::hours::hours;
use super::places::cidr;
use super::quorums::quorums;
use super::{Checked, Known, flaw};
use crate::cidr::Cidr;
use crate::recipients::Recipients;
use crate::retention::Retention;
use crate::rules::{Bastion, Channel, Person, Role, Target};
use crate::words::{BastionName, GroupName, RoleName, TargetName, shown};
use crate::{file, limits};

/// What holds for every role that says nothing itself.
pub(super) struct Defaults {
    pub(super) recipients: Recipients,
    pub(super) retention: Retention,
}

pub(super) fn roles(
    given: BTreeMap<Spanned<RoleName>, file::Role>,
    known: Known<'_>,
    targets: &BTreeMap<TargetName, Target>,
    bastions: &BTreeMap<BastionName, Bastion>,
    defaults: &Defaults,
) -> Checked<BTreeMap<RoleName, Role>> {
    let mut roles: BTreeMap<RoleName, Role> = BTreeMap::new();
    let mut observed = Vec::new();
    for (name, role) in given {
        let at = name.span();
        let reviews = super::review::reviews(&role, bastions)?;
        let powers = super::review::Powers::of(&role);
        let mut checked = self::role(role, known, targets, defaults)?;
        if let Some(bastions) = reviews {
            super::review::turn(&mut checked, bastions, powers);
        }
        if let Some((other, _)) = roles.iter().find(|(_, other)| same_reach(other, &checked)) {
            return flaw(
                at,
                format!(
                    "{} and {other} give the same access to the same people",
                    name.get_ref()
                ),
                "remove one, or make them differ in groups, logins, targets, command or commands",
            );
        }
        if checked.terms.observer.is_some() {
            observed.push((at, name.get_ref().clone()));
        }
        roles.insert(name.into_inner(), checked);
    }
    for (at, name) in observed {
        super::review::observable(at, &name, &roles)?;
    }
    Ok(roles)
}

/// Whether nobody could say which of two roles was meant.
fn same_reach(a: &Role, b: &Role) -> bool {
    a.command == b.command
        && a.commands == b.commands
        && !a.groups.is_disjoint(&b.groups)
        && !a.logins.is_disjoint(&b.logins)
        && !a.targets.is_disjoint(&b.targets)
        && match (&a.reads, &b.reads) {
            (Some(a), Some(b)) => {
                !a.logins.is_disjoint(&b.logins) && !a.targets.is_disjoint(&b.targets)
            }
            _ => true,
        }
}

fn role(
    given: file::Role,
    known: Known<'_>,
    targets: &BTreeMap<TargetName, Target>,
    defaults: &Defaults,
) -> Checked<Role> {
    let groups = set(&given.groups, "groups")?;
    for group in given.groups.get_ref() {
        known_group(group, known)?;
    }
    let (quorums, checks) = quorums(&given.approvals, &groups, known)?;
    let approved = !quorums.is_empty() || !checks.is_empty();
    let from = quorums.iter().map(|quorum| quorum.from.clone()).collect();
    let hours = hours(given.hours.as_ref())?;
    let asked = glass::Asked {
        timed: hours.is_some(),
        approved,
        approvers: from,
        askers: &groups,
    };
    let break_glass = glass::break_glass(given.break_glass.as_ref(), &asked, known)?;
    let command = command(given.command)?;
    let named = given.channels.as_ref().map(Spanned::span);
    let channels = channels(given.channels, command.is_some())?;
    let files = super::files::files(given.files, channels.contains(&Channel::Sftp))?;
    let forwards = super::forwards::forwards(
        given.forward_to.as_ref(),
        given.listen_on.as_ref(),
        &channels,
        named.unwrap_or_default(),
    )?;
    if let Some(mask) = &given.mask {
        super::forwards::nothing_unmasked(mask.span(), &channels)?;
    }
    if let Some(alerts) = &given.alerts {
        super::forwards::nothing_uncounted(alerts.get_ref(), &channels)?;
    }
    let recipients = match &given.recipients {
        Some(own) => super::recipients::recipients(own)?,
        None => defaults.recipients.clone(),
    };
    let unmasked = given.mask_original.as_ref().map(Spanned::span);
    let terms = super::terms::terms(file::Terms {
        mask: given.mask,
        mask_original: given.mask_original,
        idle: given.idle,
        largest_session: given.largest_session,
        alerts: given.alerts,
        observer: given.observer,
    })?;
    let original = &terms.mask.original;
    let recipients = super::recipients::with(recipients, original, unmasked.unwrap_or_default())?;
    let commands = commands(given.commands.as_ref(), command.is_some(), &channels)?;
    Ok(Role {
        logins: set(&given.logins, "logins")?,
        targets: reach(given.groups.span(), given.targets, given.labels, targets)?,
        sources: sources(given.sources.as_ref())?,
        longest: longest(given.longest.as_ref())?,
        live: several(given.live.as_ref(), "of which no grant may run")?,
        files,
        forwards,
        terms,
        new_source: super::terms::new_source(given.new_source.as_ref())?,
        sessions: several(given.sessions.as_ref(), "of which no session may run")?,
        record_input: given.record_input.is_some_and(Spanned::into_inner),
        recipients,
        retention: match &given.retention {
            Some(own) => super::retention::retention(own)?,
            None => defaults.retention,
        },
        groups,
        quorums,
        checks,
        hours,
        command,
        commands,
        channels,
        break_glass,
        reads: None,
    })
}

fn set<T: Ord + Clone>(given: &Spanned<Vec<Spanned<T>>>, what: &str) -> Checked<BTreeSet<T>> {
    let set: BTreeSet<T> = given
        .get_ref()
        .iter()
        .map(|one| one.get_ref().clone())
        .collect();
    if set.is_empty() {
        return flaw(
            given.span(),
            format!("{what} is empty"),
            "a role without them gives nothing: name them, or remove the role",
        );
    }
    Ok(set)
}

pub(super) fn known_group(group: &Spanned<GroupName>, known: Known<'_>) -> Checked<()> {
    let members = |person: &Person| person.groups.contains(group.get_ref());
    if known.is_told(group.get_ref()) || known.persons.values().any(members) {
        return Ok(());
    }
    flaw(
        group.span(),
        format!("nobody is in group {}", group.get_ref()),
        "put a person in it with groups = [\"…\"], or correct its name",
    )
}

fn reach(
    at: Range<usize>,
    names: Option<Spanned<Vec<Spanned<TargetName>>>>,
    labels: Option<Spanned<BTreeMap<String, String>>>,
    targets: &BTreeMap<TargetName, Target>,
) -> Checked<BTreeSet<TargetName>> {
    match (names, labels) {
        (Some(names), None) => {
            for name in names.get_ref() {
                if !targets.contains_key(name.get_ref()) {
                    return flaw(
                        name.span(),
                        format!("there is no target {}", name.get_ref()),
                        format!(
                            "add [target.{}], or correct the name",
                            shown(name.get_ref().as_str())
                        ),
                    );
                }
            }
            set(&names, "targets")
        }
        (None, Some(labels)) => {
            let wanted = labels.get_ref();
            let found: BTreeSet<_> = targets
                .iter()
                .filter(|(_, target)| {
                    wanted
                        .iter()
                        .all(|(key, value)| target.labels.get(key) == Some(value))
                })
                .map(|(name, _)| name.clone())
                .collect();
            if wanted.is_empty() || found.is_empty() {
                return flaw(
                    labels.span(),
                    "these labels select no target",
                    "correct them, or label a target so",
                );
            }
            Ok(found)
        }
        (Some(_), Some(labels)) => flaw(
            labels.span(),
            "both targets and labels",
            "select targets one way",
        ),
        (None, None) => flaw(
            at,
            "the role names no targets",
            "add targets = [\"…\"] or labels = { … }",
        ),
    }
}

fn sources(given: Option<&Spanned<Vec<Spanned<String>>>>) -> Checked<Vec<Cidr>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    let count = given.get_ref().len();
    if count == 0 || count > limits::SOURCES {
        return flaw(
            given.span(),
            format!("sources names {count} networks"),
            format!(
                "name 1 to {}, or remove it for requests from anywhere",
                limits::SOURCES
            ),
        );
    }
    let mut blocks = Vec::new();
    for text in given.get_ref() {
        let block = cidr(text)?;
        if blocks.contains(&block) {
            return flaw(
                text.span(),
                "this network stands here twice",
                "remove one of the two",
            );
        }
        blocks.push(block);
    }
    Ok(blocks)
}

fn longest(given: Option<&Spanned<String>>) -> Checked<Duration> {
    let Some(given) = given else {
        return Ok(limits::GRANT_DEFAULT);
    };
    let hint = "write it like 15m, 90s or 2h";
    let Some(longest) = crate::duration::parse(given.get_ref()) else {
        return flaw(
            given.span(),
            format!("{} is not a duration", shown(given.get_ref())),
            hint,
        );
    };
    if longest > limits::GRANT_LONGEST || longest < limits::GRANT_SHORTEST {
        return flaw(
            given.span(),
            format!("{} is not between 10s and 12h", given.get_ref()),
            hint,
        );
    }
    Ok(longest)
}

/// How many there may be at once.
fn several(given: Option<&Spanned<u32>>, none: &str) -> Checked<Option<u32>> {
    match given {
        Some(count) if *count.get_ref() == 0 => flaw(
            count.span(),
            format!("a role {none}"),
            "count at least 1, or remove the role",
        ),
        count => Ok(count.map(|count| *count.get_ref())),
    }
}

fn command(given: Option<Spanned<String>>) -> Checked<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    let text = given.get_ref();
    if text.trim().is_empty() {
        return flaw(
            given.span(),
            "the command is empty",
            "remove it, or say which command is forced",
        );
    }
    if text.len() > limits::COMMAND_BYTES || text.chars().any(char::is_control) {
        return flaw(
            given.span(),
            "the command is too long or has control characters",
            "put it in a script on the target",
        );
    }
    Ok(Some(given.into_inner()))
}

fn channels(
    given: Option<Spanned<Vec<Spanned<String>>>>,
    forced: bool,
) -> Checked<BTreeSet<Channel>> {
    let Some(given) = given else {
        return Ok(BTreeSet::from([Channel::Shell, Channel::Exec]));
    };
    let mut channels = BTreeSet::new();
    for name in given.get_ref() {
        let Some(channel) = Channel::ALL
            .into_iter()
            .find(|channel| channel.to_string() == *name.get_ref())
        else {
            return flaw(
                name.span(),
                format!(
                    "channel {} cannot be recorded, so it cannot be allowed",
                    shown(name.get_ref())
                ),
                format!(
                    "this version carries {}; every other channel is refused",
                    Channel::ALL.map(|channel| channel.to_string()).join(", ")
                ),
            );
        };
        channels.insert(channel);
    }
    if channels.is_empty() {
        return flaw(
            given.span(),
            "channels is empty",
            "remove it, or name some, such as shell and exec",
        );
    }
    let beside = channels.contains(&Channel::Agent) || channels.contains(&Channel::X11);
    if beside && !channels.contains(&Channel::Shell) && !channels.contains(&Channel::Exec) {
        return flaw(
            given.span(),
            "an agent or a display without a session that uses it",
            "add \"shell\" or \"exec\" to channels",
        );
    }
    if forced && !channels.contains(&Channel::Exec) {
        return flaw(
            given.span(),
            "a forced command without the exec channel",
            "add \"exec\" to channels",
        );
    }
    if forced && channels.contains(&Channel::Sftp) {
        return flaw(
            given.span(),
            "a forced command and the sftp channel",
            "a role runs one command, or gives files: make two roles of it",
        );
    }
    Ok(channels)
}
