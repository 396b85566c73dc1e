//! One SSH connection to the CA, made when it is needed, and HTTP on its channels.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use config::limits;
use config::rules::HostPort;
use config::words::BastionName;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use record::api::SUBSYSTEM;
use russh::client::{self, ChannelOpenHandle, Handle, Msg, Session};
use russh::keys::PrivateKeyWithHashAlg;
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg, Preferred, SshId, compression};
use ssh_key::{PrivateKey, PublicKey};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Channels of one connection, one for each call: then another connection is made. russh (0.65) forgets a channel only if its peer
/// closes it first, and keeps some 6 KiB of each other one until its connection ends.
const CHANNELS: usize = 256;

/// How long another connection may take while the one before lives: calls wait for it behind each other.
const ANOTHER: Duration = Duration::from_secs(2);

pub(super) struct Wire {
    address: HostPort,
    host_key: PublicKey,
    name: String,
    identity: Arc<PrivateKey>,
    connection: Mutex<Option<Arc<Line>>>,
}

/// A connection, and how many channels were opened on it.
struct Line {
    handle: Handle<Pin>,
    opened: AtomicUsize,
}

impl Line {
    /// Whether one more channel may be opened.
    fn takes_one_more(&self) -> bool {
        !self.handle.is_closed() && self.opened.fetch_add(1, Ordering::Relaxed) < CHANNELS
    }

    /// Has as many channels opened as at first, where no other connection is to be had. The CA bounds them too.
    fn goes_on(&self) {
        self.opened.store(1, Ordering::Relaxed);
    }
}

impl Wire {
    pub(super) fn new(
        address: HostPort,
        host_key: PublicKey,
        name: &BastionName,
        identity: PrivateKey,
    ) -> Self {
        let (name, identity) = (name.to_string(), Arc::new(identity));
        Self {
            address,
            host_key,
            name,
            identity,
            connection: Mutex::new(None),
        }
    }

    /// One request and its answer: status and body. The reason of an error is for the log.
    pub(super) async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(u16, Bytes), String> {
        let channel = self.channel().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(channel.into_stream()))
                .await
                .map_err(|e| e.to_string())?;
        let _driver = Driver(tokio::spawn(async move {
            let _ = connection.await;
        }));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "ca")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| e.to_string())?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| e.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), limits::API_BODY_BYTES)
            .collect()
            .await
            .map_err(|e| e.to_string())?;
        Ok((status, body.to_bytes()))
    }

    /// Gives the connection up: the next call makes another one.
    pub(super) async fn forget(&self) {
        *self.connection.lock().await = None;
    }

    /// A channel that speaks the API. A connection that has died since the last call is made again, once.
    async fn channel(&self) -> Result<Channel<Msg>, String> {
        let (connection, fresh) = self.connection().await?;
        match open(&connection.handle).await {
            Err(_) if !fresh => {
                self.forget().await;
                let (connection, _) = self.connection().await?;
                open(&connection.handle).await
            }
            opened => opened,
        }
    }

    /// One that takes one more channel. What is still asked on the one before goes on there, and ends it with its last channel.
    async fn connection(&self) -> Result<(Arc<Line>, bool), String> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref().filter(|one| one.takes_one_more()) {
            return Ok((Arc::clone(connection), false));
        }
        let before = slot.as_ref().filter(|one| !one.handle.is_closed());
        let connecting = async {
            Ok(Arc::new(Line {
                handle: self.connect().await?,
                opened: AtomicUsize::new(1),
            }))
        };
        let (connection, fresh) = Box::pin(another(before.map(Arc::clone), connecting)).await?;
        if fresh {
            *slot = Some(Arc::clone(&connection));
        } else {
            connection.goes_on();
        }
        Ok((connection, fresh))
    }

    async fn connect(&self) -> Result<Handle<Pin>, String> {
        let HostPort { host, port } = &self.address;
        let tcp = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|e| e.to_string())?;
        let _ = tcp.set_nodelay(true);
        let config = client::Config {
            client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-hallpass-bastion")),
            preferred: Preferred {
                key: Cow::Owned(vec![self.host_key.algorithm()]),
                compression: Cow::Borrowed(&[compression::NONE]),
                ..Preferred::DEFAULT
            },
            inactivity_timeout: None,
            keepalive_interval: Some(crate::site::KEEPALIVE),
            nodelay: true,
            ..client::Config::default()
        };
        let pin = Pin {
            key: self.host_key.clone(),
        };
        let mut handle = client::connect_stream(Arc::new(config), tcp, pin)
            .await
            .map_err(|e| match e {
                russh::Error::UnknownKey => {
                    "it shows another host key than the pinned one (ca_host_key.pub)".to_owned()
                }
                other => other.to_string(),
            })?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.identity), None);
        let answer = handle
            .authenticate_publickey(&self.name, key)
            .await
            .map_err(|e| e.to_string())?;
        if answer.success() {
            Ok(handle)
        } else {
            Err("it does not know this bastion's identity key".to_owned())
        }
    }
}

/// Another connection, and that it is one; or the one before, if that lives and no other is made soon: the CA's port may be
/// flooded.
async fn another<T>(
    before: Option<T>,
    connecting: impl Future<Output = Result<T, String>>,
) -> Result<(T, bool), String> {
    let Some(before) = before else {
        return Ok((connecting.await?, true));
    };
    let why = match timeout(ANOTHER, connecting).await {
        Ok(Ok(another)) => return Ok((another, true)),
        Ok(Err(why)) => why,
        Err(_) => format!("no answer within {} s", ANOTHER.as_secs()),
    };
    tracing::warn!(why, "no other connection to the CA: the one before goes on");
    Ok((before, false))
}

async fn open(connection: &Handle<Pin>) -> Result<Channel<Msg>, String> {
    let mut channel = connection
        .channel_open_session()
        .await
        .map_err(|e| e.to_string())?;
    channel
        .request_subsystem(true, SUBSYSTEM)
        .await
        .map_err(|e| e.to_string())?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(channel),
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            _ => return Err(format!("it does not speak {SUBSYSTEM}")),
        }
    }
}

/// Ends an HTTP connection when its call is over or given up.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Believes one host key, and takes nothing that the CA might open.
struct Pin {
    key: PublicKey,
}

impl client::Handler for Pin {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        Ok(key.public_key().key_data() == self.key.key_data())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        drop(reply);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_lives_goes_on_when_no_other_is_made() {
        let failed = || ready(Err("closed".to_owned()));
        let never = pending();
        assert_eq!(another(Some(1), ready(Ok(2))).await, Ok((2, true)));
        assert_eq!(another(Some(1), failed()).await, Ok((1, false)));
        assert_eq!(another(Some(1), never).await, Ok((1, false)));
        assert_eq!(another(None, ready(Ok(2))).await, Ok((2, true)));
        assert_eq!(
            another::<u8>(None, failed()).await,
            Err("closed".to_owned())
        );
    }
}
