//! What an encrypted recording says in the clear, so that it can be verified without a key. All of it stands within the
//! frames, and so under the tree and its signatures.

use config::words::{BastionName, SessionId};
use serde::{Deserialize, Serialize};

use super::super::event::End;
use crate::digest::Digest;

/// What is sealed here, by whom, and with which key. Stands in the first frame, and in the first line of the first tail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recording) struct Statement {
    pub(in crate::recording) session: SessionId,
    pub(in crate::recording) bastion: BastionName,
    /// Of the content key: see [`ContentKey::commitment`](super::ContentKey::commitment).
    pub(in crate::recording) commitment: Digest,
    /// Of the wrapped content key as it stood when the recording began.
    pub(in crate::recording) keys: Digest,
}

impl Statement {
    /// The line, with its newline.
    pub(in crate::recording) fn line(&self) -> Vec<u8> {
        line(self)
    }

    /// Reads a line without its newline; accepts exactly what [`Self::line`] writes.
    pub(in crate::recording) fn parse(text: &[u8]) -> Option<Self> {
        parse(text)
    }
}

/// What is said of one frame: the first line of its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recording) struct Head {
    /// Of the whole recording, in its first frame.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::recording) statement: Option<Statement>,
    /// The time that the frame's first interval counts from, in microseconds.
    pub(in crate::recording) from_us: u64,
    /// The time of its last event.
    pub(in crate::recording) to_us: u64,
    /// How many bytes the tail had that it was made of.
    pub(in crate::recording) tail: u64,
    /// How the session ended, in the last frame.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(in crate::recording) end: Option<End>,
}

impl Head {
    /// The line, with its newline.
    pub(in crate::recording) fn line(&self) -> Vec<u8> {
        line(self)
    }

    /// Takes the head from a payload, and says what follows it.
    pub(in crate::recording) fn split(payload: &[u8]) -> Option<(Self, &[u8])> {
        let at = payload.iter().position(|b| *b == b'\n')?;
        Some((parse(payload.get(..at)?)?, payload.get(at + 1..)?))
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Strings, numbers and structs of them always serialize.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn parse<'a, T: Serialize + Deserialize<'a>>(text: &'a [u8]) -> Option<T> {
    let value: T = serde_json::from_slice(text).ok()?;
    (line(&value).strip_suffix(b"\n") == Some(text)).then_some(value)
}
