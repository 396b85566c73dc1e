//! Whether a line is text that went through the session, which almost all are, without taking it apart. Whatever is not plainly
//! that is read in full, and nothing is decided here.

/// The interval of a line `[SECONDS.MICROS, "CODE", "TEXT"]` in microseconds, where the code is one of the three streams and the
/// text is a JSON string: [`read_line`](super::read_line) takes such a line, and its interval is the same. None for every other line.
pub(super) fn interval_of_text(line: &str) -> Option<u64> {
    let (seconds, rest) = line.strip_prefix('[')?.split_once('.')?;
    let (micros, rest) = rest.split_at_checked(6)?;
    let rest = rest.strip_prefix(", \"")?.strip_prefix(['o', 'i', 'e'])?;
    let text = rest.strip_prefix("\", \"")?.strip_suffix("\"]")?;
    // JSON has no number that begins with a zero more.
    let number = seconds == "0" || !seconds.starts_with('0');
    if !number || seconds.len() > 9 || !is_string(text) {
        return None;
    }
    Some(digits(seconds)? * 1_000_000 + digits(micros)?)
}

/// What some digits say, and nothing else.
fn digits(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Whether this may stand between the quotes of a JSON string (RFC 8259 §7). Not where it has a half of a surrogate pair.
fn is_string(text: &str) -> bool {
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        let behind = match escaped.as_bytes() {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => escaped.get(1..),
            [b'u', a, b, c, d, ..] if is_one_character([*a, *b, *c, *d]) => escaped.get(5..),
            _ => None,
        };
        match behind {
            Some(behind) if is_plain(plain) => rest = behind,
            _ => return false,
        }
    }
    is_plain(rest)
}

fn is_one_character(digits: [u8; 4]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit) && !matches!(digits, [b'd' | b'D', ..])
}

/// Neither a quote nor a control character. Looks at all bytes, because that is faster than to stop at one.
fn is_plain(text: &str) -> bool {
    let strange = |byte: &u8| *byte < b' ' || *byte == b'"';
    text.bytes().filter(strange).count() == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Data, Event, Stream, read_line, write_line};
    use super::*;

    #[test]
    fn what_is_not_plainly_text_is_left_to_the_reader() {
        for line in [
            r#"[0.000000, "o", "a"b"]"#,
            r#"[0.000000, "o", "a\"]"#,
            r#"[0.000000, "o", "\u12"]"#,
            r#"[0.000000, "o", "\ud800"]"#,
            r#"[0.000000, "o", "\x"]"#,
            "[0.000000, \"o\", \"\x1b\"]",
            r#"[00.000000, "o", "a"]"#,
            r#"[.000000, "o", "a"]"#,
            r#"[-1.000000, "o", "a"]"#,
            r#"[1000000000.000000, "o", "a"]"#,
            r#"[0.00000, "o", "a"]"#,
            r#"[0.0000000, "o", "a"]"#,
            r#"[0.000000, "x", "1"]"#,
            r#"[0.000000, "o", "a"] "#,
            r#"[0.000000, "o", "]"#,
            "# a comment",
            "",
        ] {
            assert_eq!(interval_of_text(line), None, "{line}");
        }
        let longest = r#"[999999999.999999, "e", "\u001b[1m\r\n\"\\\/ü"]"#;
        assert_eq!(interval_of_text(longest), Some(999_999_999_999_999));
    }

    proptest! {
        #[test]
        fn what_a_recorder_writes_is_seen_at_once(at_us in 0_u64..1_000_000_000_000_000, text in ".{0,40}", which in 0_usize..3) {
            let stream = [Stream::Output, Stream::Input, Stream::ErrorOutput][which];
            let mut line = Vec::new();
            let data = Data::Bytes(stream, text.into_bytes());
            write_line(&mut line, &mut 0, &Event { at_us, data });
            let line = String::from_utf8(line).unwrap();
            prop_assert_eq!(interval_of_text(line.trim_end_matches('\n')), Some(at_us));
        }

        #[test]
        fn what_is_seen_is_what_is_read(
            line in r#"\[[01]{0,2}[0-9]{0,9}\.[0-9]{5,7}, "[oiexzB]", "([a-c"\\]|\\[u"\\nrx/]|\\u(d8|00)[0-9aA]{2}|[\x00-\x22]|ü){0,8}"\]"#,
            before in 0_u64..1_000_000,
        ) {
            if let Some(interval) = interval_of_text(&line) {
                let mut at_us = before;
                let read = read_line(&line, &mut at_us);
                prop_assert!(matches!(read, Ok(Some(Event { data: Data::Bytes(..), .. }))), "{line}: {read:?}");
                prop_assert_eq!(at_us, before + interval);
            }
        }
    }
}
