//! On which terms a role's sessions run.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;
use crate::recipients::Recipients;
use crate::words::AlertName;

/// On which terms a role's sessions run. The CA says them to the bastion with each session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// What is masked in what the person sees, and in the recording.
    pub mask: Mask,
    /// How long the person may do nothing; none for as long as the grant runs.
    pub idle: Option<Duration>,
    /// How many bytes may pass, both ways together; none for any number.
    pub largest: Option<u64>,
    /// What is told at once when it happens in a session.
    pub alerts: Vec<Alert>,
    /// Somebody else has to look on: how long a session stands still without one before it ends. None: nobody has to.
    pub observer: Option<Duration>,
}

/// Something that is told at once when it happens in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// What everybody hears.
    pub name: AlertName,
    /// What happens.
    pub on: Trigger,
    /// Whether it ends the session.
    pub kill: bool,
}

/// What can happen in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A command, or a line that is typed if the session's input is recorded, has this.
    Command(Pattern),
    /// A line of the screen, as the person sees it, has this.
    Screen(Pattern),
    /// More than so many bytes a second pass, both ways together, over ten seconds.
    Rate(u64),
    /// More than so many bytes pass, both ways together.
    Volume(u64),
}

/// What is masked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mask {
    /// Things that are known by name.
    pub known: BTreeSet<Maskable>,
    /// The role's own patterns. Of one with a group, the first group is masked; of others all.
    pub patterns: Vec<Pattern>,
    /// Who may read what was masked. Nobody: it is kept nowhere.
    #[serde(skip_serializing_if = "Recipients::is_empty")]
    pub original: Recipients,
}

impl Mask {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.patterns.is_empty()
    }
}

/// What can be masked by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maskable {
    /// Numbers of payment cards.
    Cards,
    /// Private keys in PEM and OpenSSH's form, and AWS access keys.
    Keys,
    /// Tokens of known shapes: GitHub, GitLab, Slack, JWT and others.
    Tokens,
}

impl Maskable {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cards, Self::Keys, Self::Tokens];
}

impl fmt::Display for Maskable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cards => "cards",
            Self::Keys => "keys",
            Self::Tokens => "tokens",
        })
    }
}
