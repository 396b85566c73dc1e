//! Where something listens.

use std::fmt;
use std::str::FromStr;

use crate::words::WordError;

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = WordError;

    fn from_str(given: &str) -> Result<Self, WordError> {
        let parts = given.rsplit_once(':').and_then(|(host, port)| {
            let bare = host
                .strip_prefix('[')
                .and_then(|h| h.strip_suffix(']'))
                .unwrap_or(host);
            let good = bare
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
            let bracketed = bare.len() != host.len();
            let fits = good && !bare.is_empty() && bare.contains(':') == bracketed;
            Some((bare, port.parse().ok().filter(|p| *p > 0 && fits)?))
        });
        let (host, port) = parts.ok_or_else(|| WordError {
            what: "place",
            given: given.to_owned(),
            why: "write it like db1.internal:22 or [2001:db8::1]:22",
        })?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl HostPort {
    /// How `known_hosts` writes this place (`sshd(8)`, "SSH KNOWN HOSTS FILE FORMAT").
    pub fn known_hosts(&self) -> String {
        if self.port == 22 {
            self.host.clone()
        } else {
            format!("[{}]:{}", self.host, self.port)
        }
    }
}
