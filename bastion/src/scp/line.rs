//! The lines of the protocol: what a source says of what it sends, as OpenSSH's `scp.c` writes and reads them.

/// One line of the source, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `T`: the times of what comes next.
    Times,
    /// `C`: a file of this size.
    File { size: u64, name: &'a [u8] },
    /// `D`: a directory begins.
    Enter(&'a [u8]),
    /// `E`: it is over.
    Leave,
    /// A message about what is not sent.
    Trouble,
}

/// Reads a line; none, if it is none of these.
pub(super) fn read(line: &[u8]) -> Option<Line<'_>> {
    let (kind, rest) = line.split_first()?;
    match kind {
        1 | 2 => Some(Line::Trouble),
        b'T' => times(rest),
        b'C' => entry(rest).map(|(size, name)| Line::File { size, name }),
        b'D' => entry(rest).map(|(_, name)| Line::Enter(name)),
        b'E' => rest.is_empty().then_some(Line::Leave),
        _ => None,
    }
}

/// Seconds and microseconds, twice.
fn times(text: &[u8]) -> Option<Line<'static>> {
    let mut words = text.split(|byte| *byte == b' ');
    let four = words.by_ref().take(4).filter_map(number).count();
    (four == 4 && words.next().is_none()).then_some(Line::Times)
}

/// Mode, size and name.
fn entry(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mode, rest) = text.split_at_checked(4)?;
    let rest = rest.strip_prefix(b" ")?;
    let space = rest.iter().position(|byte| *byte == b' ')?;
    let (size, name) = rest.split_at_checked(space)?;
    let name = name.strip_prefix(b" ").filter(|name| is_name(name))?;
    let octal = mode.iter().all(|byte| (b'0'..=b'7').contains(byte));
    octal.then_some((number(size)?, name))
}

/// Whether it names something in a directory, and nothing elsewhere.
fn is_name(name: &[u8]) -> bool {
    let odd = name.iter().any(|byte| matches!(byte, 0 | b'/'));
    !name.is_empty() && name != b".." && !odd
}

/// A number that fits `off_t`.
fn number(text: &[u8]) -> Option<u64> {
    let digits = (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok().filter(|n| i64::try_from(*n).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_openssh_writes_them() {
        let file = |size, name: &'static str| {
            let name = name.as_bytes();
            Some(Line::File { size, name })
        };
        assert_eq!(read(b"C0644 12 a b"), file(12, "a b"));
        assert_eq!(read(b"C4755 0 x"), file(0, "x"));
        assert_eq!(
            read(b"C0644 9223372036854775807 x"),
            file(i64::MAX.cast_unsigned(), "x")
        );
        assert_eq!(read(b"D0755 0 d"), Some(Line::Enter(b"d")));
        assert_eq!(read(b"D0755 0 ."), Some(Line::Enter(b".")));
        assert_eq!(read(b"E"), Some(Line::Leave));
        assert_eq!(read(b"T1700000000 0 1700000000 999999"), Some(Line::Times));
        assert_eq!(
            read(b"\x01scp: /x: No such file or directory"),
            Some(Line::Trouble)
        );
    }

    #[test]
    fn what_is_no_line_is_none() {
        for line in [
            &b""[..],
            b"\0",
            b"E0",
            b"C",
            b"C0644",
            b"C0644 ",
            b"C0644 1",
            b"C0644 1 ",
            b"C064 1 x",
            b"C0648 1 x",
            b"C0644 -1 x",
            b"C0644 +1 x",
            b"C0644 9223372036854775808 x",
            b"C0644 1 ..",
            b"C0644 1 a/b",
            b"C0644 1 a\0b",
            b"D0755 0 ..",
            b"D0755 0 /",
            b"T1 0 1",
            b"T1 0 1 0 0",
            b"T1 0 1 x",
            b"T",
            b"X",
            b"hello",
        ] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }
}
