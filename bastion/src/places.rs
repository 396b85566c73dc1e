//! The places of one connection's forwarded connections: so many at once, and as many may wait for one.

use std::sync::Arc;
use std::time::Duration;

use config::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// A place, until it is dropped.
pub(crate) type Taken = OwnedSemaphorePermit;

/// All places. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Places {
    /// [`limits::FORWARDED`] of them, all free.
    pub(crate) fn new() -> Self {
        let all = || Arc::new(Semaphore::new(limits::FORWARDED));
        Self {
            free: all(),
            queue: all(),
        }
    }

    /// Takes a place if one is free.
    pub(crate) fn take(&self) -> Option<Taken> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Waits in a queue for a place, if there is room in it. One that was closed is free [`limits::FORWARD_LINGER`] later at the
    /// latest, so that only who holds all of them finds none.
    pub(crate) fn wait(&self) -> Option<impl Future<Output = Option<Taken>> + Send + use<>> {
        self.wait_for(limits::FORWARD_QUEUE)
    }

    fn wait_for(
        &self,
        most: Duration,
    ) -> Option<impl Future<Output = Option<Taken>> + Send + use<>> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().ok()?;
        let free = Arc::clone(&self.free);
        Some(async move {
            let taken = timeout(most, free.acquire_owned()).await;
            drop(queued);
            taken.ok()?.ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn one_more_than_all_waits_and_one_more_than_those_does_not() {
        let places = Places::new();
        let all = || 0..limits::FORWARDED;
        let mut held: Vec<_> = all().map(|_| places.take().unwrap()).collect();
        assert!(places.take().is_none());
        let mut queue: Vec<_> = all().map(|_| places.wait_for(SOON).unwrap()).collect();
        assert!(places.wait().is_none());
        assert!(queue.remove(0).await.is_none(), "what is held is not given");
        let next = places.wait().unwrap();
        drop(held.pop());
        let next = next.await;
        assert!(next.is_some(), "what is given back is waited for");
        assert!(places.take().is_none());
        drop((held, next, queue));
        assert!(places.take().is_some());
    }
}
