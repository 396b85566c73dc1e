//! What is said about a session before anything happens in it: the first line of its recording.

use std::net::IpAddr;

use config::limits;
use config::words::{BastionName, PersonName, Principal, RequestId, RoleName, SessionId};
use serde::{Deserialize, Serialize};

use super::crypt::original::OriginalKey;

/// The version of what stands under `hallpass` in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
struct HeaderVersion(u32);

const CURRENT: HeaderVersion = HeaderVersion(1);

/// Who, where, as what, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The session; it names the file.
    pub session: SessionId,
    /// The person.
    pub person: PersonName,
    /// The account and the target.
    pub access: Principal,
    /// The role under which access was given.
    pub role: RoleName,
    /// The request that was granted.
    pub request: RequestId,
    /// The serial of the access certificate.
    pub serial: u64,
    /// The bastion that carries the session, and signs its recording.
    pub bastion: BastionName,
    /// Where the person's connection comes from.
    pub source: IpAddr,
    /// The SSH identification of the person's client, without control characters.
    pub client: String,
    /// What was opened.
    pub kind: Kind,
    /// The command that the person asked for, if any, or the subsystem; of a forwarding, where it leads.
    pub command: Option<String>,
    /// The command that runs in its place, if the certificate forces one.
    pub forced: Option<String>,
    /// The terminal, if the session has one.
    pub term: Option<Term>,
    /// The environment variables that were sent to the target, which may have taken some of them.
    pub environment: Vec<(String, String)>,
    /// Whether what is typed at the terminal is kept; if not, only its length is.
    pub record_input: bool,
    /// When the session began, in milliseconds since 1970.
    pub started_ms: u64,
    /// The key of what is masked in the session, if that is kept. The store that begins a recording makes it.
    pub original: Option<OriginalKey>,
}

/// What a session channel was opened for (RFC 4254 §6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A login shell.
    Shell,
    /// One command.
    Exec,
    /// A subsystem, for example sftp.
    Subsystem,
    /// Forwarded connections alone, without a session channel (RFC 4254 §7).
    Forward,
}

/// The terminal of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Its size.
    pub size: Size,
    /// Its type, as `TERM` says it.
    pub name: String,
}

/// The size of a terminal in character cells, each side 1 to [`limits::TERM_SIDE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    cols: u16,
    rows: u16,
}

impl Size {
    /// What a session without a terminal is shown in.
    pub const DEFAULT: Self = Self { cols: 80, rows: 24 };

    /// What a client asks for. RFC 4254 §6.2 lets it send zero for "unknown", which becomes 80×24; a larger side
    /// than is ever recorded becomes the largest.
    pub fn asked(cols: u32, rows: u32) -> Self {
        let side = |asked: u32, default: u16| match asked {
            0 => default,
            n => u16::try_from(n.min(limits::TERM_SIDE)).unwrap_or(u16::MAX),
        };
        Self {
            cols: side(cols, Self::DEFAULT.cols),
            rows: side(rows, Self::DEFAULT.rows),
        }
    }

    /// What a recording says, which must be within the bounds.
    pub fn recorded(cols: u32, rows: u32) -> Option<Self> {
        let size = Self::asked(cols, rows);
        (u32::from(size.cols) == cols && u32::from(size.rows) == rows).then_some(size)
    }

    /// Columns.
    pub const fn cols(self) -> u16 {
        self.cols
    }

    /// Rows.
    pub const fn rows(self) -> u16 {
        self.rows
    }
}

/// Why a recording's first line is not a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is not JSON of the right shape.
    #[error("the first line is not the header of a recording: {0}")]
    Malformed(String),
    /// It is an asciicast, of another version than 3.
    #[error("an asciicast of version {0}, and a recording is one of version 3")]
    Asciicast(u32),
    /// It was written by an older program than this one reads.
    #[error("written by too old a version of hallpass (header version {0})")]
    TooOld(u32),
    /// It was written by a newer program.
    #[error("written by a newer version of hallpass (header version {0}): read it with that one")]
    TooNew(u32),
    /// Its terminal is larger than any that is recorded.
    #[error("its terminal, {cols} by {rows}, is not between 1 and {most} on each side", most = limits::TERM_SIDE)]
    Size {
        /// Columns.
        cols: u32,
        /// Rows.
        rows: u32,
    },
}

