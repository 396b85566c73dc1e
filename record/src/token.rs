//! A join token: what proves, once, that a machine is the target that somebody set up.
//!
//! The secret is shown once, to whoever asked for it; the issuance log holds its digest alone.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// What each token begins with, so that one that was pasted into the wrong place is recognised.
const PREFIX: &str = "hpjoin-";

/// Crockford's base-32 digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many digits follow the prefix: 160 bits, which nobody guesses.
const LENGTH: usize = 32;

/// A join token. It is a secret: it shows itself only when it is asked to, and never as a debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken(String);

/// What was given is not a join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a join token: it is hpjoin- and 32 digits, as `ssh ca token TARGET` prints it")]
pub struct NotAToken;

impl JoinToken {
    /// A token of 160 random bits.
    pub fn from_random(random: [u8; LENGTH]) -> Self {
        let digit = |byte: &u8| {
            let digit = DIGITS.get(usize::from(byte & 31)).copied();
            char::from(digit.unwrap_or(b'0'))
        };
        Self(random.iter().map(digit).collect())
    }

    /// What the log knows it by.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// The secret.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken(…)")
    }
}

impl FromStr for JoinToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let digits = text.strip_prefix(PREFIX).ok_or(NotAToken)?;
        let good = digits.len() == LENGTH && digits.bytes().all(|b| DIGITS.contains(&b));
        if good {
            Ok(Self(digits.to_owned()))
        } else {
            Err(NotAToken)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_shows_itself_to_nobody_else() {
        let token = JoinToken::from_random([0xff; 32]);
        let secret = token.reveal();
        assert_eq!(secret, format!("hpjoin-{}", "Z".repeat(32)));
        assert_eq!(secret.parse(), Ok(token.clone()));
        assert_eq!(format!("{token:?}"), "JoinToken(…)");
        let cut = &secret[..secret.len() - 1];
        for wrong in [
            "",
            "hpjoin-",
            cut,
            &secret.to_lowercase(),
            &format!("{secret}0"),
        ] {
            assert_eq!(wrong.parse::<JoinToken>(), Err(NotAToken), "{wrong}");
        }
    }
}
