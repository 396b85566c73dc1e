//! Where a forwarded connection leads, and where the target listens for one: as the person's client names it.

use config::forwards::ForwardRules;
use config::limits;
use record::recording::Forwarded;

/// Where a connection from the person's side leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A host and port (RFC 4254 §7.2), and where the connection to the client came from.
    Tcp {
        host: String,
        port: u32,
        from: (String, u32),
    },
    /// A Unix socket on the target (OpenSSH's `PROTOCOL`, section 2.4).
    Socket(String),
}

/// Where the target listens for connections to the person's side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Listening {
    /// An address and port; port 0 is one that the target chooses (RFC 4254 §7.1).
    Tcp(String, u32),
    /// A Unix socket.
    Socket(String),
}

impl Destination {
    /// Whether a role gives it.
    pub(crate) fn given(&self, rules: &ForwardRules) -> bool {
        match self {
            Self::Tcp { host, port, .. } => rules.leads_to(host, *port),
            Self::Socket(path) => rules.leads_to_socket(path),
        }
    }

    /// Whether it is short enough to be recorded whole.
    pub(crate) fn fits(&self) -> bool {
        match self {
            Self::Tcp { host, from, .. } => short(host) && short(&from.0),
            Self::Socket(path) => short(path),
        }
    }

    pub(crate) fn kind(&self) -> Forwarded {
        match self {
            Self::Tcp { .. } => Forwarded::DirectTcp,
            Self::Socket(_) => Forwarded::DirectSocket,
        }
    }

    /// In words for people and recordings.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Tcp { host, port, .. } => place(host, *port),
            Self::Socket(path) => path.clone(),
        }
    }

    /// Where the connection comes from, as far as the client says.
    pub(crate) fn from(&self) -> String {
        match self {
            Self::Tcp { from, .. } => place(&from.0, from.1),
            Self::Socket(_) => String::new(),
        }
    }
}

impl Listening {
    /// Whether a role gives it.
    pub(crate) fn given(&self, rules: &ForwardRules) -> bool {
        match self {
            Self::Tcp(host, port) => rules.listens_on(host, *port),
            Self::Socket(path) => rules.listens_on_socket(path),
        }
    }

    /// Whether it is short enough to be recorded whole.
    pub(crate) fn fits(&self) -> bool {
        match self {
            Self::Tcp(name, _) | Self::Socket(name) => short(name),
        }
    }

    /// In words for people and recordings.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Tcp(host, port) => place(host, *port),
            Self::Socket(path) => path.clone(),
        }
    }
}

fn short(name: &str) -> bool {
    name.len() <= limits::FORWARD_NAME_BYTES
}

/// A host and port as one word.
pub(crate) fn place(host: &str, port: u32) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
