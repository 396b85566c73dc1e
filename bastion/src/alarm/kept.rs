//! Alerts on the disk until the CA has taken them: `SESSION.NAME.KIND.json`, one each, in a directory of their own.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use record::api::SessionAlert;

use crate::ca_link::{CaError, CaLink};
use crate::outbox::{self, Outbox};
use crate::site::Site;

/// The alerts that the CA has yet to hear of.
pub(crate) struct Kept {
    outbox: Outbox,
    link: Arc<CaLink>,
}

/// Keeps an alert, where blocking is allowed. What is not kept is only in the bastion's own log.
pub(crate) async fn keep(site: &Arc<Site>, alert: SessionAlert) {
    tracing::warn!(session = %alert.session, alert = %alert.alert, on = %alert.on, ended = alert.ended, "ALERT");
    let keeping = Arc::clone(site);
    let kept = tokio::task::spawn_blocking(move || keeping.alerts.keep(&alert)).await;
    if let Err(e) = kept.map_err(io::Error::from).flatten() {
        tracing::error!("an alert is not kept for the CA: {e}");
    }
}

impl Kept {
    /// Takes the directory, making it if there is none.
    pub(crate) fn open(dir: &Path, link: Arc<CaLink>) -> io::Result<Self> {
        let outbox = Outbox::open(dir)?;
        Ok(Self { outbox, link })
    }

    /// Keeps an alert until the CA has taken it. When this returns, it survives the loss of power. Blocks for some
    /// milliseconds.
    fn keep(&self, alert: &SessionAlert) -> io::Result<()> {
        if self.outbox.shelf.with_extension("json")?.len() >= limits::ALERTS_WAITING {
            return Err(io::Error::other("as many wait as may"));
        }
        let SessionAlert {
            session,
            alert: name,
            on,
            ..
        } = alert;
        self.outbox
            .put(&format!("{session}.{name}.{on}.json"), alert)
    }

    /// Tells the CA, for ever.
    pub(crate) async fn run(&self) {
        self.outbox.run("an alert", || self.tell_all()).await;
    }

    /// Waits until everything was tried once more, at most so long.
    pub(crate) async fn flush(&self, most: Duration) {
        self.outbox.flush(most).await;
    }

    async fn tell_all(&self) -> Result<(), CaError> {
        for path in self.outbox.waiting()? {
            let answer = match outbox::read(&path) {
                Some(alert) => self.link.alert(&alert).await,
                None => Err(CaError::Refused("it cannot be read".to_owned())),
            };
            match answer {
                Ok(_) => {}
                Err(CaError::Refused(why)) => {
                    tracing::error!("{}: the CA does not take this alert: {why}", path.display());
                }
                Err(gone) => return Err(gone),
            }
            outbox::remove(&path);
        }
        Ok(())
    }
}
