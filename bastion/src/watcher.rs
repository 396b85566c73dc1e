//! Listens to the CA: which keys to believe, and which grants have ended early.

use std::sync::Arc;
use std::time::Duration;

use record::api;
use ssh_key::PublicKey;

use crate::ca_link::CaError;
use crate::site::{Believed, Site};
use crate::visitor::Trust;

/// The first pause before the CA is called again, which doubles …
const SOON: Duration = Duration::from_millis(200);

/// … up to this one.
const LATE: Duration = Duration::from_secs(5);

/// How long a bastion that is shut out waits before it asks again. Once it is let in again, what is revoked meanwhile
/// reaches it no later than this, so it is shorter than the second in which a revocation has to.
const SHUT_OUT: Duration = Duration::from_millis(500);

/// A pause that grows.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(SOON)
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LATE);
    }
}

/// Asks the CA for its keys, believes them, and says which they are.
pub(crate) async fn learn(
    link: &crate::ca_link::CaLink,
    believed: &Believed,
) -> Result<u64, CaError> {
    let given = link.trust().await?;
    let trust =
        read(&given).ok_or_else(|| CaError::Gone("its keys cannot be used here".to_owned()))?;
    believed.set(trust);
    Ok(given.keys)
}

fn read(given: &api::Trust) -> Option<Trust> {
    let all = |lines: &[String]| -> Option<Vec<PublicKey>> {
        let keys = lines.iter().map(|line| PublicKey::from_openssh(line));
        keys.collect::<Result<_, _>>().ok()
    };
    Trust::new(&all(&given.user_cas)?, &all(&given.host_cas)?).ok()
}

/// Ends the sessions of grants that ended early, for ever. While the CA is away, running sessions keep their deadlines.
pub(crate) async fn watch(site: Arc<Site>) {
    let mut backoff = Backoff::new();
    loop {
        if let Err(e) = follow(&site, &mut backoff).await {
            tracing::warn!("does not hear of grants that end early: {e}");
        }
        backoff.pause().await;
    }
}

/// Follows the CA's news until it is lost; begins with all that still matters.
async fn follow(site: &Site, backoff: &mut Backoff) -> Result<(), CaError> {
    let mut keys = learn(&site.link, &site.trust).await?;
    let (mut after, mut out) = (0, false);
    loop {
        let news = site.link.ended(after, keys).await?;
        *backoff = Backoff::new();
        for request in &news.requests {
            tracing::info!(%request, "the grant ended early");
            site.running.end(request);
        }
        if news.shut_out {
            if !out {
                tracing::error!("the CA has shut this bastion out: every session ends now");
            }
            site.running.end_all();
            tokio::time::sleep(SHUT_OUT).await;
        }
        out = news.shut_out;
        if news.next < after {
            // The CA has begun to count again.
            return Ok(());
        }
        after = news.next;
        // Asked for also where nothing was changed: the certificates of an old key run out without anybody's doing.
        keys = learn(&site.link, &site.trust).await?;
    }
}
