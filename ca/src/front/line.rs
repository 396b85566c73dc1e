//! From the bytes of an `exec` request (RFC 4254 §6.5) to words.
//!
//! `ssh` joins its arguments with single blanks and drops the quotes that the person's own shell
//! has already taken: `ssh ca request … --reason "it's full"` arrives as `request … --reason it's
//! full`. Hence text after `--reason` and `--command` is taken as it stands, up to the next option
//! of the same command; if it is one quoted word, the quotes go. Everything else is split as a
//! shell would split it.

use config::limits;

/// Longest command line, in bytes: a longest reason and a longest command, and the rest.
const LINE_BYTES: usize = limits::REASON_BYTES + limits::COMMAND_BYTES + 1024;

/// What ends a free text: the options of the commands that have one.
const OPTIONS: [&str; 11] = [
    "--role",
    "--for",
    "--reason",
    "--command",
    "--break-glass",
    "--no-wait",
    "--person",
    "--key",
    "--target",
    "--bastion",
    "--help",
];

/// Which options are followed by free text.
const TEXTS: [&str; 2] = ["--reason", "--command"];

/// The same for a review, whose text stands behind what it says.
const REVIEW_OPTIONS: [&str; 4] = ["--accept", "--reject", "--text", "--help"];
const REVIEW_TEXTS: [&str; 2] = ["--accept", "--reject"];

/// The commands that take free text.
const WITH_TEXT: [&str; 5] = ["request", "deny", "revoke", "restore", "review"];

/// Why a command line could not be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    /// It is longer than any that is meant.
    #[error("the command line is longer than {LINE_BYTES} bytes")]
    TooLong,
    /// It is not text.
    #[error("the command line is not UTF-8")]
    NotText,
    /// A quote is open.
    #[error("a quote is not closed")]
    OpenQuote,
}

/// Splits a command line into words.
pub(super) fn words(line: &[u8]) -> Result<Vec<String>, LineError> {
    if line.len() > LINE_BYTES {
        return Err(LineError::TooLong);
    }
    let line = std::str::from_utf8(line)
        .map_err(|_| LineError::NotText)?
        .trim();
    let verb = line.split_whitespace().next().unwrap_or_default();
    if !WITH_TEXT.contains(&verb) {
        return split(line);
    }
    let (texts, options): (&[&str], &[&str]) = match verb {
        "review" => (&REVIEW_TEXTS, &REVIEW_OPTIONS),
        _ => (&TEXTS, &OPTIONS),
    };
    let mut words = Vec::new();
    let mut rest = line;
    while let Some((at, option)) = next_option(rest, texts) {
        let (before, after) = rest.split_at(at);
        words.extend(split(before)?);
        let after = after.get(option.len() + 1..).unwrap_or_default();
        let end = next_option(after, options).map_or(after.len(), |(at, _)| at);
        let (text, following) = after.split_at(end);
        let text = unquoted(text.trim());
        words.push(if text.is_empty() {
            option.to_owned()
        } else {
            format!("{option}={text}")
        });
        rest = following;
    }
    words.extend(split(rest)?);
    Ok(words)
}

fn split(text: &str) -> Result<Vec<String>, LineError> {
    shell_words::split(text).map_err(|_| LineError::OpenQuote)
}

/// Where the next of these options begins as a word of its own, outside quotes that hold it
/// whole. `--option=text` counts too.
fn next_option<'o>(text: &str, options: &[&'o str]) -> Option<(usize, &'o str)> {
    let mut from = quoted(text).map_or(0, |(_, end)| end);
    loop {
        let rest = text.get(from..)?;
        let at = from + rest.find("--")?;
        let word = text.get(at..)?;
        let begins = text[..at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace);
        let found = options.iter().find(|option| {
            word.strip_prefix(**option).is_some_and(|after| {
                after
                    .chars()
                    .next()
                    .is_none_or(|c| c == '=' || c.is_whitespace())
            })
        });
        match found {
            Some(option) if begins => return Some((at, option)),
            _ => from = at + 2,
        }
    }
}

/// A quoted word at the beginning, blanks before it aside, that ends where a word ends: what is in
/// it, and where it ends.
fn quoted(text: &str) -> Option<(&str, usize)> {
    let start = text.len() - text.trim_start().len();
    let quote = text[start..]
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\''))?;
    let inside = start + 1;
    let length = text[inside..].find(quote)?;
    let end = inside + length + 1;
    text[end..]
        .chars()
        .next()
        .is_none_or(char::is_whitespace)
        .then(|| (&text[inside..inside + length], end))
}

fn unquoted(text: &str) -> &str {
    match quoted(text) {
        Some((inside, end)) if end == text.len() => inside,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Vec<String> {
        words(line.as_bytes()).unwrap()
    }

    #[test]
    fn a_reason_survives_that_ssh_drops_the_quotes() {
        assert_eq!(
            of("request postgres@db1.prod --for 15m --reason INC-42 it's full, isn't it --no-wait"),
            [
                "request",
                "postgres@db1.prod",
                "--for",
                "15m",
                "--reason=INC-42 it's full, isn't it",
                "--no-wait"
            ]
        );
        assert_eq!(
            of("deny 7F3K-9QMD --reason 'not --for now'"),
            ["deny", "7F3K-9QMD", "--reason=not --for now"]
        );
        assert_eq!(
            of("request a@b --reason=two words"),
            ["request", "a@b", "--reason=two words"]
        );
        assert_eq!(of("request a@b --reason"), ["request", "a@b", "--reason"]);
        assert_eq!(
            of("request a@b --reason --for 5m"),
            ["request", "a@b", "--reason", "--for", "5m"]
        );
    }

    #[test]
    fn a_review_keeps_its_words() {
        assert_eq!(
            of("review 7F3K-9QMD --accept it's fine --for now --text"),
            [
                "review",
                "7F3K-9QMD",
                "--accept=it's fine --for now",
                "--text"
            ]
        );
        assert_eq!(
            of("review 7F3K-9QMD --text --reject 'no --text'"),
            ["review", "7F3K-9QMD", "--text", "--reject=no --text"]
        );
    }

    #[test]
    fn a_command_keeps_its_own_quotes_and_options() {
        assert_eq!(
            of("request a@b --command psql -c 'select 1' --force --reason x"),
            [
                "request",
                "a@b",
                "--command=psql -c 'select 1' --force",
                "--reason=x"
            ]
        );
        assert_eq!(
            of("request a@b --command \"tool --role x\" --reason y"),
            ["request", "a@b", "--command=tool --role x", "--reason=y"]
        );
    }

    #[test]
    fn elsewhere_words_are_a_shells() {
        assert_eq!(
            of("show '7F3K-9QMD' --json"),
            ["show", "7F3K-9QMD", "--json"]
        );
        assert_eq!(of("  "), Vec::<String>::new());
        assert_eq!(words(b"show 'x"), Err(LineError::OpenQuote));
        assert_eq!(words(b"\xff"), Err(LineError::NotText));
        assert_eq!(words(&vec![b'a'; LINE_BYTES + 1]), Err(LineError::TooLong));
        assert!(words(&vec![b'a'; LINE_BYTES]).is_ok());
    }
}
