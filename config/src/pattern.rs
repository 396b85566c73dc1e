//! Patterns of text: regular expressions as the crate `regex` reads them, of bounded size and linear time.
//!
//! They are held against bytes: `\w`, `\d`, `\b` and `(?i)` mean ASCII, a letter outside of it stands for its UTF-8, and
//! what terminals send need not be text at all.

use std::fmt;
use std::str::FromStr;

use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::syntax;
use serde::{Deserialize, Serialize};

use crate::limits;

/// A regular expression that compiles within [`limits::PATTERN_MEMORY`] and does not match nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// Why something is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl Pattern {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What finds it in a whole line.
    ///
    /// # Errors
    ///
    /// None, since it was compiled when it was parsed; the library cannot say so.
    pub fn regex(&self) -> Result<Regex, PatternError> {
        let bounds = meta::Config::new()
            .utf8_empty(false)
            .nfa_size_limit(Some(limits::PATTERN_MEMORY))
            .onepass_size_limit(Some(limits::PATTERN_MEMORY))
            .hybrid_cache_capacity(limits::PATTERN_MEMORY);
        Regex::builder()
            .syntax(syntax())
            .configure(bounds)
            .build(&self.0)
            .map_err(|e| PatternError(flat(&e)))
    }
}

/// The automaton that follows all of some texts at once, byte by byte.
///
/// # Errors
///
/// One is no regular expression, or they take more than [`limits::PATTERN_MEMORY`] each.
pub fn automaton<P: AsRef<str>>(patterns: &[P]) -> Result<NFA, PatternError> {
    let most = limits::PATTERN_MEMORY.saturating_mul(patterns.len().max(1));
    let bounds = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(most));
    NFA::compiler()
        .syntax(syntax())
        .configure(bounds)
        .build_many(patterns)
        .map_err(|e| PatternError(flat(&e)))
}

fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.len() > limits::PATTERN_BYTES {
            let most = limits::PATTERN_BYTES;
            return Err(PatternError(format!("it is longer than {most} bytes")));
        }
        if automaton(&[text])?.has_empty() {
            return Err(PatternError("it matches nothing at all, too".to_owned()));
        }
        let pattern = Self(text.to_owned());
        pattern.regex()?;
        Ok(pattern)
    }
}

/// What the library says, of which the last line is the reason.
fn flat(e: &dyn std::error::Error) -> String {
    let mut e = e;
    while let Some(source) = e.source() {
        e = source;
    }
    let text = e.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pattern_says_why() {
        let why = |text: &str| text.parse::<Pattern>().unwrap_err().to_string();
        assert_eq!(why("(a"), "unclosed group");
        assert_eq!(why("a*"), "it matches nothing at all, too");
        assert_eq!(why(&"a".repeat(513)), "it is longer than 512 bytes");
        assert!("a".repeat(512).parse::<Pattern>().is_ok());
        let big = why("((a{100}){100}){100}");
        assert!(big.contains("exceed"), "{big}");
    }

    #[test]
    fn a_pattern_is_held_against_bytes() {
        let pattern: Pattern = r"(?i)\bkäse \d+".parse().unwrap();
        let regex = pattern.regex().unwrap();
        assert!(regex.is_match("ein käse 12".as_bytes()));
        assert!(!regex.is_match("ein käse ١٢".as_bytes()));
        assert!(
            regex.is_match(
                [b"\xff\xfe K".as_slice(), "äse 1".as_bytes()]
                    .concat()
                    .as_slice()
            )
        );
    }
}
