//! [C2SP cosignatures](https://c2sp.org/tlog-cosignature) with Ed25519 (`cosignature/v1`): a witness says that, at this
//! time, this checkpoint is of the largest tree it has seen of this log, and consistent with every one before.
//!
//! What is signed begins with `cosignature/v1`, so it can pass neither for a note nor for an SSHSIG.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use ssh_key::{PrivateKey, PublicKey};

use super::note::{self, KeyName, NoteError};
use crate::clock::UnixTime;

/// The signature type of an Ed25519 cosignature.
const COSIGNATURE: u8 = 4;

/// A witness's public key with its name. Written as other tools take it: `name+id+key`, the vkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: KeyName,
    key: VerifyingKey,
}

impl WitnessKey {
    /// Gives a public key a name.
    pub fn new(name: KeyName, key: &PublicKey) -> Result<Self, NoteError> {
        let key = key.key_data().ed25519().ok_or(NoteError::Key)?;
        let key = VerifyingKey::from_bytes(&key.0).map_err(|_| NoteError::Key)?;
        Ok(Self { name, key })
    }

    /// The witness's name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's id under its name: the first four bytes of `SHA-256(name || 0x0A || 0x04 || key)`.
    pub fn id(&self) -> [u8; 4] {
        let hasher = Sha256::new()
            .chain_update(&self.name.0)
            .chain_update([b'\n', COSIGNATURE])
            .chain_update(self.key.as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
        [a, b, c, d]
    }

    /// When this witness cosigned a note, the latest time if more than once. Signatures of other keys are passed over;
    /// one that only claims to be this witness's makes the whole note invalid.
    pub fn cosigned(&self, note: &str) -> Result<UnixTime, NoteError> {
        let (text, lines) = note::parts(note)?;
        let mut last = None;
        for line in lines.split_terminator('\n') {
            if let Some(at) = self.line(text, line)? {
                last = last.max(Some(at));
            }
        }
        last.ok_or(NoteError::Unsigned)
    }

    /// When one signature line says that the text was cosigned; none if it is another key's.
    fn line(&self, text: &str, line: &str) -> Result<Option<UnixTime>, NoteError> {
        let (name, blob) = note::signature(line)?;
        let Some((id, rest)) = blob.split_first_chunk::<4>() else {
            return Err(NoteError::Malformed("a signature has no key id"));
        };
        if name != self.name.0 || *id != self.id() {
            return Ok(None);
        }
        let (time, signature) = rest.split_first_chunk::<8>().ok_or(NoteError::Invalid)?;
        let at = UnixTime::from_secs(u64::from_be_bytes(*time));
        let signature = Signature::from_slice(signature).map_err(|_| NoteError::Invalid)?;
        let good = self.key.verify_strict(&message(at, text), &signature);
        good.map_err(|_| NoteError::Invalid)?;
        Ok(Some(at))
    }

    /// The signature lines of an answer that are this witness's, checked against the note's text. None if there is none.
    pub fn own_lines(&self, text: &str, answer: &str) -> Result<Option<String>, NoteError> {
        let mut own = String::new();
        for line in answer.split_terminator('\n') {
            if self.line(text, line)?.is_some() {
                own += line;
                own.push('\n');
            }
        }
        Ok((!own.is_empty()).then_some(own))
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![COSIGNATURE];
        key.extend_from_slice(self.key.as_bytes());
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for WitnessKey {
    type Err = NoteError;

    /// Reads a vkey; its id has to be the key's.
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, key) = note::vkey(text, COSIGNATURE)?;
        let read = Self { name, key };
        if read.to_string() == text {
            Ok(read)
        } else {
            Err(NoteError::Key)
        }
    }
}

/// The signature line of a witness over a note's text, as of a time; with its line feed.
pub fn cosign(
    name: &KeyName,
    key: &PrivateKey,
    at: UnixTime,
    text: &str,
) -> Result<String, NoteError> {
    let public = WitnessKey::new(name.clone(), key.public_key())?;
    let pair = key.key_data().ed25519().ok_or(NoteError::Key)?;
    let signing = SigningKey::try_from(pair).map_err(|_| NoteError::Key)?;
    let mut blob = public.id().to_vec();
    blob.extend_from_slice(&at.secs().to_be_bytes());
    blob.extend_from_slice(&signing.sign(&message(at, text)).to_bytes());
    Ok(format!("\u{2014} {name} {}\n", STANDARD.encode(blob)))
}

fn message(at: UnixTime, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {}\n{text}", at.secs()).into_bytes()
}

#[cfg(test)]
mod tests {
    use ssh_key::private::Ed25519Keypair;

    use super::*;

    const TEXT: &str = "example.com/log\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn key(seed: u8) -> PrivateKey {
        Ed25519Keypair::from_seed(&[seed; 32]).into()
    }

    fn name() -> KeyName {
        "witness.example.com/w1".parse().unwrap()
    }

    #[test]
    fn a_cosignature_counts_for_its_key_its_time_and_its_text() {
        let at = UnixTime::from_secs(1_679_315_147);
        let line = cosign(&name(), &key(1), at, TEXT).unwrap();
        let witness = WitnessKey::new(name(), key(1).public_key()).unwrap();
        assert_eq!(
            witness.to_string().parse::<WitnessKey>(),
            Ok(witness.clone())
        );
        let note = format!("{TEXT}\n{line}");
        assert_eq!(witness.cosigned(&note), Ok(at));
        assert_eq!(witness.own_lines(TEXT, &line), Ok(Some(line.clone())));

        let other = WitnessKey::new(name(), key(2).public_key()).unwrap();
        assert_eq!(other.cosigned(&note), Err(NoteError::Unsigned));
        assert_eq!(other.own_lines(TEXT, &line), Ok(None));
        let changed = note.replace("\n3\n", "\n4\n");
        assert_eq!(witness.cosigned(&changed), Err(NoteError::Invalid));

        // Another time is another message.
        let (start, digits) = line.trim_end().rsplit_once(' ').unwrap();
        let mut blob = STANDARD.decode(digits).unwrap();
        blob[11] ^= 1;
        let late = format!("{TEXT}\n{start} {}\n", STANDARD.encode(&blob));
        assert_eq!(witness.cosigned(&late), Err(NoteError::Invalid));
        blob.truncate(11);
        let short = format!("{TEXT}\n{start} {}\n", STANDARD.encode(&blob));
        assert_eq!(witness.cosigned(&short), Err(NoteError::Invalid));
    }

    #[test]
    fn a_log_s_vkey_is_no_witness_s() {
        let log = note::NoteKey::new(name(), key(1).public_key()).unwrap();
        assert_eq!(log.to_string().parse::<WitnessKey>(), Err(NoteError::Key));
    }
}
