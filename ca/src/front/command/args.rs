//! What stands behind each command.

use std::time::Duration;

use clap::{ArgGroup, Args};
use config::words::{BastionName, PersonName, Principal, RequestId, RoleName, TargetName};
use record::entry::Whom;
use record::fingerprint::Fingerprint;
use record::text::{Command, Reason, Remark};
use record::when::When;

/// A command that lists.
#[derive(Debug, Args)]
pub(in crate::front) struct Listed {
    /// As JSON, for programs
    #[arg(long)]
    pub(in crate::front) json: bool,
}

/// `pending`.
#[derive(Debug, Args)]
pub(in crate::front) struct Pending {
    /// As JSON, for programs
    #[arg(long)]
    pub(in crate::front) json: bool,
    /// Only what waits for a review
    #[arg(long)]
    pub(in crate::front) reviews: bool,
    /// Stay, and say at once what is new
    #[arg(long, conflicts_with_all = ["json", "reviews"])]
    pub(in crate::front) watch: bool,
}

/// `review`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("verdict").required(true).multiple(false)))]
pub(in crate::front) struct Review {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(in crate::front) id: RequestId,
    /// It was right, and why you think so
    #[arg(long, value_name = "TEXT", group = "verdict")]
    pub(in crate::front) accept: Option<Remark>,
    /// It was not right, and why
    #[arg(long, value_name = "TEXT", group = "verdict")]
    pub(in crate::front) reject: Option<Remark>,
    /// Only the text that you would sign
    #[arg(long)]
    pub(in crate::front) text: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub(in crate::front) struct Report {
    /// From when on, for example 30d, 2026-11-01 or 2026-11-01T12:00:00Z; 30d if left out
    #[arg(long, value_name = "WHEN")]
    pub(in crate::front) since: Option<When>,
    /// Until when; now if left out
    #[arg(long, value_name = "WHEN")]
    pub(in crate::front) until: Option<When>,
    /// Only of this person
    #[arg(long)]
    pub(in crate::front) person: Option<PersonName>,
    /// Only under this role
    #[arg(long)]
    pub(in crate::front) role: Option<RoleName>,
    /// Only on this target
    #[arg(long)]
    pub(in crate::front) target: Option<TargetName>,
    /// Each request, not their sums
    #[arg(long)]
    pub(in crate::front) requests: bool,
    /// As CSV, for spreadsheets
    #[arg(long, conflicts_with = "json")]
    pub(in crate::front) csv: bool,
    /// As JSON, for programs: sums and requests
    #[arg(long)]
    pub(in crate::front) json: bool,
}

/// A command about one request.
#[derive(Debug, Args)]
pub(in crate::front) struct One {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(in crate::front) id: RequestId,
}

/// A command about one request that has to be explained.
#[derive(Debug, Args)]
pub(in crate::front) struct Because {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(in crate::front) id: RequestId,
    /// Why, in a sentence: the other person reads it, and the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::front) reason: Reason,
}

/// `revoke`.
#[derive(Debug, Args)]
pub(in crate::front) struct Revoke {
    #[command(flatten)]
    pub(in crate::front) what: Revoked,
    /// Why, in a sentence: the other person reads it, and the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::front) reason: Reason,
}

/// What is revoked: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::front) struct Revoked {
    /// One grant, by its request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(in crate::front) id: Option<RequestId>,
    /// A person: every grant of theirs ends, and they get none
    #[arg(long, value_name = "NAME")]
    pub(in crate::front) person: Option<PersonName>,
    /// One key, as `ssh-keygen -lf` names it; your own you may always revoke
    #[arg(long, value_name = "SHA256:…")]
    pub(in crate::front) key: Option<Fingerprint>,
    /// A target: every grant on it ends
    #[arg(long, value_name = "NAME")]
    pub(in crate::front) target: Option<TargetName>,
    /// A bastion: every session through it ends
    #[arg(long, value_name = "NAME")]
    pub(in crate::front) bastion: Option<BastionName>,
}

/// `restore`.
#[derive(Debug, Args)]
pub(in crate::front) struct Restore {
    #[command(flatten)]
    pub(in crate::front) what: Restored,
    /// Why, in a sentence: the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::front) reason: Reason,
}

