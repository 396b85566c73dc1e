//! What the issuance log holds: one entry a line, JSON, each linked to its request.
//!
//! An entry says what the CA knew and decided at one moment. The state of every request, grant and
//! certificate follows from the entries alone, in their order.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::words::{
    AlertName, BastionName, CheckName, GroupName, PersonName, Principal, RequestId, RoleName,
    RosterName, SessionId, TargetName,
};
use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::fingerprint::Fingerprint;
use crate::keyring::KeyChange;
use crate::law::LawChange;
use crate::reading::Reading;
use crate::retention::Rule;
use crate::text::Reason;

pub use words::{Authority, Sign, Verdict, Whom};

/// The version of the lines that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// One line of the issuance log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// [`VERSION`].
    pub v: u32,
    /// When the CA decided it.
    pub at: UnixTime,
    /// What it decided.
    pub entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum Entry {
    /// The CA began to serve under a policy.
    Start {
        /// The digest of the policy.
        policy: Digest,
    },
    /// What has changed in who may approve what; it stands before the first grant that it matters to.
    Law {
        /// The changes.
        change: LawChange,
    },
    /// The CA's own keys took these steps.
    Keys {
        /// The steps, in order.
        steps: Vec<KeyChange>,
    },
    /// A person asked.
    Request {
        /// The request's canonical text.
        text: String,
        /// Where the person's connection came from.
        source: IpAddr,
    },
    /// A person approved, with a signature over the request's canonical text.
    Approval {
        /// The request.
        request: RequestId,
        /// Who approved.
        person: PersonName,
        /// The armoured SSHSIG, namespace [`crate::request::APPROVAL_NAMESPACE`].
        signature: String,
        /// The rosters that the person was on call by, of those that the role names.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        on_call: BTreeSet<RosterName>,
    },
    /// A person denied.
    Denial {
        /// The request.
        request: RequestId,
        /// Who denied.
        person: PersonName,
        /// Why.
        reason: Reason,
    },
    /// The person who asked took the request back before it was granted.
    Withdrawal {
        /// The request.
        request: RequestId,
    },
    /// A request became a grant: its approvals are spent.
    Grant {
        /// The request.
        request: RequestId,
        /// The digest of the request's canonical text.
        digest: Digest,
        /// The one absolute deadline, which nothing extends.
        until: UnixTime,
        /// The persons whose approvals it rests on; empty for break-glass and for roles that need none.
        approved_by: Vec<PersonName>,
        /// The digest of the policy that it was granted under.
        policy: Digest,
        /// Who was on call at that moment, by the rosters that the role names.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        on_call: BTreeMap<RosterName, BTreeSet<PersonName>>,
    },
    /// An automated check spoke about a request that waits.
    Verdict {
        /// The request.
        request: RequestId,
        /// Which check.
        check: CheckName,
        /// What it said.
        verdict: Verdict,
        /// Why.
        reason: Reason,
    },
    /// What a program says of its groups is another thing from now on.
    Groups {
        /// The digest of the program's answer; none if there is none that is fresh.
        answer: Option<Digest>,
        /// The registered members of each of its groups; none of any that is not here.
        groups: BTreeMap<GroupName, BTreeSet<PersonName>>,
        /// The digest of the policy with these members.
        policy: Digest,
    },
    /// The CA is about to sign a certificate; it signs nothing that does not stand here.
    Issue {
        /// The certificate's serial, one more than the one before, over all four CAs.
        serial: u64,
        /// Which CA signs.
        authority: Authority,
        /// The bytes that will be signed, base64: the certificate without its signature.
        to_be_signed: String,
        /// The grant it rests on, for access and session certificates.
        request: Option<RequestId>,
        /// The session it is for, for session certificates.
        session: Option<SessionId>,
    },
    /// A grant was given back early by its person.
    Return {
        /// The request.
        request: RequestId,
    },
    /// A grant was revoked.
    Revocation {
        /// The request.
        request: RequestId,
        /// Who revoked it.
        person: PersonName,
        /// Why.
        reason: Reason,
    },
    /// A bastion was let begin a session.
    SessionBegin {
        /// The session.
        session: SessionId,
        /// The grant that it runs under.
        request: RequestId,
        /// The person.
        person: PersonName,
        /// Login and target.
        access: Principal,
        /// The bastion that carries it.
        bastion: BastionName,
        /// Where the person's connection to the bastion came from.
        source: IpAddr,
    },
    /// A certificate came by that the user CA's key has signed and this log does not hold: it opened nothing, and somebody
    /// else has the key. Each is told once an hour.
    Stray {
        /// Its serial.
        serial: u64,
        /// Its key id, escaped and cut.
        key_id: String,
        /// The digest of what was signed.
        certificate: Digest,
        /// The login and target that it was to open.
        access: Principal,
        /// The bastion that was shown it.
        bastion: BastionName,
        /// Where from.
        source: IpAddr,
    },
    /// A bastion said that a session is over.
    SessionEnd {
        /// The session.
        session: SessionId,
        /// Why it ended, for example `exit`, `deadline`, `crash`.
        reason: String,
        /// The root of the recording's tree: what the recording has to be from now on.
        root: Digest,
        /// The number of sealed frames under that root.
        frames: u64,
    },
    /// A person with a review role is about to see somebody's session, or to end it.
    Reading {
        /// The session.
        session: SessionId,
        /// What is done with it.
        reading: Reading,
        /// The grant that gives it.
        request: RequestId,
        /// Who.
        person: PersonName,
        /// At which bastion.
        bastion: BastionName,
        /// Where from.
        source: IpAddr,
    },
    /// A recording is kept no longer: its bastion is about to remove it.
    Expiry {
        /// The session.
        session: SessionId,
        /// The bastion that has it.
        bastion: BastionName,
        /// The role that the session ran under.
        role: RoleName,
        /// By which rule of the role.
        rule: Rule,
    },
    /// Something happened in a session that its role is alerted of.
    SessionAlert {
        /// The session.
        session: SessionId,
        /// The alert's name.
        alert: AlertName,
        /// What happened.
        on: Sign,
        /// Whether it ended the session.
        ended: bool,
    },
    /// The person who asks for break-glass proved with the PIN of their token that it is they.
    Proof {
        /// The request.
        request: RequestId,
        /// The armoured SSHSIG over its canonical text, namespace [`crate::request::PROOF_NAMESPACE`].
        signature: String,
    },
    /// A certificate for break-glass is about to be issued: somebody else has to review what is done with it.
    Debt {
        /// The request.
        request: RequestId,
        /// How many persons have to review.
        count: u32,
        /// Of which groups, any of them.
        from: Vec<GroupName>,
        /// Until when.
        until: UnixTime,
        /// Whether the person is given nothing new, break-glass apart, while it is overdue.
        blocks: bool,
        /// Whether the person is not given break-glass either while it is overdue.
        blocks_break_glass: bool,
    },
    /// Somebody else reviewed what was done under a grant.
    Review {
        /// The review's canonical text ([`crate::review`]).
        text: String,
        /// The armoured SSHSIG, namespace [`crate::review::REVIEW_NAMESPACE`].
        signature: String,
    },
    /// A review is past its deadline.
    Overdue {
        /// The request.
        request: RequestId,
    },
    /// A machine may join as a target, once, with a token.
    Invitation {
        /// As which target.
        target: TargetName,
        /// The digest of the token ([`crate::token::JoinToken::digest`]); the token stands nowhere.
        token: Digest,
        /// Until when.
        until: UnixTime,
        /// Who made it; none: the operator, on the CA's machine.
        person: Option<PersonName>,
    },
    /// A target's host key is known from now on, instead of the one before: it renews its own certificate.
    Enrolment {
        /// The target.
        target: TargetName,
        /// Its public host key, OpenSSH's one-line form.
        key: String,
        /// The token that it joined with, spent by this; none: the operator certified it, on the CA's machine.
        token: Option<Digest>,
    },
    /// A target asked for its next host certificate, and gets it: its issue follows.
    Renewal {
        /// The target.
        target: TargetName,
        /// The host key that asked.
        key: Fingerprint,
    },
    /// Somebody or something was shut out: its grants end, and it gets none until it is let in again.
    Exclusion {
        /// Whom.
        whom: Whom,
        /// The keys that go with it and that targets refuse from now on: a person's own.
        keys: Vec<Fingerprint>,
        /// Who did.
        person: PersonName,
        /// Why.
        reason: Reason,
    },
    /// It was let in again. What had ended stays ended.
    Restoration {
        /// Whom.
        whom: Whom,
        /// Who did.
        person: PersonName,
        /// Why.
        reason: Reason,
    },
}

/// Why a line of the log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It was written by a newer version.
    #[error("written by a newer version of hallpass (line version {0}): read it with that one")]
    TooNew(u32),
    /// It is not a line of the log.
    #[error("not a line of the issuance log: {0}")]
    Malformed(String),
}

impl Line {
    /// A line of now.
    pub fn new(at: UnixTime, entry: Entry) -> Self {
        Self {
            v: VERSION,
            at,
            entry,
        }
    }

    /// Its text, without the line feed: the bytes of the log's leaf.
    pub fn encode(&self) -> Result<String, LineError> {
        serde_json::to_string(self).map_err(|e| LineError::Malformed(e.to_string()))
    }

    /// Reads a line, without its line feed.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u32,
        }
        let malformed = |e: serde_json::Error| LineError::Malformed(e.to_string());
        let Versioned { v } = serde_json::from_str(text).map_err(malformed)?;
        match v {
            VERSION => serde_json::from_str(text).map_err(malformed),
            0 => Err(LineError::Malformed("line version 0".to_owned())),
            newer => Err(LineError::TooNew(newer)),
        }
    }
}
