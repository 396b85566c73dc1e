//! One connection of a target to the CA: the CA by its pinned key, the target by its host key.

use std::borrow::Cow;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::limits;
use config::rules::HostPort;
use record::fingerprint::Fingerprint;
use russh::client::{self, ChannelOpenHandle, Handle, Msg, Session};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Preferred, SshId, compression};
use ssh_key::{PrivateKey, PublicKey};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::failure::{Failure, Result};

/// How long an answer may take, all of it: 100,000 revocations over a slow line.
const ANSWER: Duration = Duration::from_secs(60);

/// Most bytes of what the CA says on standard error.
const WORDS: usize = 4096;

/// A connection to the CA.
pub(super) struct Link {
    handle: Handle<Pin>,
    shown: Arc<Mutex<Option<PublicKey>>>,
}

impl Link {
    /// Connects to the CA, which must show this key, as `user` with this key.
    pub(super) async fn open(
        address: &HostPort,
        pinned: Fingerprint,
        user: &str,
        key: PrivateKey,
    ) -> Result<Self> {
        let connecting = connect(address, pinned, user, key);
        let connected = timeout(limits::CA_ANSWER, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err("it does not answer".to_owned()));
        connected.map_err(|why| Failure::new(format!("the CA at {address}: {why}")))
    }

    /// The key that the CA has shown: the one that was pinned.
    pub(super) fn ca_key(&self) -> Option<PublicKey> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }

    /// Runs one command, and gives its standard output; what it refuses is the failure.
    pub(super) async fn ask(&self, command: &str) -> Result<Vec<u8>> {
        let answer = timeout(ANSWER, run(&self.handle, command)).await;
        let answer = answer.unwrap_or_else(|_| Err("its answer takes too long".to_owned()));
        let answer = answer.map_err(|why| Failure::new(format!("the CA: {why}")))?;
        if answer.status == Some(0) {
            return Ok(answer.out);
        }
        let words = String::from_utf8_lossy(&answer.err).trim().to_owned();
        Err(Failure::new(match words.as_str() {
            "" => "the CA broke off".to_owned(),
            words => format!("the CA: {words}"),
        }))
    }
}

/// Runs what is asynchronous to its end.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build()?.block_on(work)
}

async fn connect(
    address: &HostPort,
    pinned: Fingerprint,
    user: &str,
    key: PrivateKey,
) -> std::result::Result<Link, String> {
    let HostPort { host, port } = address;
    let tcp = TcpStream::connect((host.as_str(), *port)).await;
    let tcp = tcp.map_err(|e| e.to_string())?;
    let config = client::Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-hallpass-target")),
        preferred: Preferred {
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        nodelay: true,
        ..client::Config::default()
    };
    let shown = Arc::new(Mutex::new(None));
    let pin = Pin {
        key: pinned,
        shown: Arc::clone(&shown),
    };
    let connected = client::connect_stream(Arc::new(config), tcp, pin).await;
    let mut handle = connected.map_err(|e| match e {
        russh::Error::UnknownKey => "it shows another host key than the pinned one".to_owned(),
        other => other.to_string(),
    })?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    let answer = handle.authenticate_publickey(user, key).await;
    if answer.map_err(|e| e.to_string())?.success() {
        Ok(Link { handle, shown })
    } else {
        Err(
            "it knows neither this host key nor this token: the target is not in its inventory, has not joined, \
             was shut out, or the token is spent, expired or another one's; the CA's log says which"
                .to_owned(),
        )
    }
}

#[derive(Default)]
struct Answer {
    out: Vec<u8>,
    err: Vec<u8>,
    status: Option<u32>,
}

async fn run(handle: &Handle<Pin>, command: &str) -> std::result::Result<Answer, String> {
    let opened = handle.channel_open_session().await;
    let mut channel = opened.map_err(|e| e.to_string())?;
    let asked = channel.exec(true, command).await;
    asked.map_err(|e| e.to_string())?;
    let mut answer = Answer::default();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => answer.out.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => {
                let room = WORDS.saturating_sub(answer.err.len());
                answer.err.extend(data.iter().take(room));
            }
            ChannelMsg::ExitStatus { exit_status } => answer.status = Some(exit_status),
            ChannelMsg::Failure => return Err("it does not answer this to a target".to_owned()),
            _ => {}
        }
        // Text within JSON may need twice its length.
        if answer.out.len() > 2 * limits::ORDERS_BYTES {
            return Err("its answer is too long".to_owned());
        }
    }
    Ok(answer)
}

/// Believes one host key, and takes nothing that the CA might open.
struct Pin {
    key: Fingerprint,
    shown: Arc<Mutex<Option<PublicKey>>>,
}

impl client::Handler for Pin {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> std::result::Result<bool, russh::Error> {
        let key = PublicKey::from(key.public_key().key_data().clone());
        let right = Fingerprint::of(&key) == self.key;
        if right {
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        }
        Ok(right)
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> std::result::Result<(), russh::Error> {
        drop(reply);
        Ok(())
    }
}
