//! What the desk shows: plain values, for JSON and for tables alike.

use std::net::IpAddr;
use std::time::Duration;

use config::rules::{Channel, Quorum};
use config::words::{
    BastionName, CheckName, GroupName, Login, PersonName, Principal, RequestId, RoleName,
    SessionId, TargetName,
};
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::{self, Authority};
use record::review::Verdict;
use record::text::{Command, Reason, Remark};
use serde::Serialize;

use super::{Need, Standing};

/// A role, as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoleRow {
    /// Its name.
    pub role: RoleName,
    /// The accounts.
    pub logins: Vec<Login>,
    /// The machines.
    pub targets: Vec<TargetName>,
    /// The networks that it is given to and used from, in CIDR notation; empty for any.
    pub sources: Vec<String>,
    /// The longest life of a grant, in seconds.
    pub longest_seconds: u64,
    /// Who has to agree: all of these; nobody if there are none.
    pub approvals: Vec<Quorum>,
    /// The automated checks that have to agree too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckName>,
    /// The command that every session is forced to.
    pub command: Option<String>,
    /// The commands that are granted at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Whether it gives nothing but these.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub commands_only: bool,
    /// When it is given; none for always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    /// How many grants of it one person may have running at once; none for any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<u32>,
    /// What a session may open.
    pub channels: Vec<Channel>,
    /// Whether it can be taken with `--break-glass`.
    pub break_glass: bool,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PendingRow {
    /// Its identifier.
    pub id: RequestId,
    /// Who asks.
    pub person: PersonName,
    /// What for.
    pub access: Principal,
    /// Under which role.
    pub role: RoleName,
    /// The one command.
    pub command: Option<Command>,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Why.
    pub reason: Reason,
    /// When it was asked.
    pub asked: UnixTime,
    /// Until when it waits.
    pub expires: UnixTime,
    /// Whom it waits for.
    pub needs: Vec<Need>,
    /// And which automated checks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckName>,
    /// Whether the person who looks may approve it.
    pub for_you: bool,
}

/// One request with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Shown {
    /// Its identifier.
    pub id: RequestId,
    /// Who asked.
    pub person: PersonName,
    /// The fingerprint of the key that the certificate is for.
    pub key: String,
    /// Where from.
    pub source: IpAddr,
    /// What for.
    pub access: Principal,
    /// Under which role.
    pub role: RoleName,
    /// The one command.
    pub command: Option<Command>,
    /// For how long, in seconds.
    pub seconds: u64,
    /// Whether it was taken before its approval.
    pub break_glass: bool,
    /// Why.
    pub reason: Reason,
    /// When it was asked.
    pub asked: UnixTime,
    /// Until when it waits or waited.
    pub expires: UnixTime,
    /// Where it stands.
    pub standing: Standing,
    /// Who approved, in order.
    pub approvals: Vec<ApprovalRow>,
    /// What automated checks said, in order, and those that have not been heard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckRow>,
    /// The certificates that were issued for it.
    pub certificates: Vec<CertificateRow>,
    /// The sessions that ran under it.
    pub sessions: Vec<SessionRow>,
    /// The armoured SSHSIG by which the person proved that it is they who break the glass.
    pub proof: Option<String>,
    /// What somebody else has to look at.
    pub debt: Option<DebtRow>,
    /// The canonical text, which approvers sign.
    pub text: String,
}

/// What somebody else has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DebtRow {
    /// How many persons have to review.
    pub count: u32,
    /// Of which groups, any of them.
    pub from: Vec<GroupName>,
    /// Until when.
    pub until: UnixTime,
    /// Whether as many have.
    pub paid: bool,
    /// Whether they have not, and it is too late.
    pub overdue: bool,
    /// Whether the person is given nothing new while it is overdue.
    pub blocks: bool,
    /// Who has reviewed, in order.
    pub reviews: Vec<ReviewRow>,
}

/// One review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReviewRow {
    /// Who.
    pub person: PersonName,
    /// When.
    pub at: UnixTime,
    /// What they say.
    pub verdict: Verdict,
    /// And why.
    pub remark: Remark,
    /// The canonical text, which they signed.
    pub text: String,
    /// The armoured SSHSIG over it.
    pub signature: String,
}

/// A grant that waits for a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OwedRow {
    /// The request.
    pub id: RequestId,
    /// Who took it.
    pub person: PersonName,
    /// What.
    pub access: Principal,
    /// Under which role.
    pub role: RoleName,
    /// Why.
    pub reason: Reason,
    /// How many sessions there were so far.
    pub sessions: u64,
    /// Whose members review it, any of these groups.
    pub from: Vec<GroupName>,
    /// Until when.
    pub until: UnixTime,
    /// Whether that has passed.
    pub overdue: bool,
    /// Whether the grant and its sessions are over, so that it can be reviewed.
    pub ready: bool,
    /// Whether the person who looks may review it.
    pub for_you: bool,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApprovalRow {
    /// Who approved.
    pub person: PersonName,
    /// When.
    pub at: UnixTime,
    /// The armoured SSHSIG over the canonical text.
    pub signature: String,
}

/// One automated check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckRow {
    /// Which one.
    pub check: CheckName,
    /// When it spoke; none if it has not been heard.
    pub at: Option<UnixTime>,
    /// What it said.
    pub verdict: Option<entry::Verdict>,
    /// Why, or why it has not been heard.
    pub reason: String,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateRow {
    /// Its serial.
    pub serial: u64,
    /// Which CA signed.
    pub authority: Authority,
    /// When.
    pub at: UnixTime,
    /// For which session.
    pub session: Option<SessionId>,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of this person only.
    pub person: Option<PersonName>,
    /// On this target only.
    pub target: Option<TargetName>,
    /// Not older than this.
    pub since: Option<Duration>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SessionRow {
    /// Its identifier.
    pub session: SessionId,
    /// Whose.
    pub person: PersonName,
    /// What for.
    pub access: Principal,
    /// Through which bastion.
    pub bastion: BastionName,
    /// Under which grant.
    pub request: RequestId,
    /// Under which role.
    pub role: RoleName,
    /// Whether the grant was taken before its approval.
    pub break_glass: bool,
    /// Whether somebody else has looked at it: `owed`, `overdue`, `accepted` or `rejected`; none if nobody has to.
    pub review: Option<&'static str>,
    /// Where from.
    pub source: IpAddr,
    /// When it began.
    pub began: UnixTime,
    /// How it ended; none while it runs.
    pub ended: Option<EndRow>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndRow {
    /// When.
    pub at: UnixTime,
    /// Why.
    pub reason: String,
    /// The root of its recording.
    pub root: Digest,
    /// The sealed frames under it.
    pub frames: u64,
}
