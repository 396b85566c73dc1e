//! [C2SP signed notes](https://c2sp.org/signed-note) with Ed25519 signatures, so that the tools of other
//! transparency logs read our checkpoints.
//!
//! The same key also makes SSHSIG signatures. Neither can pass for the other: what SSHSIG signs begins with `SSHSIG` and
//! the bytes of a length, which hold control characters, and a note's text has none but line feeds.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use ssh_key::{PrivateKey, PublicKey};

/// Longest note that is read, in bytes: a checkpoint with sixteen signatures of the largest kinds fits.
pub const NOTE_BYTES: usize = 128 << 10;

/// The signature type of Ed25519.
const ED25519: u8 = 1;

/// Longest name of a note's key, in bytes: a host name and a path.
const NAME_BYTES: usize = 320;

/// The name of a note's key, like `ca.example.com/hallpass`: not empty, without spaces, plus signs and control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(pub(super) String);

/// Some text is not the name of a note's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a name for a log: it is empty, too long, or has a space, a plus sign or a control character"
)]
pub struct NotAName;

impl KeyName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let stray = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > NAME_BYTES || text.contains(stray) {
            return Err(NotAName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a note does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is larger than [`NOTE_BYTES`].
    #[error("too long for a signed note")]
    TooLong,
    /// It is not of the form of a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The key that we know has not signed it.
    #[error("the key has not signed this note")]
    Unsigned,
    /// A signature says that it is by the key that we know, and is not.
    #[error("the signature does not belong to this note")]
    Invalid,
    /// The key is not an Ed25519 key.
    #[error("not an Ed25519 key for notes")]
    Key,
}

/// A key that notes are checked against, with its name. Written as other tools take it: `name+id+key`, the vkey.
#[derive(Debug, Clone)]
pub struct NoteKey {
    name: KeyName,
    key: VerifyingKey,
}

impl NoteKey {
    /// Gives a public key a name.
    pub fn new(name: KeyName, key: &PublicKey) -> Result<Self, NoteError> {
        let key = key.key_data().ed25519().ok_or(NoteError::Key)?;
        let key = VerifyingKey::from_bytes(&key.0).map_err(|_| NoteError::Key)?;
        Ok(Self { name, key })
    }

    /// The key's id under its name: the first four bytes of `SHA-256(name || 0x0A || 0x01 || key)`.
    pub fn id(&self) -> [u8; 4] {
        let hasher = Sha256::new()
            .chain_update(&self.name.0)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        [a, b, c, d]
    }

    /// The name of the key.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The text of a note, if this key has signed it. Signatures of other keys are passed over.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let (text, lines) = parts(note)?;
        let mut signed = false;
        for line in lines.split_terminator('\n') {
            let (name, blob) = signature(line)?;
            let Some((id, rest)) = blob.split_first_chunk::<4>() else {
                return Err(NoteError::Malformed("a signature has no key id"));
            };
            if name != self.name.0 || *id != self.id() {
                continue;
            }
            let rest = Signature::from_slice(rest).map_err(|_| NoteError::Invalid)?;
            let good = self.key.verify_strict(text.as_bytes(), &rest);
            good.map_err(|_| NoteError::Invalid)?;
            signed = true;
        }
        if signed {
            Ok(text)
        } else {
            Err(NoteError::Unsigned)
        }
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for NoteKey {
    type Err = NoteError;

    /// Reads a vkey; its id has to be the key's.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, key) = vkey(text, ED25519)?;
        let read = Self { name, key };
        if read.to_string() == text {
            Ok(read)
        } else {
            Err(NoteError::Key)
        }
    }
}

/// The name and the key of a vkey of this type, its id not checked yet.
pub(super) fn vkey(text: &str, kind: u8) -> Result<(KeyName, VerifyingKey), NoteError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::Key);
    };
    let name = name.parse().map_err(|_| NoteError::Key)?;
    let key = STANDARD.decode(key).map_err(|_| NoteError::Key)?;
    let key = key
        .split_first()
        .filter(|(first, _)| **first == kind)
        .and_then(|(_, key)| VerifyingKey::from_bytes(key.try_into().ok()?).ok());
    Ok((name, key.ok_or(NoteError::Key)?))
}

/// Signs a text that ends in a line feed and has no other control characters, and gives the whole note.
pub fn sign(name: &KeyName, key: &PrivateKey, text: &str) -> Result<String, NoteError> {
    sign_by(name, [key], text)
}

/// The same with a signature by each of several keys of one name, in their order: whoever knows any of them reads it.
pub fn sign_by<'k>(
    name: &KeyName,
    keys: impl IntoIterator<Item = &'k PrivateKey>,
    text: &str,
) -> Result<String, NoteError> {
    plain(text)?;
    let mut note = format!("{text}\n");
    for key in keys {
        note.push_str(&line(name, key, text)?);
    }
    if note.len() > NOTE_BYTES {
        return Err(NoteError::TooLong);
    }
    Ok(note)
}

/// One signature.
fn line(name: &KeyName, key: &PrivateKey, text: &str) -> Result<String, NoteError> {
    let public = NoteKey::new(name.clone(), key.public_key())?;
    let pair = key.key_data().ed25519().ok_or(NoteError::Key)?;
    let signing = SigningKey::try_from(pair).map_err(|_| NoteError::Key)?;
    let mut blob = public.id().to_vec();
    blob.extend_from_slice(&signing.sign(text.as_bytes()).to_bytes());
    Ok(format!("\u{2014} {name} {}\n", STANDARD.encode(blob)))
}

