//! The listener, and what every connection goes through until somebody is known: a grace period, and
//! bounds on how many there may be.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::half_open::{self, HalfOpen};
use config::limits;
use config::words::TargetName;
use russh::server::{self, run_stream};
use russh::{Disconnect, MethodKind, MethodSet, Preferred, SshId, compression};
use ssh_key::Certificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::doorman::Doorman;
use crate::flow::OPEN;
use crate::line::Line;
use crate::site::{self, Site};

/// How long a refused attempt takes, so that guessing by time gives nothing.
const REJECTION: Duration = Duration::from_millis(100);

/// The place of a connection that has not logged in yet, and what tells it to make room.
pub(crate) struct Held {
    _place: half_open::Held<oneshot::Sender<()>>,
    shown_out: oneshot::Receiver<()>,
}

/// Accepts connections, for ever.
pub(crate) async fn accept(listener: TcpListener, site: &Arc<Site>) {
    let half_open = HalfOpen::new();
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let (cut, shown_out) = oneshot::channel();
                if let Some(place) = half_open.enter(address.ip(), cut) {
                    let held = Held {
                        _place: place,
                        shown_out,
                    };
                    tokio::spawn(welcome(Arc::clone(site), stream, address.ip(), held));
                } else {
                    tracing::debug!(source = %address.ip(), "too many connections that have not logged in");
                }
            }
            Err(e) => {
                // Out of descriptors, most likely; those that wait in the queue stay there.
                tracing::warn!("cannot accept: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn welcome(site: Arc<Site>, stream: TcpStream, source: IpAddr, held: Held) {
    let _ = stream.set_nodelay(true);
    match site.doors.certificate(None).await {
        Ok(certificate) => attend(site, stream, certificate, None, source, Some(held)).await,
        Err(e) => tracing::warn!("no door certificate, so nobody would believe this bastion: {e}"),
    }
}

/// Speaks SSH with a person, on the bastion's own port or inside `ssh -J`, to the end of the connection.
pub(crate) async fn attend<S>(
    site: Arc<Site>,
    stream: S,
    certificate: Certificate,
    inside: Option<TargetName>,
    source: IpAddr,
    held: Option<Held>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (line, cut) = Line::new(stream);
    let config = Arc::new(settings(&site, certificate));
    let (outer, sources) = (inside.is_none(), Arc::clone(&site.sources));
    let connections = Arc::clone(&site.connections);
    let (known, is_known) = oneshot::channel();
    let doorman = Doorman::new(site, inside, source, known);
    let mut patience = Box::pin(patience(held));
    let begun = tokio::select! {
        begun = run_stream(config, line, doorman) => begun,
        () = &mut patience => return,
    };
    let Ok(mut running) = begun else { return };
    let is_known = tokio::select! {
        _ = &mut running => return,
        known = is_known => known.is_ok(),
        () = &mut patience => false,
    };
    if !is_known {
        tracing::debug!(%source, "has not logged in in time, or had to make room");
        cut.cut();
        return;
    }
    let _counted = connections.count();
    // Gives the place back.
    drop(patience);
    // Inside a connection that has a seat, there is no other.
    let seat = outer.then(|| sources.sit(source));
    if let Some(None) = seat {
        tracing::warn!(%source, "this source has as many connections as one may have");
        let why = format!(
            "hallpass: {} connections from your address, which is the most",
            limits::CONNECTIONS_PER_SOURCE
        );
        let said = running.handle();
        let said = said.disconnect(Disconnect::TooManyConnections, why, String::new());
        let _ = timeout(REJECTION, said).await;
        cut.cut();
        return;
    }
    let _ = running.await;
}

/// Returns when a connection that has not logged in has to go. Keeps its place.
async fn patience(mut held: Option<Held>) {
    let crowded = async {
        match &mut held {
            Some(held) => drop((&mut held.shown_out).await),
            // Inside a connection that is known, there is room.
            None => std::future::pending().await,
        }
    };
    let _ = timeout(limits::LOGIN_GRACE, crowded).await;
}

fn settings(site: &Site, certificate: Certificate) -> server::Config {
    server::Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-hallpass")),
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        auth_rejection_time: REJECTION,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![site.doors.key().clone()],
        certificates: vec![certificate],
        window_size: OPEN,
        channel_buffer_size: site::QUEUE,
        preferred: Preferred {
            kex: Cow::Borrowed(site::KEXES),
            cipher: Cow::Borrowed(site::CIPHERS),
            mac: Cow::Borrowed(site::MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::DEFAULT
        },
        max_auth_attempts: limits::AUTH_ATTEMPTS,
        inactivity_timeout: None,
        keepalive_interval: Some(site::KEEPALIVE),
        keepalive_max: site::KEEPALIVES,
        nodelay: true,
        ..server::Config::default()
    }
}
