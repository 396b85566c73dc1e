//! How many of something there are that has to be over before the bastion may stop.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Counts what [`Counted`] stands for.
#[derive(Debug)]
pub(crate) struct Tally(watch::Sender<usize>);

impl Tally {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(0)))
    }

    /// One more.
    pub(crate) fn count(self: &Arc<Self>) -> Counted {
        self.0.send_modify(|count| *count += 1);
        Counted(Arc::clone(self))
    }

    /// Waits until there is none, at most so long; says whether there is none.
    pub(crate) async fn none(&self, most: Duration) -> bool {
        let mut count = self.0.subscribe();
        tokio::time::timeout(most, count.wait_for(|count| *count == 0))
            .await
            .is_ok()
    }
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Tally>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0
            .0
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far longer than anything takes here.
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn it_waits_for_the_last_one_and_for_no_longer_than_it_is_told() {
        let tally = Tally::new();
        assert!(tally.none(Duration::ZERO).await, "there was none");
        let (first, last) = (tally.count(), tally.count());
        drop(first);
        assert!(!tally.none(Duration::from_millis(10)).await, "one stays");
        let waits = tokio::spawn({
            let tally = Arc::clone(&tally);
            async move { tally.none(LONG).await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(last);
        assert!(waits.await.unwrap(), "the last one has gone");
    }
}
