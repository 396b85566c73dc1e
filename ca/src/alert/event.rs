//! What must not wait, and how it is said.

use std::net::IpAddr;

use config::words::{
    AlertName, BastionName, GroupName, PersonName, Principal, RequestId, RoleName, SessionId,
};
use record::clock::UnixTime;
use record::entry::{Sign, Whom};
use record::text::{Reason, Remark};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(crate) enum Event {
    /// Somebody took a role before anybody approved.
    BreakGlass {
        request: RequestId,
        person: PersonName,
        access: Principal,
        role: RoleName,
        reason: Reason,
        until: UnixTime,
        /// By when it has to be reviewed.
        review_until: UnixTime,
        /// By somebody of which groups.
        review_from: Vec<GroupName>,
    },
    /// Somebody wanted to, once more than may be within a week.
    Quota {
        person: PersonName,
        role: RoleName,
        access: Principal,
        reason: Reason,
        /// When the next one is free.
        free: UnixTime,
    },
    /// A review is past its deadline.
    DebtUnpaid {
        request: RequestId,
        person: PersonName,
        access: Principal,
        role: RoleName,
        review_until: UnixTime,
        review_from: Vec<GroupName>,
        /// Whether the person is given nothing new until it is paid.
        blocks: bool,
    },
    /// A reviewer said that it was not right.
    ReviewRejected {
        request: RequestId,
        person: PersonName,
        reviewer: PersonName,
        remark: Remark,
    },
    /// Somebody's grant was ended.
    Revocation {
        request: RequestId,
        person: PersonName,
        access: Principal,
        by: PersonName,
        reason: Reason,
    },
    /// Somebody or something was shut out.
    Exclusion {
        whom: Whom,
        by: PersonName,
        reason: Reason,
        /// How many grants ended with it.
        ended: usize,
    },
    /// It was let in again.
    Restoration {
        whom: Whom,
        by: PersonName,
        reason: Reason,
    },
    /// Something happened in a session that its role is alerted of.
    SessionAlert {
        session: SessionId,
        person: PersonName,
        access: Principal,
        bastion: BastionName,
        source: IpAddr,
        /// The alert's name.
        alert: AlertName,
        on: Sign,
        /// Whether it ended the session.
        ended: bool,
    },
    /// A certificate that a CA of ours seems to have signed, and that the issuance log does not hold.
    StrayCertificate {
        bastion: BastionName,
        /// What it says of itself: serial, key id, principals; nothing in it is to be believed.
        what: String,
    },
}

impl Event {
    /// Its one word.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::BreakGlass { .. } => "break-glass",
            Self::Quota { .. } => "quota",
            Self::DebtUnpaid { .. } => "debt-unpaid",
            Self::ReviewRejected { .. } => "review-rejected",
            Self::Revocation { .. } => "revocation",
            Self::Exclusion { .. } => "exclusion",
            Self::Restoration { .. } => "restoration",
            Self::SessionAlert { .. } => "session-alert",
            Self::StrayCertificate { .. } => "stray-certificate",
        }
    }

    /// One sentence.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::BreakGlass {
                request,
                person,
                access,
                role,
                reason,
                until,
                review_until,
                review_from,
            } => format!(
                "BREAK-GLASS: {person} has {access} under {role} until {until}, approved by nobody: {reason} \
                 ({request}, to be reviewed by somebody of {} until {review_until})",
                groups(review_from)
            ),
            Self::Quota {
                person,
                role,
                access,
                reason,
                free,
            } => format!(
                "{person} wanted {access} under {role} with --break-glass once more than may be in a week, and did \
                 not get it: {reason} (the next is free {free})"
            ),
            Self::DebtUnpaid {
                request,
                person,
                access,
                role,
                review_until,
                review_from,
                blocks,
            } => format!(
                "nobody of {} has reviewed {request} until {review_until}: {person} had {access} under {role} with \
                 --break-glass{}",
                groups(review_from),
                if *blocks {
                    ", and is given nothing new until somebody does"
                } else {
                    ""
                }
            ),
            Self::ReviewRejected {
                request,
                person,
                reviewer,
                remark,
            } => format!(
                "{reviewer} reviewed what {person} did under {request}, and rejects it: {remark}"
            ),
            Self::Revocation {
                request,
                person,
                access,
                by,
                reason,
            } => format!("{by} revoked {request}, with which {person} had {access}: {reason}"),
            Self::Exclusion {
                whom,
                by,
                reason,
                ended,
            } => format!("{by} shut out {whom}: {reason} (grants that ended with it: {ended})"),
            Self::Restoration { whom, by, reason } => {
                format!("{by} let {whom} in again: {reason}")
            }
            Self::SessionAlert {
                session,
                person,
                access,
                bastion,
                source,
                alert,
                on,
                ended,
            } => format!(
                "ALERT {alert}: {} in session {session} of {person} from {source} to {access} through {bastion}{}",
                sign(*on),
                if *ended { ", which it ended" } else { "" }
            ),
            Self::StrayCertificate { bastion, what } => format!(
                "STRAY CERTIFICATE: {bastion} was shown a certificate that the issuance log does not hold; a CA's key \
                 may be in other hands: {what}"
            ),
        }
    }
}

const fn sign(on: Sign) -> &'static str {
    match on {
        Sign::Command => "a command",
        Sign::Screen => "a line of the screen",
        Sign::Rate => "many bytes in a short time",
        Sign::Volume => "many bytes",
        Sign::Unwatched => "more than could be looked at",
        Sign::NewSource => "an address that was not seen before,",
    }
}

fn groups(groups: &[GroupName]) -> String {
    let names: Vec<&str> = groups.iter().map(GroupName::as_str).collect();
    names.join(" or ")
}
