//! Who may open a sealed recording: public keys of [age](https://c2sp.org/age), of its own kind and of OpenSSH's.

use std::fmt;
use std::str::FromStr;

use bech32::Hrp;
use bech32::primitives::decode::CheckedHrpstring;
use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

/// The human-readable part of age's own public keys.
const AGE: &str = "age";

/// Longest text of a recipient that is read, in bytes: a key takes a hundred, and its comment has room.
pub const RECIPIENT_BYTES: usize = 1024;

/// A public key that a recording's content key is wrapped for. Written as `age1…`, or as the line of an OpenSSH
/// `.pub` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient {
    key: RecipientKey,
    text: String,
}

/// The key of a [`Recipient`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientKey {
    /// An X25519 public key (RFC 7748 §5).
    Age([u8; 32]),
    /// An Ed25519 public key (RFC 8032 §5.1.5).
    Ssh([u8; 32]),
}

/// Why some text names no recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARecipient {
    /// It is neither kind.
    #[error("it is neither a key of age (age1…) nor an OpenSSH public key (ssh-ed25519 …)")]
    Neither,
    /// A private key was pasted.
    #[error("this is a private key: give its public half, and make another pair")]
    Private,
    /// It begins as age's, and is not one.
    #[error("it begins like a key of age and is not one: a character is wrong or missing")]
    Age,
    /// An OpenSSH key of another kind.
    #[error("only ssh-ed25519 keys can open recordings: add one, or a key of age (age-keygen)")]
    OtherKind,
    /// Longer than any.
    #[error("it is longer than any recipient")]
    Long,
}

impl Recipient {
    /// Its key.
    pub const fn key(&self) -> RecipientKey {
        self.key
    }
}

impl FromStr for Recipient {
    type Err = NotARecipient;

    fn from_str(text: &str) -> Result<Self, NotARecipient> {
        let text = text.trim();
        if text.len() > RECIPIENT_BYTES {
            return Err(NotARecipient::Long);
        }
        if text.starts_with("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY") {
            return Err(NotARecipient::Private);
        }
        if text.starts_with("age1") {
            let bytes = age(text).ok_or(NotARecipient::Age)?;
            return Ok(Self {
                key: RecipientKey::Age(bytes),
                text: text.to_owned(),
            });
        }
        let key = PublicKey::from_openssh(text).map_err(|_| NotARecipient::Neither)?;
        let bytes = key.key_data().ed25519().ok_or(NotARecipient::OtherKind)?.0;
        // In one spelling, with the comment that says whose it is.
        let text = key.to_openssh().map_err(|_| NotARecipient::Neither)?;
        Ok(Self {
            key: RecipientKey::Ssh(bytes),
            text,
        })
    }
}

fn age(text: &str) -> Option<[u8; 32]> {
    let checked = CheckedHrpstring::new::<bech32::Bech32>(text).ok()?;
    if checked.hrp() != Hrp::parse(AGE).ok()? {
        return None;
    }
    checked.byte_iter().collect::<Vec<u8>>().try_into().ok()
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for Recipient {
    type Error = NotARecipient;

    fn try_from(text: String) -> Result<Self, NotARecipient> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE_KEY: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    const SSH_KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnw5O/5ySzpZAZl3lfoE7iN+dfuCXIfd2nv5WPJzCl6 auditor";

    #[test]
    fn both_kinds_are_read() {
        let age: Recipient = AGE_KEY.parse().unwrap();
        assert!(matches!(age.key(), RecipientKey::Age(_)));
        assert_eq!(age.to_string(), AGE_KEY);
        let ssh: Recipient = format!(" {SSH_KEY}\n").parse().unwrap();
        assert!(matches!(ssh.key(), RecipientKey::Ssh(_)));
        assert_eq!(ssh.to_string(), SSH_KEY);
    }

    #[test]
    fn nothing_else_is() {
        let wrong = |text: &str| text.parse::<Recipient>().unwrap_err();
        assert_eq!(wrong(""), NotARecipient::Neither);
        assert_eq!(wrong("alice"), NotARecipient::Neither);
        assert_eq!(wrong(&AGE_KEY.replace("ql3z", "ql3x")), NotARecipient::Age);
        assert_eq!(wrong("age1"), NotARecipient::Age);
        assert_eq!(wrong("AGE-SECRET-KEY-1QQ"), NotARecipient::Private);
        assert_eq!(
            wrong("-----BEGIN OPENSSH PRIVATE KEY-----"),
            NotARecipient::Private
        );
        let p256 = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";
        assert_eq!(wrong(p256), NotARecipient::OtherKind);
        assert_eq!(
            wrong(&format!("{SSH_KEY}{}", "x".repeat(RECIPIENT_BYTES))),
            NotARecipient::Long
        );
    }
}
