//! What happens in a session, one line each.
//!
//! A line is `[interval, code, data]`. Times are kept as microseconds since the session began, and the
//! interval is the difference of two of them, so that no rounding adds up.

mod pieces;
mod quick;

use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::crypt::original::Masked;
use super::file::FileEvent;
use super::forward::ForwardEvent;
use super::header::Size;
use crate::digest::StreamDigest;
pub(super) use pieces::pieces;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, in microseconds since the session began.
    pub at_us: u64,
    /// What.
    pub data: Data,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Bytes of a stream, exactly as they were sent. They need not be UTF-8, and may end within a
    /// character that the next ones complete.
    Bytes(Stream, Vec<u8>),
    /// The terminal has a new size.
    Resize(Size),
    /// A place worth finding again.
    Marker(String),
    /// How the command ended.
    Exit(u32),
    /// Something was done with files.
    File(FileEvent),
    /// Something about a forwarded connection.
    Forward(ForwardEvent),
    /// What stood in place of what was masked in the bytes that follow, sealed.
    Masked(Masked),
    /// A stream that was not kept whole.
    Tally(Tally),
    /// The End: the last event of every recording, and of nothing else.
    End(End),
    /// Something that this version does not know; it is kept, and passed over.
    Unknown {
        /// Its code.
        code: String,
        /// Its data.
        data: String,
    },
}

/// A direction of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// From the target: the terminal's output, or standard output.
    Output,
    /// From the target: standard error (RFC 4254 §5.2).
    ErrorOutput,
    /// From the person.
    Input,
}

/// How much went through a stream of which not everything was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Which.
    pub stream: Stream,
    /// All its bytes.
    pub bytes: u64,
    /// Their digest. Absent for input that may not be kept: of a typed password, a digest gives too much away.
    pub digest: Option<StreamDigest>,
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Why it ended.
    pub reason: EndReason,
    /// How the command ended, if it did and the target said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit: Option<Exit>,
}

/// How a command ended (RFC 4254 §6.10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// With a status.
    Status(u32),
    /// By a signal, named without `SIG`.
    Signal(String),
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// Why a session ended.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum EndReason {
            $($(#[$doc])* $name,)+
            /// A reason that this version does not know, in its own word.
            Other(String),
        }

        impl EndReason {
            /// The reason's word, for example `deadline`.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<String> for EndReason {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$name,)+
                    _ => Self::Other(word),
                }
            }
        }
    };
}

reasons! {
    /// The command or shell ended, and the target said how.
    Exit = "exit",
    /// The target closed the channel or the connection without saying how the command ended.
    TargetClosed = "target-closed",
    /// The target could not be reached, or did not prove itself, or did not let the session in.
    TargetRefused = "target-refused",
    /// The person closed the channel or the connection.
    ClientClosed = "client-closed",
    /// The grant's deadline.
    Deadline = "deadline",
    /// The grant was revoked, or its person removed.
    Revoked = "revoked",
    /// Nothing happened for the longest time that the role allows.
    Idle = "idle",
    /// Somebody ended it by hand.
    Killed = "killed",
    /// The bastion was told to stop.
    Shutdown = "shutdown",
    /// A side did not take its bytes, and they filled the bounded space between.
    Overflow = "overflow",
    /// The recording could not be written on.
    Recorder = "recorder",
    /// The bastion died. Written by the next start, at the time of the last event.
    Crash = "crash",
}

impl From<EndReason> for String {
    fn from(reason: EndReason) -> Self {
        reason.as_str().to_owned()
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Stream {
    /// The event code of its text.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Output => "o",
            Self::ErrorOutput => "e",
            Self::Input => "i",
        }
    }

    pub(super) fn from_code(code: &str) -> Option<Self> {
        [Self::Output, Self::ErrorOutput, Self::Input]
            .into_iter()
            .find(|stream| stream.code() == code)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.stream.code(), self.bytes)?;
        match self.digest {
            Some(digest) => write!(f, "{digest}"),
            None => f.write_str("-"),
        }
    }
}

