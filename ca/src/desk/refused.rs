//! Every reason for which the desk says no.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use config::cidr::Cidr;
use config::command::Pattern;
use config::words::{
    CheckName, GroupName, PersonName, Principal, RequestId, RoleName, RosterName, SessionId,
};
use config::{duration, limits};
use record::clock::UnixTime;
use record::entry::Whom;
use record::sshsig::SigError;

use super::{Need, Standing};

/// What a refusal means to the program that asked, as its exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Refused by policy.
    Policy = 1,
    /// The question was wrong.
    Usage = 2,
    /// An approver said no.
    Denied = 3,
    /// It was too late.
    Expired = 4,
    /// The CA cannot answer now.
    Unavailable = 5,
}

impl Status {
    /// The exit status.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Why the desk said no. Shown, it says what happened and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No role of this person covers the access.
    #[error("no role lets you use {0}: `roles` shows what you may ask for")]
    NoRole(Principal),
    /// The role does not exist, or is not this person's.
    #[error("you have no role {0}: `roles` shows what you may ask for")]
    UnknownRole(RoleName),
    /// The role exists and does not cover the access.
    #[error("role {role} does not cover {access}: `roles` shows what it covers")]
    RoleDoesNotCover {
        /// The role that was asked for.
        role: RoleName,
        /// What was asked for.
        access: Principal,
    },
    /// Several roles cover it, and they differ.
    #[error("several roles cover this: choose one with --role {}", Names(.0, " or --role "))]
    SeveralRoles(Vec<RoleName>),
    /// The role cannot be taken before its approval.
    #[error("role {0} cannot be taken with --break-glass: ask without it")]
    NoBreakGlass(RoleName),
    /// The role wants proof that only a token gives, and the person has none.
    #[error(
        "role {0} is taken with --break-glass only by the PIN of a token, and you have no key on one: have your sk- key registered, or ask without --break-glass"
    )]
    NoToken(RoleName),
    /// The role is given to, and used by, connections from other networks only.
    #[error("role {role} is only for connections from {}, and yours comes from {address}: connect from there", Names(.sources, " or "))]
    Elsewhere {
        /// The role.
        role: RoleName,
        /// From where it is given.
        sources: Vec<Cidr>,
        /// Where the person's connection comes from.
        address: IpAddr,
    },
    /// The role carries no commands.
    #[error("role {0} carries no commands: ask without --command")]
    NoCommands(RoleName),
    /// The role gives these commands only.
    #[error("role {role} is only for these commands: ask with --command {}", Names(.commands, " or --command "))]
    NotThatCommand {
        /// The role.
        role: RoleName,
        /// What it gives.
        commands: Vec<Pattern>,
    },
    /// Shorter than any grant.
    #[error("{} is too short: ask for at least {}", duration::show(*.0), duration::show(limits::GRANT_SHORTEST))]
    TooShort(Duration),
    /// The person has as many requests waiting as anybody may.
    #[error(
        "you have {} requests waiting: withdraw one first",
        limits::REQUESTS_OPEN_PER_PERSON
    )]
    TooManyOpen,
    /// The person has asked as often within an hour as anybody may.
    #[error(
        "you have made {most} requests within an hour, as many as anybody may: ask again from {again} on; a grant that runs is printed again by `ssh ca collect`"
    )]
    TooManyAsked {
        /// How often that is.
        most: u32,
        /// From when on the next one is taken.
        again: UnixTime,
    },
    /// The key is a certificate, a CA's key, or of a kind that cannot be certified.
    #[error("this key cannot be certified: {0}")]
    Key(&'static str),
    /// No request has this identifier, or it does not concern this person.
    #[error("there is no request {0} that concerns you: check its letters")]
    UnknownRequest(RequestId),
    /// It was the person's own request, or an own key of theirs signed.
    #[error("nobody approves their own request: ask somebody else")]
    OwnRequest,
    /// It is the person's own request, for which there is another way.
    #[error("this request is your own: {0}")]
    Own(&'static str),
    /// The person is in no group that approves.
    #[error("only members of {} approve this request", Names(.0, " or "))]
    NotApprover(Vec<GroupName>),
    /// The person is in a group that approves, but not on call.
    #[error("only who is on call approves this request, and by roster {roster} that is {}: your word does not count now", Names(&OrNobody::of(.who), " or "))]
    NotOnCall {
        /// The roster.
        roster: RosterName,
        /// Who is.
        who: Vec<PersonName>,
    },
    /// The person is in no group that approves the role, and so that revokes its grants.
    #[error("only members of {}, who approve this role, revoke its grants", Names(.0, " or "))]
    NotRevoker(Vec<GroupName>),
    /// The person is in no group that shuts out and lets in again.
    #[error("{}", only(.0, "shut out and let in again", "revokers"))]
    NotExcluder(Vec<GroupName>),
    /// The person is in no group that makes join tokens.
    #[error("{}", only(.0, "make join tokens", "enrollers"))]
    NotEnroller(Vec<GroupName>),
    /// Nobody lets their own key in again.
    #[error("nobody lets their own key in again: ask somebody else")]
    OwnRestoration,
    /// There is nobody and nothing of this name.
    #[error("there is no {0}: check its spelling")]
    UnknownWhom(Whom),
    /// It is shut out.
    #[error("{0} is shut out: somebody has to let it in again first")]
    ShutOut(Whom),
    /// It was shut out before.
    #[error("{0} is shut out already")]
    AlreadyOut(Whom),
    /// It is not shut out.
    #[error("{0} is not shut out")]
    NotOut(Whom),
    /// The machine is not let join, or does not get its certificate.
    #[error("this machine does not join: {0}")]
    Join(&'static str),
    /// As many tokens are out as may be.
    #[error(
        "{} join tokens are out: wait until some are used or expire",
        limits::TOKENS_OUT
    )]
    TooManyTokens,
    /// The request needs no approval.
    #[error("this request needs no approval")]
    NoApprovalNeeded,
    /// The person has approved before; persons are counted, not keys.
    #[error("you have approved this request already: another person has to")]
    AlreadyApproved,
    /// The signature does not count.
    #[error("the approval does not count: {0}")]
    Signature(SigError),
    /// The person may not do that to this request.
    #[error("that is for {0} to do")]
    NotYours(PersonName),
    /// The request or its grant is over, or not in the state that this needs.
    #[error("{}", closed(.0))]
    Closed(Standing),
    /// The request waits still.
    #[error("not granted yet: {}", waiting(.0, .1))]
    Waiting(Vec<Need>, Vec<CheckName>),
    /// The role covers it, and the policy gives it at another time, or after something else.
    #[error("{0}")]
    NotNow(String),
    /// The policy changed since, and no longer allows it.
    #[error("the policy no longer allows this: {0}")]
    PolicyChanged(String),
    /// The request is not one that waits for a proof.
    #[error("nothing is to be proven here: `show` says what the request waits for")]
    NothingToProve,
    /// The request waits for its proof.
    #[error("not granted yet: prove that it is you with `ssh -A ca prove {0}`")]
    Unproven(RequestId),
    /// The proof does not count.
    #[error("it is not proven that it is you: {0}")]
    Proof(SigError),
    /// There is nothing to review.
    #[error(
        "nothing waits for a review here: only what was taken with --break-glass, and used, and not reviewed yet"
    )]
    NothingOwed,
    /// It is the person's own doing.
    #[error("nobody reviews what they did themselves: ask somebody else")]
    OwnReview,
    /// The person is in no group that reviews.
    #[error("only members of {} review this", Names(.0, " or "))]
    NotReviewer(Vec<GroupName>),
    /// The person has reviewed before.
    #[error("you have reviewed this already: another person has to")]
    AlreadyReviewed,
    /// The grant is not over.
    #[error("it runs until {0}: review it when it is over (`revoke` ends it now)")]
    StillRuns(UnixTime),
    /// A session under it has not ended yet.
    #[error("session {0} has not ended yet: review it when it is over")]
    SessionRuns(SessionId),
    /// The signature of a review does not count.
    #[error("the review does not count: {0} (if a session ended meanwhile, sign the new text)")]
    ReviewSignature(SigError),
    /// The person may not see what others did.
    #[error("{}", audit(.0))]
    NotAuditor(Vec<GroupName>),
    /// The certificate that a bastion showed is not one that this CA gave.
    #[error("this certificate opens nothing here: {0}")]
    Certificate(&'static str),
    /// The certificate is good, for something else.
    #[error("this certificate is for {given}, not for {asked}")]
    OtherAccess {
        /// What the certificate is for.
        given: Principal,
        /// What was asked for.
        asked: Principal,
    },
    /// The person has as many sessions of the role as anybody may.
    #[error("you have {most} sessions of role {role} running, which is the most: end one first")]
    ManySessions {
        /// The role.
        role: RoleName,
        /// How many it gives.
        most: u32,
    },
    /// The session identifier was used before.
    #[error("session {0} has been used before")]
    SessionUsed(SessionId),
    /// This bastion began no such session.
    #[error("{}", record::api::review::unknown(.0))]
    UnknownSession(SessionId),
    /// What was asked for is against a rule, or cannot be what it says; the reason, whole.
    #[error("{0}")]
    Because(&'static str),
    /// Too few witnesses have cosigned the log (<https://c2sp.org/tlog-witness>).
    #[error(
        "the log's witnesses have not cosigned your certificate: it is kept for you, and not given without them; once they answer:  ssh ca collect {0}"
    )]
    Unwitnessed(RequestId),
    /// The CA cannot answer: its disk, its log, its store. Nothing was signed.
    #[error("the CA cannot do that now, and nothing was signed: tell its operator ({0})")]
    Unavailable(String),
}

