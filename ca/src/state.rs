//! What follows from the issuance log: a pure fold of its lines, the same at a start and while running.
//!
//! [`State::check`] says whether a line can follow; [`State::apply`] takes it. What cannot follow is never written,
//! and a log that holds it is refused.

mod asked;
mod check;
mod excluded;
mod fact;
mod fold;
mod glass;
mod machines;
mod people;
mod retire;
mod rows;
mod sources;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use config::words::{
    AlertName, BastionName, CheckName, PersonName, Principal, RequestId, RoleName, RosterName,
    SessionId,
};
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::{Authority, Sign, Verdict, Whom};
use record::law::{Approver, Law, Terms};
use record::request::Request;
use record::text::Reason;
use serde::{Deserialize, Serialize};

use crate::glass::{Book, Debt};
use crate::ring::Ring;

pub(crate) use asked::AskedOften;
pub(crate) use excluded::Excluded;
pub(crate) use fact::{Fact, Read, Taken};
pub use fold::Impossible;
pub(crate) use machines::{Enrolled, Machines};
pub(crate) use retire::{Ended, Gone};
pub(crate) use rows::{Key, Rows, SESSIONS};

use retire::Due;
use sources::Sources;

/// What the log says of everything that is not over ([`retire`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Requests, by their identifiers.
    pub(crate) cases: BTreeMap<RequestId, Case>,
    /// Their sessions.
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    /// Certificates that were to be signed, by their serials.
    pub(crate) certificates: BTreeMap<u64, Certificate>,
    /// The grants that ended before their deadline, in order.
    pub(crate) ended: Ended,
    /// Targets that may join, and those that have.
    pub(crate) machines: Machines,
    /// The recordings that somebody holds.
    pub(crate) held: BTreeSet<SessionId>,
    /// Who and what is shut out.
    pub(crate) excluded: Excluded,
    /// How many lines there are.
    pub(crate) size: u64,
    /// The time of the last line.
    pub(crate) last: Option<UnixTime>,
    /// Break-glass of the last week, and unpaid debts.
    pub(crate) glass: Book,
    /// The CA's own keys.
    pub(crate) ring: Ring,
    /// From where each person came lately.
    pub(crate) sources: Sources,
    /// Who may approve what.
    pub(crate) law: Arc<Law>,
    /// Who ever asked, with which keys, for which targets, and through which bastions: so many names as a site has.
    pub(crate) names: BTreeSet<Whom>,
    /// Access certificates by the digest of what was to be signed.
    access: HashMap<Digest, u64>,
    /// The requests of each person that wait.
    open: HashMap<PersonName, BTreeSet<RequestId>>,
    /// The grants of each person under each role that have not ended early, by their deadlines.
    running: HashMap<(PersonName, RoleName), BTreeSet<(UnixTime, RequestId)>>,
    /// How often each person has asked of late.
    pub(crate) asked: AskedOften,
    /// What may be over, and when.
    due: BTreeSet<(UnixTime, Due)>,
    /// The last serial that was given out.
    serial: u64,
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What was asked.
    #[serde(with = "rows::as_text")]
    pub(crate) request: Arc<Request>,
    /// The digest of its text.
    pub(crate) digest: Digest,
    /// Where from.
    pub(crate) source: IpAddr,
    /// Who approved, in order.
    pub(crate) approvals: Vec<Approval>,
    /// What automated checks said, in order.
    pub(crate) verdicts: Vec<Spoken>,
    /// What was granted.
    pub(crate) grant: Option<Grant>,
    /// How it ended before its time.
    pub(crate) end: Option<End>,
    /// The serial of the one access certificate.
    pub(crate) certificate: Option<u64>,
    /// The sessions that began under it.
    pub(crate) sessions: Vec<SessionId>,
    /// The armoured SSHSIG by which the person proved that it is they who break the glass.
    pub(crate) proof: Option<String>,
    /// What somebody else has to look at.
    pub(crate) debt: Option<Debt>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// Who.
    pub(crate) person: PersonName,
    /// When.
    pub(crate) at: UnixTime,
    /// The armoured SSHSIG.
    pub(crate) signature: String,
    /// The rosters that the person was on call by.
    pub(crate) on_call: BTreeSet<RosterName>,
}

