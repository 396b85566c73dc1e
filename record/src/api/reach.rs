//! What somebody may reach now: what a bastion asks the CA for a person who has proven a key and named no target.
//!
//! The list says what there is, and opens nothing: what is chosen from it has to be taken, and then passes the same
//! decisions as if the person had come with that certificate.

use std::net::IpAddr;

use config::rules::Channel;
use config::words::{PersonName, Principal, RequestId, RoleName};
use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;

/// What the person has shown to the bastion, and proven to hold the key of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The access certificate, OpenSSH's one-line form.
    pub certificate: String,
    /// What it is for.
    pub access: Principal,
    /// Where the connection to the bastion comes from.
    pub source: IpAddr,
}

/// A bastion asks what somebody may reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachAsk {
    /// What was shown.
    pub held: Held,
}

/// The grants that run for the very key that was proven, and whose certificates the person has: at most
/// [`config::limits::REACH_ROWS`], by login and target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// Whose they are.
    pub person: PersonName,
    /// The grants.
    pub rows: Vec<Reachable>,
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reachable {
    /// Which one.
    pub request: RequestId,
    /// Login and target.
    pub access: Principal,
    /// The role.
    pub role: RoleName,
    /// Its deadline.
    pub until: UnixTime,
    /// Milliseconds that are left until then by the CA's clock.
    pub left_ms: u64,
    /// Whether it is the grant of the certificate that was shown.
    pub shown: bool,
    /// The one command that it is for; the beginning of it, if it is long.
    pub command: Option<String>,
    /// What its sessions may open.
    pub channels: Vec<Channel>,
    /// What else the person wants to know beforehand.
    pub terms: Vec<Term>,
}

/// What a person wants to know of a grant before they go in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Term {
    /// It was taken before its approval.
    BreakGlass,
    /// Somebody else has to look on.
    Observer,
    /// What is typed is recorded, too.
    Input,
    /// Some of what the target says is masked.
    Masked,
    /// The recording is encrypted.
    Sealed,
}

/// A bastion asks for the certificate of a grant of that list, other than the one that was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakeAsk {
    /// What was shown.
    pub held: Held,
    /// Which grant.
    pub request: RequestId,
}

/// The access certificate of that grant, which the person could show as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The certificate, OpenSSH's one-line form.
    pub certificate: String,
}