/// Some text is not what its event's code promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event: {0}")]
pub struct EventError(pub(super) &'static str);

impl FromStr for Tally {
    type Err = EventError;

    fn from_str(text: &str) -> Result<Self, EventError> {
        let bad = EventError("a tally is a stream, a number and a digest");
        let parts: Vec<&str> = text.split(' ').collect();
        let [stream, bytes, digest] = parts.as_slice() else {
            return Err(bad);
        };
        Ok(Self {
            stream: Stream::from_code(stream).ok_or(bad)?,
            bytes: bytes.parse().map_err(|_| bad)?,
            digest: if *digest == "-" {
                None
            } else {
                Some(digest.parse().map_err(|_| bad)?)
            },
        })
    }
}

impl Data {
    /// Its code and data, as the line holds them.
    fn parts(&self) -> (&str, Cow<'_, str>) {
        let (code, data) = match self {
            Self::Bytes(stream, bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => return (stream.code(), Cow::Borrowed(text)),
                Err(_) => ("B", format!("{}:{}", stream.code(), STANDARD.encode(bytes))),
            },
            Self::Resize(size) => ("r", format!("{}x{}", size.cols(), size.rows())),
            Self::Marker(label) => return ("m", Cow::Borrowed(label)),
            Self::Exit(status) => ("x", status.to_string()),
            Self::File(file) => ("f", serde_json::to_string(file).unwrap_or_default()),
            Self::Forward(forward) => ("c", serde_json::to_string(forward).unwrap_or_default()),
            Self::Masked(masked) => ("k", masked.line()),
            Self::Tally(tally) => ("d", tally.to_string()),
            // An enum and strings always serialize.
            Self::End(end) => ("z", serde_json::to_string(end).unwrap_or_default()),
            Self::Unknown { code, data } => return (code, Cow::Borrowed(data)),
        };
        (code, Cow::Owned(data))
    }

    fn from_parts(code: String, data: String) -> Result<Self, EventError> {
        if let Some(stream) = Stream::from_code(&code) {
            return Ok(Self::Bytes(stream, data.into_bytes()));
        }
        match code.as_str() {
            "B" => {
                let bad = EventError("bytes are a stream and base64");
                let (stream, digits) = data.split_once(':').ok_or(bad)?;
                let stream = Stream::from_code(stream).ok_or(bad)?;
                Ok(Self::Bytes(
                    stream,
                    STANDARD.decode(digits).map_err(|_| bad)?,
                ))
            }
            "r" => {
                let bad = EventError("a size is two numbers within the limits");
                let (cols, rows) = data.split_once('x').ok_or(bad)?;
                let (cols, rows) = (
                    cols.parse().map_err(|_| bad)?,
                    rows.parse().map_err(|_| bad)?,
                );
                Ok(Self::Resize(Size::recorded(cols, rows).ok_or(bad)?))
            }
            "m" => Ok(Self::Marker(data)),
            "x" => Ok(Self::Exit(
                data.parse()
                    .map_err(|_| EventError("an exit status is a number"))?,
            )),
            "f" => {
                Ok(Self::File(serde_json::from_str(&data).map_err(|_| {
                    EventError("what was done with files is JSON")
                })?))
            }
            "c" => Ok(Self::Forward(
                serde_json::from_str(&data)
                    .map_err(|_| EventError("what was forwarded is JSON"))?,
            )),
            "k" => Ok(Self::Masked(Masked::parse(&data)?)),
            "d" => Ok(Self::Tally(data.parse()?)),
            "z" => Ok(Self::End(
                serde_json::from_str(&data).map_err(|_| EventError("an End is JSON"))?,
            )),
            _ => Ok(Self::Unknown { code, data }),
        }
    }
}

/// Room for what a line holds beside its data, and for some that is escaped: enough for most, so that it grows once.
const ROOM_BESIDE: usize = 1024;

/// Appends an event's line, with its newline. `last_us` is the time of the event before it, and becomes the
/// time of this one.
pub(super) fn write_line(out: &mut Vec<u8>, last_us: &mut u64, event: &Event) {
    let interval = event.at_us.saturating_sub(*last_us);
    *last_us = event.at_us.max(*last_us);
    let (code, data) = event.data.parts();
    out.reserve(data.len() + ROOM_BESIDE);
    // Writing into a vector does not fail, and strings always serialize.
    let _ = write!(
        out,
        "[{}.{:06}, ",
        interval / 1_000_000,
        interval % 1_000_000
    );
    let _ = serde_json::to_writer(&mut *out, code);
    out.extend_from_slice(b", ");
    let _ = serde_json::to_writer(&mut *out, &data);
    out.extend_from_slice(b"]\n");
}

/// Reads an event's line, without its newline; `None` for a comment. Updates `last_us` to the event's time.
pub(super) fn read_line(line: &str, last_us: &mut u64) -> Result<Option<Event>, EventError> {
    if line.starts_with('#') {
        return Ok(None);
    }
    let (interval, code, data): (f64, String, String) =
        serde_json::from_str(line).map_err(|_| EventError("a line is [interval, code, data]"))?;
    if !(0.0..1e9).contains(&interval) {
        return Err(EventError(
            "an interval is not negative, and shorter than a lifetime",
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within 0 and 1e15 by the check above"
    )]
    let interval_us = (interval * 1e6).round() as u64;
    *last_us = last_us.saturating_add(interval_us);
    Ok(Some(Event {
        at_us: *last_us,
        data: Data::from_parts(code, data)?,
    }))
}

/// Reads an event's line as [`read_line`] does, for those who only want to know whether it is one, and whether it is the End.
pub(super) fn check_line(line: &str, last_us: &mut u64) -> Result<Option<End>, EventError> {
    if let Some(interval_us) = quick::interval_of_text(line) {
        *last_us = last_us.saturating_add(interval_us);
        return Ok(None);
    }
    let event = read_line(line, last_us)?;
    Ok(event.and_then(|event| match event.data {
        Data::End(end) => Some(end),
        _ => None,
    }))
}
