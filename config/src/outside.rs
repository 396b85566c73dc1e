//! The programs, calendars and services that are asked, and how long an answer is good.
//!
//! What comes from outside never widens what the file says: a program fills only the groups that the file leaves to
//! it, a roster only narrows who may approve, and a check only withholds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::words::{GroupName, PersonName};

/// The groups whose members a program says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// Which groups these are; of any other, what the program says is not heard.
    pub names: BTreeSet<GroupName>,
    /// The program.
    pub feed: Feed,
}

/// A program that is run again and again, and prints JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The program, by its absolute path, and its arguments. No shell reads them.
    pub command: Vec<String>,
    /// How long from one answer to the next run.
    pub every: Duration,
    /// How long a run may take; then it is killed, with its process group.
    pub timeout: Duration,
    /// How old the last good answer may be; an older one is none.
    pub stale: Duration,
}

/// Who says who is on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roster {
    /// An iCalendar file (RFC 5545).
    Calendar(Calendar),
    /// A program.
    Command(Feed),
}

/// An iCalendar file of who is on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// The file.
    pub file: PathBuf,
    /// The IANA time zone of whole days and of times without one.
    pub zone: Option<String>,
    /// Persons by what the calendar calls them: an address in lower case, or a summary.
    pub persons: BTreeMap<String, PersonName>,
}

/// An automated check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// How it is asked.
    pub means: Means,
    /// The file with the secret that question and answer are authenticated with.
    pub secret: PathBuf,
    /// How long an answer may take.
    pub deadline: Duration,
}

/// How somebody outside is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// A program, by its absolute path, and its arguments: it reads standard input. No shell reads them.
    Command(Vec<String>),
    /// A service: HTTP POST.
    Post {
        /// Where.
        url: Url,
        /// The certificate authorities of `https`, as a PEM file; none for those of the system.
        roots: Option<PathBuf>,
    },
}

/// An address of a service: `https`, or `http` on this machine's own loopback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Whether it is `https`.
    pub tls: bool,
    /// The host name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query, from the first slash.
    pub path: String,
}

impl Url {
    /// Reads an address; otherwise says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > crate::limits::URL_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("it is too long, or has characters that do not belong there");
        }
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("it begins with neither https:// nor http://"),
        };
        let (place, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if place.contains('@') || path.contains('#') || place.contains(['?', '#']) {
            return Err("it has a user or a fragment, or no slash before its query");
        }
        let (host, port) = Self::place(place, if tls { 443 } else { 80 })?;
        let loopback = host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if !tls && !loopback {
            return Err("http is for 127.0.0.1 and [::1] only: use https");
        }
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// What a `Host` header says (RFC 9110 §7.2).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }

    fn place(place: &str, default: u16) -> Result<(&str, u16), &'static str> {
        let bad = "its host or port is wrong";
        let (host, rest) = match place.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(bad)?,
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port > 0).ok_or(bad)?,
            None if rest.is_empty() => default,
            None => return Err(bad),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let good = if place.starts_with('[') {
            host.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            !host.is_empty() && host.chars().all(named)
        };
        if good { Ok((host, port)) } else { Err(bad) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_people_write_them() {
        for text in [
            "https://checks.example.org/ticket",
            "https://checks.example.org:8443/",
            "https://[2001:db8::1]/x?y=z",
            "http://127.0.0.1:8080/check",
            "http://[::1]:8080/",
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Url::parse("https://a.example").unwrap().path, "/");
    }

    #[test]
    fn what_could_be_overheard_or_misread_is_refused() {
        let long = format!("https://a/{}", "x".repeat(crate::limits::URL_BYTES));
        for (text, why) in [
            ("http://checks.example.org/", "https"),
            ("http://localhost/", "https"),
            ("http://10.0.0.1/", "https"),
            ("ftp://a/", "neither"),
            ("https://user@a/", "user"),
            ("https://a/#x", "fragment"),
            ("https://a?b", "query"),
            ("https:///x", "host"),
            ("https://a:0/", "port"),
            ("https://a:b/", "port"),
            ("https://[a]/", "host"),
            ("https://[::1/", "host"),
            ("https://a b/", "characters"),
            (&long, "too long"),
        ] {
            let found = Url::parse(text).unwrap_err();
            assert!(found.contains(why), "{text}: {found}");
        }
    }
}
