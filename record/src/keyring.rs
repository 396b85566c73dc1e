//! The life of the CA's own keys, as the log tells it.
//!
//! ```text
//! announced → current → (old: trusted until the last certificate under it has run out) → retired
//! ```
//!
//! A key that is announced is listed everywhere beside the current one and signs nothing, so that everybody can be
//! told before it matters. A retired key never comes back.

use std::fmt;

use config::keys::KeyName;
use serde::{Deserialize, Serialize};

/// One step of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyChange {
    /// What it is for.
    pub name: KeyName,
    /// What it is from now on.
    pub step: KeyStep,
    /// Its public half, OpenSSH's one-line form without a comment.
    pub key: String,
}

/// What a key is from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyStep {
    /// It will sign: trusted already, and signs nothing yet.
    Announced,
    /// It signs; the one before it signs no more.
    Current,
    /// Nothing under it counts any more.
    Retired,
}

impl fmt::Display for KeyStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Announced => "announced",
            Self::Current => "current",
            Self::Retired => "retired",
        })
    }
}
