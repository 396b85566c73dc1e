//! How long recordings are kept: what a bastion asks the CA before it removes one.

use config::retention::Retention;
use config::words::{RoleName, SessionId};
use serde::{Deserialize, Serialize};

use crate::retention::Rule;

/// A bastion asks how long these of its recordings are kept: at most [`config::limits::KEPT_ASKED`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptAsk {
    /// Their sessions.
    pub sessions: Vec<SessionId>,
}

/// How long they are kept. What is not among them is kept: the CA does not know of its session, or of its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptGiven {
    /// One each.
    pub kept: Vec<Kept>,
}

/// How long one recording is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its session.
    pub session: SessionId,
    /// The role that the session ran under.
    pub role: RoleName,
    /// How long the role's recordings are kept by now; for ever if there is no such role any more.
    pub retention: Retention,
    /// For how many seconds the session is over, by the CA's clock.
    pub over_s: u64,
    /// It stays all the same: somebody holds it, or a review of it is owed.
    pub stays: bool,
}

/// A bastion asks to remove a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireAsk {
    /// The session.
    pub session: SessionId,
    /// By which rule.
    pub rule: Rule,
}
