//! The connection to a target: whether it is that target, and whether it lets the login in.

mod calm;
mod forward;
mod program;
mod usher;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use config::limits;
use config::words::{Login, TargetName, shown};
use record::clock::UnixTime;
use russh::client::{self, Handle, Msg};
use russh::{Channel, Preferred, SshId, compression};
use ssh_key::{Algorithm, Certificate, PrivateKey};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::flow::OPEN;
use crate::gates::Gates;
use crate::host::{self, HostFault, Proof};
use calm::Calm;
pub use forward::Guests;
pub(crate) use forward::{Arrival, Guest};
use usher::Usher;

/// What to connect to, and as whom.
#[derive(Debug)]
pub struct Ask {
    /// The target's name.
    pub name: TargetName,
    /// The account.
    pub login: Login,
    /// Where its sshd listens: host name or address.
    pub host: String,
    /// And its port.
    pub port: u16,
    /// How it has to prove itself.
    pub proof: Proof,
    /// The session's own key.
    pub key: PrivateKey,
    /// The session certificate for that key.
    pub certificate: Certificate,
    /// The time that certificates are judged at.
    pub now: UnixTime,
    /// Which channels it may open to us.
    pub guests: Guests,
    /// What it says is shown at a terminal.
    pub terminal: bool,
}

/// Why there is no connection to a target. What it says may be shown to the person.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Its name has no address.
    #[error("{name} has no address: {host}: {source}")]
    Unresolved {
        /// The target.
        name: TargetName,
        /// Its address in the configuration.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing listens there.
    #[error("{name} refuses connections: nothing listens on port {port}")]
    Refused {
        /// The target.
        name: TargetName,
        /// The port.
        port: u16,
    },
    /// It cannot be reached.
    #[error("{name} cannot be reached: {source}")]
    Unreachable {
        /// The target.
        name: TargetName,
        /// What the system said.
        source: io::Error,
    },
    /// It did not answer within [`limits::TARGET_CONNECT`].
    #[error("{name} does not answer: {} s have passed ({step})", limits::TARGET_CONNECT.as_secs())]
    Hanging {
        /// The target.
        name: TargetName,
        /// While doing what.
        step: &'static str,
    },
    /// It is not the target, as far as anybody can tell.
    #[error("{name} did not prove that it is {name}: {fault}; nothing was sent to it")]
    Host {
        /// The target.
        name: TargetName,
        /// What was wrong.
        fault: HostFault,
    },
    /// It does not speak SSH as we do.
    #[error("{name} and this bastion cannot agree on SSH: {source}")]
    Protocol {
        /// The target.
        name: TargetName,
        /// What went wrong.
        source: russh::Error,
    },
    /// It let nobody in under that login.
    #[error(
        "{name} does not let {login} in: its sshd refused the session certificate (see `hallpass target setup`)"
    )]
    Login {
        /// The target.
        name: TargetName,
        /// The account.
        login: Login,
    },
    /// It let nobody in, and it is known that it never will.
    #[error(
        "{name} runs {program}, which knows no certificates: a target's sshd has to be OpenSSH's"
    )]
    NotOpenSsh {
        /// The target.
        name: TargetName,
        /// What runs there.
        program: &'static str,
    },
    /// It let the login in and opened no session.
    #[error("{name} opened no session: {why}")]
    Session {
        /// The target.
        name: TargetName,
        /// What it said.
        why: String,
    },
}

/// An authenticated connection. Dropping it closes it.
pub struct Connection {
    name: TargetName,
    handle: Handle<Usher>,
    gates: Gates,
    arrivals: Option<mpsc::Receiver<Arrival>>,
}

/// Connects, checks the host, and logs in, within [`limits::TARGET_CONNECT`] over all.
pub async fn connect(ask: Ask) -> Result<Connection, TargetError> {
    let name = ask.name.clone();
    let step = Mutex::new("looking up its name");
    let connecting = connect_steps(ask, &step);
    let Ok(connected) = timeout(limits::TARGET_CONNECT, connecting).await else {
        let step = *step.lock().unwrap_or_else(PoisonError::into_inner);
        return Err(TargetError::Hanging { name, step });
    };
    connected
}

async fn connect_steps(ask: Ask, step: &Mutex<&'static str>) -> Result<Connection, TargetError> {
    let addresses: Vec<_> = tokio::net::lookup_host((ask.host.as_str(), ask.port))
        .await
        .map_err(|source| TargetError::Unresolved {
            name: ask.name.clone(),
            host: ask.host.clone(),
            source,
        })?
        .collect();
    let name = ask.name.clone();
    match Box::pin(enter(ask, &addresses, step)).await {
        Err(refused @ (TargetError::Login { .. } | TargetError::Protocol { .. })) => {
            at(step, "asking what runs there");
            let program = program::without_certificates(&addresses).await;
            Err(program.map_or(refused, |program| TargetError::NotOpenSsh { name, program }))
        }
        entered => entered,
    }
}

