//! A request, as the canonical text that everybody signs and everything points at.
//!
//! ```text
//! hallpass-request-v1
//! id: 7F3K-9QMD
//! person: alice
//! key: SHA256:uNiVztksCsDhcc0u9e8BrrOX9gGr1EYgHqRCDMRqVVs
//! access: postgres@db1.prod
//! role: db-oncall
//! command: -
//! seconds: 900
//! break-glass: no
//! reason: INC-42 replication stuck
//! policy: sha256:…
//! asked: 2026-11-22T03:12:04Z
//! expires: 2026-11-22T04:12:04Z
//! ```
//!
//! The lines stand in this order, each once, each ended by one line feed; a command that is
//! absent is `-`, one that is present stands behind `$ `. There is one text for one request:
//! [`Request::parse`] refuses everything that [`Request::text`] would not write.

use std::str::FromStr;
use std::time::Duration;

use config::limits;
use config::words::{PersonName, Principal, RequestId, RoleName};

use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::text::{Command, Reason};

/// The namespace of an approval's SSHSIG (`ssh-keygen -Y sign -n`).
pub const APPROVAL_NAMESPACE: &str = "approval@hallpass";

/// The namespace of the SSHSIG by which a person proves, with the PIN of a token, that it is they who break the glass.
pub const PROOF_NAMESPACE: &str = "break-glass@hallpass";

const VERSION: &str = "hallpass-request-v1";

/// A person asks for an access under a role, for a time, with a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its identifier.
    pub id: RequestId,
    /// Who asks.
    pub person: PersonName,
    /// The key that the certificate will be for: its SHA-256 fingerprint as OpenSSH writes it.
    pub key: String,
    /// What for.
    pub access: Principal,
    /// Under which role.
    pub role: RoleName,
    /// The one command that will be allowed, if the person narrowed it or the role forces it.
    pub command: Option<Command>,
    /// For how long, in seconds from the grant.
    pub seconds: u64,
    /// Whether it is taken before its approval.
    pub break_glass: bool,
    /// Why.
    pub reason: Reason,
    /// The digest of the policy that it was decided under.
    pub policy: Digest,
    /// When it was asked.
    pub asked: UnixTime,
    /// Until when approvals count.
    pub expires: UnixTime,
}

/// Why a text is not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    /// The text begins with another version than this program knows.
    #[error("not a request of version 1")]
    Version,
    /// A line is missing, misplaced or wrong.
    #[error("line {0} of the request is missing or wrong")]
    Line(&'static str),
    /// The text reads like a request but is not spelled as one.
    #[error("the request is not in its canonical form")]
    Spelling,
}

impl Request {
    /// The canonical text: what approvers sign.
    pub fn text(&self) -> String {
        let command = self
            .command
            .as_ref()
            .map_or_else(|| "-".to_owned(), |c| format!("$ {c}"));
        format!(
            "{VERSION}\nid: {}\nperson: {}\nkey: {}\naccess: {}\nrole: {}\ncommand: {command}\nseconds: {}\n\
             break-glass: {}\nreason: {}\npolicy: {}\nasked: {}\nexpires: {}\n",
            self.id,
            self.person,
            self.key,
            self.access,
            self.role,
            self.seconds,
            if self.break_glass { "yes" } else { "no" },
            self.reason,
            self.policy,
            self.asked,
            self.expires,
        )
    }

    /// The digest of the canonical text: what grants and log entries point at.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    /// How long the grant will live.
    pub fn life(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Reads a canonical text.
    pub fn parse(text: &str) -> Result<Self, NotARequest> {
        let mut lines = text.split('\n');
        if lines.next() != Some(VERSION) {
            return Err(NotARequest::Version);
        }
        let request = Self {
            id: field(&mut lines, "id")?,
            person: field(&mut lines, "person")?,
            key: fingerprint(line(&mut lines, "key")?)?,
            access: field(&mut lines, "access")?,
            role: field(&mut lines, "role")?,
            command: command(line(&mut lines, "command")?)?,
            seconds: field(&mut lines, "seconds")?,
            break_glass: yes_or_no(line(&mut lines, "break-glass")?)?,
            reason: field(&mut lines, "reason")?,
            policy: field(&mut lines, "policy")?,
            asked: field(&mut lines, "asked")?,
            expires: field(&mut lines, "expires")?,
        };
        if request.seconds > limits::GRANT_LONGEST.as_secs() {
            return Err(NotARequest::Line("seconds"));
        }
        if request.text() == text {
            Ok(request)
        } else {
            Err(NotARequest::Spelling)
        }
    }
}

fn line<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    name: &'static str,
) -> Result<&'a str, NotARequest> {
    lines
        .next()
        .and_then(|line| line.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix(": "))
        .ok_or(NotARequest::Line(name))
}

