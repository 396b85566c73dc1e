//! The list of sessions, as a table.

use config::words::SessionId;
use record::api::review::Listed;
use record::clock::UnixTime;

/// Lays the table out. `cols`: lines are cut to this width.
pub(super) fn table(
    rows: &[Listed],
    runs: impl Fn(&SessionId) -> bool,
    cols: Option<u32>,
) -> String {
    let header = ["SESSION", "SINCE (UTC)", "STATE", "PERSON", "ACCESS"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(header)
        .chain(rows.iter().map(|row| {
            [
                row.session.to_string(),
                since(row.began),
                state(row, runs(&row.session)),
                row.person.to_string(),
                row.access.to_string(),
            ]
        }))
        .collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..4).map(width).collect();
    let most = cols
        .and_then(|cols| usize::try_from(cols).ok())
        .filter(|cols| *cols >= 20);
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().enumerate().map(|(column, cell)| {
            let width = widths.get(column).copied().unwrap_or(0);
            format!("{cell:<width$}")
        });
        let whole = cells.collect::<Vec<_>>().join(" ");
        text.push_str(&cut(whole.trim_end(), most.unwrap_or(usize::MAX)));
        text.push('\n');
    }
    text
}

/// Month, day, hour and minute.
fn since(at: UnixTime) -> String {
    let text = at.to_string();
    let short = text.get(5..16).map(|short| short.replace('T', " "));
    short.unwrap_or(text)
}

fn state(row: &Listed, runs: bool) -> String {
    match &row.ended {
        Some(reason) if row.held => format!("{reason}, held"),
        Some(reason) => reason.clone(),
        None if runs => "live".to_owned(),
        // The CA has not heard of its end.
        None => "ending".to_owned(),
    }
}

fn cut(line: &str, most: usize) -> String {
    if line.chars().count() <= most {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: u64, ended: Option<&str>) -> Listed {
        Listed {
            session: SessionId::from_parts(n, [0; 10]),
            person: "alice".parse().unwrap(),
            access: "postgres@db1.prod".parse().unwrap(),
            began: "2026-11-22T14:20:31Z".parse().unwrap(),
            ended: ended.map(str::to_owned),
            held: false,
        }
    }

    #[test]
    fn a_table_that_fits_80_columns() {
        let rows = [row(2, None), row(1, Some("client-closed"))];
        let text = table(&rows, |_| true, Some(80));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "SESSION                    SINCE (UTC) STATE         PERSON ACCESS",
                "00000000020000000000000000 11-22 14:20 live          alice  postgres@db1.prod",
                "00000000010000000000000000 11-22 14:20 client-closed alice  postgres@db1.prod",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= 80));
        let narrow = table(&rows, |_| false, Some(40));
        assert!(narrow.lines().all(|line| line.chars().count() <= 40));
        assert!(narrow.contains('…'), "{narrow}");
        assert!(table(&rows, |_| false, None).contains(" ending "));
    }
}
