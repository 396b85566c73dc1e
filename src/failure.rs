//! Why a command failed, in words for the person who typed it.

use std::fmt;
use std::path::Path;

/// What happened and what to do next, ready to be shown.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// What a command comes to.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure that is told in these words.
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The system could not do something to a file.
    pub(crate) fn file(verb: &str, path: &Path, source: &std::io::Error) -> Self {
        Self(format!("{} cannot be {verb}: {source}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