fn field<'a, T: FromStr>(
    lines: &mut impl Iterator<Item = &'a str>,
    name: &'static str,
) -> Result<T, NotARequest> {
    line(lines, name)?
        .parse()
        .map_err(|_| NotARequest::Line(name))
}

fn fingerprint(text: &str) -> Result<String, NotARequest> {
    match text.parse::<ssh_key::Fingerprint>() {
        Ok(fingerprint) if fingerprint.is_sha256() && fingerprint.to_string() == text => {
            Ok(text.to_owned())
        }
        _ => Err(NotARequest::Line("key")),
    }
}

fn command(text: &str) -> Result<Option<Command>, NotARequest> {
    match text.strip_prefix("$ ") {
        Some(command) => command
            .parse()
            .map(Some)
            .map_err(|_| NotARequest::Line("command")),
        None if text == "-" => Ok(None),
        None => Err(NotARequest::Line("command")),
    }
}

fn yes_or_no(text: &str) -> Result<bool, NotARequest> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(NotARequest::Line("break-glass")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            id: "7F3K-9QMD".parse().unwrap(),
            person: "alice".parse().unwrap(),
            key: "SHA256:uNiVztksCsDhcc0u9e8BrrOX9gGr1EYgHqRCDMRqVVs".to_owned(),
            access: "postgres@db1.prod".parse().unwrap(),
            role: "db-oncall".parse().unwrap(),
            command: None,
            seconds: 900,
            break_glass: false,
            reason: "INC-42 replication stuck".parse().unwrap(),
            policy: Digest::of(b"policy"),
            asked: UnixTime::from_secs(1_795_312_324),
            expires: UnixTime::from_secs(1_795_315_924),
        }
    }

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        let plain = request();
        assert_eq!(Request::parse(&plain.text()), Ok(plain));
        let narrowed = Request {
            command: Some("-".parse().unwrap()),
            break_glass: true,
            ..request()
        };
        assert_eq!(Request::parse(&narrowed.text()), Ok(narrowed));
    }

    #[test]
    fn promise_28_every_changed_byte_is_another_request_or_none() {
        let original = request();
        let text = original.text().into_bytes();
        for at in 0..text.len() {
            for flip in [1, 0x20, 0x80] {
                let mut changed = text.clone();
                changed[at] ^= flip;
                let read = String::from_utf8(changed)
                    .ok()
                    .and_then(|text| Request::parse(&text).ok());
                assert_ne!(read.as_ref(), Some(&original), "byte {at}");
                if let Some(other) = read {
                    assert_ne!(other.digest(), original.digest(), "byte {at}");
                }
            }
        }
    }

    #[test]
    fn a_text_with_more_or_less_is_refused() {
        let text = request().text();
        assert_eq!(
            Request::parse(&format!("{text}extra: 1\n")),
            Err(NotARequest::Spelling)
        );
        assert_eq!(Request::parse(text.trim_end()), Err(NotARequest::Spelling));
        assert_eq!(
            Request::parse(&text.replace("seconds: 900", "seconds: 0900")),
            Err(NotARequest::Spelling)
        );
        assert_eq!(
            Request::parse(&text.replace("seconds: 900", "seconds: 43201")),
            Err(NotARequest::Line("seconds"))
        );
        assert_eq!(
            Request::parse(&text.replace("-v1", "-v2")),
            Err(NotARequest::Version)
        );
        assert_eq!(
            Request::parse(&text.replace("role: db-oncall\n", "")),
            Err(NotARequest::Line("role"))
        );
    }
}
