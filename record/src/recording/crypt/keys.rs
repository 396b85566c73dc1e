//! The wrapped content key, as it stands after the preamble: outside of the tree, so that it can be destroyed, or replaced
//! in a copy, while everything else is still what was signed.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::recipient::{Recipient, RecipientKey};
use config::recipients::Recipients;
use config::words::shown;
use serde::{Deserialize, Serialize};

use super::reissue::ReissueError;
use super::split::{self, Shares};
use super::{ContentKey, KeyBytes, LockedError, Opens};
use crate::age::{self, Identities, OpenError, WrapError};
use crate::fingerprint::Fingerprint;

/// What an erased recording has in place of its wrapped key; zeros follow, up to the length that it had.
const ERASED: &[u8] = b"erased\n";

/// Most shares that a file holds: those that it began with, and those that were handed on.
const SHARES: usize = 255;

/// The wrapped content key, or that it is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::recording) enum Keys {
    /// Each recipient opens it alone.
    Wrapped(Wrapped),
    /// So many recipients open it together.
    Split(Split),
    /// Overwritten, with just as many bytes, so that everything behind stays where it is. Holds how many.
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

/// The shares of a content key, each wrapped for whoever holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::recording) struct Split {
    /// How many different shares make the key.
    threshold: u8,
    /// The shares. One that was handed on stands here twice, for its former holder and for the new one.
    shares: Vec<Wrapped>,
}

impl Wrapped {
    fn wrap(recipients: &[Recipient], secret: &[u8], opens: Opens) -> Result<Self, WrapError> {
        let secret = KeyBytes::new([opens.wrapped(), secret].concat());
        Ok(Self {
            recipients: recipients.iter().map(ToString::to_string).collect(),
            age: STANDARD.encode(age::wrap(recipients, &secret)?),
        })
    }

    /// What it holds; none if it is for others.
    fn open(&self, identities: &Identities, opens: Opens) -> Result<Option<KeyBytes>, LockedError> {
        let damaged = |why: String| LockedError::Damaged(why);
        let file = STANDARD
            .decode(&self.age)
            .map_err(|_| damaged("it is not base64".into()))?;
        match age::open(identities, &file) {
            Ok(bytes) => match bytes.strip_prefix(opens.wrapped()) {
                Some(secret) => Ok(Some(KeyBytes::new(secret.to_vec()))),
                None => Err(damaged("it is of something else".into())),
            },
            Err(OpenError::NotForYou) => Ok(None),
            Err(e @ (OpenError::Altered | OpenError::Malformed)) => Err(damaged(e.to_string())),
        }
    }
}

impl Split {
    /// The shares that these identities hold.
    fn open(&self, identities: &Identities, opens: Opens) -> Result<Shares, LockedError> {
        let mut shares = Shares::default();
        for share in &self.shares {
            if let Some(bytes) = share.open(identities, opens)?
                && !shares.add(bytes)
            {
                return Err(LockedError::Damaged("a share of it is none".into()));
            }
        }
        Ok(shares)
    }
}

impl Keys {
    pub(super) fn wrap(
        recipients: &Recipients,
        key: &ContentKey,
        opens: Opens,
    ) -> Result<Self, WrapError> {
        let of = recipients.of();
        let threshold = u8::try_from(recipients.threshold()).unwrap_or(u8::MAX);
        if threshold == 1 {
            return Ok(Self::Wrapped(Wrapped::wrap(of, key.bytes(), opens)?));
        }
        let shares = split::split(key, threshold, of.len());
        let shares = of
            .iter()
            .zip(&shares)
            .map(|(holder, share)| Wrapped::wrap(std::slice::from_ref(holder), share, opens));
        Ok(Self::Split(Split {
            threshold,
            shares: shares.collect::<Result<_, _>>()?,
        }))
    }

    /// These keys of a recording, with each share that the identities hold wrapped for others too. What was there stays: who
    /// holds it is said in the file, and nobody vouches for that.
    pub(super) fn hand_on(
        &self,
        identities: &Identities,
        recipients: &Recipients,
    ) -> Result<Self, ReissueError> {
        let Self::Split(split) = self else {
            return Err(LockedError::NotForYou(self.recipients()).into());
        };
        let mut split = split.clone();
        for share in split.open(identities, Opens::Recording)?.all() {
            split
                .shares
                .push(Wrapped::wrap(recipients.of(), share, Opens::Recording)?);
        }
        if split.shares.len() > SHARES {
            return Err(ReissueError::Often);
        }
        Ok(Self::Split(split))
    }

