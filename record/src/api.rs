//! What a bastion and the CA say to each other.
//!
//! HTTP/1.1 with JSON bodies on a channel of an SSH connection: the bastion connects to the CA,
//! authenticates with its identity key, opens a session channel and asks for the subsystem
//! [`SUBSYSTEM`]. Who is calling is what the connection proved; no header and no body says it.
//!
//! | call | path | body | answer |
//! |---|---|---|---|
//! | GET | [`path::TRUST`] | – | [`Trust`] |
//! | POST | [`path::DOORS`] | [`DoorAsk`] | [`DoorGiven`] |
//! | POST | [`path::SESSIONS`] | [`SessionAsk`] | [`SessionGiven`] |
//! | POST | [`path::SESSIONS_END`] | [`SessionEnd`] | [`Done`] |
//! | POST | [`path::ALERTS`] | [`SessionAlert`] | [`Done`] |
//! | POST | [`path::REACH`] | [`reach::ReachAsk`] | [`reach::Reach`] |
//! | POST | [`path::REACH_TAKE`] | [`reach::TakeAsk`] | [`reach::Taken`] |
//! | POST | [`path::REVIEW_LIST`] | [`review::ListAsk`] | [`review::Listing`] |
//! | POST | [`path::REVIEW_MAY`] | [`review::ReadAsk`] | [`Done`]: it would be given now; nothing stands in the log |
//! | POST | [`path::REVIEW_READ`] | [`review::ReadAsk`] | [`review::ReadGiven`] |
//! | POST | [`path::KEPT`] | [`retention::KeptAsk`] | [`retention::KeptGiven`] |
//! | POST | [`path::EXPIRE`] | [`retention::ExpireAsk`] | [`Done`]: it stands in the log, and may be removed now |
//! | GET | [`path::ENDED`]`?after=N&keys=K` | – | [`Ended`], at once if there is news, or other keys than those of [`Trust::keys`] K; else after at most 25 s |
//!
//! A refusal is status 403 with a [`Refusal`]; a call that cannot be answered now is 503 with one;
//! anything else that is not 200 is a defect, and counts as unavailable. Bodies are at most
//! [`config::limits::API_BODY_BYTES`]; unknown fields refuse.

pub mod reach;
pub mod retention;
pub mod review;

use std::net::IpAddr;

use config::files::FileRules;
use config::forwards::ForwardRules;
use config::recipients::Recipients;
use config::rules::Channel;
use config::terms::Terms;
use config::words::{AlertName, PersonName, Principal, RequestId, RoleName, SessionId, TargetName};
use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::entry::Sign;

/// The subsystem that carries this version of the API (RFC 4254 §6.5).
pub const SUBSYSTEM: &str = "hallpass-api-v1";

/// The paths of the calls.
pub mod path {
    /// The public keys that a bastion trusts.
    pub const TRUST: &str = "/v1/trust";
    /// A door certificate.
    pub const DOORS: &str = "/v1/doors";
    /// Permission and certificate for one session.
    pub const SESSIONS: &str = "/v1/sessions";
    /// The end of a session.
    pub const SESSIONS_END: &str = "/v1/sessions/end";
    /// What a person may reach now.
    pub const REACH: &str = "/v1/reach";
    /// The certificate of one of these grants.
    pub const REACH_TAKE: &str = "/v1/reach/take";
    /// The sessions that a reviewer may read.
    pub const REVIEW_LIST: &str = "/v1/review/list";
    /// Whether permission to read one of them would be given, before anything is done for it.
    pub const REVIEW_MAY: &str = "/v1/review/may";
    /// Permission to read one of them, which stands in the log then.
    pub const REVIEW_READ: &str = "/v1/review/read";
    /// An alert of a session.
    pub const ALERTS: &str = "/v1/alerts";
    /// How long recordings are kept.
    pub const KEPT: &str = "/v1/recordings/kept";
    /// Permission to remove one of them, which stands in the log then.
    pub const EXPIRE: &str = "/v1/recordings/expire";
    /// Grants that ended early.
    pub const ENDED: &str = "/v1/ended";
}

