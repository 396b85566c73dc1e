//! Why a command failed, in words for the person who typed it.

use std::fmt;
use std::io;
use std::path::Path;

use bastion::bucket::BucketError;
use record::text::is_visible;

/// What happened and what to do next, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure {
    words: String,
    unread: bool,
}

/// What a command comes to.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure that is told in these words.
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            unread: false,
        }
    }

    /// Whether the reader of our output, such as `head`, has seen enough: nobody waits for words about that.
    pub(crate) const fn is_unread(&self) -> bool {
        self.unread
    }

    /// The system could not do something to a file.
    pub(crate) fn file(verb: &str, path: &Path, source: &std::io::Error) -> Self {
        Self::new(format!("{} cannot be {verb}: {source}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&safe(&self.words, "\n"))
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let known = &error as &dyn std::error::Error;
        let io = known.downcast_ref::<io::Error>();
        let hint = known.downcast_ref::<BucketError>().and_then(hint);
        Self {
            words: format!("{error}{}", hint.unwrap_or_default()),
            unread: io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe),
        }
    }
}

/// What to do when a store of objects does not answer that no variable names.
fn hint(error: &BucketError) -> Option<&'static str> {
    let is_named = std::env::var_os("AWS_ENDPOINT_URL").is_some_and(|text| !text.is_empty());
    let is_away = matches!(error, BucketError::Store(_));
    (is_away && !is_named)
        .then_some("\n  hint: Amazon's S3 was asked; AWS_ENDPOINT_URL names another store")
}

/// Text that can be shown to a person: what is invisible, other than the characters of `kept`, is escaped. Paths and the
/// headers of recordings are other people's text.
pub(crate) fn safe(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_visible(c) || kept.contains(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_36_nothing_invisible_reaches_the_reader_of_a_message() {
        let failure = Failure::new("a\x1b]0;t\x07b\u{202e}c\u{9b}d\ne");
        assert_eq!(
            failure.to_string(),
            "a\\u{1b}]0;t\\u{7}b\\u{202e}c\\u{9b}d\ne"
        );
        assert_eq!(safe("one\nline", ""), "one\\nline");
    }
}
