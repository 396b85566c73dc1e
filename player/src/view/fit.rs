//! Text in so many columns.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// What stands where something was cut off.
const CUT: char = '…';

/// The beginning of a text, in so many columns.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    let mut begun: String = text.chars().take_while(fits).collect();
    begun.extend((width > 0).then_some(CUT));
    begun
}

/// The end of a text, in so many columns.
pub(super) fn tail(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        from = at;
    }
    let end = text.get(from..).unwrap_or_default();
    // What combines with a character that is gone would stand on the sign.
    let end = end.trim_start_matches(|c: char| c.width() == Some(0));
    (width > 0)
        .then_some(CUT)
        .into_iter()
        .chain(end.chars())
        .collect()
}

/// A text in rows of so many columns at most; a character that is wider has none.
pub(super) fn rows(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let takes = c.width().unwrap_or(0);
        if used + takes > width && used > 0 {
            rows.push(String::new());
            used = 0;
        }
        if let Some(row) = rows.last_mut().filter(|_| takes <= width) {
            row.push(c);
            used += takes;
        }
    }
    rows
}

/// A text in rows of so many columns at most, broken between its words.
pub(super) fn paragraph(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').flat_map(|word| rows(word, width)) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_columns_and_never_within_a_character() {
        assert_eq!(cut("複製する", 8), "複製する");
        assert_eq!(cut("複製する", 7), "複製す…");
        assert_eq!(cut("複製する", 6), "複製…");
        assert_eq!(tail("複製する", 6), "…する");
        assert_eq!(tail("cafe\u{301}s", 2), "…s");
        for text in ["複製", "ab"] {
            assert_eq!(
                (cut(text, 0), tail(text, 0)),
                (String::new(), String::new())
            );
        }
    }

    #[test]
    fn rows_hold_as_many_columns_as_they_have() {
        assert_eq!(rows("a複製bc", 4), ["a複", "製bc"]);
        assert_eq!(rows("e\u{301}e\u{301}", 1), ["e\u{301}", "e\u{301}"]);
        assert_eq!(rows("複a", 1), ["a"]);
        assert_eq!(
            paragraph("to the mark before, after", 9),
            ["to the", "mark", "before,", "after"]
        );
    }
}
