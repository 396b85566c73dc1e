//! The lists: roles, what waits, sessions, and who somebody is.

use std::fmt::Write as _;
use std::time::Duration;

use config::duration;
use config::rules::{Channel, Quorum};
use record::clock::UnixTime;
use record::entry::Authority;
use serde::Serialize;
use ssh_key::HashAlg;

use super::call::Call;
use super::render::{from_now, names, pairs, table};
use crate::desk::{Need, OwedRow, PendingRow, RoleRow, SessionRow};

/// Who somebody is to the CA.
#[derive(Debug, Serialize)]
pub(super) struct Who {
    person: String,
    groups: Vec<String>,
    key: String,
    source: String,
}

impl Who {
    pub(super) fn of(call: &Call) -> Self {
        let config = call.config();
        let groups = config
            .persons
            .get(&call.caller.person)
            .map(|person| person.groups.iter().map(ToString::to_string).collect());
        Self {
            person: call.caller.person.to_string(),
            groups: groups.unwrap_or_default(),
            key: call.caller.key.fingerprint(HashAlg::Sha256).to_string(),
            source: call.caller.source.to_string(),
        }
    }

    pub(super) fn text(&self) -> String {
        pairs([
            ("you are", self.person.clone()),
            ("groups", names(&self.groups)),
            ("key", self.key.clone()),
            ("from", self.source.clone()),
        ])
    }
}

/// What somebody may ask for.
pub(super) fn roles(rows: &[RoleRow]) -> String {
    let header = ["ROLE", "LOGINS", "TARGETS", "LONGEST", "APPROVALS", "NOTES"];
    table(
        &header,
        rows.iter().map(|row| {
            vec![
                row.role.to_string(),
                names(&row.logins),
                names(&row.targets),
                duration::show(Duration::from_secs(row.longest_seconds)),
                approvals(row),
                notes(row),
            ]
        }),
    )
}

fn approvals(row: &RoleRow) -> String {
    let checks = row.checks.iter().map(|check| format!("check {check}"));
    let all = row.approvals.iter().map(Quorum::to_string).chain(checks);
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    all.join(" and ")
}

fn notes(row: &RoleRow) -> String {
    let mut notes = Vec::new();
    if row.break_glass {
        notes.push("break-glass".to_owned());
    }
    if !row.sources.is_empty() {
        notes.push(format!("from {}", row.sources.join(" or ")));
    }
    if let Some(hours) = &row.hours {
        notes.push(hours.clone());
    }
    if let Some(live) = row.live {
        notes.push(format!("at most {live} at once"));
    }
    if !row.commands.is_empty() {
        let which = if row.commands_only { "only" } else { "at once" };
        notes.push(format!("{which}: {}", row.commands.join(" or ")));
    }
    if let Some(command) = &row.command {
        notes.push(format!("only: {command}"));
    } else if row.channels != [Channel::Shell, Channel::Exec] {
        notes.push(format!("only {}", names(&row.channels)));
    }
    names(notes)
}

/// What waits: for this person first, then for others.
pub(super) fn pending(rows: &[PendingRow], now: UnixTime) -> String {
    let (yours, others): (Vec<&PendingRow>, Vec<&PendingRow>) =
        rows.iter().partition(|row| row.for_you);
    let mut text = String::new();
    if !yours.is_empty() {
        let _ = write!(text, "You can approve:\n{}", waiting(&yours, now));
    }
    if !others.is_empty() {
        let gap = if yours.is_empty() { "" } else { "\n" };
        let _ = write!(
            text,
            "{gap}Others have to approve:\n{}",
            waiting(&others, now)
        );
    }
    text
}

fn waiting(rows: &[&PendingRow], now: UnixTime) -> String {
    let header = [
        "REQUEST", "PERSON", "ACCESS", "ROLE", "FOR", "EXPIRES", "REASON", "NEEDS",
    ];
    table(
        &header,
        rows.iter().map(|row| {
            let reason = match &row.command {
                Some(command) => format!("{} [only: {command}]", row.reason),
                None => row.reason.to_string(),
            };
            vec![
                row.id.to_string(),
                row.person.to_string(),
                row.access.to_string(),
                row.role.to_string(),
                duration::show(Duration::from_secs(row.seconds)),
                from_now(now, row.expires),
                reason,
                missing(row),
            ]
        }),
    )
}

/// Whose word is missing, without the verb.
fn missing(row: &PendingRow) -> String {
    let needs = Need::with_checks(&row.needs, &row.checks);
    needs.strip_prefix("needs ").unwrap_or(&needs).to_owned()
}

/// What waits for a review: by this person first, then by others of what this person did.
pub(super) fn owed(rows: &[OwedRow], now: UnixTime) -> String {
    let (yours, others): (Vec<&OwedRow>, Vec<&OwedRow>) = rows.iter().partition(|row| row.for_you);
    let mut text = String::new();
    if !yours.is_empty() {
        let _ = write!(
            text,
            "Taken with break-glass, for you to review:\n{}",
            owing(&yours, now)
        );
    }
    if !others.is_empty() {
        let gap = if yours.is_empty() { "" } else { "\n" };
        let _ = write!(
            text,
            "{gap}You took with break-glass, for others to review:\n{}",
            owing(&others, now)
        );
    }
    text
}

fn owing(rows: &[&OwedRow], now: UnixTime) -> String {
    let header = [
        "REQUEST",
        "PERSON",
        "ACCESS",
        "ROLE",
        "SESSIONS",
        "REVIEW BY",
        "UNTIL",
        "REASON",
    ];
    table(
        &header,
        rows.iter().map(|row| {
            let until = if row.overdue {
                format!(
                    "OVERDUE since {}",
                    from_now(now, row.until).trim_end_matches(" ago")
                )
            } else if row.ready {
                from_now(now, row.until)
            } else {
                format!("{} (runs still)", from_now(now, row.until))
            };
            let from: Vec<String> = row.from.iter().map(ToString::to_string).collect();
            vec![
                row.id.to_string(),
                row.person.to_string(),
                row.access.to_string(),
                row.role.to_string(),
                row.sessions.to_string(),
                from.join(" or "),
                until,
                row.reason.to_string(),
            ]
        }),
    )
}

/// Which sessions there were.
pub(super) fn sessions(rows: &[SessionRow]) -> String {
    let header = [
        "SESSION", "PERSON", "ACCESS", "BEGAN", "ENDED", "WHY", "REQUEST", "ROLE",
    ];
    table(
        &header,
        rows.iter().map(|row| {
            let role = match row.review {
                Some(review) => format!("{} (break-glass, review {review})", row.role),
                None if row.break_glass => format!("{} (break-glass)", row.role),
                None => row.role.to_string(),
            };
            let (ended, why) = match &row.ended {
                Some(end) => (end.at.to_string(), end.reason.clone()),
                None => ("running".to_owned(), "-".to_owned()),
            };
            vec![
                row.session.to_string(),
                row.person.to_string(),
                row.access.to_string(),
                row.began.to_string(),
                ended,
                why,
                row.request.to_string(),
                role,
            ]
        }),
    )
}

/// How people call the four CAs.
pub(super) const fn authority(authority: Authority) -> &'static str {
    match authority {
        Authority::User => "user CA",
        Authority::Session => "session CA",
        Authority::Host => "host CA",
        Authority::Door => "door CA",
    }
}
