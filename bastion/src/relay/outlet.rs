//! Hands things to a channel, in their order and when it takes them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use config::limits;
use russh::{ChannelId, ChannelMsg, ChannelWriteHalf};

use crate::flow::Gate;
use crate::forward::{Item, forward};

/// The channel takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// What waits for a channel, and what it is taking.
pub(crate) struct Outlet<S: From<(ChannelId, ChannelMsg)>> {
    channel: Arc<ChannelWriteHalf<S>>,
    gate: Arc<Gate>,
    waiting: VecDeque<(Item, usize)>,
    /// Comes before what waits, and also while that is held.
    first: VecDeque<(Item, usize)>,
    handing: Option<Handing>,
    lost: bool,
}

/// The channel takes something of this weight.
struct Handing {
    taking: Pin<Box<dyn Future<Output = Result<(), russh::Error>> + Send>>,
    weight: usize,
    first: bool,
}

impl<S> Outlet<S>
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    pub(crate) fn new(channel: Arc<ChannelWriteHalf<S>>, gate: Arc<Gate>) -> Self {
        Self {
            channel,
            gate,
            waiting: VecDeque::new(),
            first: VecDeque::new(),
            handing: None,
            lost: false,
        }
    }

    /// Lets something wait for its turn.
    pub(crate) fn put(&mut self, item: Item, bytes: usize) {
        if !self.lost {
            let weight = bytes + limits::ITEM_BYTES;
            self.gate.took(weight);
            self.waiting.push_back((item, weight));
        }
    }

    /// Lets something pass before all that waits.
    pub(crate) fn put_first(&mut self, item: Item, bytes: usize) {
        if !self.lost {
            let weight = bytes + limits::ITEM_BYTES;
            self.gate.took(weight);
            self.first.push_back((item, weight));
        }
    }

    /// Whether everything was handed on.
    pub(crate) fn empty(&self) -> bool {
        self.handing.is_none() && self.waiting.is_empty() && self.first.is_empty()
    }

    /// Hands one thing on, unless the channel takes nothing any more; for ever, if none waits. May be given up and
    /// begun again at any time. `held`: only what comes first passes, and what the channel has not taken whole stands still.
    pub(crate) async fn turn(&mut self, held: bool) -> Result<(), Lost> {
        let Some(handing) = self.handing.take().or_else(|| self.next(held)) else {
            return std::future::pending().await;
        };
        let (weight, first) = (handing.weight, handing.first);
        let handing = self.handing.insert(handing);
        if held && !first {
            // What stands still may have been given russh's (0.65) lock of the channel's window just now, without being polled since. Then
            // the person's connection waits at its next word of that window, with all of its channels, until somebody watches again or the
            // session ends. To poll it for that would let bytes pass that nobody watches.
            return std::future::pending().await;
        }
        let handed = handing.taking.as_mut().await;
        self.handing = None;
        self.gate.gave(weight);
        handed.map_err(|_| {
            self.lose();
            Lost
        })
    }

    fn next(&mut self, held: bool) -> Option<Handing> {
        let first = self.first.pop_front();
        let is_first = first.is_some();
        let ordinary = || if held { None } else { self.waiting.pop_front() };
        let (item, weight) = first.or_else(ordinary)?;
        let channel = Arc::clone(&self.channel);
        let taking = Box::pin(async move { forward(&channel, item).await });
        Some(Handing {
            taking,
            weight,
            first: is_first,
        })
    }

    fn lose(&mut self) {
        self.lost = true;
        for (_, weight) in self.first.drain(..).chain(self.waiting.drain(..)) {
            self.gate.gave(weight);
        }
    }
}
