//! One request, as a person reads it.

use std::fmt::Write as _;
use std::time::Duration;

use config::duration;
use record::clock::UnixTime;

use super::lists;
use super::render::{from_now, pairs, table};
use crate::desk::{DebtRow, Need, Refused, Shown, Standing};

/// What was asked: all that an approver has to know.
pub(super) fn request(shown: &Shown, now: UnixTime) -> String {
    let mut rows = vec![
        ("request", shown.id.to_string()),
        ("person", shown.person.to_string()),
        ("access", shown.access.to_string()),
        ("role", shown.role.to_string()),
    ];
    if let Some(command) = &shown.command {
        rows.push(("command", command.to_string()));
    }
    let life = duration::show(Duration::from_secs(shown.seconds));
    rows.push(("for", life));
    if shown.break_glass {
        let how = match shown.proof {
            Some(_) => "taken before any approval, with the PIN of a token",
            None => "taken before any approval",
        };
        rows.push(("break-glass", how.to_owned()));
    }
    rows.push(("reason", shown.reason.to_string()));
    rows.push(("key", shown.key.clone()));
    rows.push(("from", shown.source.to_string()));
    rows.push(("asked", moment(now, shown.asked)));
    rows.push(("status", status(&shown.standing, now)));
    pairs(rows)
}

/// The request and everything that happened to it.
pub(super) fn whole(shown: &Shown, now: UnixTime) -> String {
    let mut text = request(shown, now);
    if !shown.approvals.is_empty() {
        let rows = shown
            .approvals
            .iter()
            .map(|row| vec![row.person.to_string(), row.at.to_string()]);
        let _ = write!(text, "\n{}", table(&["APPROVED BY", "AT"], rows));
    }
    if !shown.checks.is_empty() {
        let rows = shown.checks.iter().map(|row| {
            let said = row
                .verdict
                .map_or_else(|| "-".to_owned(), |v| v.to_string());
            let at = row.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
            vec![row.check.to_string(), said, at, row.reason.clone()]
        });
        let _ = write!(text, "\n{}", table(&["CHECK", "SAID", "AT", "WHY"], rows));
    }
    if let Some(debt) = &shown.debt {
        let _ = write!(text, "\n{}", review(debt, now));
    }
    if !shown.certificates.is_empty() {
        let rows = shown.certificates.iter().map(|row| {
            vec![
                row.serial.to_string(),
                lists::authority(row.authority).to_owned(),
                row.at.to_string(),
                row.session
                    .as_ref()
                    .map_or_else(|| "-".to_owned(), ToString::to_string),
            ]
        });
        let header = ["CERTIFICATE", "SIGNED BY", "AT", "SESSION"];
        let _ = write!(text, "\n{}", table(&header, rows));
    }
    if !shown.sessions.is_empty() {
        let _ = write!(text, "\n{}", lists::sessions(&shown.sessions));
    }
    text
}

fn review(debt: &DebtRow, now: UnixTime) -> String {
    let from: Vec<String> = debt.from.iter().map(ToString::to_string).collect();
    let state = match (debt.paid, debt.overdue) {
        (true, _) => "reviewed".to_owned(),
        (false, true) if debt.blocks => {
            "OVERDUE: the person is given nothing new until it is reviewed".to_owned()
        }
        (false, true) => "OVERDUE".to_owned(),
        (false, false) => "owed".to_owned(),
    };
    let mut text = pairs([
        ("review", state),
        ("by", format!("{} of {}", debt.count, from.join(" or "))),
        ("until", moment(now, debt.until)),
    ]);
    if !debt.reviews.is_empty() {
        let rows = debt.reviews.iter().map(|row| {
            vec![
                row.person.to_string(),
                row.verdict.to_string(),
                row.at.to_string(),
                row.remark.to_string(),
            ]
        });
        let header = ["REVIEWED BY", "VERDICT", "AT", "REMARK"];
        let _ = write!(text, "\n{}", table(&header, rows));
    }
    text
}

fn moment(now: UnixTime, then: UnixTime) -> String {
    format!("{then} ({})", from_now(now, then))
}

fn status(standing: &Standing, now: UnixTime) -> String {
    match standing {
        Standing::Waiting {
            needs,
            checks,
            expires,
        } => {
            format!(
                "waits: {}, expires {}",
                Need::with_checks(needs, checks),
                from_now(now, *expires)
            )
        }
        Standing::Unproven { expires } => format!(
            "waits for the proof that it is that person, expires {}",
            from_now(now, *expires)
        ),
        Standing::Granted { until } => format!("granted until {}", moment(now, *until)),
        other => Refused::Closed(other.clone()).to_string(),
    }
}
