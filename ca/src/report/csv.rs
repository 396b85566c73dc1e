//! The report as CSV (RFC 4180): every cell in quotes, lines that end in CR LF.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and a
//! reason is any text that somebody typed. Such a cell gets an apostrophe before it, which spreadsheets show as text
//! ([OWASP, "CSV Injection"]).
//!
//! [OWASP, "CSV Injection"]: https://owasp.org/www-community/attacks/CSV_Injection

use record::clock::UnixTime;

use super::{Report, RequestRow, Row};

/// One line for each person and role.
pub(crate) fn rows(report: &Report) -> String {
    let header = [
        "person",
        "role",
        "held",
        "asked",
        "granted",
        "not-granted",
        "used",
        "sessions",
        "last-used",
        "break-glass",
        "owed",
        "overdue",
    ];
    let mut text = line(header);
    for row in &report.rows {
        text.push_str(&line(row_cells(row)));
    }
    text
}

/// One line for each request.
pub(crate) fn requests(report: &Report) -> String {
    let header = [
        "request",
        "person",
        "role",
        "access",
        "asked",
        "reason",
        "break-glass",
        "granted-until",
        "approved-by",
        "ended",
        "collected",
        "sessions",
        "last-used",
        "review-until",
        "reviewed",
        "reviews",
    ];
    let mut text = line(header);
    for asked in &report.requests {
        text.push_str(&line(request_cells(asked)));
    }
    text
}

fn row_cells(row: &Row) -> [String; 12] {
    [
        row.person.to_string(),
        row.role.to_string(),
        row.held.to_string(),
        row.asked.to_string(),
        row.granted.to_string(),
        row.not_granted.to_string(),
        row.used.to_string(),
        row.sessions.to_string(),
        moment(row.last_used),
        row.break_glass.to_string(),
        row.owed.to_string(),
        row.overdue.to_string(),
    ]
}

fn request_cells(asked: &RequestRow) -> [String; 16] {
    let approved: Vec<String> = asked.approved_by.iter().map(ToString::to_string).collect();
    let reviews = asked.reviews.iter();
    let reviews = reviews.map(|said| format!("{} {}: {}", said.person, said.verdict, said.remark));
    [
        asked.request.to_string(),
        asked.person.to_string(),
        asked.role.to_string(),
        asked.access.to_string(),
        asked.asked.to_string(),
        asked.reason.to_string(),
        asked.break_glass.to_string(),
        moment(asked.granted_until),
        approved.join(" "),
        asked.ended.unwrap_or_default().to_owned(),
        asked.collected.to_string(),
        asked.sessions.to_string(),
        moment(asked.last_used),
        moment(asked.review_until),
        asked.reviewed.to_string(),
        reviews.collect::<Vec<_>>().join("; "),
    ]
}

fn moment(at: Option<UnixTime>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn line<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(text.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_text() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        for bad in ["+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            assert!(cell(bad).starts_with("\"'"), "{bad:?}");
        }
        assert_eq!(cell("say \"no\", then"), "\"say \"\"no\"\", then\"");
        assert_eq!(cell(""), "\"\"");
        assert_eq!(line(["a", "b"]), "\"a\",\"b\"\r\n");
    }

    proptest! {
        /// Whatever is in a cell stays in it: between the outer quotes every quote stands twice.
        #[test]
        fn a_cell_holds_what_is_in_it(text in ".*") {
            let cell = cell(&text);
            let inside = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
            prop_assert!(!inside.replace("\"\"", "").contains('"'));
            let back = inside.replace("\"\"", "\"");
            prop_assert_eq!(back.strip_prefix('\'').filter(|_| !text.starts_with('\'')).unwrap_or(&back), text.as_str());
        }
    }
}
