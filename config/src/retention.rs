//! How long recordings are kept.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// How long a role's recordings are kept. Neither: for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// So long after the session's end; then they are removed.
    pub age: Option<Duration>,
    /// So many bytes of them on one bastion; what is older than the newest of them is removed.
    pub size: Option<u64>,
}

impl Retention {
    /// Whether nothing is ever removed.
    pub const fn is_forever(&self) -> bool {
        self.age.is_none() && self.size.is_none()
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.age, self.size) {
            (None, None) => f.write_str("for ever"),
            (Some(age), None) => write!(f, "for {}", duration::show(age)),
            (None, Some(size)) => write!(f, "up to {size} bytes"),
            (Some(age), Some(size)) => {
                write!(f, "for {}, up to {size} bytes", duration::show(age))
            }
        }
    }
}
