//! A role: what may be asked for, by whom, and who has to agree.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cidr::Cidr;
use crate::command::{self, Pattern};
use crate::files::FileRules;
use crate::forwards::ForwardRules;
use crate::hours::Hours;
use crate::recipients::Recipients;
use crate::retention::Retention;
use crate::terms::Terms;
use crate::words::{CheckName, GroupName, Login, Principal, RosterName, TargetName};

/// What may be asked for, by whom, and who has to agree.
#[derive(Debug, Clone)]
pub struct Role {
    /// Who may ask.
    pub groups: BTreeSet<GroupName>,
    /// The accounts.
    pub logins: BTreeSet<Login>,
    /// The machines, with labels resolved against the inventory.
    pub targets: BTreeSet<TargetName>,
    /// The networks that requests come from, and that access certificates are good from; empty for any.
    pub sources: Vec<Cidr>,
    /// The longest life of a grant.
    pub longest: Duration,
    /// How many grants of the role one person may have running at once; none for any number.
    pub live: Option<u32>,
    /// When it is given; none for always.
    pub hours: Option<Hours>,
    /// Who has to agree: all of these, by distinct persons, each group named once. None if the role is
    /// granted at once.
    pub quorums: Vec<Quorum>,
    /// The automated checks that have to agree too, all of them. None of them counts as a person.
    pub checks: BTreeSet<CheckName>,
    /// The command that every session is forced to.
    pub command: Option<String>,
    /// Commands that are granted without anybody's word. If nobody has to agree to the role, it gives nothing else.
    pub commands: Vec<Pattern>,
    /// What a session may open.
    pub channels: BTreeSet<Channel>,
    /// What file transfers may do, if a session may open them.
    pub files: FileRules,
    /// How many sessions of the role one person may have running at once, on all bastions; none for any number.
    pub sessions: Option<u32>,
    /// Within how long an address of the person counts as known; a session from another is told at once. None: it is not.
    pub new_source: Option<Duration>,
    /// On which terms its sessions run.
    pub terms: Terms,
    /// Where forwarded connections may lead, if a session may open them.
    pub forwards: ForwardRules,
    /// Whether what the person types is recorded too, passwords at prompts included.
    pub record_input: bool,
    /// Who alone can open its recordings; empty if they are not sealed, so that whoever has the file can read it.
    pub recipients: Recipients,
    /// How long its recordings are kept.
    pub retention: Retention,
    /// On which terms the role may be taken first and reviewed afterwards; none if it may not.
    pub break_glass: Option<BreakGlass>,
    /// Whose sessions it reads, at the bastions that are its targets; none: it gives sessions, and reads nothing.
    pub reads: Option<Reads>,
}

/// The login of a review role: `review@BASTION` is what is asked for, and the user name that it is used under.
pub const REVIEW: &str = "review";

/// Whose sessions a review role reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    /// Sessions under these accounts …
    pub logins: BTreeSet<Login>,
    /// … on these machines.
    pub targets: BTreeSet<TargetName>,
    /// Whether it may destroy the keys of their sealed recordings, too.
    pub erases: bool,
    /// Whether it may hold their recordings, so that none is removed or erased, and lift that again.
    pub holds: bool,
}

impl Reads {
    /// Whether a session for this login on this target may be read.
    pub fn covers(&self, access: &Principal) -> bool {
        self.logins.contains(&access.login) && self.targets.contains(&access.target)
    }
}

/// On which terms a role may be taken before its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of its own in the file"
)]
pub struct BreakGlass {
    /// Whether that may be outside of the role's hours, too.
    pub any_time: bool,
    /// Whether the person has to prove with the PIN of a token that it is they.
    pub verify: bool,
    /// How often a person may do so under this role within [`limits::BREAK_GLASS_WEEK`]; none if as often as need be.
    pub per_week: Option<u32>,
    /// Who has to look at it afterwards.
    pub review: Review,
    /// Whether an overdue review keeps the person from new requests, break-glass apart.
    pub blocks: bool,
    /// Whether it keeps them from break-glass too.
    pub blocks_break_glass: bool,
}

/// Who has to look at what was done, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// How many different persons.
    pub count: u32,
    /// Of which groups, any of them; never empty.
    pub from: Vec<GroupName>,
    /// How long after the grant's deadline.
    pub within: Duration,
}

