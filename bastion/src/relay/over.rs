//! Why a relay is over, and what it hears from outside.

use std::time::Duration;

use config::words::AlertName;
use record::entry::Sign;
use record::recording::{Exit, RecordError};

use super::bounds::Reached;
use super::observed::Alone;
use crate::files::Broken;
use crate::flow::Way;

/// Why a relay is over.
#[derive(Debug)]
pub(crate) enum Over {
    /// The target said how the command ended, and closed.
    Exit(Exit),
    /// The target closed, or its connection broke, without a word.
    TargetClosed,
    /// The person's channel or connection is closed.
    ClientClosed,
    /// One direction filled its spool.
    Full(Way),
    /// A file transfer that cannot be followed any more.
    Broken(Broken),
    /// Nothing happened for this long, which is as long as the role gives.
    Idle(Duration),
    /// More than so many bytes would have passed.
    Large(u64),
    /// Something could not be recorded.
    Recorder(RecordError),
    /// Nobody looks on, and somebody has to.
    Alone(Alone),
    /// Somebody else ended it.
    Stopped(Stop),
}

impl From<RecordError> for Over {
    fn from(e: RecordError) -> Self {
        Self::Recorder(e)
    }
}

impl From<Reached> for Over {
    fn from(reached: Reached) -> Self {
        match reached {
            Reached::Soon(most) | Reached::Idle(most) => Self::Idle(most),
            Reached::Large(most) => Self::Large(most),
        }
    }
}

/// Why somebody else ended a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Something happened that its role is alerted of, and that ends it.
    Alert(AlertName),
    /// The grant's deadline.
    Deadline,
    /// The grant was given back or revoked.
    GrantEnded,
    /// The bastion was told to stop.
    Shutdown,
    /// Somebody ended this one session.
    Killed {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
}

/// What happens around a session while its bytes move.
#[derive(Debug)]
pub(crate) enum News {
    /// Something happened that its role is alerted of.
    Alert {
        /// What it is called.
        name: AlertName,
        /// What it is raised by.
        on: Sign,
        /// Whether it ends the session.
        ends: bool,
    },
    /// A line of ours for the person.
    Say(String),
    /// The session must end.
    Stop(Stop),
}