    /// The frame's payload.
    pub(in crate::recording) fn payload(&self) -> Vec<u8> {
        match self {
            // Strings always serialize.
            Self::Wrapped(wrapped) => serde_json::to_vec(wrapped).unwrap_or_default(),
            Self::Split(split) => serde_json::to_vec(split).unwrap_or_default(),
            Self::Erased(length) => {
                let mut payload = ERASED.to_vec();
                payload.resize(*length, 0);
                payload
            }
        }
    }

    /// Reads a payload; accepts exactly what [`Self::payload`] writes.
    pub(in crate::recording) fn parse(payload: &[u8]) -> Option<Self> {
        let wrapped = serde_json::from_slice(payload).map(Self::Wrapped);
        let keys = wrapped
            .or_else(|_| serde_json::from_slice(payload).map(Self::Split))
            .unwrap_or(Self::Erased(payload.len()));
        let good = match &keys {
            Self::Split(split) => split.threshold > 1 && split.shares.len() <= SHARES,
            Self::Wrapped(_) | Self::Erased(_) => true,
        };
        (good && keys.payload() == payload).then_some(keys)
    }

    /// Whether there is something that these may open, before anything else is looked at.
    pub(in crate::recording) fn may_open(
        &self,
        identities: &Identities,
    ) -> Result<(), LockedError> {
        match self {
            Self::Erased(_) => Err(LockedError::Erased),
            _ if identities.is_empty() => Err(LockedError::NoIdentity(self.recipients())),
            Self::Wrapped(_) | Self::Split(_) => Ok(()),
        }
    }

    pub(super) fn unwrap(
        &self,
        identities: &Identities,
        opens: Opens,
    ) -> Result<ContentKey, LockedError> {
        self.may_open(identities)?;
        let bytes = match self {
            Self::Erased(_) => return Err(LockedError::Erased),
            Self::Wrapped(wrapped) => wrapped.open(identities, opens)?,
            Self::Split(split) => {
                let shares = split.open(identities, opens)?;
                let joined = shares.join(split.threshold);
                if joined.is_none() && shares.count() > 0 {
                    return Err(LockedError::TooFew {
                        have: shares.count(),
                        need: self.threshold(),
                        of: self.recipients(),
                    });
                }
                joined
            }
        };
        let bytes = bytes.ok_or_else(|| LockedError::NotForYou(self.recipients()))?;
        ContentKey::from_bytes(&bytes)
    }

    /// How many of the recipients have to come together.
    pub(in crate::recording) fn threshold(&self) -> usize {
        match self {
            Self::Split(split) => split.threshold.into(),
            Self::Wrapped(_) | Self::Erased(_) => 1,
        }
    }

    /// Who can open it, in a line each that is fit for a terminal.
    pub(in crate::recording) fn recipients(&self) -> Vec<String> {
        let held: &[Wrapped] = match self {
            Self::Wrapped(wrapped) => std::slice::from_ref(wrapped),
            Self::Split(split) => &split.shares,
            Self::Erased(_) => &[],
        };
        let mut told = BTreeSet::new();
        let all = held.iter().flat_map(|wrapped| &wrapped.recipients);
        all.filter(|text| told.insert(text.as_str()))
            .map(|text| who(text))
            .collect()
    }
}

/// A recipient as people know it: a key of age as it is written, an SSH key by its fingerprint and comment.
fn who(text: &str) -> String {
    let age = text
        .parse()
        .ok()
        .filter(|known: &Recipient| matches!(known.key(), RecipientKey::Age(_)));
    if let Some(age) = age {
        return age.to_string();
    }
    let Ok(key) = ssh_key::PublicKey::from_openssh(text) else {
        return shown(text);
    };
    let fingerprint = Fingerprint::of(&key);
    match key.comment().as_str_lossy() {
        "" => fingerprint.to_string(),
        comment => format!("{fingerprint} {}", shown(comment)),
    }
}
