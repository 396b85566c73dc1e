//! What the CA has yet to hear, kept on the disk and told until it has taken it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::limits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::ca_link::CaError;
use crate::shelf::{self, Shelf};

/// How long to wait before the CA is told again.
const AGAIN: Duration = Duration::from_secs(5);

/// How long it rests when nothing waits: whatever comes wakes it.
const REST: Duration = Duration::from_secs(3600);

/// The files that wait, and who waits for them.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) shelf: Shelf,
    wake: Notify,
    told: Notify,
}

impl Outbox {
    /// Takes the directory, making it if there is none.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            shelf: Shelf::open(dir)?,
            wake: Notify::new(),
            told: Notify::new(),
        })
    }

    /// Keeps something until the CA has taken it. When this returns, it survives the loss of power. Blocks for some
    /// milliseconds.
    pub(crate) fn put(&self, name: &str, what: &impl Serialize) -> io::Result<()> {
        self.shelf.put(name, what)?;
        self.wake.notify_one();
        Ok(())
    }

    /// What waits, by name. What the disk does not say by now is told later.
    pub(crate) fn waiting(&self) -> Result<Vec<PathBuf>, CaError> {
        let waiting = self.shelf.with_extension("json");
        waiting.map_err(|e| CaError::Gone(e.to_string()))
    }

    /// Tells what waits, for ever. `what` is what the CA has not heard of when that fails, for the bastion's log.
    pub(crate) async fn run<F>(&self, what: &str, tell_all: impl Fn() -> F)
    where
        F: Future<Output = Result<(), CaError>>,
    {
        loop {
            let pause = match tell_all().await {
                Ok(()) => REST,
                Err(e) => {
                    tracing::warn!("the CA has not heard of {what}: {e}");
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
}

/// What a file that waits says; none if it cannot be read, or is none of ours.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let said = shelf::read(path, limits::API_BODY_BYTES as u64);
    said.ok().flatten()
}

/// Removes what the CA has taken. What cannot be removed is told once more, which harms nobody.
pub(crate) fn remove(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        tracing::warn!("{}: {e}", path.display());
    }
}
