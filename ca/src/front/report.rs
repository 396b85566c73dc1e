//! `report`: who asked, got, used and never used what.

use std::fmt::Write as _;
use std::time::Duration;

use record::clock::UnixTime;
use record::when::When;

use super::call::{Call, Stop};
use super::command;
use super::render::{from_now, json, names, table};
use crate::report::{self, Report, Row, Scope};

/// The period when none is given: a month, for which access is most often reviewed.
const PERIOD: Duration = Duration::from_secs(30 * 24 * 3600);

/// Prints the report of a period.
pub(super) async fn report(call: &Call, typed: command::Report) -> Result<(), Stop> {
    let now = call.now();
    let (since, until) = period(typed.since.as_ref(), typed.until.as_ref(), now);
    let scope = Scope {
        since,
        until,
        person: typed.person,
        role: typed.role,
        target: typed.target,
    };
    if scope.since >= scope.until {
        let text = "the period ends before it begins: --since comes before --until\n";
        return Err(Stop::Usage(text.to_owned()));
    }
    let found = call.desk.report(&call.caller, scope).await?;
    let text = match (typed.json, typed.csv, typed.requests) {
        (true, _, _) => json(&found),
        (_, true, false) => report::rows_csv(&found),
        (_, true, true) => report::requests_csv(&found),
        (_, _, false) => summary(&found, now),
        (_, _, true) => requests(&found, now),
    };
    Ok(call.peer.print(&text).await?)
}

/// From the first moment on, and before the second one.
fn period(since: Option<&When>, until: Option<&When>, now: UnixTime) -> (UnixTime, UnixTime) {
    // What was asked within this very second counts too.
    let through_now = now.after(Duration::from_secs(1));
    (
        since.map_or(now.before(PERIOD), |since| since.before(now)),
        until.map_or(through_now, |until| until.before(now)),
    )
}

fn summary(report: &Report, now: UnixTime) -> String {
    let mut text = format!("From {} to {}:\n\n", report.since, report.until);
    let header = [
        "PERSON",
        "ROLE",
        "ASKED",
        "GOT",
        "USED",
        "SESSIONS",
        "LAST USED",
        "BREAK-GLASS",
        "REVIEWS OWED",
    ];
    let (used, never): (Vec<&Row>, Vec<&Row>) = report.rows.iter().partition(|row| row.asked > 0);
    if used.is_empty() {
        text.push_str("Nobody asked for anything.\n");
    } else {
        text.push_str(&table(&header, used.iter().map(|row| cells(row, now))));
    }
    if !never.is_empty() {
        let rows = never
            .iter()
            .map(|row| vec![row.person.to_string(), row.role.to_string()]);
        let _ = write!(
            text,
            "\nHeld and never asked for:\n{}",
            table(&["PERSON", "ROLE"], rows)
        );
    }
    if !report.unused_roles.is_empty() {
        let _ = write!(
            text,
            "\nRoles that nobody used: {}\n",
            names(&report.unused_roles)
        );
    }
    text
}

fn cells(row: &Row, now: UnixTime) -> Vec<String> {
    let owed = match (row.owed, row.overdue) {
        (0, _) => "-".to_owned(),
        (owed, 0) => owed.to_string(),
        (owed, overdue) => format!("{owed} ({overdue} overdue)"),
    };
    let role = if row.held {
        row.role.to_string()
    } else {
        format!("{} (not held now)", row.role)
    };
    vec![
        row.person.to_string(),
        role,
        row.asked.to_string(),
        row.granted.to_string(),
        row.used.to_string(),
        row.sessions.to_string(),
        row.last_used
            .map_or_else(|| "never".to_owned(), |at| from_now(now, at)),
        row.break_glass.to_string(),
        owed,
    ]
}

fn requests(report: &Report, now: UnixTime) -> String {
    let header = [
        "REQUEST",
        "ASKED",
        "PERSON",
        "ACCESS",
        "ROLE",
        "APPROVED BY",
        "SESSIONS",
        "REVIEW",
        "REASON",
    ];
    let rows = report.requests.iter().map(|asked| {
        let by = match (&asked.granted_until, asked.break_glass) {
            (None, _) => asked.ended.unwrap_or("not granted").to_owned(),
            (Some(_), true) => "nobody (break-glass)".to_owned(),
            (Some(_), false) => names(&asked.approved_by),
        };
        let review = if asked.review_until.is_none() {
            "-"
        } else if asked.reviewed {
            "done"
        } else if asked.is_overdue(now) {
            "overdue"
        } else {
            "owed"
        };
        vec![
            asked.request.to_string(),
            asked.asked.to_string(),
            asked.person.to_string(),
            asked.access.to_string(),
            asked.role.to_string(),
            by,
            asked.sessions.to_string(),
            review.to_owned(),
            asked.reason.to_string(),
        ]
    });
    table(&header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_without_an_end_holds_what_was_asked_within_this_second() {
        let now: UnixTime = "2026-11-22T15:28:04Z".parse().unwrap();
        let (since, until) = period(None, None, now);
        assert_eq!(until, now.after(Duration::from_secs(1)));
        assert_eq!(since, now.before(PERIOD));
    }
}
