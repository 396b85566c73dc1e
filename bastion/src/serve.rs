//! A bastion's life: open, learn, listen, serve, close.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use config::words::BastionName;
use config::{Config, limits, rules};
use record::clock::{Clock, SystemClock};
use record::recording::verify::Trusted;
use record::recording::{OsDisk, RecordingStore, Recovered, Signer};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use ssh_key::PrivateKey;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use crate::alarm::kept::Kept;
use crate::bucket::Bucket;
use crate::ca_link::CaLink;
use crate::doors::Doors;
use crate::ends::Ends;
use crate::error::BastionError;
use crate::running::Running;
use crate::site::{Believed, Phase, Site};
use crate::sources::Sources;
use crate::spools::Spools;
use crate::tally::Tally;
use crate::upload::Uploads;
use crate::watcher::{self, Backoff};
use crate::{front, identity, keeping, upload};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// How long what was ended may take to be sealed and to leave.
const LAST: Duration = Duration::from_secs(5);

/// How long people's clients may take to hear what was said last and to leave: one that runs no session may stay, and what it
/// has not read by then would not have been read soon.
const FAREWELL: Duration = Duration::from_millis(250);

/// How long the last word may take: where it is written may be the disk that does not answer.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Serves as the bastion `name` until `shutdown` is ready, and then ends: nothing new begins,
/// [`limits::SHUTDOWN_GRACE`] passes, and each session that still runs gets its signed End.
///
/// Recordings that an earlier process left unfinished are ended first. Until the CA has been reached once,
/// nobody is let in; the port is taken, and does not listen yet.
pub async fn serve(
    config: Config,
    name: BastionName,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), BastionError> {
    // What people do must not come to stand in a core dump, nor before another process of the same user. Where the
    // system refuses even this, its unit's `LimitCORE=0` is left.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let own = config
        .bastions
        .get(&name)
        .cloned()
        .ok_or_else(|| BastionError::Unknown(name.clone()))?;
    let key = identity::load(&own.data.join("identity"), &own.identity)?;
    let ca_key = identity::load_public(&own.data.join(identity::CA_HOST_KEY))?;
    let socket = bind(&own)?;

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let link = Arc::new(CaLink::new(
        config.ca.address.clone(),
        ca_key,
        &name,
        key.clone(),
    ));
    let ends_dir = own.data.join("ends");
    let ends = Ends::open(&ends_dir, Arc::clone(&link)).map_err(|source| BastionError::Disk {
        path: ends_dir.clone(),
        source,
    })?;
    let alerts_dir = own.data.join("alerts");
    let alerts = Kept::open(&alerts_dir, Arc::clone(&link));
    let alerts = alerts.map_err(|source| BastionError::Disk {
        path: alerts_dir,
        source,
    })?;
    let trusted = Trusted::nobody().and(&name, key.public_key());
    let (store, recovered) = open_store(&own.data, &name, key, &clock).await?;
    ends.recover(&recovered, store.dir(), &trusted)
        .map_err(|source| BastionError::Disk {
            path: ends_dir,
            source,
        })?;
    // From here on, every session of an earlier process has its End, and the CA will hear of it.
    let store = Arc::new(store);
    guard(&store)?;
    let uploads = uploads(&config, &own.data)?;
    let doors = Doors::new(
        identity::fresh().map_err(BastionError::Random)?,
        Arc::clone(&link),
        Arc::clone(&clock),
    );
    let site = Arc::new(Site {
        config,
        name,
        clock,
        link,
        doors,
        store,
        ends: Arc::new(ends),
        alerts: Arc::new(alerts),
        running: Running::new(),
        connections: Tally::new(),
        phase: watch::Sender::new(Phase::Serving),
        trust: Believed::default(),
        sources: Sources::new(limits::CONNECTIONS_PER_SOURCE),
        spools: Spools::default(),
        keeping: Mutex::new(()),
        uploads,
    });
    serve_site(&site, &own, socket, shutdown).await
}

async fn serve_site(
    site: &Arc<Site>,
    own: &rules::Bastion,
    socket: TcpSocket,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), BastionError> {
    let mut tasks = JoinSet::new();
    let ends = Arc::clone(&site.ends);
    tasks.spawn(async move { ends.run().await });
    if let Some(uploads) = &site.uploads {
        tasks.spawn(upload::run(Arc::clone(site), Arc::clone(uploads)));
    }
    let alerts = Arc::clone(&site.alerts);
    tasks.spawn(async move { alerts.run().await });
    let mut shutdown = std::pin::pin!(shutdown);
    let learned = tokio::select! {
        () = &mut shutdown => false,
        () = first_contact(site) => true,
    };
    if learned {
        let listener = socket
            .listen(BACKLOG)
            .map_err(|source| BastionError::Listen {
                address: own.listen,
                source,
            })?;
        tracing::info!(bastion = %site.name, listen = %own.listen, "listening");
        tasks.spawn(watcher::watch(Arc::clone(site)));
        tasks.spawn(keeping::run(Arc::clone(site)));
        let renewing = Arc::clone(site);
        tasks.spawn(async move { renewing.doors.renew().await });
        tokio::select! {
            () = &mut shutdown => {}
            () = accept(listener, site) => {}
        }
    }
    close(site).await;
    tasks.shutdown().await;
    Ok(())
}

