//! Tells the CA that sessions are over: kept on disk until the CA has heard of it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use record::api::SessionEnd;
use tokio::sync::Notify;

use crate::ca_link::{CaError, CaLink};

/// How long to wait before the CA is told again.
const AGAIN: Duration = Duration::from_secs(5);

/// The ends that the CA has yet to hear of, one file each.
pub(crate) struct Ends {
    dir: PathBuf,
    link: Arc<CaLink>,
    wake: Notify,
    told: Notify,
}

impl Ends {
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

    /// Keeps an end until the CA has heard of it. When this returns, it survives the loss of power. Blocks for
    /// some milliseconds.
    pub(crate) fn keep(&self, end: &SessionEnd) -> io::Result<()> {
        let path = self.dir.join(format!("{}.json", end.session));
        let partial = path.with_extension("partial");
        let text = serde_json::to_vec(end)?;
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(&text)?;
        file.sync_all()?;
        // If we die here, a partial file is left, which the next end of that name or nobody looks at; the
        // recording itself is whole.
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
                    tracing::warn!("the CA has not heard of a session's end: {e}");
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
        for path in self.kept().map_err(|e| CaError::Gone(e.to_string()))? {
            let Some(end) = read(&path) else {
                set_aside(&path, "it cannot be read");
                continue;
            };
            match self.link.session_end(&end).await {
                Ok(_) => {
                    if let Err(e) = fs::remove_file(&path) {
                        tracing::warn!("{}: {e}", path.display());
                    }
                }
                Err(CaError::Refused(why)) => set_aside(&path, &why),
                Err(gone) => return Err(gone),
            }
        }
        Ok(())
    }

    fn kept(&self) -> io::Result<Vec<PathBuf>> {
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

fn read(path: &Path) -> Option<SessionEnd> {
    use std::io::Read as _;

    let mut text = Vec::new();
    File::open(path)
        .ok()?
        .take(limits::API_BODY_BYTES as u64)
        .read_to_end(&mut text)
        .ok()?;
    serde_json::from_slice(&text).ok()
}

/// What the CA does not take is kept for a person to look at.
fn set_aside(path: &Path, why: &str) {
    tracing::error!(
        "{}: the CA does not take this session's end: {why}",
        path.display()
    );
    if let Err(e) = fs::rename(path, path.with_extension("refused")) {
        tracing::warn!("{}: {e}", path.display());
    }
}
