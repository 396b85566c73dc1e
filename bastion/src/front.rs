//! The listener, and what every connection goes through until somebody is known: a grace period, and
//! bounds on how many there may be.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::limits;
use config::words::TargetName;
use russh::server::{self, run_stream};
use russh::{MethodKind, MethodSet, Preferred, SshId, compression};
use ssh_key::Certificate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::doorman::Doorman;
use crate::line::Line;
use crate::site::{self, Site};

/// How long a refused attempt takes, so that guessing by time gives nothing.
const REJECTION: Duration = Duration::from_millis(100);

/// Accepts connections, for ever.
pub(crate) async fn accept(listener: TcpListener, site: &Arc<Site>) {
    let half_open = Arc::new(HalfOpen::default());
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Some(held) = HalfOpen::hold(&half_open, address.ip()) {
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
    let deadline = Instant::now() + limits::LOGIN_GRACE;
    let (line, cut) = Line::new(stream);
    let config = Arc::new(settings(&site, certificate));
    let (known, mut is_known) = oneshot::channel();
    let doorman = Doorman::new(site, inside, source, known);
    let Ok(Ok(mut running)) = timeout_at(deadline, run_stream(config, line, doorman)).await else {
        return;
    };
    tokio::select! {
        _ = &mut running => return,
        known = timeout_at(deadline, &mut is_known) => if !matches!(known, Ok(Ok(()))) {
            tracing::debug!(%source, "has not logged in in time");
            cut.cut();
            return;
        },
    }
    drop(held);
    let _ = running.await;
}

fn settings(site: &Site, certificate: Certificate) -> server::Config {
    server::Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-hallpass")),
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        auth_rejection_time: REJECTION,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![site.doors.key().clone()],
        certificates: vec![certificate],
        channel_buffer_size: site::QUEUE,
        preferred: Preferred {
            cipher: Cow::Borrowed(site::CIPHERS),
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

/// The connections that have not logged in yet.
#[derive(Debug, Default)]
pub(crate) struct HalfOpen(Mutex<HashMap<IpAddr, usize>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    all: Arc<HalfOpen>,
    source: IpAddr,
}

impl HalfOpen {
    /// Counts a connection, if there is room for it.
    fn hold(all: &Arc<Self>, address: IpAddr) -> Option<Held> {
        let source = site::counted(address);
        let mut sources = all.sources();
        let total: usize = sources.values().sum();
        let own = sources.get(&source).copied().unwrap_or(0);
        if total >= limits::HALF_OPEN || own >= limits::HALF_OPEN_PER_SOURCE {
            return None;
        }
        sources.insert(source, own + 1);
        Some(Held {
            all: Arc::clone(all),
            source,
        })
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut sources = self.all.sources();
        if let Some(own) = sources.get_mut(&self.source) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_keep_the_others_out() {
        let all = Arc::new(HalfOpen::default());
        let (loud, quiet): (IpAddr, IpAddr) =
            ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let mut held: Vec<_> = (0..limits::HALF_OPEN_PER_SOURCE)
            .map(|_| HalfOpen::hold(&all, loud).unwrap())
            .collect();
        assert!(HalfOpen::hold(&all, loud).is_none(), "one past the bound");
        assert!(HalfOpen::hold(&all, quiet).is_some());
        held.pop();
        assert!(
            HalfOpen::hold(&all, loud).is_some(),
            "who has left makes room"
        );
    }

    #[test]
    fn all_sources_together_are_bounded() {
        let all = Arc::new(HalfOpen::default());
        let held: Vec<_> = (0..u32::try_from(limits::HALF_OPEN).unwrap())
            .map(|n| HalfOpen::hold(&all, IpAddr::from((0x0a00_0000 + n).to_be_bytes())).unwrap())
            .collect();
        assert!(HalfOpen::hold(&all, "192.0.2.2".parse().unwrap()).is_none());
        drop(held);
        assert!(all.sources().is_empty());
    }
}
