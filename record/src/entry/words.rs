//! The words of entries that stand for themselves.

use std::fmt;

use config::words::{BastionName, PersonName, TargetName};
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;

/// What an alert of a session is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// A command, or a line that was typed.
    Command,
    /// A line of the screen.
    Screen,
    /// Many bytes in a short time.
    Rate,
    /// Many bytes.
    Volume,
    /// More passed at once than could be looked at.
    Unwatched,
    /// An address that the person was not seen at before.
    NewSource,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Command => "command",
            Self::Screen => "screen",
            Self::Rate => "rate",
            Self::Volume => "volume",
            Self::Unwatched => "unwatched",
            Self::NewSource => "new-source",
        })
    }
}

/// What can be shut out as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// A person, with every key of theirs.
    Person(PersonName),
    /// One key, whosever it is.
    Key(Fingerprint),
    /// A target.
    Target(TargetName),
    /// A bastion.
    Bastion(BastionName),
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "person {name}"),
            Self::Key(fingerprint) => write!(f, "key {fingerprint}"),
            Self::Target(name) => write!(f, "target {name}"),
            Self::Bastion(name) => write!(f, "bastion {name}"),
        }
    }
}

/// What an automated check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No, and that decides.
    Deny,
    /// Neither.
    Abstain,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Abstain => "abstain",
        })
    }
}

/// One of the four certificate authorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// Signs access certificates; only bastions trust it.
    User,
    /// Signs session certificates; only targets trust it.
    Session,
    /// Signs host certificates of targets; only bastions trust it.
    Host,
    /// Signs door certificates of bastions; people's `@cert-authority` lines trust it.
    Door,
}
