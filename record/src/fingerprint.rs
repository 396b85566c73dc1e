//! The SHA-256 fingerprint of a public key, as OpenSSH writes it: `SHA256:` and 43 base64 digits.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use ssh_key::{HashAlg, PublicKey};

use crate::digest::Digest;

/// A key's fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(Digest);

/// What was given is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint: it is SHA256: and 43 digits, as `ssh-keygen -lf KEY.pub` prints it")]
pub struct NotAFingerprint;

impl Fingerprint {
    /// The fingerprint of a key.
    pub fn of(key: &PublicKey) -> Self {
        let bytes = key.fingerprint(HashAlg::Sha256);
        let mut digest = [0; 32];
        // SHA-256 has 32 bytes.
        for (to, from) in digest.iter_mut().zip(bytes.as_bytes()) {
            *to = *from;
        }
        Self(Digest::from_bytes(digest))
    }

    /// The SHA-256 of the key's wire form.
    pub const fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "SHA256:{}",
            STANDARD_NO_PAD.encode(self.0.as_bytes())
        ))
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits = text.strip_prefix("SHA256:").ok_or(NotAFingerprint)?;
        let bytes = STANDARD_NO_PAD
            .decode(digits)
            .map_err(|_| NotAFingerprint)?;
        let bytes = bytes.try_into().map_err(|_| NotAFingerprint)?;
        Ok(Self(Digest::from_bytes(bytes)))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_ssh_keygen_prints() {
        let line =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnw5O/5ySzpZAZl3lfoE7iN+dfuCXIfd2nv5WPJzCl6";
        let key = PublicKey::from_openssh(line).unwrap();
        let fingerprint = Fingerprint::of(&key);
        let said = key.fingerprint(HashAlg::Sha256).to_string();
        assert_eq!(fingerprint.to_string(), said);
        assert_eq!(said.parse(), Ok(fingerprint));
        assert_eq!(fingerprint.digest(), Digest::of(&key.to_bytes().unwrap()));
        for wrong in [
            "",
            "SHA256:",
            "SHA256:AAAA",
            "MD5:00",
            &said[1..],
            &format!("{said}="),
        ] {
            assert_eq!(
                wrong.parse::<Fingerprint>(),
                Err(NotAFingerprint),
                "{wrong}"
            );
        }
    }
}
