//! The file format of [age](https://c2sp.org/age), for secrets of a few bytes: stock `age -d` opens what is written here.
//!
//! A file is a header, which wraps a random file key for each recipient, and the payload under that key. Of the format's
//! recipients, `X25519` and `ssh-ed25519` are known; stanzas of others are passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use config::recipient::Recipient;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

pub use self::identity::{Identities, IdentityError};

mod identity;
mod stanza;

use self::stanza::Stanza;

const VERSION: &str = "age-encryption.org/v1";
const FILE_KEY: usize = 16;

/// Longest file that is opened, in bytes: a hundred recipients fit many times.
pub const AGE_BYTES: usize = 64 << 10;

/// Most of a secret that one file holds, in bytes: one chunk of the payload (STREAM) takes 64 KiB.
const SECRET_BYTES: usize = 1024;

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// The recipient's fault: its key is no point of the curve, or one that hides nothing.
    #[error("the key of recipient {0} is not a good one")]
    Recipient(String),
    /// Nobody could open it.
    #[error("there is no recipient")]
    Nobody,
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] std::io::Error),
    /// The caller's fault.
    #[error("the secret is longer than {SECRET_BYTES} bytes")]
    Long,
}

/// Why a file cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not of this format.
    #[error("it is not a file of age, version 1")]
    Malformed,
    /// None of the identities is one of its recipients.
    #[error("it is not for any of these identities")]
    NotForYou,
    /// It was altered.
    #[error("it was altered since it was written")]
    Altered,
}

/// Wraps a secret so that each of the recipients can open it alone.
pub fn wrap(recipients: &[Recipient], secret: &[u8]) -> Result<Vec<u8>, WrapError> {
    if recipients.is_empty() {
        return Err(WrapError::Nobody);
    }
    if secret.len() > SECRET_BYTES {
        return Err(WrapError::Long);
    }
    let mut file_key = Zeroizing::new([0; FILE_KEY]);
    random(file_key.as_mut_slice())?;
    let mut header = format!("{VERSION}\n");
    for recipient in recipients {
        let stanza = stanza::wrap(recipient, &file_key)?;
        header.push_str(&stanza.to_string());
    }
    header.push_str("---");
    let mac = STANDARD_NO_PAD.encode(header_mac(&file_key, header.as_bytes()));
    let mut file = format!("{header} {mac}\n").into_bytes();
    let mut nonce = [0; FILE_KEY];
    random(&mut nonce)?;
    file.extend_from_slice(&nonce);
    // Encrypting a kilobyte does not fail.
    file.extend(
        payload_cipher(&file_key, &nonce)
            .encrypt(&only_chunk(), secret)
            .unwrap_or_default(),
    );
    Ok(file)
}

/// Opens a file with whichever identity it is for.
pub fn open(identities: &Identities, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if file.len() > AGE_BYTES {
        return Err(OpenError::Malformed);
    }
    let (stanzas, header, mac, payload) = parse(file).ok_or(OpenError::Malformed)?;
    let file_key = stanzas
        .iter()
        .find_map(|stanza| identities.unwrap(stanza))
        .ok_or(OpenError::NotForYou)?;
    let hmac = hmac(&file_key).chain_update(header);
    hmac.verify_slice(&mac).map_err(|_| OpenError::Altered)?;
    let (nonce, sealed) = payload
        .split_first_chunk::<FILE_KEY>()
        .ok_or(OpenError::Malformed)?;
    payload_cipher(&file_key, nonce)
        .decrypt(&only_chunk(), sealed)
        .map(Zeroizing::new)
        .map_err(|_| OpenError::Altered)
}

/// The nonce of a chunk that is the first and the last: eleven bytes that count, and one that says so.
fn only_chunk() -> Nonce {
    Nonce::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
}

type Parsed<'a> = (Vec<Stanza>, &'a [u8], Vec<u8>, &'a [u8]);

/// The stanzas, what the MAC is over, the MAC, and the payload.
fn parse(file: &[u8]) -> Option<Parsed<'_>> {
    let mut at = 0;
    let mut line = || {
        let rest = file.get(at..)?;
        let length = rest.iter().position(|b| *b == b'\n')?;
        let line = std::str::from_utf8(rest.get(..length)?).ok()?;
        at += length + 1;
        Some((line, at))
    };
    if line()?.0 != VERSION {
        return None;
    }
    let mut stanzas = Vec::new();
    loop {
        let (first, after) = line()?;
        if let Some(mac) = first.strip_prefix("--- ") {
            let header = file.get(..after - 1 - mac.len() - 1)?;
            let mac = STANDARD_NO_PAD.decode(mac).ok()?;
            return Some((stanzas, header, mac, file.get(after..)?));
        }
        stanzas.push(Stanza::parse(first, || line().map(|(text, _)| text))?);
    }
}

fn header_mac(file_key: &[u8; FILE_KEY], header: &[u8]) -> Vec<u8> {
    hmac(file_key)
        .chain_update(header)
        .finalize()
        .into_bytes()
        .to_vec()
}

fn hmac(file_key: &[u8; FILE_KEY]) -> Hmac<Sha256> {
    let key = derive(&[], file_key, "header");
    // A key that is shorter than a block is filled with zeros (RFC 2104 §2).
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key.iter()) {
        *to = *from;
    }
    <Hmac<Sha256> as hmac::KeyInit>::new(&(*block).into())
}

fn payload_cipher(file_key: &[u8; FILE_KEY], nonce: &[u8]) -> ChaCha20Poly1305 {
    let key = derive(nonce, file_key, "payload");
    ChaCha20Poly1305::new(&Key::from(*key))
}

/// HKDF-SHA-256 (RFC 5869), 32 bytes.
fn derive(salt: &[u8], secret: &[u8], info: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // 32 bytes are not too many.
    let _ = Hkdf::<Sha256>::new(Some(salt), secret).expand(info.as_bytes(), out.as_mut_slice());
    out
}

fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(std::io::Error::from)
}

#[cfg(test)]
mod tests;
