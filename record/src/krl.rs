//! OpenSSH key revocation lists ([PROTOCOL.krl]), as sshd's `RevokedKeys` and `ssh-keygen -Q -f` read them.
//!
//! Written strictly, and never read but for what a target has to know: each section in ascending order, nothing twice, so that the same
//! revocations are the same bytes. Signatures inside (section 4) are never written: OpenSSH has refused them
//! since 9.4, and who wants one signs the whole file beside it.
//!
//! * [`Krl`]: what is revoked.
//! * [`serials`]: the smallest way to write a set of serials.
//! * [`look`]: whether sshd could read a list, and its number.
//!
//! [PROTOCOL.krl]: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.krl

mod look;
mod serials;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use ssh_key::PublicKey;

use crate::clock::UnixTime;
use crate::digest::Digest;

use serials::Serials;

pub use look::{KrlDamage, KrlHead, look};

/// Largest list, in bytes: OpenSSH reads no larger file into memory (`SSHBUF_SIZE_MAX`, 128 MiB), and an
/// sshd that cannot read its list lets nobody in.
pub const KRL_BYTES: usize = 128 << 20;

/// The SSHSIG namespace of the signature beside a list.
pub const NAMESPACE: &str = "krl@hallpass";

const MAGIC: &[u8; 8] = b"SSHKRL\n\0";
const FORMAT: u32 = 1;

/// The sections, and those within the section of one CA.
mod section {
    pub(super) const CERTIFICATES: u8 = 1;
    pub(super) const EXPLICIT_KEYS: u8 = 2;
    pub(super) const SHA256: u8 = 5;
    pub(super) const KEY_IDS: u8 = 0x23;
}

/// Why something cannot stand in a list. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KrlError {
    /// OpenSSH takes serial 0 for "no serial": revoking it would revoke nothing.
    #[error("serial 0 cannot be revoked")]
    SerialZero,
    /// A range that ends before it begins.
    #[error("a range of serials ends before it begins")]
    Backwards,
    /// An empty key id, or one that OpenSSH would not read as a string.
    #[error("a key id is empty or holds a NUL")]
    KeyId,
    /// A comment that OpenSSH would not read as a string.
    #[error("the comment holds a NUL")]
    Comment,
    /// A certificate where a plain key is meant.
    #[error("a certificate stands where a plain key is meant")]
    Certificate,
    /// A key that has no wire form.
    #[error("a key cannot be written")]
    Key,
    /// More than OpenSSH reads ([`KRL_BYTES`]).
    #[error("the list is larger than OpenSSH reads")]
    TooLarge,
}

/// A key revocation list that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Krl {
    number: u64,
    at: UnixTime,
    comment: String,
    authorities: BTreeMap<Vec<u8>, Authority>,
    keys: BTreeSet<Vec<u8>>,
    fingerprints: BTreeSet<[u8; 32]>,
}

/// What is revoked of one CA's certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Authority {
    serials: Serials,
    key_ids: BTreeSet<String>,
}

impl Krl {
    /// A list that revokes nothing yet. `number` is its version, which should grow with each list; `at` is the
    /// date it carries. OpenSSH shows both and acts on neither.
    pub const fn new(number: u64, at: UnixTime) -> Self {
        Self {
            number,
            at,
            comment: String::new(),
            authorities: BTreeMap::new(),
            keys: BTreeSet::new(),
            fingerprints: BTreeSet::new(),
        }
    }

    /// Sets the comment, which OpenSSH shows.
    pub fn comment(&mut self, comment: &str) -> Result<&mut Self, KrlError> {
        if comment.contains('\0') {
            return Err(KrlError::Comment);
        }
        comment.clone_into(&mut self.comment);
        Ok(self)
    }

    /// Revokes certificates of one CA by their serials, each from 1 on. After an error, none of them is.
    pub fn revoke_serials(
        &mut self,
        ca: &PublicKey,
        serials: impl IntoIterator<Item = u64>,
    ) -> Result<&mut Self, KrlError> {
        let ranges = serials.into_iter().map(|serial| serial..=serial);
        self.revoke_ranges(ca, ranges)
    }