/// Waits until the CA has said whom to believe and has certified the door.
async fn first_contact(site: &Site) {
    let mut backoff = Backoff::new();
    loop {
        let reached = match watcher::learn(&site.link, &site.trust).await {
            Ok(_) => site.doors.certificate(None).await.map(drop),
            Err(e) => Err(e),
        };
        match reached {
            Ok(()) => return,
            Err(e) => tracing::warn!("waiting for the CA: {e}"),
        }
        backoff.pause().await;
    }
}

async fn accept(listener: TcpListener, site: &Arc<Site>) {
    front::accept(listener, site).await;
}

/// Ends: the grace, the signed Ends, and a last try to tell the CA.
async fn close(site: &Arc<Site>) {
    tracing::info!("closing: nothing new begins");
    site.phase.send_replace(Phase::Closing);
    site.running.idle(limits::SHUTDOWN_GRACE).await;
    site.phase.send_replace(Phase::Over);
    if !site.running.idle(LAST).await {
        tracing::error!(
            "sessions are left that could not be ended: the next start ends their recordings"
        );
    }
    site.connections.none(FAREWELL).await;
    site.alerts.flush(Duration::from_secs(1)).await;
    site.ends.flush(Duration::from_secs(1)).await;
}

fn bind(own: &rules::Bastion) -> Result<TcpSocket, BastionError> {
    let failed = |source| BastionError::Listen {
        address: own.listen,
        source,
    };
    let socket = if own.listen.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(failed)?;
    // A restart must not wait for the old connections of the port.
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(own.listen).map_err(failed)?;
    Ok(socket)
}

/// Looks after the disk of the recordings, and ends the process when a write of a recording does not return: the thread
/// that made it is one of the few that carry every session, so nothing can be said to anybody any more. All bytes that were
/// forwarded are recorded, and the next start ends the recordings as a crash. Looks from a thread of its own, which ends with
/// the store.
fn guard(store: &Arc<RecordingStore>) -> Result<(), BastionError> {
    let guarded = Arc::downgrade(store);
    let looking = move || {
        while let Some(store) = guarded.upgrade() {
            store.look();
            if store.holds_a_thread() {
                abort();
            }
            drop(store);
            std::thread::sleep(limits::DISK_LOOK);
        }
    };
    let thread = std::thread::Builder::new().name("guard".into());
    let started = thread.spawn(looking);
    // Without it nobody would notice a disk that stands still.
    started.map(drop).map_err(|source| BastionError::Disk {
        path: store.dir().to_owned(),
        source,
    })
}

/// Says why, if that can be said, and ends the process.
fn abort() -> ! {
    let (said, hears) = mpsc::channel::<()>();
    let saying = move || {
        let patience = limits::RECORDING_PATIENCE.as_secs();
        tracing::error!(
            "the disk of the recordings has not answered for {patience} s: this bastion ends"
        );
        drop(said);
    };
    // Not here: what it is written to may not answer either. Without a thread, nothing is said.
    let _ = std::thread::Builder::new().spawn(saying);
    let _ = hears.recv_timeout(LAST_WORD);
    std::process::abort()
}

/// The bucket, as it is configured. It need not answer now, or ever: what waits for it lies on this disk.
fn uploads(config: &Config, data: &Path) -> Result<Option<Arc<Uploads>>, BastionError> {
    let Some(given) = &config.bucket else {
        return Ok(None);
    };
    let uploads = Uploads::open(given, data, Bucket::open(given)?);
    let uploads = uploads.map_err(|source| BastionError::Disk {
        path: data.join("uploads"),
        source,
    })?;
    Ok(Some(Arc::new(uploads)))
}

async fn open_store(
    data: &Path,
    name: &BastionName,
    key: PrivateKey,
    clock: &Arc<dyn Clock>,
) -> Result<(RecordingStore, Recovered), BastionError> {
    let dir = data.join("recordings");
    let signer = Signer {
        name: name.clone(),
        key,
    };
    let clock = Arc::clone(clock);
    let opening = move || RecordingStore::open(&dir, signer, clock, Box::new(OsDisk));
    let (store, recovered) = tokio::task::spawn_blocking(opening).await??;
    if let Err(e) = store.keep_indexes(&recovered) {
        tracing::warn!("recordings get no index, and are searched more slowly: {e}");
    }
    for aside in &recovered.set_aside {
        tracing::error!(session = %aside.session, "a recording is not recovered: {}", aside.why);
    }
    for sealed in &recovered.sealed {
        tracing::warn!(session = %sealed.session, reason = %sealed.end.reason, "a recording was recovered");
    }
    for session in &recovered.never_began {
        tracing::warn!(%session, "the session never began");
    }
    Ok((store, recovered))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::doorman::tests::House;

    #[tokio::test]
    async fn whoever_is_still_there_has_a_moment_to_hear_what_was_said_last() {
        let house = House::new();
        let counted = house.site.connections.count();
        let begin = Instant::now();
        close(&house.site).await;
        // Nobody tells the CA anything here, so that both last tries take all of their second.
        let tries = Duration::from_secs(2);
        assert!(begin.elapsed() >= tries + FAREWELL);
        drop(counted);
    }
}