impl Refused {
    /// What the refusal means to the program that asked.
    pub const fn status(&self) -> Status {
        match self {
            Self::Closed(Standing::Denied { .. } | Standing::Failed { .. }) => Status::Denied,
            Self::Closed(Standing::Expired) => Status::Expired,
            Self::TooShort(_)
            | Self::UnknownRequest(_)
            | Self::UnknownWhom(_)
            | Self::SeveralRoles(_)
            | Self::Because(_) => Status::Usage,
            Self::Unwitnessed(_) | Self::Unavailable(_) => Status::Unavailable,
            _ => Status::Policy,
        }
    }
}

struct OrNobody;

impl OrNobody {
    fn of(who: &[PersonName]) -> Vec<&str> {
        if who.is_empty() {
            return vec!["nobody"];
        }
        who.iter().map(PersonName::as_str).collect()
    }
}

struct Names<'a, T>(&'a [T], &'static str);

impl<T: fmt::Display> fmt::Display for Names<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(self.1)?;
            }
            write!(f, "{name}")?;
        }
        Ok(())
    }
}

fn only(groups: &[GroupName], what: &str, key: &str) -> String {
    if groups.is_empty() {
        return format!("nobody may {what}: the configuration names no {key}");
    }
    format!("only members of {} {what}", Names(groups, " or "))
}