impl Header {
    /// The line, with its newline.
    pub fn to_line(&self) -> Vec<u8> {
        let size = self.term.as_ref().map_or(Size::DEFAULT, |term| term.size);
        let line = Line {
            version: 3,
            term: LineTerm {
                cols: size.cols.into(),
                rows: size.rows.into(),
                kind: self.term.as_ref().map(|term| term.name.clone()),
            },
            timestamp: self.started_ms / 1000,
            command: self.forced.clone().or_else(|| self.command.clone()),
            title: Some(format!("{}: {}", self.person, self.access)),
            hallpass: Ours {
                version: CURRENT,
                session: self.session.clone(),
                person: self.person.clone(),
                access: self.access.clone(),
                role: self.role.clone(),
                request: self.request.clone(),
                serial: self.serial,
                bastion: self.bastion.clone(),
                source: self.source,
                client: self.client.clone(),
                kind: self.kind,
                command: self.command.clone(),
                forced: self.forced.clone(),
                terminal: self.term.is_some(),
                environment: self.environment.clone(),
                record_input: self.record_input,
                started_ms: self.started_ms,
                original: self.original.clone(),
            },
        };
        // Strings, numbers and structs of them always serialize.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads the line, with or without its newline.
    pub fn from_line(line: &str) -> Result<Self, HeaderError> {
        let malformed = |e: serde_json::Error| HeaderError::Malformed(e.to_string());
        let probe: Probe = serde_json::from_str(line).map_err(malformed)?;
        if probe.version != 3 {
            return Err(HeaderError::Asciicast(probe.version));
        }
        let version = probe.hallpass.version;
        if version < CURRENT {
            return Err(HeaderError::TooOld(version.0));
        }
        if version > CURRENT {
            return Err(HeaderError::TooNew(version.0));
        }
        let Line {
            term,
            hallpass: ours,
            ..
        } = serde_json::from_str(line).map_err(malformed)?;
        let size = Size::recorded(term.cols, term.rows).ok_or(HeaderError::Size {
            cols: term.cols,
            rows: term.rows,
        })?;
        Ok(Self {
            session: ours.session,
            person: ours.person,
            access: ours.access,
            role: ours.role,
            request: ours.request,
            serial: ours.serial,
            bastion: ours.bastion,
            source: ours.source,
            client: ours.client,
            kind: ours.kind,
            command: ours.command,
            forced: ours.forced,
            term: ours.terminal.then(|| Term {
                size,
                name: term.kind.unwrap_or_default(),
            }),
            environment: ours.environment,
            record_input: ours.record_input,
            started_ms: ours.started_ms,
            original: ours.original,
        })
    }
}

#[derive(Deserialize)]
struct Probe {
    version: u32,
    hallpass: ProbeOurs,
}

#[derive(Deserialize)]
struct ProbeOurs {
    version: HeaderVersion,
}

#[derive(Serialize, Deserialize)]
struct Line {
    version: u32,
    term: LineTerm,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    hallpass: Ours,
}

#[derive(Serialize, Deserialize)]
struct LineTerm {
    cols: u32,
    rows: u32,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ours {
    version: HeaderVersion,
    session: SessionId,
    person: PersonName,
    access: Principal,
    role: RoleName,
    request: RequestId,
    serial: u64,
    bastion: BastionName,
    source: IpAddr,
    client: String,
    kind: Kind,
    command: Option<String>,
    forced: Option<String>,
    terminal: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    environment: Vec<(String, String)>,
    record_input: bool,
    started_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original: Option<OriginalKey>,
}
