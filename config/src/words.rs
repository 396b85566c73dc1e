//! The words: names, logins, principals and identifiers.
//!
//! Each type is made only by parsing, so that a value of it has been checked; each shows
//! itself exactly as it was parsed, and is safe in a log line, a file name and a certificate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits;

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

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A request's identifier as people type it, for example `7F3K-9QMD`: eight Crockford
/// base-32 digits, 40 bits. It is kept as these bits, whose order is that of the digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(u64);

impl RequestId {
    /// Makes an identifier of 40 random bits.
    pub fn from_random(random: [u8; 5]) -> Self {
        let bits = random.iter();
        Self(bits.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// Reads an identifier as a person types it: case, the dash and the look-alikes I, L and O
    /// do not matter.
    pub fn from_typed(typed: &str) -> Result<Self, WordError> {
        let digits: String = typed
            .chars()
            .filter(|c| *c != '-')
            .map(canonical_digit)
            .collect();
        match digits.split_at_checked(4) {
            Some((left, right)) => format!("{left}-{right}").parse(),
            None => typed.parse(),
        }
    }
}

impl FromStr for RequestId {
    type Err = WordError;

    fn from_str(given: &str) -> Result<Self, WordError> {
        check_request_id(given).map_err(|why| WordError {
            what: "request",
            given: given.to_owned(),
            why,
        })?;
        let values = given
            .bytes()
            .filter_map(|digit| (0..32).zip(CROCKFORD).find(|(_, known)| **known == digit));
        Ok(Self(values.fold(0, |sum, (value, _)| sum << 5 | value)))
    }
}

impl TryFrom<String> for RequestId {
    type Error = WordError;

    fn try_from(given: String) -> Result<Self, WordError> {
        given.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = crockford(u128::from(self.0), 8);
        let (left, right) = digits.split_at(4);
        f.pad(&format!("{left}-{right}"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

impl SessionId {
    /// Makes an identifier of a time, in milliseconds since 1970, and 80 random bits.
    pub fn from_parts(unix_ms: u64, random: [u8; 10]) -> Self {
        let low = random
            .iter()
            .fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        let time = u128::from(unix_ms & 0xffff_ffff_ffff);
        Self(crockford(time << 80 | low, 26))
    }
}

fn crockford(value: u128, digits: u32) -> String {
    (0..digits)
        .rev()
        .map(|place| {
            let digit = usize::try_from(value >> (5 * place) & 31).unwrap_or(0);
            char::from(CROCKFORD.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

fn canonical_digit(c: char) -> char {
    match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
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

fn check_request_id(given: &str) -> Result<(), &'static str> {
    let dashed = given.len() == 9 && given.as_bytes().get(4) == Some(&b'-');
    let digits = given.bytes().filter(|b| CROCKFORD.contains(b)).count();
    if dashed && digits == 8 {
        Ok(())
    } else {
        Err("it looks like 7F3K-9QMD")
    }
}

fn check_session_id(given: &str) -> Result<(), &'static str> {
    let digits = given.bytes().all(|b| CROCKFORD.contains(&b));
    if given.len() == 26 && digits {
        Ok(())
    } else {
        Err("it is 26 letters and digits")
    }
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
mod tests {
    use super::*;

    #[test]
    fn promise_34_no_name_becomes_a_path() {
        let long = "a".repeat(4096);
        for bad in [
            "",
            "../x",
            "a/b",
            "a\0b",
            "a\nb",
            "a b",
            "a,b",
            "*",
            "-x",
            ".x",
            "\u{202e}x",
            &long,
        ] {
            assert!(bad.parse::<PersonName>().is_err(), "{bad:?} as a person");
            assert!(bad.parse::<TargetName>().is_err(), "{bad:?} as a target");
            assert!(bad.parse::<Login>().is_err(), "{bad:?} as a login");
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?} as a session");
            assert!(bad.parse::<RequestId>().is_err(), "{bad:?} as a request");
        }
        assert!("a..b".parse::<TargetName>().is_err());
        assert!(
            "DB1".parse::<TargetName>().is_err(),
            "targets have one spelling"
        );
    }

    #[test]
    fn one_past_each_length_is_refused() {
        assert!("a".repeat(limits::NAME_BYTES).parse::<PersonName>().is_ok());
        assert!(
            "a".repeat(limits::NAME_BYTES + 1)
                .parse::<PersonName>()
                .is_err()
        );
        assert!(
            "a".repeat(limits::TARGET_BYTES)
                .parse::<TargetName>()
                .is_ok()
        );
        assert!(
            "a".repeat(limits::TARGET_BYTES + 1)
                .parse::<TargetName>()
                .is_err()
        );
        assert!("a".repeat(limits::LOGIN_BYTES).parse::<Login>().is_ok());
        assert!(
            "a".repeat(limits::LOGIN_BYTES + 1)
                .parse::<Login>()
                .is_err()
        );
    }

    #[test]
    fn a_principal_is_login_at_target() {
        let principal: Principal = "postgres@db1.prod".parse().unwrap();
        assert_eq!(principal.login.as_str(), "postgres");
        assert_eq!(principal.target.as_str(), "db1.prod");
        assert_eq!(principal.to_string(), "postgres@db1.prod");
        for bad in ["postgres", "@db1", "a@", "a@b@c", "a@b,c@d"] {
            assert!(bad.parse::<Principal>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn identifiers_survive_how_people_type_them() {
        let id = RequestId::from_random([0xff, 0, 0x12, 0x34, 0x56]);
        assert_eq!(
            id,
            RequestId::from_typed(&id.to_string().to_lowercase()).unwrap()
        );
        assert_eq!(
            "1000-0000".parse::<RequestId>().unwrap(),
            RequestId::from_typed("looo-oooo").unwrap()
        );
        assert!(RequestId::from_typed("7F3K").is_err());
        assert!(RequestId::from_typed("7F3é9QMD").is_err());
    }

    #[test]
    fn session_identifiers_sort_by_time() {
        let early = SessionId::from_parts(1_000, [0xff; 10]);
        let late = SessionId::from_parts(1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 26);
        assert_eq!(early.to_string().parse::<SessionId>().unwrap(), early);
    }
}