/// What an automated check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spoken {
    /// Which check.
    pub(crate) check: CheckName,
    /// When.
    pub(crate) at: UnixTime,
    /// What.
    pub(crate) verdict: Verdict,
    /// Why.
    pub(crate) reason: Reason,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    /// When.
    pub(crate) at: UnixTime,
    /// The one absolute deadline.
    pub(crate) until: UnixTime,
    /// Whose approvals it rests on.
    pub(crate) approved_by: Vec<PersonName>,
    /// Under which policy.
    pub(crate) policy: Digest,
    /// Who was on call, by the rosters that the role names.
    pub(crate) on_call: BTreeMap<RosterName, BTreeSet<PersonName>>,
    /// What the log said at that moment about those who may approve; none in a log from before it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) basis: Option<Basis>,
}

/// What a grant's approvals are judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basis {
    /// The role's terms.
    pub(crate) terms: Terms,
    /// Of those whose approvals it rests on, or whose proof: groups and keys.
    pub(crate) approvers: BTreeMap<PersonName, Approver>,
}

/// How a request or its grant ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum End {
    /// An approver said no.
    Denied {
        /// Who.
        by: PersonName,
        /// Why.
        reason: Reason,
    },
    /// An automated check said no.
    Failed {
        /// Which one.
        check: CheckName,
        /// Why.
        reason: Reason,
    },
    /// The person took it back.
    Withdrawn,
    /// The person gave the grant back.
    Returned,
    /// Somebody revoked the grant.
    Revoked {
        /// Who.
        by: PersonName,
        /// Why.
        reason: Reason,
    },
}

/// One certificate that was to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificate {
    /// Its serial.
    pub(crate) serial: u64,
    /// Which CA.
    pub(crate) authority: Authority,
    /// When.
    pub(crate) at: UnixTime,
    /// What is signed, base64.
    pub(crate) to_be_signed: String,
    /// The grant it rests on.
    pub(crate) request: Option<RequestId>,
    /// The session it is for.
    pub(crate) session: Option<SessionId>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// Under which grant.
    pub(crate) request: RequestId,
    /// Whose.
    pub(crate) person: PersonName,
    /// What for.
    pub(crate) access: Principal,
    /// Through which bastion.
    pub(crate) bastion: BastionName,
    /// Where from.
    pub(crate) source: IpAddr,
    /// When it began.
    pub(crate) began: UnixTime,
    /// Its certificate.
    pub(crate) certificate: Option<u64>,
    /// How it ended.
    pub(crate) end: Option<SessionEnd>,
    /// What was told of it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) alerts: BTreeSet<(AlertName, Sign)>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionEnd {
    /// When the bastion said so.
    pub(crate) at: UnixTime,
    /// Why.
    pub(crate) reason: String,
    /// The root of the recording.
    pub(crate) root: Digest,
    /// The sealed frames under it.
    pub(crate) frames: u64,
}

impl State {
    /// The serial that the next certificate gets.
    pub(crate) const fn next_serial(&self) -> u64 {
        self.serial + 1
    }

    /// The access certificate with exactly these bytes, if this CA has logged one.
    pub(crate) fn access_certificate(&self, to_be_signed: &str) -> Option<&Certificate> {
        let serial = self.access.get(&Digest::of(to_be_signed.as_bytes()))?;
        let found = self.certificates.get(serial)?;
        (found.to_be_signed == to_be_signed).then_some(found)
    }
}

impl Case {
    /// Whether it still waits for a decision, apart from its time.
    pub(crate) const fn is_open(&self) -> bool {
        self.grant.is_none() && self.end.is_none()
    }

    /// The grant, unless it ended early. Its deadline is another question.
    pub(crate) const fn running(&self) -> Option<&Grant> {
        match (&self.grant, &self.end) {
            (Some(grant), None) => Some(grant),
            _ => None,
        }
    }

    /// When it is over by itself: a grant at its deadline, an open request at its expiry.
    pub(crate) fn limit(&self) -> UnixTime {
        let grant = self.grant.as_ref();
        grant.map_or(self.request.expires, |grant| grant.until)
    }

    /// Whether a check has said yes or no.
    pub(crate) fn has_decided(&self, check: &CheckName) -> bool {
        let mut own = self.verdicts.iter().filter(|spoken| spoken.check == *check);
        own.any(|spoken| spoken.verdict != Verdict::Abstain)
    }

    /// The checks that said yes.
    pub(crate) fn checked(&self) -> BTreeSet<CheckName> {
        let yes = self.verdicts.iter();
        let yes = yes.filter(|spoken| spoken.verdict == Verdict::Approve);
        yes.map(|spoken| spoken.check.clone()).collect()
    }

    /// The persons who approved.
    pub(crate) fn approvers(&self) -> Vec<PersonName> {
        self.approvals.iter().map(|a| a.person.clone()).collect()
    }
}