fn closed(standing: &Standing) -> String {
    match standing {
        Standing::Waiting { needs, checks, .. } => {
            format!("the request is not granted yet: {}", waiting(needs, checks))
        }
        Standing::Unproven { .. } => "it waits for the proof that it is that person".to_owned(),
        Standing::Granted { until } => {
            format!(
                "the request is granted until {}: there is nothing left to decide",
                until.time_of_day()
            )
        }
        Standing::Denied { by, reason } => format!("{by} denied the request: {reason}"),
        Standing::Failed { check, reason } => format!("check {check} denied the request: {reason}"),
        Standing::Withdrawn => "the request was withdrawn: ask again".to_owned(),
        Standing::Expired => "the request or its grant has expired: ask again".to_owned(),
        Standing::Returned => "the grant was given back: ask again".to_owned(),
        Standing::Revoked { by, reason } => format!("{by} revoked the grant: {reason}"),
    }
}

fn audit(auditors: &[GroupName]) -> String {
    if auditors.is_empty() {
        return "nobody may see the report: [report] of hallpass.toml names no auditors".to_owned();
    }
    format!("only members of {} see the report", Names(auditors, " or "))
}

fn waiting(needs: &[Need], checks: &[CheckName]) -> String {
    if needs.is_empty() && checks.is_empty() {
        return "the policy does not give it now, and no approval would help: ask again".to_owned();
    }
    Need::with_checks(needs, checks)
}
