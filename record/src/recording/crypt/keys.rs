//! The wrapped content key, as it stands after the preamble: outside of the tree, so that it can be destroyed, or replaced
//! in a copy, while everything else is still what was signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::recipient::Recipient;
use config::words::shown;
use serde::{Deserialize, Serialize};

use super::{ContentKey, LockedError};
use crate::age::{self, Identities, OpenError, WrapError};
use crate::fingerprint::Fingerprint;

/// What an erased recording has in place of its wrapped key; zeros follow, up to the length that it had.
const ERASED: &[u8] = b"erased\n";

/// The wrapped content key, or that it is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::recording) enum Keys {
    Wrapped(Wrapped),
    /// Overwritten. Holds how many bytes it has.
    Erased(usize),
}

/// For whom it is wrapped, and the file of age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recording) struct Wrapped {
    /// Each of these opens it.
    pub(in crate::recording) recipients: Vec<String>,
    /// The file of age in base64.
    pub(in crate::recording) age: String,
}

impl Keys {
    pub(super) fn wrap(recipients: &[Recipient], key: &ContentKey) -> Result<Self, WrapError> {
        Ok(Self::Wrapped(Wrapped {
            recipients: recipients.iter().map(ToString::to_string).collect(),
            age: STANDARD.encode(age::wrap(recipients, key.bytes())?),
        }))
    }

    /// What takes the place of this when it is erased: just as long, so that everything behind it stays where it is.
    pub(in crate::recording) fn erased(&self) -> Self {
        Self::Erased(self.payload().len())
    }

    /// The frame's payload.
    pub(in crate::recording) fn payload(&self) -> Vec<u8> {
        match self {
            // Strings always serialize.
            Self::Wrapped(wrapped) => serde_json::to_vec(wrapped).unwrap_or_default(),
            Self::Erased(length) => {
                let mut payload = ERASED.to_vec();
                payload.resize(*length, 0);
                payload
            }
        }
    }

    /// Reads a payload; accepts exactly what [`Self::payload`] writes.
    pub(in crate::recording) fn parse(payload: &[u8]) -> Option<Self> {
        let keys = match serde_json::from_slice(payload) {
            Ok(wrapped) => Self::Wrapped(wrapped),
            Err(_) => Self::Erased(payload.len()),
        };
        (keys.payload() == payload).then_some(keys)
    }

    /// Whether there is something that these may open, before anything else is looked at.
    pub(in crate::recording) fn may_open(
        &self,
        identities: &Identities,
    ) -> Result<(), LockedError> {
        match self {
            Self::Erased(_) => Err(LockedError::Erased),
            Self::Wrapped(_) if identities.is_empty() => {
                Err(LockedError::NoIdentity(self.recipients()))
            }
            Self::Wrapped(_) => Ok(()),
        }
    }

    pub(super) fn unwrap(&self, identities: &Identities) -> Result<ContentKey, LockedError> {
        let Self::Wrapped(wrapped) = self else {
            return Err(LockedError::Erased);
        };
        if identities.is_empty() {
            return Err(LockedError::NoIdentity(self.recipients()));
        }
        let damaged = |why: String| LockedError::Damaged(why);
        let file = STANDARD
            .decode(&wrapped.age)
            .map_err(|_| damaged("it is not base64".into()))?;
        let bytes = age::open(identities, &file).map_err(|e| match e {
            OpenError::NotForYou => LockedError::NotForYou(self.recipients()),
            OpenError::Altered | OpenError::Malformed => damaged(e.to_string()),
        })?;
        ContentKey::from_bytes(&bytes)
    }

    /// Who can open it, in a line each that is fit for a terminal.
    pub(in crate::recording) fn recipients(&self) -> Vec<String> {
        match self {
            Self::Wrapped(wrapped) => wrapped.recipients.iter().map(|text| who(text)).collect(),
            Self::Erased(_) => Vec::new(),
        }
    }
}

/// A recipient as people know it: an SSH key by its fingerprint and comment.
fn who(text: &str) -> String {
    let Ok(key) = ssh_key::PublicKey::from_openssh(text) else {
        return shown(text);
    };
    let fingerprint = Fingerprint::of(&key);
    match key.comment().as_str_lossy() {
        "" => fingerprint.to_string(),
        comment => format!("{fingerprint} {}", shown(comment)),
    }
}
