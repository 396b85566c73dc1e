//! Commands that a shell reads as they are written, and patterns of them.
//!
//! sshd gives a command to the account's shell as one text. [`split`] takes a text apart only if every shell does it
//! the same way: words of harmless characters with single spaces between. A [`Pattern`] is held against these words,
//! never against the text, and is no glob: what it does not say does not match.

use std::fmt;

use crate::limits;
use crate::words::shown;

/// Words that a shell takes for its own where a command is expected: reserved words and special built-ins (POSIX.1-2024,
/// XCU 2.4 and 2.15), and those of bash and zsh that change what comes after them.
const OWN: [&str; 54] = [
    "alias",
    "always",
    "bg",
    "break",
    "builtin",
    "case",
    "cd",
    "command",
    "continue",
    "coproc",
    "declare",
    "do",
    "done",
    "elif",
    "else",
    "end",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "fc",
    "fg",
    "fi",
    "for",
    "foreach",
    "function",
    "if",
    "in",
    "local",
    "logout",
    "namespace",
    "nocorrect",
    "noglob",
    "readonly",
    "repeat",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "switch",
    "then",
    "time",
    "times",
    "trap",
    "typeset",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// The words of a command, if every shell takes them as they are: only ASCII letters, digits and `_ - . / : , + @ % =`,
/// single spaces between, nothing that a shell expands, and no word of its own in the first place.
pub fn split(text: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = text.split(' ').collect();
    let first = words.first()?;
    (is_program(first) && words.iter().all(|word| is_plain(word))).then_some(words)
}

/// Whether a shell takes the word for a program's name.
fn is_program(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_');
    // `NAME=value` sets a variable; `%1` is a job; a dot alone reads a file.
    begins && !word.contains(['=', '%', '@', '+', ',', ':']) && !OWN.contains(&word)
}

/// Whether a shell leaves the word alone, wherever it stands behind the first one.
fn is_plain(word: &str) -> bool {
    // zsh looks `=name` up, and older shells `%name`.
    !word.is_empty() && !word.starts_with(['=', '%']) && word.chars().all(is_harmless)
}

const fn is_harmless(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '_' | '-' | '.' | '/' | ':' | ',' | '+' | '@' | '%' | '=')
}

/// A command with places: each word is what it says, or has one place, written `{unit}` for a name of the asker's
/// choice, or `{start|stop}` for one of these.
///
/// A name is of ASCII letters, digits, `.`, `_` and `-`, and begins with a letter, a digit or `_`: it is never an option,
/// a path, or `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Word {
    before: String,
    place: Option<Place>,
    after: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Name(String),
    OneOf(Vec<String>),
}

/// Why something is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPattern {
    /// It has no words, or more than [`limits::COMMAND_WORDS`].
    #[error("a command has 1 to {} words", limits::COMMAND_WORDS)]
    Count,
    /// The first word is not a program's name.
    #[error("{} is not the name of a program, or a word of the shell's own", shown(.0))]
    Program(String),
    /// A shell would read the word as something else.
    #[error("a shell could read {} as something else", shown(.0))]
    Word(String),
    /// The braces of the word are not a place.
    #[error("{} has braces that are neither {{name}} nor {{one|two}}", shown(.0))]
    Place(String),
}

impl Pattern {
    /// Reads a pattern from its words.
    pub fn read(words: &[String]) -> Result<Self, NotAPattern> {
        if !(1..=limits::COMMAND_WORDS).contains(&words.len()) {
            return Err(NotAPattern::Count);
        }
        if let Some(first) = words.first().filter(|first| !is_program(first)) {
            return Err(NotAPattern::Program(first.clone()));
        }
        let words = words.iter().map(|word| Word::read(word));
        Ok(Self {
            words: words.collect::<Result<_, _>>()?,
        })
    }

    /// Whether these are the words of such a command.
    pub fn matches(&self, words: &[&str]) -> bool {
        let same = self.words.len() == words.len();
        let mut pairs = self.words.iter().zip(words);
        same && pairs.all(|(own, word)| own.matches(word))
    }
}

impl Word {
    fn read(text: &str) -> Result<Self, NotAPattern> {
        let no_place = || NotAPattern::Place(text.to_owned());
        let (before, place, after) = match text.split_once('{') {
            None => (text, None, ""),
            Some((before, rest)) => {
                let (place, after) = rest.split_once('}').ok_or_else(no_place)?;
                let place = Place::read(place).ok_or_else(no_place)?;
                (before, Some(place), after)
            }
        };
        if after.contains(['{', '}']) || before.contains('}') {
            return Err(no_place());
        }
        // A place begins with a letter, a digit or `_`, which is harmless anywhere.
        let filled = if place.is_some() { "x" } else { "" };
        if !is_plain(&format!("{before}{filled}{after}")) {
            return Err(NotAPattern::Word(text.to_owned()));
        }
        Ok(Self {
            before: before.to_owned(),
            place,
            after: after.to_owned(),
        })
    }

    fn matches(&self, word: &str) -> bool {
        let Some(place) = &self.place else {
            return self.before == word;
        };
        let rest = word.strip_prefix(self.before.as_str());
        let chosen = rest.and_then(|rest| rest.strip_suffix(self.after.as_str()));
        chosen.is_some_and(|chosen| place.takes(chosen))
    }
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let all: Vec<String> = text.split('|').map(str::to_owned).collect();
        if !all.iter().all(|one| is_name(one)) {
            return None;
        }
        Some(match <[String; 1]>::try_from(all) {
            Ok([label]) => Self::Name(label),
            Err(several) => Self::OneOf(several),
        })
    }

    fn takes(&self, chosen: &str) -> bool {
        match self {
            Self::Name(_) => is_name(chosen),
            Self::OneOf(these) => these.iter().any(|one| one == chosen),
        }
    }
}

fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    begins && text.chars().all(rest)
}

/// Shown as it is written, its words with spaces between.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.words.iter().enumerate() {
            let between = if n > 0 { " " } else { "" };
            write!(f, "{between}{word}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, .. } = self;
        match &self.place {
            None => write!(f, "{before}{after}"),
            Some(Place::Name(label)) => write!(f, "{before}{{{label}}}{after}"),
            Some(Place::OneOf(these)) => write!(f, "{before}{{{}}}{after}", these.join("|")),
        }
    }
}

#[cfg(test)]
mod tests;
