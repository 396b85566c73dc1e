//! What lists look like: plain columns for people, JSON for programs.

use comfy_table::{ContentArrangement, Table, presets};
use record::clock::UnixTime;
use serde::Serialize;

/// Rows under a header, in columns that line up, without lines and colours. Nothing is cut or
/// wrapped, so that `grep` finds whole rows.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(&table.to_string())
}

/// Names and values, one a line, with the values in one column.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    for (name, value) in pairs {
        table.add_row([name.to_owned(), value]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(&table.to_string())
}

/// A value for programs. The field names are the same in every version 1.
pub(super) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| "null".to_owned());
    format!("{text}\n")
}

/// How far away a moment is, in at most two units, for example `in 12m` or `3h ago`.
pub(super) fn from_now(now: UnixTime, then: UnixTime) -> String {
    if then > now {
        format!("in {}", rough(then.since(now).as_secs()))
    } else {
        format!("{} ago", rough(now.since(then).as_secs()))
    }
}

/// Names with commas, or a dash.
pub(super) fn names<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}

fn rough(seconds: u64) -> String {
    let seconds = match seconds {
        0..60 => seconds,
        60..86_400 => seconds - seconds % 60,
        _ => seconds - seconds % 3_600,
    };
    config::duration::show(std::time::Duration::from_secs(seconds))
}

fn lines(table: &str) -> String {
    table
        .lines()
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let shown = table(
            &["ID", "WHO"],
            [
                vec!["7F3K-9QMD".to_owned(), "alice".to_owned()],
                vec!["1".to_owned(), "b".to_owned()],
            ],
        );
        assert_eq!(shown, "ID         WHO\n7F3K-9QMD  alice\n1          b\n");
    }

    #[test]
    fn moments_are_near_or_far() {
        let now = UnixTime::from_secs(1_000_000);
        let at = |secs| from_now(now, UnixTime::from_secs(secs));
        assert_eq!(at(1_000_725), "in 12m");
        assert_eq!(at(999_955), "45s ago");
        assert_eq!(at(1_000_000 - 3_700), "1h1m ago");
        assert_eq!(at(1_000_000 - 90_100), "1d1h ago");
    }
}
