//! One recipient's stanza: the file key, wrapped by a key that an ephemeral X25519 (RFC 7748) agrees on.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use config::recipient::{Recipient, RecipientKey};
use curve25519_dalek::MontgomeryPoint;
use curve25519_dalek::edwards::CompressedEdwardsY;
use sha2::{Digest as _, Sha256};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use zeroize::Zeroizing;

use super::{FILE_KEY, WrapError, derive, random};

pub(super) const X25519: &str = "X25519";
pub(super) const SSH: &str = "ssh-ed25519";
const INFO: &str = "age-encryption.org/v1/";

/// A wrapped file key of 16 bytes and its tag take 32 bytes.
const BODY: usize = FILE_KEY + 16;

/// Lines of a stanza's body have this many digits, and the last one has fewer.
const COLUMNS: usize = 64;

/// Most lines of a stanza's body that are read.
const LINES: usize = 64;

/// A stanza as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stanza {
    /// What kind it is, and what belongs to the kind.
    pub(super) args: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Stanza {
    /// Reads a stanza from its first line and those that follow.
    pub(super) fn parse<'a>(
        first: &str,
        mut next: impl FnMut() -> Option<&'a str>,
    ) -> Option<Self> {
        let args: Vec<String> = first
            .strip_prefix("-> ")?
            .split(' ')
            .map(str::to_owned)
            .collect();
        let mut digits = String::new();
        for _ in 0..LINES {
            let line = next()?;
            digits.push_str(line);
            if line.len() < COLUMNS {
                let body = STANDARD_NO_PAD.decode(digits).ok()?;
                return Some(Self { args, body });
            }
        }
        None
    }

    /// The argument of this number, of a length that it must have.
    fn arg<const N: usize>(&self, number: usize) -> Option<[u8; N]> {
        let bytes = STANDARD_NO_PAD.decode(self.args.get(number)?).ok()?;
        bytes.try_into().ok()
    }
}

impl fmt::Display for Stanza {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "-> {}", self.args.join(" "))?;
        // Always shorter than a line.
        writeln!(f, "{}", STANDARD_NO_PAD.encode(&self.body))
    }
}

/// Wraps a file key for one recipient.
pub(super) fn wrap(recipient: &Recipient, file_key: &[u8; FILE_KEY]) -> Result<Stanza, WrapError> {
    let mut secret = Zeroizing::new([0; 32]);
    random(secret.as_mut_slice())?;
    let share = MontgomeryPoint::mul_base_clamped(*secret);
    let bad = || WrapError::Recipient(recipient.to_string());
    let (kind, mut args, salt, agreed) = match recipient.key() {
        RecipientKey::Age(key) => {
            let point = MontgomeryPoint(key);
            let agreed = agree(point, &secret).ok_or_else(bad)?;
            (X25519, vec![], key, agreed)
        }
        RecipientKey::Ssh(key) => {
            let point = montgomery(&key).ok_or_else(bad)?;
            let wire = wire(&key);
            let agreed = agree(point, &secret).ok_or_else(bad)?;
            let agreed = tweaked(&wire, &agreed).ok_or_else(bad)?;
            (
                SSH,
                vec![STANDARD_NO_PAD.encode(tag(&wire))],
                point.to_bytes(),
                agreed,
            )
        }
    };
    args.insert(0, kind.to_owned());
    args.push(STANDARD_NO_PAD.encode(share.as_bytes()));
    let body = cipher(kind, &share.to_bytes(), &salt, &agreed)
        .encrypt(&Nonce::default(), file_key.as_slice())
        .map_err(|_| bad())?;
    Ok(Stanza { args, body })
}

/// Opens a stanza that is for the holder of this X25519 secret.
pub(super) fn unwrap_age(stanza: &Stanza, secret: &[u8; 32]) -> Option<Zeroizing<[u8; FILE_KEY]>> {
    if stanza.args.len() != 2 || stanza.args.first()? != X25519 {
        return None;
    }
    let share = stanza.arg(1)?;
    let own = MontgomeryPoint::mul_base_clamped(*secret).to_bytes();
    let agreed = agree(MontgomeryPoint(share), secret)?;
    unwrap(stanza, &cipher(X25519, &share, &own, &agreed))
}

/// Opens a stanza that is for the holder of this Ed25519 key, whose secret scalar is given.
pub(super) fn unwrap_ssh(
    stanza: &Stanza,
    public: &[u8; 32],
    scalar: &[u8; 32],
) -> Option<Zeroizing<[u8; FILE_KEY]>> {
    if stanza.args.len() != 3 || stanza.args.first()? != SSH {
        return None;
    }
    let wire = wire(public);
    if stanza.arg::<4>(1)? != tag(&wire) {
        return None;
    }
    let share = stanza.arg(2)?;
    let agreed = tweaked(&wire, &*agree(MontgomeryPoint(share), scalar)?)?;
    let own = montgomery(public)?.to_bytes();
    unwrap(stanza, &cipher(SSH, &share, &own, &agreed))
}

fn unwrap(stanza: &Stanza, cipher: &ChaCha20Poly1305) -> Option<Zeroizing<[u8; FILE_KEY]>> {
    // Another length would let one body open under several keys.
    if stanza.body.len() != BODY {
        return None;
    }
    let plain = Zeroizing::new(
        cipher
            .decrypt(&Nonce::default(), stanza.body.as_slice())
            .ok()?,
    );
    Some(Zeroizing::new(plain.as_slice().try_into().ok()?))
}

fn cipher(kind: &str, share: &[u8; 32], own: &[u8; 32], agreed: &[u8; 32]) -> ChaCha20Poly1305 {
    let key = derive(&[*share, *own].concat(), agreed, &format!("{INFO}{kind}"));
    ChaCha20Poly1305::new(&Key::from(*key))
}

/// X25519; `None` where the peer's point is of small order, so that everybody knows the outcome (RFC 7748 §6.1).
fn agree(point: MontgomeryPoint, secret: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    let agreed = Zeroizing::new(point.mul_clamped(*secret).to_bytes());
    agreed.iter().any(|byte| *byte != 0).then_some(agreed)
}

/// Binds what was agreed on to the SSH key, so that a stanza cannot be used for another one.
fn tweaked(wire: &[u8], agreed: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    let tweak = derive(wire, &[], &format!("{INFO}{SSH}"));
    agree(MontgomeryPoint(*agreed), &tweak)
}

/// The Ed25519 key's point on the curve that X25519 works on (RFC 7748 §4.1).
fn montgomery(key: &[u8; 32]) -> Option<MontgomeryPoint> {
    Some(CompressedEdwardsY(*key).decompress()?.to_montgomery())
}

/// The key as RFC 8709 §4 writes it.
fn wire(key: &[u8; 32]) -> Vec<u8> {
    let key = ssh_key::PublicKey::from(KeyData::Ed25519(Ed25519PublicKey(*key)));
    // A key of 32 bytes always encodes.
    key.to_bytes().unwrap_or_default()
}

/// What a holder finds their stanza by.
fn tag(wire: &[u8]) -> [u8; 4] {
    let digest: [u8; 32] = Sha256::digest(wire).into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}
