//! What goes to a side, in its order.

use std::sync::Arc;

use config::limits;
use russh::{ChannelId, ChannelMsg, ChannelWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::flow::Way;
use crate::forward::{Item, forward};

/// What a channel did with what it was handed.
pub(super) enum Given {
    /// It took something of so many bytes.
    Taken(Way, usize),
    /// It takes nothing any more.
    Lost(Way),
}

/// A task that hands things to a channel in their order.
pub(super) struct Outlet {
    items: mpsc::UnboundedSender<(Item, usize)>,
    pub(super) pending: usize,
    task: JoinHandle<()>,
}

impl Outlet {
    pub(super) fn new<S>(
        channel: Arc<ChannelWriteHalf<S>>,
        way: Way,
        gave: mpsc::UnboundedSender<Given>,
    ) -> Self
    where
        S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
    {
        let (items, mut waiting) = mpsc::unbounded_channel::<(Item, usize)>();
        let task = tokio::spawn(async move {
            while let Some((item, weight)) = waiting.recv().await {
                let given = match forward(&channel, item).await {
                    Ok(()) => Given::Taken(way, weight),
                    Err(_) => Given::Lost(way),
                };
                if gave.send(given).is_err() {
                    break;
                }
            }
        });
        Self {
            items,
            pending: 0,
            task,
        }
    }

    /// Lets something wait for its turn; says how much more waits now.
    pub(super) fn put(&mut self, item: Item, bytes: usize) -> usize {
        self.pending += 1;
        let weight = bytes + limits::ITEM_BYTES;
        // The task ends after this outlet, or has said that the side is lost.
        let _ = self.items.send((item, weight));
        weight
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.task.abort();
    }
}
