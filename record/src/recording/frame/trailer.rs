//! What is said behind each frame: a signed checkpoint, and the times.

use serde::{Deserialize, Serialize};

use super::{TRAILER_MAGIC, skippable};
use crate::checkpoint::{Checkpoint, NAMESPACE};
use crate::sshsig;
use crate::tree::Tree;

/// What is said about the frames so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recording) struct Trailer {
    /// The checkpoint's body.
    pub(in crate::recording) checkpoint: String,
    /// Its SSHSIG, armoured.
    pub(in crate::recording) signature: String,
    /// The time that the frame's first interval counts from, in microseconds.
    pub(in crate::recording) from_us: u64,
    /// The time of its last event.
    pub(in crate::recording) to_us: u64,
}

impl Trailer {
    /// Signs what `tree` holds.
    pub(in crate::recording) fn sign(
        key: &ssh_key::PrivateKey,
        origin: String,
        tree: &Tree,
        times: (u64, u64),
    ) -> Result<Self, sshsig::SignError> {
        let checkpoint = Checkpoint::of(origin, tree).to_string();
        let signature = sshsig::sign(key, NAMESPACE, checkpoint.as_bytes())?;
        Ok(Self {
            checkpoint,
            signature,
            from_us: times.0,
            to_us: times.1,
        })
    }

    /// The stored frame.
    pub(in crate::recording) fn store(&self) -> Vec<u8> {
        skippable(TRAILER_MAGIC, &self.payload())
    }

    /// Reads a payload; accepts exactly what `store` writes.
    pub(in crate::recording) fn parse(payload: &[u8]) -> Option<Self> {
        let trailer: Self = serde_json::from_slice(payload).ok()?;
        (trailer.payload() == payload).then_some(trailer)
    }

    fn payload(&self) -> Vec<u8> {
        // Strings and numbers always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
