//! The words: names, logins, principals and identifiers.
//!
//! Each type is made only by parsing, so that a value of it has been checked; each shows
//! itself exactly as it was parsed, and is safe in a log line, a file name and a certificate.

mod id;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;
pub use id::RequestId;
use id::check_session_id;

/// What is wrong with a name that somebody gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {}: {why}", shown(.given))]
pub struct WordError {
    /// Which word it should have been, for example `login`.
    pub what: &'static str,
    /// What was given.
    pub given: String,
    /// Why it is not one.
    pub why: &'static str,
}

/// A string of somebody else's, cut and escaped so that it can stand in a message or a log line.
pub fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        out.push('…');
    }
    format!("\"{out}\"")
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The word as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = WordError;

            fn from_str(given: &str) -> Result<Self, WordError> {
                match $check(given) {
                    Ok(()) => Ok(Self(given.to_owned())),
                    Err(why) => Err(WordError { what: $what, given: given.to_owned(), why }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = WordError;

            fn try_from(given: String) -> Result<Self, WordError> {
                given.parse()
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

word!(
    /// Who someone is, whichever key they use. Quorums count persons.
    PersonName, "person", check_name
);

word!(
    /// A group of persons.
    GroupName, "group", check_name
);

word!(
    /// What may be asked for.
    RoleName, "role", check_name
);

word!(
    /// A roster of who is on call, by the name under which the configuration knows it.
    RosterName, "roster", check_name
);

word!(
    /// An automated check that approves, by the name under which the configuration knows it.
    CheckName, "check", check_name
);

word!(
    /// What a role is alerted of, by the name that everybody hears.
    AlertName, "alert", check_name
);

word!(
    /// A bastion, by the name under which the configuration knows it.
    BastionName, "bastion", check_name
);

word!(
    /// A machine that sessions end on, by its inventory name, in lower case.
    TargetName, "target", check_target
);

word!(
    /// The account on a target.
    Login, "login", check_login
);

word!(
    /// A session's identifier: 26 Crockford base-32 digits, a ULID, so that names sort by time.
    SessionId, "session", check_session_id
);

/// `login@target`: the one principal of an access certificate and of a session certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal {
    /// The account on the target.
    pub login: Login,
    /// The target.
    pub target: TargetName,
}

impl FromStr for Principal {
    type Err = WordError;

    fn from_str(given: &str) -> Result<Self, WordError> {
        let (login, target) = given.split_once('@').ok_or_else(|| WordError {
            what: "access",
            given: given.to_owned(),
            why: "write it as LOGIN@TARGET",
        })?;
        Ok(Self {
            login: login.parse()?,
            target: target.parse()?,
        })
    }
}

impl TryFrom<String> for Principal {
    type Error = WordError;

    fn try_from(given: String) -> Result<Self, WordError> {
        given.parse()
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.to_string()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}@{}", self.login, self.target))
    }
}

fn check_name(given: &str) -> Result<(), &'static str> {
    check_chars(given, limits::NAME_BYTES, |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
    })?;
    check_first(given, |c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn check_target(given: &str) -> Result<(), &'static str> {
    check_chars(given, limits::TARGET_BYTES, |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.')
    })?;
    check_first(given, |c| c.is_ascii_lowercase() || c.is_ascii_digit())?;
    if given.contains("..") || given.ends_with('.') {
        return Err("a dot stands between two parts");
    }
    Ok(())
}

fn check_login(given: &str) -> Result<(), &'static str> {
    check_chars(given, limits::LOGIN_BYTES, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
    })?;
    check_first(given, |c| c.is_ascii_alphabetic() || c == '_')
}

fn check_chars(given: &str, most: usize, good: fn(char) -> bool) -> Result<(), &'static str> {
    if given.is_empty() {
        return Err("it is empty");
    }
    if given.len() > most {
        return Err("it is too long");
    }
    if !given.chars().all(good) {
        return Err("it has a character that is not allowed there");
    }
    Ok(())
}

fn check_first(given: &str, good: fn(char) -> bool) -> Result<(), &'static str> {
    if given.chars().next().is_some_and(good) {
        Ok(())
    } else {
        Err("it begins with the wrong character")
    }
}

#[cfg(test)]
mod tests;
