//! Identifiers of requests and of sessions, in Crockford's base 32.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{SessionId, WordError};

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

fn check_request_id(given: &str) -> Result<(), &'static str> {
    let dashed = given.len() == 9 && given.as_bytes().get(4) == Some(&b'-');
    let digits = given.bytes().filter(|b| CROCKFORD.contains(b)).count();
    if dashed && digits == 8 {
        Ok(())
    } else {
        Err("it looks like 7F3K-9QMD")
    }
}

pub(super) fn check_session_id(given: &str) -> Result<(), &'static str> {
    let digits = given.bytes().all(|b| CROCKFORD.contains(&b));
    if given.len() == 26 && digits {
        Ok(())
    } else {
        Err("it is 26 letters and digits")
    }
}
