//! The server: accepts connections, reloads the configuration at SIGHUP, stops politely.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use config::{Config, limits};
use record::clock::{Clock, SystemClock};
use russh::keys::PrivateKey;
use russh::server::run_stream;
use russh::{Disconnect, MethodKind, MethodSet, Preferred, SshId, compression, kex, mac};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::connection::{Connection, Shared};
use super::crowd::Crowd;
use super::gate::{Gate, Graced, HalfOpen};
use crate::desk::{Desk, DeskError};
use crate::outside;

/// Why the CA does not serve.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The desk cannot open: its keys, its log or its store.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address, of `[ca] listen`.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signal(io::Error),
}

/// The key exchanges on offer: what any client of the last ten years speaks, and nothing that costs the CA an
/// exponentiation. `kex-strict` closes CVE-2023-48795 (Terrapin) with every client that knows it.
const KEXES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// The authentication codes beside ciphers that bring their own: of the encrypted packet only.
const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM];

/// A client that says nothing at all for this long, four times in a row, is gone: its request is
/// withdrawn, so nobody approves it any more.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How long a connection has, when the CA stops, to bring its commands to an end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// After an error of `accept`, such as no descriptors: some connection will end meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the certificate authority until `shutdown`: people's commands and bastions' calls, over SSH
/// on `[ca] listen`. SIGHUP reads `config_path` again.
pub async fn serve(
    config_path: PathBuf,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), CaError> {
    serve_by(Arc::new(SystemClock::new()), config_path, config, shutdown).await
}

/// [`serve`], by another clock.
pub async fn serve_by(
    clock: Arc<dyn Clock>,
    config_path: PathBuf,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), CaError> {
    // Before anything else: until then, a SIGHUP would end the process.
    let mut hangup = signal(SignalKind::hangup()).map_err(CaError::Signal)?;
    let address = config.ca.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| CaError::Listen { address, source })?;
    let desk = Desk::open(Arc::new(config), Arc::clone(&clock))?;
    let watched = Arc::clone(&desk);
    let watching = tokio::spawn(async move { watched.keep_watch().await });
    let (stop, stopping) = watch::channel(false);
    let (alive, all_gone) = mpsc::channel(1);
    // Dropped when the CA stops serving: nobody outside is asked any more.
    let mut asking = JoinSet::new();
    asking.spawn(outside::watch::run(desk.clone(), clock.clone()));
    let server = Server {
        ssh: Arc::new(ssh(desk.identity().clone())),
        shared: Arc::new(Shared {
            desk,
            clock,
            stopping,
            crowd: Crowd::new(limits::CONNECTIONS_EACH),
        }),
        gate: Gate::new(),
        alive,
    };
    tracing::info!(%address, "the certificate authority listens");
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => server.accept(accepted).await,
            _ = hangup.recv() => reload(&server.shared.desk, &config_path).await,
        }
    }
    drop(listener);
    drop(asking);
    tracing::info!("stopping");
    stop.send_replace(true);
    drop(server);
    wait_for_all(all_gone).await;
    watching.abort();
    // It was ended on purpose; once it is gone, nothing holds the desk any more.
    drop(watching.await);
    Ok(())
}

async fn wait_for_all(mut all_gone: mpsc::Receiver<()>) {
    // Nobody ever sends: the channel closes when the last connection is gone.
    let _ = tokio::time::timeout(limits::SHUTDOWN_GRACE, all_gone.recv()).await;
}

/// A file that cannot be put in force changes nothing, and says so.
async fn reload(desk: &Desk, path: &Path) {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(e) => {
            stays(&e);
            return;
        }
    };
    let old = desk.config();
    if old.ca.listen != config.ca.listen || old.ca.data != config.ca.data {
        tracing::warn!("`listen` and `data` of [ca] change with the next start only");
    }
    if old.ca.publish != config.ca.publish || old.ca.witnesses != config.ca.witnesses {
        tracing::warn!("`publish` and the witnesses change with the next start only");
    }
    match desk.reload(config).await {
        Ok(()) => tracing::info!("the configuration was reloaded"),
        Err(e) => stays(&e),
    }
}

/// Says why a configuration was not put in force, in one line: a log has no other.
fn stays(why: &dyn std::error::Error) {
    let why = why.to_string().replace("\n  hint: ", "; ");
    tracing::error!("the configuration was not reloaded, the old one stays in force: {why}");
}

fn ssh(identity: PrivateKey) -> russh::server::Config {
    russh::server::Config {
        server_id: SshId::Standard("SSH-2.0-Hallpass".into()),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // A refused key says nothing that its owner does not know: no need to slow down an agent
        // with many of them.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![identity],
        max_auth_attempts: limits::AUTH_ATTEMPTS,
        inactivity_timeout: None,
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: 3,
        // What is not there cannot be blown up by its other side.
        preferred: Preferred {
            kex: Cow::Borrowed(KEXES),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
            ..Preferred::default()
        },
        ..russh::server::Config::default()
    }
}

struct Server {
    ssh: Arc<russh::server::Config>,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    alive: mpsc::Sender<()>,
}

impl Server {
    async fn accept(&self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                return;
            }
        };
        let (cut, shown_out) = oneshot::channel();
        let Some(place) = self.gate.enter(from.ip(), cut) else {
            tracing::debug!(source = %from.ip(), "too many connections that have not logged in");
            return;
        };
        let ssh = Arc::clone(&self.ssh);
        let shared = Arc::clone(&self.shared);
        let alive = self.alive.clone();
        tokio::spawn(async move {
            if let Err(e) = connection(ssh, shared, stream, from, (place, shown_out)).await {
                tracing::debug!(source = %from.ip(), error = %e, "a connection ended");
            }
            drop(alive);
        });
    }
}

async fn connection(
    ssh: Arc<russh::server::Config>,
    shared: Arc<Shared>,
    stream: TcpStream,
    from: SocketAddr,
    (place, shown_out): (HalfOpen, oneshot::Receiver<()>),
) -> Result<(), russh::Error> {
    stream.set_nodelay(true)?;
    let authenticated = Arc::new(AtomicBool::new(false));
    let stream = Graced::new(
        stream,
        limits::LOGIN_GRACE,
        Arc::clone(&authenticated),
        shown_out,
    );
    let mut stopping = shared.stopping.clone();
    let handler = Connection::new(shared, from.ip().to_canonical(), place, authenticated);
    let mut session = run_stream(ssh, stream, handler).await?;
    let handle = session.handle();
    tokio::select! {
        ended = &mut session => return ended,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    // The commands have seen it too, and say their last words.
    if let Ok(ended) = tokio::time::timeout(LAST_WORDS, &mut session).await {
        return ended;
    }
    let text = "the CA is stopping".to_owned();
    handle
        .disconnect(Disconnect::ByApplication, text, "en".to_owned())
        .await?;
    session.await
}