    /// Revokes certificates of one CA by ranges of serials, both ends included, each from 1 on. After an error,
    /// none of them is.
    pub fn revoke_ranges(
        &mut self,
        ca: &PublicKey,
        ranges: impl IntoIterator<Item = RangeInclusive<u64>>,
    ) -> Result<&mut Self, KrlError> {
        let blob = plain(ca)?;
        let mut checked = Vec::new();
        for range in ranges {
            match (*range.start(), *range.end()) {
                (0, _) => return Err(KrlError::SerialZero),
                (first, last) if first > last => return Err(KrlError::Backwards),
                _ => checked.push(range),
            }
        }
        let authority = self.authorities.entry(blob).or_default();
        authority.serials.add(checked);
        Ok(self)
    }

    /// Revokes every certificate of one CA that has this key id.
    pub fn revoke_key_id(&mut self, ca: &PublicKey, id: &str) -> Result<&mut Self, KrlError> {
        if id.is_empty() || id.contains('\0') {
            return Err(KrlError::KeyId);
        }
        let authority = self.authorities.entry(plain(ca)?).or_default();
        authority.key_ids.insert(id.to_owned());
        Ok(self)
    }

    /// Revokes a plain key, every certificate of it, and every certificate that it has signed.
    pub fn revoke_key(&mut self, key: &PublicKey) -> Result<&mut Self, KrlError> {
        self.keys.insert(plain(key)?);
        Ok(self)
    }

    /// Revokes the key with this SHA-256 fingerprint, as [`Krl::revoke_key`] does.
    pub fn revoke_fingerprint(&mut self, fingerprint: Digest) -> &mut Self {
        self.fingerprints.insert(*fingerprint.as_bytes());
        self
    }

    /// The list as OpenSSH reads it: the same revocations give the same bytes.
    pub fn encode(&self) -> Result<Vec<u8>, KrlError> {
        let mut out = MAGIC.to_vec();
        out.extend(FORMAT.to_be_bytes());
        out.extend(self.number.to_be_bytes());
        out.extend(self.at.secs().to_be_bytes());
        out.extend(0_u64.to_be_bytes()); // Flags: none is defined.
        put(&mut out, b"")?; // Reserved.
        put(&mut out, self.comment.as_bytes())?;
        for (ca, authority) in &self.authorities {
            authority.encode(ca, &mut out)?;
        }
        strings(&mut out, section::EXPLICIT_KEYS, &self.keys)?;
        strings(&mut out, section::SHA256, &self.fingerprints)?;
        if out.len() > KRL_BYTES {
            return Err(KrlError::TooLarge);
        }
        Ok(out)
    }
}

impl Authority {
    fn encode(&self, ca: &[u8], out: &mut Vec<u8>) -> Result<(), KrlError> {
        let mut body = Vec::new();
        put(&mut body, ca)?;
        put(&mut body, b"")?; // Reserved.
        let bare = body.len();
        for (kind, data) in self.serials.sections() {
            subsection(&mut body, kind, &data)?;
        }
        strings(&mut body, section::KEY_IDS, &self.key_ids)?;
        if body.len() > bare {
            subsection(out, section::CERTIFICATES, &body)?;
        }
        Ok(())
    }
}

/// The wire form of a key that is no certificate.
fn plain(key: &PublicKey) -> Result<Vec<u8>, KrlError> {
    if key.key_data().is_certificate() {
        return Err(KrlError::Certificate);
    }
    key.to_bytes().map_err(|_| KrlError::Key)
}

/// A section of `string`s; none if there are none.
fn strings<T: AsRef<[u8]>>(out: &mut Vec<u8>, kind: u8, all: &BTreeSet<T>) -> Result<(), KrlError> {
    let mut body = Vec::new();
    for one in all {
        put(&mut body, one.as_ref())?;
    }
    if body.is_empty() {
        return Ok(());
    }
    subsection(out, kind, &body)
}

fn subsection(out: &mut Vec<u8>, kind: u8, body: &[u8]) -> Result<(), KrlError> {
    out.push(kind);
    put(out, body)
}

/// Appends a `string` of RFC 4251 §5.
fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), KrlError> {
    let length = u32::try_from(bytes.len()).map_err(|_| KrlError::TooLarge)?;
    out.extend(length.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

#[cfg(test)]
mod tests;
