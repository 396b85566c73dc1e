//! Forwarded connections at the target: those that it is asked for, and those that it opens.

use russh::client::{ChannelOpenHandle, Msg};
use russh::{Channel, Error};
use tokio::sync::mpsc;

use super::Connection;
use crate::destination::{Destination, Listening};
use crate::gates::Gates;

/// How many connections of a target may wait to be looked at; more are refused.
pub(super) const ARRIVALS: usize = 16;

/// Which channels a target may open to us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guests {
    /// Those out of a port or socket that it listens on.
    pub forwarded: bool,
    /// Those to the person's agent.
    pub agent: bool,
    /// Those to the person's display.
    pub x11: bool,
}

/// A channel that a target opens.
pub(crate) struct Arrival {
    pub(crate) guest: Guest,
    pub(crate) channel: Channel<Msg>,
    pub(crate) reply: ChannelOpenHandle,
}

/// What a target wants to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guest {
    /// The person's side, out of an address and port of the target; and where the connection comes from.
    Tcp {
        at: (String, u32),
        from: (String, u32),
    },
    /// The person's side, out of a Unix socket.
    Socket(String),
    /// The person's agent.
    Agent,
    /// The person's display; and where the connection comes from.
    X11((String, u32)),
}

impl Connection {
    /// Opens a connection to what the target reaches. The error is the target's reason.
    pub(crate) async fn forward(&self, to: &Destination) -> Result<Channel<Msg>, String> {
        let opened = match to {
            Destination::Tcp { host, port, from } => {
                self.handle
                    .channel_open_direct_tcpip(host.as_str(), *port, from.0.as_str(), from.1)
                    .await
            }
            Destination::Socket(path) => {
                self.handle
                    .channel_open_direct_streamlocal(path.as_str())
                    .await
            }
        };
        opened.map_err(|e| match e {
            Error::ChannelOpenFailure(failure) => {
                format!("{}: {}", self.name, failure.description())
            }
            other => format!("{}: {other}", self.name),
        })
    }

    /// Has the target listen; gives where it does, with the port that it chose.
    pub(crate) async fn listen(&self, at: &Listening) -> Result<Listening, String> {
        let refused = |_| format!("{} does not listen there", self.name);
        match at {
            Listening::Tcp(host, port) => {
                let chosen = self.handle.tcpip_forward(host.as_str(), *port).await;
                let chosen = chosen.map_err(refused)?;
                let port = if *port == 0 { chosen } else { *port };
                Ok(Listening::Tcp(host.clone(), port))
            }
            Listening::Socket(path) => {
                let listens = self.handle.streamlocal_forward(path.as_str()).await;
                listens.map_err(refused)?;
                Ok(at.clone())
            }
        }
    }

    /// Has the target listen no more. What it has opened goes on.
    pub(crate) async fn unlisten(&self, at: &Listening) {
        let _ = match at {
            Listening::Tcp(host, port) => {
                self.handle.cancel_tcpip_forward(host.as_str(), *port).await
            }
            Listening::Socket(path) => self.handle.cancel_streamlocal_forward(path.as_str()).await,
        };
    }

    /// What the target opens, once.
    pub(crate) fn arrivals(&mut self) -> Option<mpsc::Receiver<Arrival>> {
        self.arrivals.take()
    }

    /// The gates of its channels.
    pub(crate) fn gates(&self) -> Gates {
        self.gates.clone()
    }
}
