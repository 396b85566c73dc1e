//! Connections that a session forwards: one line for what was asked, one for what came of it, some for what passes, one for
//! its end.
//!
//! What passes is not kept: a recording holds its size and digest each way.

use std::fmt;

use config::words::shown;
use serde::{Deserialize, Serialize};

use crate::digest::StreamDigest;

/// One line about a forwarded connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum ForwardEvent {
    /// Somebody wants a connection; written before the other side hears of it.
    Asked {
        /// The connection's number within the session.
        n: u64,
        /// Of what kind.
        channel: Forwarded,
        /// Where to, as the asking side named it: `HOST:PORT` or a path; empty for an agent and a display.
        to: String,
        /// Where from, as the asking side says; empty if it does not.
        from: String,
    },
    /// The other side took it; written before the asking side hears of it.
    Opened {
        /// The connection's number.
        n: u64,
    },
    /// The role does not give it, or the other side did not take it.
    Refused {
        /// The connection's number.
        n: u64,
        /// Why.
        why: String,
    },
    /// The target listens for connections to the person's side.
    Listening {
        /// Where, as the person named it, with the port that the target chose.
        at: String,
    },
    /// A request to the person's agent; written before the agent hears of it.
    Agent {
        /// The connection's number.
        n: u64,
        /// Its kind.
        request: String,
    },
    /// What has passed so far; written before the other side gets the last of it.
    Passed {
        /// The connection's number.
        n: u64,
        /// What went from the person's side to the target's.
        up: Passed,
        /// What went from the target's side to the person's.
        down: Passed,
    },
    /// The connection is over.
    Closed {
        /// The connection's number.
        n: u64,
        /// What went from the person's side to the target's.
        up: Passed,
        /// What went from the target's side to the person's.
        down: Passed,
        /// Whether a side closed it; if not, it was cut off with the session.
        closed: bool,
    },
}

/// A kind of forwarded connection, by the name of its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forwarded {
    /// From the person's side to a host and port (RFC 4254 §7.2).
    #[serde(rename = "direct-tcpip")]
    DirectTcp,
    /// From the person's side to a Unix socket (OpenSSH's `PROTOCOL`, section 2.4).
    #[serde(rename = "direct-streamlocal@openssh.com")]
    DirectSocket,
    /// From the target's side, out of a port (RFC 4254 §7.2).
    #[serde(rename = "forwarded-tcpip")]
    Tcp,
    /// From the target's side, out of a Unix socket (OpenSSH's `PROTOCOL`, section 2.4).
    #[serde(rename = "forwarded-streamlocal@openssh.com")]
    Socket,
    /// From the target's side to the person's agent (draft-ietf-sshm-ssh-agent).
    #[serde(rename = "auth-agent@openssh.com")]
    Agent,
    /// From the target's side to the person's display (RFC 4254 §6.3.2).
    #[serde(rename = "x11")]
    X11,
}

/// What went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    /// How many bytes.
    pub bytes: u64,
    /// Their digest.
    pub digest: StreamDigest,
}

impl fmt::Display for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::DirectTcp | Self::DirectSocket => "connection",
            Self::Tcp | Self::Socket => "connection from outside",
            Self::Agent => "agent",
            Self::X11 => "display",
        })
    }
}

impl fmt::Display for ForwardEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked {
                n,
                channel,
                to,
                from,
            } => {
                write!(f, "[{n}] {channel}")?;
                for (word, place) in [("to", to), ("from", from)] {
                    if !place.is_empty() {
                        write!(f, " {word} {}", shown(place))?;
                    }
                }
                Ok(())
            }
            Self::Opened { n } => write!(f, "[{n}] opened"),
            Self::Refused { n, why } => write!(f, "[{n}] refused: {}", shown(why)),
            Self::Listening { at } => write!(f, "the target listens on {}", shown(at)),
            Self::Agent { n, request } => write!(f, "[{n}] the agent is asked: {}", shown(request)),
            Self::Passed { n, up, down } => {
                write!(f, "[{n}] so far sent {up}, received {down}")
            }
            Self::Closed {
                n,
                up,
                down,
                closed,
            } => {
                let how = if *closed { "closed" } else { "cut off" };
                write!(f, "[{n}] {how}, sent {up}, received {down}")
            }
        }
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            0 => f.write_str("nothing"),
            bytes => write!(f, "{bytes} bytes {}", self.digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_connection_is_text_whatever_its_places_hold() {
        let asked = ForwardEvent::Asked {
            n: 3,
            channel: Forwarded::DirectTcp,
            to: "\x1b[2J:80".to_owned(),
            from: String::new(),
        };
        assert_eq!(asked.to_string(), "[3] connection to \"\\u{1b}[2J:80\"");
        let text = serde_json::to_string(&asked).unwrap();
        assert!(text.contains("\"channel\":\"direct-tcpip\""), "{text}");
        assert_eq!(serde_json::from_str::<ForwardEvent>(&text).unwrap(), asked);
    }
}