/// The text of a note, which nobody is known to have signed.
pub(crate) fn text_of(note: &str) -> Result<&str, NoteError> {
    Ok(parts(note)?.0)
}

/// A note's text and its signature lines, none of it believed yet. The last empty line parts them.
pub(super) fn parts(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > NOTE_BYTES {
        return Err(NoteError::TooLong);
    }
    plain(note)?;
    let at = note
        .rfind("\n\n")
        .ok_or(NoteError::Malformed("it has no signatures"))?;
    let text = note.get(..=at).unwrap_or_default();
    let lines = note.get(at + 2..).unwrap_or_default();
    if lines.is_empty() {
        return Err(NoteError::Malformed("it has no signatures"));
    }
    Ok((text, lines))
}

fn plain(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed("its last line is not ended"));
    }
    if text.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(NoteError::Malformed("it has control characters"));
    }
    Ok(())
}

pub(super) fn signature(line: &str) -> Result<(&str, Vec<u8>), NoteError> {
    let rest = line.strip_prefix("\u{2014} ");
    let (name, digits) = rest
        .and_then(|rest| rest.split_once(' '))
        .ok_or(NoteError::Malformed("a signature has another form"))?;
    name.parse::<KeyName>()
        .map_err(|_| NoteError::Malformed("a signature has no name"))?;
    let blob = STANDARD
        .decode(digits)
        .map_err(|_| NoteError::Malformed("a signature is not base64"))?;
    Ok((name, blob))
}

#[cfg(test)]
mod tests {
    use ssh_key::private::Ed25519Keypair;

    use super::*;

    /// The published example of Go's `golang.org/x/mod/sumdb/note`, which every implementation of notes reproduces.
    const SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn key() -> PrivateKey {
        let bytes = STANDARD.decode(SEED).unwrap();
        let seed: [u8; 32] = bytes[1..].try_into().unwrap();
        Ed25519Keypair::from_seed(&seed).into()
    }

    fn named(name: &str) -> NoteKey {
        NoteKey::new(name.parse().unwrap(), key().public_key()).unwrap()
    }

    #[test]
    fn the_published_note_is_signed_and_opened_byte_for_byte() {
        let note = sign(&"PeterNeumann".parse().unwrap(), &key(), TEXT).unwrap();
        assert_eq!(note, format!("{TEXT}\n{LINE}"));
        assert_eq!(named("PeterNeumann").to_string(), VKEY);
        assert_eq!(VKEY.parse::<NoteKey>().unwrap().open(&note), Ok(TEXT));
        for bad in [
            "",
            "a+b",
            &VKEY.replace("c74f", "c74e"),
            &VKEY.replace("+AR", "+BB"),
        ] {
            assert!(
                matches!(bad.parse::<NoteKey>(), Err(NoteError::Key)),
                "{bad}"
            );
        }
        assert_eq!(named("PeterNeumann").open(&note), Ok(TEXT));
    }

    #[test]
    fn a_note_counts_only_as_it_was_signed() {
        let (ours, note) = (named("PeterNeumann"), format!("{TEXT}\n{LINE}"));
        let other = "\u{2014} witness.example AAAAAAAA\n";
        assert_eq!(ours.open(&format!("{note}{other}")), Ok(TEXT));
        assert_eq!(ours.open(&format!("{TEXT}\n{other}{LINE}")), Ok(TEXT));
        assert_eq!(
            ours.open(&note.replace("think", "thank")),
            Err(NoteError::Invalid)
        );
        assert_eq!(named("another").open(&note), Err(NoteError::Unsigned));
        assert_eq!(
            ours.open(&format!("{TEXT}\n{other}")),
            Err(NoteError::Unsigned)
        );
        // Cut short, the signature is no longer one, whatever else signs.
        let short = format!("{TEXT}\n{LINE}\u{2014} PeterNeumann x08gow==\n");
        assert_eq!(ours.open(&short), Err(NoteError::Invalid));
    }

    #[test]
    fn what_is_not_a_note_is_refused() {
        let ours = named("PeterNeumann");
        let malformed = [
            String::new(),
            TEXT.to_owned(),
            format!("{TEXT}\n"),
            format!("{TEXT}\n{LINE}").trim_end().to_owned(),
            format!("{TEXT}\t\n{LINE}"),
            format!("{TEXT}\n{LINE}").replace('\u{2014}', "-"),
            format!("{TEXT}\n{LINE}\u{2014} a b\n"),
            format!("{TEXT}\n{LINE}\u{2014} a+b AAAAAAAA\n"),
            format!("{TEXT}\n{LINE}\u{2014} a AAA=\n"),
        ];
        for note in malformed {
            let opened = ours.open(&note);
            assert!(matches!(opened, Err(NoteError::Malformed(_))), "{note:?}");
        }
        let long = format!("{}\n\n{LINE}", "x".repeat(NOTE_BYTES));
        assert_eq!(ours.open(&long), Err(NoteError::TooLong));
    }

    #[test]
    fn a_name_has_no_spaces_and_no_plus() {
        for bad in [
            "",
            "a b",
            "a\u{a0}b",
            "a+b",
            "a\nb",
            "a\tb",
            &"x".repeat(321),
        ] {
            assert_eq!(bad.parse::<KeyName>(), Err(NotAName), "{bad:?}");
        }
        assert!("ca.example.com/hallpass".parse::<KeyName>().is_ok());
    }
}