/// What is let in again: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::front) struct Restored {
    /// A person
    #[arg(long, value_name = "NAME")]
    pub(in crate::front) person: Option<PersonName>,
    /// One key
    #[arg(long, value_name = "SHA256:…")]
    pub(in crate::front) key: Option<Fingerprint>,
    /// A target
    #[arg(long, value_name = "NAME")]
    pub(in crate::front) target: Option<TargetName>,
    /// A bastion
    #[arg(long, value_name = "NAME")]
    pub(in crate::front) bastion: Option<BastionName>,
}

impl Restored {
    /// Whom it is about.
    pub(in crate::front) fn whom(self) -> Option<Whom> {
        let person = self.person.map(Whom::Person);
        let key = self.key.map(Whom::Key);
        let target = self.target.map(Whom::Target);
        let bastion = self.bastion.map(Whom::Bastion);
        person.or(key).or(target).or(bastion)
    }
}

impl Revoked {
    /// Whom it is about, if it is more than one grant.
    pub(in crate::front) fn whom(self) -> Option<Whom> {
        let Self {
            person,
            key,
            target,
            bastion,
            ..
        } = self;
        Restored {
            person,
            key,
            target,
            bastion,
        }
        .whom()
    }
}

/// `token`.
#[derive(Debug, Args)]
pub(in crate::front) struct Token {
    /// The target, by its name in the inventory
    pub(in crate::front) target: TargetName,
}

/// `request`.
#[derive(Debug, Args)]
pub(in crate::front) struct Request {
    /// Login and target, for example postgres@db1.prod
    #[arg(value_name = "LOGIN@TARGET")]
    pub(in crate::front) access: Principal,
    /// Under which role, if several would do
    #[arg(long)]
    pub(in crate::front) role: Option<RoleName>,
    /// For how long, for example 15m or 1h30m
    #[arg(long = "for", value_name = "TIME", value_parser = life)]
    pub(in crate::front) life: Option<Duration>,
    /// Why, in a sentence: approvers read it, and the log keeps it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::front) reason: Reason,
    /// Only this one command
    #[arg(long, value_name = "COMMAND")]
    pub(in crate::front) command: Option<Command>,
    /// Take it now and have it reviewed afterwards
    #[arg(long)]
    pub(in crate::front) break_glass: bool,
    /// Do not wait: print the request's name, for `collect` later
    #[arg(long)]
    pub(in crate::front) no_wait: bool,
}

/// `show`.
#[derive(Debug, Args)]
pub(in crate::front) struct Show {
    /// The request, for example 7F3K-9QMD
    #[arg(value_parser = RequestId::from_typed)]
    pub(in crate::front) id: RequestId,
    /// As JSON, for programs
    #[arg(long)]
    pub(in crate::front) json: bool,
    /// Only the text that an approver signs
    #[arg(long, conflicts_with = "json")]
    pub(in crate::front) text: bool,
}

/// `sessions`.
#[derive(Debug, Args)]
pub(in crate::front) struct Sessions {
    /// Only of this person
    #[arg(long)]
    pub(in crate::front) person: Option<PersonName>,
    /// Only on this target
    #[arg(long)]
    pub(in crate::front) target: Option<TargetName>,
    /// Only those that began within this time, for example 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub(in crate::front) since: Option<Duration>,
    /// As JSON, for programs
    #[arg(long)]
    pub(in crate::front) json: bool,
}

/// `krl`.
#[derive(Debug, Args)]
pub(in crate::front) struct Krl {
    /// The SSH signature over that file, by the log's key, namespace krl@hallpass. If the log
    /// grew between the two it is for a newer file: fetch both again
    #[arg(long)]
    pub(in crate::front) signature: bool,
    /// The list, the session CAs and one signature over both, in one JSON answer
    #[arg(long, conflicts_with = "signature")]
    pub(in crate::front) signed: bool,
    /// What your own ssh is to refuse instead: hosts that are shut out, for its `RevokedHostKeys`
    #[arg(long, conflicts_with_all = ["signature", "signed"])]
    pub(in crate::front) hosts: bool,
}

/// `ssh-config`.
#[derive(Debug, Args)]
pub(in crate::front) struct SshConfig {
    /// Only the lines for the configuration
    #[arg(long, conflicts_with = "known_hosts")]
    pub(in crate::front) config: bool,
    /// Only the lines for the known hosts
    #[arg(long)]
    pub(in crate::front) known_hosts: bool,
}

fn life(typed: &str) -> Result<Duration, &'static str> {
    config::duration::parse(typed).ok_or("write it like 90s, 15m, 1h30m or 7d")
}
