//! What is asked of the desk, and what it answers at once.

use std::net::IpAddr;
use std::time::Duration;

use config::words::{CheckName, GroupName, PersonName, Principal, RequestId, RoleName, RosterName};
use record::clock::UnixTime;
use record::text::{Command, Reason};
use serde::Serialize;
use ssh_key::PublicKey;

/// A person who has proven a registered key on this connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who it is.
    pub person: PersonName,
    /// The key that was proven; certificates are for it.
    pub key: PublicKey,
    /// Where the connection comes from.
    pub source: IpAddr,
}

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Login and target.
    pub access: Principal,
    /// Under which role; none if there is only one.
    pub role: Option<RoleName>,
    /// For how long; none for as long as the role's default.
    pub life: Option<Duration>,
    /// Why.
    pub reason: Reason,
    /// The one command that is wanted.
    pub command: Option<Command>,
    /// Whether to take it before its approval.
    pub break_glass: bool,
}

/// A request was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Asked {
    /// Its identifier.
    pub id: RequestId,
    /// Under which role.
    pub role: RoleName,
    /// Where it stands.
    pub standing: Standing,
    /// What of it the policy narrowed, each a sentence for the person.
    pub narrowed: Vec<String>,
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Standing {
    /// It waits for approvals.
    Waiting {
        /// Whose.
        needs: Vec<Need>,
        /// And for these automated checks.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        checks: Vec<CheckName>,
        /// Until when.
        expires: UnixTime,
    },
    /// It waits for the person to prove, with the PIN of a token, that it is they.
    Unproven {
        /// Until when.
        expires: UnixTime,
    },
    /// It is granted.
    Granted {
        /// Until when.
        until: UnixTime,
    },
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
    /// It, or its grant, is past its time.
    Expired,
    /// The grant was given back.
    Returned,
    /// The grant was revoked.
    Revoked {
        /// By whom.
        by: PersonName,
        /// Why.
        reason: Reason,
    },
}

/// One quorum, and whose approvals it has and misses. Shown, for example `needs 1 of group sre (bob or carol)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Need {
    /// How many persons have to approve altogether.
    pub count: u32,
    /// Of which group.
    pub from: GroupName,
    /// Only those who are on call by this roster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_call: Option<RosterName>,
    /// Groups whose approval helps too: it frees somebody of both groups to count for `from`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<GroupName>,
    /// Who has approved and counts for this quorum.
    pub have: Vec<PersonName>,
    /// Whose approval would help.
    pub who: Vec<PersonName>,
}

impl Need {
    /// How many persons are missing.
    pub fn missing(&self) -> u32 {
        let have = u32::try_from(self.have.len()).unwrap_or(u32::MAX);
        self.count.saturating_sub(have)
    }

    /// What is missing of several, for example `needs 1 of group sre (bob) and 1 of group security (carol)`.
    pub fn all(needs: &[Self]) -> String {
        Self::with_checks(needs, &[])
    }

    /// The same, and the automated checks that are missing too: `needs 1 of group sre (bob) and check ticket`.
    pub fn with_checks(needs: &[Self], checks: &[CheckName]) -> String {
        let missing = needs.iter().filter(|need| need.missing() > 0);
        let mut parts: Vec<String> = missing.map(Self::part).collect();
        parts.extend(checks.iter().map(|check| format!("check {check}")));
        format!("needs {}", parts.join(" and "))
    }

    fn part(&self) -> String {
        let groups = std::iter::once(&self.from).chain(&self.also);
        let groups: Vec<&str> = groups.map(GroupName::as_str).collect();
        let who: Vec<&str> = self.who.iter().map(PersonName::as_str).collect();
        let (missing, groups, who) = (self.missing(), groups.join(" or "), who.join(" or "));
        match &self.on_call {
            None => format!("{missing} of group {groups} ({who})"),
            Some(roster) if who.is_empty() => {
                format!("{missing} of group {groups} on call (nobody is, by roster {roster})")
            }
            Some(roster) => {
                format!("{missing} of group {groups} on call ({who}, by roster {roster})")
            }
        }
    }
}

/// An access certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Issued {
    /// The certificate, OpenSSH's one-line form, without a line feed.
    pub certificate: String,
    /// Its serial.
    pub serial: u64,
    /// What for.
    pub access: Principal,
    /// Until when.
    pub until: UnixTime,
}
