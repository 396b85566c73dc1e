//! A strict reader of certificates. It follows no pointer and never recurses: the CA key inside
//! a certificate is a plain Ed25519 or ECDSA P-256 key, or the certificate is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::limits;

use crate::cert::certified;
use crate::signer::blob;
use crate::wire::{Take, put};

/// The plain algorithms whose keys may be certified, and how many `string` fields follow the name.
const SUBJECTS: [(&str, usize); 6] = [
    ("ssh-ed25519", 1),
    ("ecdsa-sha2-nistp256", 2),
    ("ecdsa-sha2-nistp384", 2),
    ("ecdsa-sha2-nistp521", 2),
    ("sk-ssh-ed25519@openssh.com", 2),
    ("sk-ecdsa-sha2-nistp256@openssh.com", 3),
];

/// The curve's name inside an ECDSA key (RFC 5656 §6.1).
const CURVE: &str = "nistp256";

/// What stands in the part of a certificate that is signed.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    pub(crate) algorithm: &'a str,
    plain: &'static str,
    pub(crate) nonce: &'a [u8],
    key: &'a [u8],
    pub(crate) serial: u64,
    pub(crate) kind: u32,
    pub(crate) key_id: &'a str,
    pub(crate) principals: Vec<&'a str>,
    pub(crate) after: u64,
    pub(crate) before: u64,
    pub(crate) critical: Vec<(&'a str, &'a [u8])>,
    pub(crate) extensions: Vec<(&'a str, &'a [u8])>,
    /// The CA's key, as a plain key's blob.
    pub(crate) ca: &'a [u8],
}

impl Fields<'_> {
    /// The certified key, as a plain key's blob.
    pub(crate) fn subject(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        put(&mut blob, self.plain.as_bytes());
        blob.extend_from_slice(self.key);
        blob
    }

    /// The command that it is forced to.
    pub(crate) fn force_command(&self) -> Option<&[u8]> {
        self.critical_option("force-command")
    }

    /// The networks that it is good from.
    pub(crate) fn source_address(&self) -> Option<&[u8]> {
        self.critical_option("source-address")
    }

    fn critical_option(&self, wanted: &str) -> Option<&[u8]> {
        let mut options = self.critical.iter();
        let (_, data) = options.find(|(name, _)| *name == wanted)?;
        Take(data).string()
    }

    /// The algorithm of the CA's key, if a CA of ours could have it.
    fn ca_algorithm(&self) -> Option<&'static str> {
        let mut take = Take(self.ca);
        let algorithm = match take.text()? {
            blob::ED25519 => blob::ED25519,
            blob::P256 => (take.text()? == CURVE).then_some(blob::P256)?,
            _ => return None,
        };
        let length = take.string()?.len();
        let whole = take.is_empty()
            && matches!((algorithm, length), (blob::ED25519, 32) | (blob::P256, 65));
        whole.then_some(algorithm)
    }
}

/// A whole certificate: what was signed, and the signature.
#[derive(Debug)]
pub(crate) struct Whole {
    /// The part that was signed.
    pub(crate) to_be_signed: Vec<u8>,
    /// The signature in its shape, not believed yet.
    pub(crate) signature: Vec<u8>,
}

/// Reads a certificate's signed part, whole; none if a byte is missing, is left over, or stands for something
/// that this CA never writes.
pub(crate) fn read_to_be_signed(bytes: &[u8]) -> Option<Fields<'_>> {
    let mut take = Take(bytes);
    let fields = fields(&mut take)?;
    take.is_empty().then_some(fields)
}

/// Reads a certificate in OpenSSH's one-line form, with or without a comment. The signature has the
/// shape that its CA's key gives it, and is not verified.
pub(crate) fn read_line(line: &str) -> Option<Whole> {
    if line.len() > limits::KEY_BLOB_BYTES * 2 {
        return None;
    }
    let mut words = line.trim().splitn(3, ' ');
    let (algorithm, digits) = (words.next()?, words.next()?);
    let blob = STANDARD.decode(digits).ok()?;
    if blob.len() > limits::KEY_BLOB_BYTES {
        return None;
    }
    let mut take = Take(&blob);
    let read = fields(&mut take)?;
    let signed = blob.len() - take.0.len();
    let signature = take.string()?.to_vec();
    let shaped = blob::is_shaped(read.ca_algorithm()?, &signature);
    let good = take.is_empty() && read.algorithm == algorithm && shaped;
    good.then(|| Whole {
        to_be_signed: blob.get(..signed).unwrap_or_default().to_vec(),
        signature,
    })
}

fn fields<'a>(take: &mut Take<'a>) -> Option<Fields<'a>> {
    let algorithm = take.text()?;
    let (plain, parts) = *SUBJECTS
        .iter()
        .find(|(plain, _)| certified(plain) == algorithm)?;
    let nonce = take.string()?;
    let before_key = take.0;
    for _ in 0..parts {
        take.string()?;
    }
    let key = before_key.get(..before_key.len() - take.0.len())?;
    let read = Fields {
        algorithm,
        plain,
        nonce,
        key,
        serial: take.u64()?,
        kind: take.u32()?,
        key_id: take.text()?,
        principals: principals(take.string()?)?,
        after: take.u64()?,
        before: take.u64()?,
        critical: options(take.string()?)?,
        extensions: options(take.string()?)?,
        ca: reserved_then_ca(take)?,
    };
    read.ca_algorithm().map(|_| read)
}

/// The reserved field, which is empty, and the CA's key behind it.
fn reserved_then_ca<'a>(take: &mut Take<'a>) -> Option<&'a [u8]> {
    take.string()?.is_empty().then(|| take.string())?
}

fn principals(bytes: &[u8]) -> Option<Vec<&str>> {
    let mut take = Take(bytes);
    let mut names = Vec::new();
    while !take.is_empty() {
        if names.len() == limits::PRINCIPALS {
            return None;
        }
        names.push(take.text()?);
    }
    Some(names)
}

fn options(bytes: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let mut take = Take(bytes);
    let mut options = Vec::new();
    while !take.is_empty() {
        options.push((take.text()?, take.string()?));
    }
    Some(options)
}