impl Role {
    /// Whether the role covers this login on this target.
    pub fn covers(&self, principal: &Principal) -> bool {
        self.logins.contains(&principal.login) && self.targets.contains(&principal.target)
    }

    /// Whether the role is given to somebody who comes from this address.
    pub fn reachable_from(&self, source: IpAddr) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|block| block.contains(source))
    }

    /// Whether it is granted without anybody's word: no person and no check has to agree.
    pub fn granted_at_once(&self) -> bool {
        self.quorums.is_empty() && self.checks.is_empty()
    }

    /// Whether this command is one of those that are granted at once.
    pub fn preapproves(&self, command: &str) -> bool {
        let words = command::split(command);
        words.is_some_and(|words| self.commands.iter().any(|own| own.matches(&words)))
    }

    /// Whether the role gives sessions with this command, or without one. A forced command stands whatever is asked.
    pub fn takes(&self, command: Option<&str>) -> bool {
        let open = self.commands.is_empty() || !self.granted_at_once();
        open || command.is_some_and(|command| self.preapproves(command))
    }

    /// What a session may open under a grant for this command, or for none. A command that the person asked for is all that
    /// was granted; beside one that the role forces, it may name other channels.
    pub fn opens(&self, command: Option<&str>) -> BTreeSet<Channel> {
        if command.is_some() && self.command.is_none() {
            return self
                .channels
                .intersection(&[Channel::Exec].into())
                .copied()
                .collect();
        }
        self.channels.clone()
    }

    /// The hours that hold for a request, break-glass or not; none for any time.
    pub fn hours_for(&self, break_glass: bool) -> Option<&Hours> {
        let free = self
            .break_glass
            .as_ref()
            .is_some_and(|terms| terms.any_time);
        self.hours.as_ref().filter(|_| !(break_glass && free))
    }

    /// Whether somebody in these groups may approve the role.
    pub fn approved_by(&self, groups: &BTreeSet<GroupName>) -> bool {
        self.quorums
            .iter()
            .any(|quorum| groups.contains(&quorum.from))
    }

    /// The groups whose members approve the role.
    pub fn approvers(&self) -> Vec<GroupName> {
        let from = self.quorums.iter().map(|quorum| quorum.from.clone());
        from.collect()
    }
}

/// So many different persons of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// How many persons, at least one.
    pub count: u32,
    /// Of which group.
    pub from: GroupName,
    /// Only those who are on call by this roster, when they approve and when it is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_call: Option<RosterName>,
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.count, self.from)?;
        match &self.on_call {
            Some(roster) => write!(f, " on call ({roster})"),
            None => Ok(()),
        }
    }
}

/// A kind of channel that a session may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A login shell (RFC 4254 §6.5 `shell`).
    Shell,
    /// A command (RFC 4254 §6.5 `exec`).
    Exec,
    /// File transfers: the subsystem `sftp`, which `scp` uses too, and, in a role that gives commands or a shell,
    /// the command `scp`, as `scp -O` runs it.
    Sftp,
    /// Connections from the person's side to what the target reaches (RFC 4254 §7.2 `direct-tcpip`, and
    /// `direct-streamlocal@openssh.com`): `ssh -L`, `-W` and `-D`.
    Forward,
    /// Connections from the target's side to what the person reaches (RFC 4254 §7.1 `forwarded-tcpip`, and
    /// `forwarded-streamlocal@openssh.com`): `ssh -R`.
    RemoteForward,
    /// The person's agent (`auth-agent-req@openssh.com`): `ssh -A`.
    Agent,
    /// The person's display (RFC 4254 §6.3): `ssh -X`.
    X11,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Shell,
        Self::Exec,
        Self::Sftp,
        Self::Forward,
        Self::RemoteForward,
        Self::Agent,
        Self::X11,
    ];
}

impl Channel {
    /// Whether those who look on see what passes on it.
    pub const fn is_shown(self) -> bool {
        match self {
            Self::Shell | Self::Exec | Self::Sftp => true,
            Self::Forward | Self::RemoteForward | Self::Agent | Self::X11 => false,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Shell => "shell",
            Self::Exec => "exec",
            Self::Sftp => "sftp",
            Self::Forward => "forward",
            Self::RemoteForward => "remote-forward",
            Self::Agent => "agent",
            Self::X11 => "x11",
        })
    }
}
