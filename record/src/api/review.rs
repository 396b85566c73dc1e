//! Reading is an access like any other: what a bastion asks the CA before it shows somebody's session.

use std::net::IpAddr;

use config::words::{PersonName, Principal, RequestId, RoleName, SessionId, TargetName};
use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::reading::Reading;

/// What a reviewer has shown to the bastion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The access certificate, OpenSSH's one-line form.
    pub certificate: String,
    /// `review@BASTION`.
    pub access: Principal,
    /// Where the connection to the bastion comes from.
    pub source: IpAddr,
}

/// A grant to review, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pass {
    /// The grant.
    pub request: RequestId,
    /// Whose it is.
    pub person: PersonName,
    /// Under which role.
    pub role: RoleName,
    /// Its deadline.
    pub until: UnixTime,
    /// Milliseconds that are left until then by the CA's clock.
    pub left_ms: u64,
}

/// A bastion asks which of its sessions the reviewer may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListAsk {
    /// The reviewer.
    pub shown: Shown,
    /// This one only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<SessionId>,
    /// Of this person only.
    pub person: Option<PersonName>,
    /// On this target only.
    pub target: Option<TargetName>,
    /// Those that have not ended only.
    pub live: bool,
}

/// The sessions, the newest first: at most [`config::limits::REVIEW_ROWS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// What gives it.
    pub pass: Pass,
    /// The sessions.
    pub sessions: Vec<Listed>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its identifier.
    pub session: SessionId,
    /// Whose.
    pub person: PersonName,
    /// Login and target.
    pub access: Principal,
    /// When it began.
    pub began: UnixTime,
    /// Why it ended, if the CA has heard of that.
    pub ended: Option<String>,
    /// Whether somebody holds its recording.
    pub held: bool,
}

/// A bastion asks to let a reviewer read one session, or end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadAsk {
    /// The reviewer.
    pub shown: Shown,
    /// The session.
    pub session: SessionId,
    /// What will be done.
    pub reading: Reading,
}

/// It may be done, and stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadGiven {
    /// What gives it.
    pub pass: Pass,
    /// The session.
    pub session: Listed,
}

/// What a reviewer hears of a session that the bastion did not begin, and of one that their role does not read: the same, so that
/// nobody learns which.
pub fn unknown(session: &SessionId) -> String {
    format!("this bastion began no session {session}")
}
