//! A grant in words, for a screen and for lines.

use std::fmt::Write as _;
use std::time::Duration;

use config::words::shown;
use record::api::reach::{Reachable, Term};

use super::choice::Row;

/// How much time that is, short enough for a column.
pub(super) fn left(left: Duration) -> String {
    let whole = left.as_secs();
    match whole {
        0..=119 => format!("{whole}s"),
        120..=3599 => format!("{}m", whole / 60),
        _ => format!("{}h{:02}m", whole / 3600, whole % 3600 / 60),
    }
}

/// What a person wants to know beforehand, in a sentence for each.
pub(super) fn terms(grant: &Reachable) -> String {
    let has = |term| grant.terms.contains(&term);
    let recorded = match (has(Term::Input), has(Term::Sealed)) {
        (false, false) => "recorded",
        (true, false) => "recorded, what you type too",
        (false, true) => "recorded and sealed",
        (true, true) => "recorded and sealed, what you type too",
    };
    let mut words = vec![recorded.to_owned()];
    let rest = [
        (Term::Observer, "somebody else has to watch"),
        (Term::Masked, "masked"),
        (Term::BreakGlass, "break-glass"),
    ];
    words.extend(
        rest.into_iter()
            .filter(|(term, _)| has(*term))
            .map(|(_, word)| word.to_owned()),
    );
    if let Some(command) = &grant.command {
        words.push(format!("runs {} and nothing else", shown(command)));
    }
    words.join("; ")
}

/// What the grant's sessions may open.
pub(super) fn channels(grant: &Reachable) -> String {
    let names: Vec<String> = grant.channels.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// All rows as a table of plain lines; none: why there is none.
pub(super) fn table(rows: &[&Row], numbered: bool, end: &str) -> String {
    let access = widest(rows.iter().map(|row| row.grant.access.to_string()));
    let role = widest(rows.iter().map(|row| row.grant.role.to_string()));
    let mut text = String::new();
    for (n, row) in (1..).zip(rows) {
        let grant = &row.grant;
        if numbered {
            let _ = write!(text, "{n:>3}  ");
        }
        let line = format!(
            "{:<access$}  {:<role$}  until {}  {}",
            grant.access.to_string(),
            grant.role.to_string(),
            grant.until.time_of_day(),
            terms(grant)
        );
        text.push_str(&line);
        text.push_str(end);
    }
    text
}

/// Characters of the longest of these.
pub(super) fn widest(cells: impl Iterator<Item = String>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::choice::tests::rows;
    use super::*;

    #[test]
    fn time_that_is_left_fits_a_column() {
        for (secs, text) in [
            (59, "59s"),
            (119, "119s"),
            (120, "2m"),
            (3599, "59m"),
            (3660, "1h01m"),
        ] {
            assert_eq!(left(Duration::from_secs(secs)), text);
        }
    }

    #[test]
    fn a_grant_says_what_it_does_before_anybody_goes_in() {
        let mut rows = rows(&["root@db1.prod", "www@web1.prod"], Instant::now());
        assert_eq!(terms(&rows[0].grant), "recorded");
        rows[0].grant.terms = vec![Term::Input, Term::Sealed, Term::Observer, Term::BreakGlass];
        rows[0].grant.command = Some("id\u{1b}[2J".to_owned());
        assert_eq!(
            terms(&rows[0].grant),
            "recorded and sealed, what you type too; somebody else has to watch; break-glass; \
             runs \"id\\u{1b}[2J\" and nothing else"
        );
        rows[0].grant.terms.clear();
        rows[0].grant.command = None;
        let rows: Vec<&Row> = rows.iter().collect();
        assert_eq!(
            table(&rows, true, "\r\n"),
            "  1  root@db1.prod  role-0  until 15:28:04 UTC  recorded\r\n  \
             2  www@web1.prod  role-1  until 15:28:04 UTC  recorded\r\n"
        );
    }
}