/// Has the target prove itself, and logs in.
async fn enter(
    ask: Ask,
    addresses: &[SocketAddr],
    step: &Mutex<&'static str>,
) -> Result<Connection, TargetError> {
    let gates = Gates::default();
    let (sender, arrivals) = mpsc::channel(forward::ARRIVALS);
    let door = (gates.clone(), sender);
    let mut handle = prove(&ask, addresses, &door, step).await?;
    at(step, "logging in");
    let Ask {
        name,
        login,
        key,
        certificate,
        ..
    } = ask;
    let answer = handle
        .authenticate_openssh_cert(login.as_str(), Arc::new(key), certificate)
        .await
        .map_err(|source| TargetError::Protocol {
            name: name.clone(),
            source,
        })?;
    if !answer.success() {
        return Err(TargetError::Login { name, login });
    }
    Ok(Connection {
        name,
        handle,
        gates,
        arrivals: Some(arrivals),
    })
}

fn at(step: &Mutex<&'static str>, what: &'static str) {
    *step.lock().unwrap_or_else(PoisonError::into_inner) = what;
}

/// Connects, and has the target prove itself. One that is known by a key of one kind may show another kind first, so
/// each kind that is listed is asked for.
async fn prove(
    ask: &Ask,
    addresses: &[SocketAddr],
    door: &(Gates, mpsc::Sender<Arrival>),
    step: &Mutex<&'static str>,
) -> Result<Handle<Usher>, TargetError> {
    let mut fault = None;
    for kinds in host::attempts(&ask.proof) {
        at(step, "connecting");
        let tcp = dial(ask, addresses).await?;
        at(step, "exchanging keys");
        match shake(ask, tcp, door, kinds).await {
            Err(
                other @ TargetError::Host {
                    fault: HostFault::OtherKey(_),
                    ..
                },
            ) => fault = Some(other),
            Err(TargetError::Protocol {
                source: russh::Error::NoCommonAlgo { .. },
                ..
            }) if fault.is_some() => {}
            Err(
                none @ TargetError::Protocol {
                    source: russh::Error::NoCommonAlgo { .. },
                    ..
                },
            ) => fault = Some(none),
            shaken => return shaken,
        }
    }
    Err(fault.unwrap_or(TargetError::Host {
        name: ask.name.clone(),
        fault: HostFault::NoCertificate,
    }))
}

async fn dial(ask: &Ask, addresses: &[SocketAddr]) -> Result<TcpStream, TargetError> {
    let tcp = TcpStream::connect(addresses)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::ConnectionRefused => TargetError::Refused {
                name: ask.name.clone(),
                port: ask.port,
            },
            _ => TargetError::Unreachable {
                name: ask.name.clone(),
                source,
            },
        })?;
    // Without it, only latency suffers.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

async fn shake(
    ask: &Ask,
    tcp: TcpStream,
    door: &(Gates, mpsc::Sender<Arrival>),
    kinds: Vec<Algorithm>,
) -> Result<Handle<Usher>, TargetError> {
    let fault = Arc::new(Mutex::new(None));
    let config = Arc::new(settings(&ask.proof, kinds));
    let (name, proof, now) = (ask.name.clone(), ask.proof.clone(), ask.now);
    let usher = Usher {
        name,
        proof,
        now,
        fault: Arc::clone(&fault),
        guests: ask.guests,
        gates: door.0.clone(),
        arrivals: door.1.clone(),
    };
    client::connect_stream(config, Calm::new(tcp, ask.terminal), usher)
        .await
        .map_err(|source| {
            let name = ask.name.clone();
            match fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(fault) => TargetError::Host { name, fault },
                None => TargetError::Protocol { name, source },
            }
        })
}

impl Connection {
    /// Opens a session channel (RFC 4254 §6.1).
    pub async fn session(&self) -> Result<Channel<Msg>, TargetError> {
        self.handle
            .channel_open_session()
            .await
            .map_err(|e| TargetError::Session {
                name: self.name.clone(),
                why: match e {
                    russh::Error::ChannelOpenFailure(failure) => shown(failure.description()),
                    other => other.to_string(),
                },
            })
    }

    /// Tells the target that nothing more comes, and closes.
    pub async fn close(self) {
        let _ = self
            .handle
            .disconnect(russh::Disconnect::ByApplication, "", "en")
            .await;
    }
}

fn settings(proof: &Proof, kinds: Vec<Algorithm>) -> client::Config {
    let certificates = match proof {
        Proof::Ca { .. } => kinds.clone(),
        Proof::Pinned(_) => Vec::new(),
    };
    client::Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-hallpass")),
        preferred: Preferred {
            key: Cow::Owned(kinds),
            host_key_certificates: Cow::Owned(certificates),
            cipher: Cow::Borrowed(crate::site::CIPHERS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        window_size: OPEN,
        channel_buffer_size: crate::site::QUEUE,
        inactivity_timeout: None,
        keepalive_interval: Some(crate::site::KEEPALIVE),
        keepalive_max: crate::site::KEEPALIVES,
        nodelay: true,
        ..client::Config::default()
    }
}
