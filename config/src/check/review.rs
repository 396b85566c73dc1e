//! Review roles: what is accessed is the bastion, and what is given are the recordings of some sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Checked, flaw};
use crate::file;
use crate::rules::{Bastion, REVIEW, Reads, Role};
use crate::words::{BastionName, RoleName, TargetName};

/// The bastions that a review role is for, as they stand in an access; none if it is another role.
pub(super) fn reviews(
    given: &file::Role,
    bastions: &BTreeMap<BastionName, Bastion>,
) -> Checked<Option<BTreeSet<TargetName>>> {
    let Some(at) = given.review.as_ref().filter(|flag| *flag.get_ref()) else {
        return match (&given.erase, &given.hold) {
            (Some(erase), _) => flaw(
                erase.span(),
                "erase in a role that does not review",
                "who erases comes as review@BASTION: add review = true, or remove it",
            ),
            (None, Some(hold)) => flaw(
                hold.span(),
                "hold in a role that does not review",
                "who holds comes as review@BASTION: add review = true, or remove it",
            ),
            (None, None) => Ok(None),
        };
    };
    if let Some((key, span)) = of_sessions(given) {
        return flaw(
            span,
            format!("{key} in a review role"),
            "a review role opens no session: remove it, or make two roles of it",
        );
    }
    if bastions.is_empty() {
        return flaw(
            at.span(),
            "a review role without a bastion",
            "what it gives is review@BASTION: add [bastion.NAME]",
        );
    }
    let names = bastions.keys().map(|name| {
        name.as_str().parse().or_else(|_| {
            flaw(
                at.span(),
                format!("review@{name} cannot be asked for"),
                "a bastion that is reviewed has a name of lower-case letters, digits, dots and dashes",
            )
        })
    });
    names.collect::<Checked<_>>().map(Some)
}

/// The first key that is about sessions only.
fn of_sessions(given: &file::Role) -> Option<(&'static str, Range<usize>)> {
    let keys = [
        ("command", given.command.as_ref().map(toml::Spanned::span)),
        ("commands", given.commands.as_ref().map(toml::Spanned::span)),
        ("channels", given.channels.as_ref().map(toml::Spanned::span)),
        ("files", given.files.as_ref().map(toml::Spanned::span)),
        ("observer", given.observer.as_ref().map(toml::Spanned::span)),
        ("idle", given.idle.as_ref().map(toml::Spanned::span)),
        (
            "largest-session",
            given.largest_session.as_ref().map(toml::Spanned::span),
        ),
        ("sessions", given.sessions.as_ref().map(toml::Spanned::span)),
        ("mask", given.mask.as_ref().map(toml::Spanned::span)),
        (
            "mask-original",
            given.mask_original.as_ref().map(toml::Spanned::span),
        ),
        ("idle", given.idle.as_ref().map(toml::Spanned::span)),
        (
            "largest-session",
            given.largest_session.as_ref().map(toml::Spanned::span),
        ),
        ("sessions", given.sessions.as_ref().map(toml::Spanned::span)),
        ("alerts", given.alerts.as_ref().map(toml::Spanned::span)),
        (
            "new-source",
            given.new_source.as_ref().map(toml::Spanned::span),
        ),
        (
            "record-input",
            given.record_input.as_ref().map(toml::Spanned::span),
        ),
        (
            "recipients",
            given.recipients.as_ref().map(toml::Spanned::span),
        ),
        (
            "retention",
            given.retention.as_ref().map(toml::Spanned::span),
        ),
    ];
    let mut keys = keys.into_iter();
    keys.find_map(|(key, span)| span.map(|span| (key, span)))
}

/// Refuses a role whose sessions need an observer if they could have none, or if something passed unseen.
pub(super) fn observable(
    at: Range<usize>,
    name: &RoleName,
    roles: &BTreeMap<RoleName, Role>,
) -> Checked<()> {
    let Some(role) = roles.get(name) else {
        return Ok(());
    };
    if let Some(channel) = role.channels.iter().find(|channel| !channel.is_shown()) {
        return flaw(
            at,
            format!("{name} needs an observer, who sees nothing of its channel {channel}"),
            "remove one of the two",
        );
    }
    let reads = || roles.values().filter_map(|role| role.reads.as_ref());
    let seen = role.targets.iter().all(|target| {
        let mut logins = role.logins.iter();
        logins.all(|login| {
            reads().any(|reads| reads.logins.contains(login) && reads.targets.contains(target))
        })
    });
    if seen {
        return Ok(());
    }
    flaw(
        at,
        format!("{name} needs an observer, and no role lets anybody watch all of its sessions"),
        "add a role with review = true for its logins and targets",
    )
}

/// What a review role may do beside reading.
#[derive(Clone, Copy)]
pub(super) struct Powers {
    erases: bool,
    holds: bool,
}

impl Powers {
    pub(super) fn of(given: &file::Role) -> Self {
        let says = |flag: Option<&toml::Spanned<bool>>| flag.is_some_and(|flag| *flag.get_ref());
        Self {
            erases: says(given.erase.as_ref()),
            holds: says(given.hold.as_ref()),
        }
    }
}

/// Makes a review role of a role: its logins and targets say whose sessions it reads.
pub(super) fn turn(role: &mut Role, bastions: BTreeSet<TargetName>, powers: Powers) {
    let Powers { erases, holds } = powers;
    role.reads = Some(Reads {
        // `review` is a login.
        logins: std::mem::replace(&mut role.logins, REVIEW.parse().into_iter().collect()),
        targets: std::mem::replace(&mut role.targets, bastions),
        erases,
        holds,
    });
}
