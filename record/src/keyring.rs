//! The life of the CA's own keys, as the log tells it.
//!
//! ```text
//! announced → current → (old: trusted until the last certificate under it has run out) → retired
//! ```
//!
//! A key that is announced is listed everywhere beside the current one and signs nothing, so that everybody can be
//! told before it matters. A retired key never comes back.
//!
//! The log's own key vouches for the one that follows it, twice: when that is announced, and when it begins to sign. So
//! whoever knows one key of the log can follow it to the newest one by the log alone ([`crate::log::Chain`]).

use std::fmt;

use config::keys::KeyName;
use serde::{Deserialize, Serialize};
use ssh_key::{PrivateKey, PublicKey};

use crate::sshsig::{self, SigError, SignError};

/// The SSHSIG namespace in which the log's key vouches for the one that follows it.
pub const NAMESPACE: &str = "log-key@hallpass";

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
    /// Of a key of the log that follows another one: the armoured SSHSIG of that one, namespace [`NAMESPACE`], over a text
    /// of both keys and the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouch: Option<String>,
}

/// The key before has not signed this step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unvouched {
    /// There is no signature.
    #[error("the key before has not signed it")]
    Unsigned,
    /// There is one, and it does not count.
    #[error("{0}")]
    Signature(#[from] SigError),
    /// The key before cannot be written down.
    #[error("the key before cannot be written")]
    Key,
}

impl KeyChange {
    /// Lets the key before vouch for this step.
    pub fn vouched_by(mut self, before: &PrivateKey) -> Result<Self, SignError> {
        let text = self.text(before.public_key()).unwrap_or_default();
        self.vouch = Some(sshsig::sign(before, NAMESPACE, text.as_bytes())?);
        Ok(self)
    }

    /// Whether the key before has vouched for this step.
    pub fn check_vouch(&self, before: &PublicKey) -> Result<(), Unvouched> {
        let vouch = self.vouch.as_deref().ok_or(Unvouched::Unsigned)?;
        let text = self.text(before).ok_or(Unvouched::Key)?;
        sshsig::verify([before], NAMESPACE, text.as_bytes(), vouch)?;
        Ok(())
    }

    /// What the key before signs.
    fn text(&self, before: &PublicKey) -> Option<String> {
        let before = PublicKey::from(before.key_data().clone()).to_openssh();
        let (before, step, key) = (before.ok()?, self.step, &self.key);
        Some(format!(
            "hallpass log key v1\nbefore: {before}\nstep: {step}\nkey: {key}\n"
        ))
    }
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