/// The public keys that a bastion trusts, in OpenSSH's one-line form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// The user CA, which signs access certificates: its current key first, and each other that still counts.
    pub user_cas: Vec<String>,
    /// The host CA, which signs targets' host certificates: the same.
    pub host_cas: Vec<String>,
    /// Which keys these are: another number each time that a key comes or goes, to be given to [`path::ENDED`].
    pub keys: u64,
}

/// A bastion asks for a certificate for one of its doors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorAsk {
    /// Under which name.
    pub door: Door,
    /// The door's public key, OpenSSH's one-line form.
    pub key: String,
}

/// Under which name a bastion shows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// Its own: the name and the host of its address in the configuration.
    Own,
    /// Inside `ssh -J`: a target's.
    Target(TargetName),
}

/// A door certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorGiven {
    /// The certificate, OpenSSH's one-line form.
    pub certificate: String,
    /// Until when it is good.
    pub until: UnixTime,
}

/// A bastion asks to begin a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionAsk {
    /// The identifier that the bastion chose; one that was used before is refused.
    pub session: SessionId,
    /// The person's access certificate, OpenSSH's one-line form.
    pub certificate: String,
    /// Login and target.
    pub access: Principal,
    /// The fresh public key that the session certificate will be for, OpenSSH's one-line form.
    pub key: String,
    /// Where the person's connection to the bastion comes from.
    pub source: IpAddr,
}

/// A session may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionGiven {
    /// The session certificate, OpenSSH's one-line form.
    pub certificate: String,
    /// The grant.
    pub request: RequestId,
    /// The serial of the access certificate.
    pub serial: u64,
    /// The person.
    pub person: PersonName,
    /// The role.
    pub role: RoleName,
    /// The grant's deadline.
    pub until: UnixTime,
    /// Milliseconds that are left until then by the CA's clock: the bastion counts them on its monotonic one.
    pub left_ms: u64,
    /// The command that the session is forced to.
    pub command: Option<String>,
    /// What the session may open.
    pub channels: Vec<Channel>,
    /// What its file transfers may do.
    pub files: FileRules,
    /// On which terms it runs.
    pub terms: Terms,
    /// Where its forwarded connections may lead.
    pub forwards: ForwardRules,
    /// The alert that the CA has logged of it already: it comes from an address that is new for its person.
    /// Not written where there is none: a bastion that does not know the word yet opens sessions still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerted: Option<AlertName>,
    /// Whether what the person types is recorded.
    pub record_input: bool,
    /// Who alone can open the recording; empty if it is not sealed.
    pub recipients: Recipients,
    /// Where the target's sshd listens: host name or address.
    pub host: String,
    /// And its port.
    pub port: u16,
    /// How the target proves itself.
    pub host_trust: HostTrust,
}

/// How a target proves itself to the bastion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostTrust {
    /// By a host certificate of the host CA whose principal is the target's name, for this key, OpenSSH's one-line form: the
    /// one that the target joined with last. None: it has not joined, and so proves itself by nothing.
    Ca(Option<String>),
    /// By one of these keys, OpenSSH's one-line form.
    Pinned(Vec<String>),
}

/// A session is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionEnd {
    /// The session.
    pub session: SessionId,
    /// Why it ended, one word or two, for example `exit`, `deadline`, `crash`.
    pub reason: String,
    /// The root of its recording's tree.
    pub root: Digest,
    /// The number of sealed frames under that root.
    pub frames: u64,
}

/// Something happened in a session that its role is alerted of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionAlert {
    /// The session.
    pub session: SessionId,
    /// The alert's name.
    pub alert: AlertName,
    /// What happened.
    pub on: Sign,
    /// Whether it ends the session.
    pub ended: bool,
}

/// It was done, or had been done before: the same call again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {}

/// Grants that ended before their deadline: their sessions end now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// What to ask for next time.
    pub next: u64,
    /// The grants. Asked with `after=0`: all whose deadline has not passed yet.
    pub requests: Vec<RequestId>,
    /// Which keys the CA has now: another number than that of [`Trust::keys`], and they are to be asked for again.
    pub keys: u64,
    /// Whether the bastion that asks is shut out: all of its sessions end now, and it is told nothing more.
    pub shut_out: bool,
}

/// Why a call was refused or cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// One line that may be shown to the person.
    pub why: String,
}
