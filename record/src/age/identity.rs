//! Private keys that open what was wrapped, as `age-keygen` and `ssh-keygen` write them.

use std::fmt;

use bech32::Hrp;
use bech32::primitives::decode::CheckedHrpstring;
use sha2::{Digest as _, Sha512};
use ssh_key::PrivateKey;
use zeroize::Zeroizing;

use super::FILE_KEY;
use super::stanza::{self, Stanza};

/// Private keys, any of which may open a file.
#[derive(Default)]
pub struct Identities {
    keys: Vec<Identity>,
    original: bool,
}

enum Identity {
    Age(Zeroizing<[u8; 32]>),
    Ssh {
        public: [u8; 32],
        scalar: Zeroizing<[u8; 32]>,
    },
}

/// Why a file holds no identities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is neither kind.
    #[error("it holds neither an OpenSSH private key nor an identity of age (AGE-SECRET-KEY-1…)")]
    Neither,
    /// A line that is no identity; the line's number from 1.
    #[error("line {0} is not an identity of age")]
    Line(usize),
    /// The file is encrypted by age itself.
    #[error("it is encrypted with age: decrypt it first (age -d)")]
    AgeEncrypted,
    /// An OpenSSH key of another kind.
    #[error("only ssh-ed25519 keys open recordings, and this one is {0}")]
    OtherKind(String),
    /// The passphrase was not given.
    #[error("it has a passphrase, and none was given")]
    NoPassphrase,
    /// The passphrase does not fit.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
}

impl Identities {
    /// Reads an identity file of age, or an OpenSSH private key, whose passphrase is asked for if it has one.
    pub fn read(
        text: &str,
        ask: &mut dyn FnMut() -> Option<Zeroizing<String>>,
    ) -> Result<Self, IdentityError> {
        if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
            return Ok(Self::of(vec![ssh(text, ask)?]));
        }
        if text.starts_with("age-encryption.org/") || text.contains("BEGIN AGE ENCRYPTED FILE") {
            return Err(IdentityError::AgeEncrypted);
        }
        let mut all = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if !line.starts_with("AGE-SECRET-KEY-1") && all.is_empty() {
                return Err(IdentityError::Neither);
            }
            all.push(Identity::Age(age(line).ok_or(IdentityError::Line(n + 1))?));
        }
        if all.is_empty() {
            return Err(IdentityError::Neither);
        }
        Ok(Self::of(all))
    }

    /// Has them open what was masked, too, in recordings that keep it.
    #[must_use]
    pub fn unmasking(self, original: bool) -> Self {
        Self { original, ..self }
    }

    /// Whether they are to open what was masked.
    pub const fn unmask(&self) -> bool {
        self.original
    }

    const fn of(keys: Vec<Identity>) -> Self {
        Self {
            keys,
            original: false,
        }
    }

    /// Adds those of another file.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.keys.extend(others.keys);
        self
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The file key, if the stanza is for one of these.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Option<Zeroizing<[u8; FILE_KEY]>> {
        self.keys.iter().find_map(|identity| match identity {
            Identity::Age(secret) => stanza::unwrap_age(stanza, secret),
            Identity::Ssh { public, scalar } => stanza::unwrap_ssh(stanza, public, scalar),
        })
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.keys.len())
    }
}

fn age(line: &str) -> Option<Zeroizing<[u8; 32]>> {
    let checked = CheckedHrpstring::new::<bech32::Bech32>(line).ok()?;
    if checked.hrp() != Hrp::parse("age-secret-key-").ok()? {
        return None;
    }
    let bytes = Zeroizing::new(checked.byte_iter().collect::<Vec<u8>>());
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

fn ssh(
    text: &str,
    ask: &mut dyn FnMut() -> Option<Zeroizing<String>>,
) -> Result<Identity, IdentityError> {
    let mut key = PrivateKey::from_openssh(text).map_err(|_| IdentityError::Neither)?;
    if key.is_encrypted() {
        let passphrase = ask().ok_or(IdentityError::NoPassphrase)?;
        key = key
            .decrypt(passphrase.as_bytes())
            .map_err(|_| IdentityError::WrongPassphrase)?;
    }
    let pair = key
        .key_data()
        .ed25519()
        .ok_or_else(|| IdentityError::OtherKind(key.algorithm().to_string()))?;
    // The scalar of RFC 8032 §5.1.5; whoever multiplies with it clamps it.
    let seed = Zeroizing::new(pair.private.to_bytes());
    let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed.as_slice())));
    let mut scalar = Zeroizing::new([0; 32]);
    for (to, from) in scalar.iter_mut().zip(hash.iter()) {
        *to = *from;
    }
    Ok(Identity::Ssh {
        public: pair.public.0,
        scalar,
    })
}
