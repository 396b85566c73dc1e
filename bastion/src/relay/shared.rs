//! The bounds of a session that has several connections at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, sleep_until};

use super::Over;
use super::bounds::Bounds;
use crate::flow::Way;
use crate::spools::{Share, Spool};

/// Bounds that all clones share.
#[derive(Debug, Clone)]
pub(crate) struct SharedBounds {
    bounds: Arc<Mutex<Bounds>>,
    spool: Spool,
}

impl SharedBounds {
    /// `spool`: what waits in all connections of their person.
    pub(crate) fn new(bounds: Bounds, spool: Spool) -> Self {
        let bounds = Arc::new(Mutex::new(bounds));
        Self { bounds, spool }
    }

    /// Counts what waits in one connection.
    pub(crate) fn share(&self) -> Share {
        self.spool.share()
    }

    /// So many bytes want to pass.
    pub(crate) fn passes(&self, way: Way, bytes: usize) -> Result<(), Over> {
        Ok(self.bounds().passes(way, bytes, Instant::now())?)
    }

    /// Returns when nothing has passed for as long as may be. Nobody is warned: there is nowhere to say it.
    pub(crate) async fn idle(&self) -> Over {
        loop {
            let due = self.bounds().due();
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
            if let Some(reached) = self.bounds().reached(Instant::now()) {
                return reached.into();
            }
        }
    }

    fn bounds(&self) -> MutexGuard<'_, Bounds> {
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
