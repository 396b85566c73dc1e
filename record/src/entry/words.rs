//! The words of entries that stand for themselves.

use std::fmt;

use config::words::{BastionName, PersonName, TargetName};
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;

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
