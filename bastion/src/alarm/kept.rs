//! Alerts on the disk until the CA has taken them: `SESSION.NAME.KIND.json`, one each, in a directory of their own.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use record::api::SessionAlert;
use tokio::sync::Notify;

use crate::ca_link::{CaError, CaLink};
use crate::site::Site;

/// How long to wait before the CA is told again.
const AGAIN: Duration = Duration::from_secs(5);

/// The alerts that the CA has yet to hear of.
pub(crate) struct Kept {
    dir: PathBuf,
    link: Arc<CaLink>,
    wake: Notify,
    told: Notify,
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
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            link,
            wake: Notify::new(),
            told: Notify::new(),
        })
    }

    /// Keeps an alert until the CA has taken it. When this returns, it survives the loss of power. Blocks for some
    /// milliseconds.
    fn keep(&self, alert: &SessionAlert) -> io::Result<()> {
        if self.waiting()?.len() >= limits::ALERTS_WAITING {
            return Err(io::Error::other("as many wait as may"));
        }
        let SessionAlert {
            session,
            alert: name,
            on,
            ..
        } = alert;
        let path = self.dir.join(format!("{session}.{name}.{on}.json"));
        let partial = path.with_extension("partial");
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&serde_json::to_vec(alert)?)?;
        file.sync_all()?;
        // If we die here, a partial file is left, which the next one of that name or nobody looks at.
        fs::rename(&partial, &path)?;
        File::open(&self.dir)?.sync_all()?;
        self.wake.notify_one();
        Ok(())
    }

    /// Tells the CA, for ever.
    pub(crate) async fn run(&self) {
        loop {
            let pause = match self.tell_all().await {
                Ok(()) => Duration::from_secs(3600),
                Err(e) => {
                    tracing::warn!("the CA has not taken an alert: {e}");
                    AGAIN
                }
            };
            self.told.notify_waiters();
            let _ = tokio::time::timeout(pause, self.wake.notified()).await;
        }
    }

    /// Waits until everything was tried once more, at most so long.
    pub(crate) async fn flush(&self, most: Duration) {
        let told = self.told.notified();
        self.wake.notify_one();
        let _ = tokio::time::timeout(most, told).await;
    }

    async fn tell_all(&self) -> Result<(), CaError> {
        let waiting = self.waiting().map_err(|e| CaError::Gone(e.to_string()))?;
        for path in waiting {
            let answer = match read(&path) {
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
            if let Err(e) = fs::remove_file(&path) {
                tracing::warn!("{}: {e}", path.display());
            }
        }
        Ok(())
    }

    fn waiting(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn read(path: &Path) -> Option<SessionAlert> {
    let mut text = Vec::new();
    let most = limits::API_BODY_BYTES as u64;
    let file = File::open(path).ok()?;
    file.take(most).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
