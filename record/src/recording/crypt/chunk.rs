//! The lines of a tail, encrypted batch by batch, so that a recovery that has no key still sees which batches are whole.
//!
//! ```text
//! 4 bytes   how many follow the checksum, little-endian
//! 8 bytes   the beginning of the SHA-256 of what follows
//! 8 bytes   the time of the last event in it, in microseconds, little-endian
//! 2 bytes   how long the End is, little-endian
//!           the End as JSON, if the batch holds it
//! 24 bytes  the nonce
//!           the lines, encrypted, and their tag
//! ```

use config::limits;
use config::words::SessionId;
use sha2::{Digest as _, Sha256};

use super::super::event::End;

const LENGTH: usize = 4;
const CHECKSUM: usize = 8;

/// What stands in the clear before the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::recording) struct Head {
    pub(in crate::recording) to_us: u64,
    /// As JSON; empty if the batch does not hold it.
    end: Vec<u8>,
}

impl Head {
    pub(super) fn new(to_us: u64, end: Option<&End>) -> Self {
        // An enum and strings always serialize.
        let end = end.map(|end| serde_json::to_vec(end).unwrap_or_default());
        Self {
            to_us,
            end: end.unwrap_or_default(),
        }
    }

    pub(in crate::recording) fn end(&self) -> Option<End> {
        serde_json::from_slice(&self.end).ok()
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u16::try_from(self.end.len()).unwrap_or(u16::MAX);
        [
            self.to_us.to_le_bytes().as_slice(),
            &length.to_le_bytes(),
            &self.end,
        ]
        .concat()
    }

    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (to_us, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (end, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let head = Self {
            to_us: u64::from_le_bytes(*to_us),
            end: end.to_vec(),
        };
        (head.end.is_empty() || head.end().is_some()).then_some((head, rest))
    }
}

/// A batch as it stands in a tail.
#[derive(Debug)]
pub(in crate::recording) struct Chunk<'a> {
    pub(in crate::recording) head: Head,
    /// The nonce and the ciphertext.
    pub(in crate::recording) body: &'a [u8],
}

/// What a batch is bound to: its recording, its tail, its place there, and what is said in the clear.
pub(super) fn bound(session: &SessionId, tail: u32, index: u32, head: &Head) -> Vec<u8> {
    let mut bound = format!("hallpass chunk 1\n{session}\n{tail}\n{index}\n").into_bytes();
    bound.extend(head.bytes());
    bound
}

/// A batch, to be appended.
pub(super) fn write(head: &Head, body: &[u8]) -> Vec<u8> {
    let head = head.bytes();
    let length = u32::try_from(head.len() + body.len()).unwrap_or(u32::MAX);
    let sum = checksum(&[&head, body]);
    [&length.to_le_bytes(), sum.as_slice(), &head, body].concat()
}

/// The whole batches at the beginning of some bytes, and how many bytes they take.
pub(in crate::recording) fn read(bytes: &[u8]) -> (Vec<Chunk<'_>>, usize) {
    let mut chunks = Vec::new();
    let mut rest = bytes;
    while let Some((chunk, after)) = next(rest) {
        chunks.push(chunk);
        rest = after;
    }
    (chunks, bytes.len() - rest.len())
}

/// The first line of a tail, with its newline.
pub(in crate::recording) fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.iter().position(|b| *b == b'\n')?;
    bytes.get(..=at)
}

/// What follows the first line of a tail.
pub(in crate::recording) fn after_first_line(bytes: &[u8]) -> &[u8] {
    let first = first_line(bytes).unwrap_or_default();
    bytes.get(first.len()..).unwrap_or_default()
}

fn next(bytes: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > limits::FRAME_MAX_BYTES {
        return None;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    if checksum(&[content]) != *sum {
        return None;
    }
    let (head, body) = Head::split(content)?;
    Some((Chunk { head, body }, rest))
}

fn checksum(content: &[&[u8]]) -> [u8; CHECKSUM] {
    let mut hasher = Sha256::new();
    for part in content {
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut sum = [0; CHECKSUM];
    for (to, from) in sum.iter_mut().zip(digest) {
        *to = from;
    }
    sum
}
