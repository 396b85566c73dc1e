//! What a reviewer does with somebody's session.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::Reason;

/// One thing that a reviewer does with a session; each stands in the log before it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Looks on while it runs.
    Watch,
    /// Reads its recording.
    Cat,
    /// Ends it.
    Kill(Reason),
    /// Destroys the key of its sealed recording.
    Erase(Reason),
    /// Holds its recording: until that is lifted, nobody removes or erases it.
    Hold(Reason),
    /// Lifts the hold.
    Release(Reason),
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watch => f.write_str("watches"),
            Self::Cat => f.write_str("reads"),
            Self::Kill(reason) => write!(f, "kills ({reason})"),
            Self::Erase(reason) => write!(f, "erases ({reason})"),
            Self::Hold(reason) => write!(f, "holds ({reason})"),
            Self::Release(reason) => write!(f, "lifts the hold from ({reason})"),
        }
    }
}
