//! Moves the bytes of one forwarded connection, both ways, until both sides have said all.
//!
//! Both channels are always drained; what waits is bounded by their gates, which stop whoever sends too much by the
//! window of the channel alone. So one that stands still holds up no other of the same connection. What waits in all of a person's
//! together is bounded, too.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use record::recording::{Link, RecordError, Stream};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::time::{Instant, sleep_until};

use crate::agent::Requests;
use crate::flow::{Gate, Way};
use crate::forward::Item;
use crate::last;
use crate::relay::{Outlet, Over, SharedBounds, Source};
use crate::spools::Share;

/// How long the target may take what the person's side had sent before it closed.
const DRAIN: Duration = Duration::from_secs(60);

/// How long a channel may take to be closed.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Why a forwarded connection is over.
#[derive(Debug)]
pub(crate) enum LinkOver {
    /// The person's side closed it.
    Near,
    /// The target's side closed it.
    Far,
    /// What the target sent is nothing that an agent understands.
    Garbled,
    /// Something ends it that ends a session too.
    Over(Over),
}

impl From<RecordError> for LinkOver {
    fn from(e: RecordError) -> Self {
        Self::Over(Over::Recorder(e))
    }
}

/// One end of a connection.
pub(crate) struct End<S>
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    read: ChannelReadHalf,
    side: Side<S>,
}

/// What is said to one end, and how much of it waits.
struct Side<S>
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    write: Arc<ChannelWriteHalf<S>>,
    /// Counts what comes from this end.
    gate: Arc<Gate>,
    closed: bool,
}

impl<S> End<S>
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    pub(crate) fn new(channel: Channel<S>, gate: Arc<Gate>) -> Self {
        let (read, write) = channel.split();
        let side = Side {
            write: Arc::new(write),
            gate,
            closed: false,
        };
        Self { read, side }
    }

    async fn close(self) {
        let Self { read, mut side } = self;
        // What arrives waits for nobody any more, or it would hold up all of its connection.
        drop(read);
        side.closed = true;
        last::word(LAST_WORD, closing(Arc::clone(&side.write))).await;
    }
}

/// One that is cut off has to be closed too: russh keeps a channel that nobody holds any more.
impl<S> Drop for Side<S>
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.closed, tokio::runtime::Handle::try_current()) {
            runtime.spawn(closing(Arc::clone(&self.write)));
        }
    }
}

async fn closing<S>(write: Arc<ChannelWriteHalf<S>>)
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    let _ = write.close().await;
}

/// Moves bytes until the connection is over, records its end, and closes both channels. `requests` follows an agent's.
pub(crate) async fn run(
    mut link: Link,
    (requests, bounds): (Option<Requests>, SharedBounds),
    mut near: End<russh::server::Msg>,
    mut far: End<russh::client::Msg>,
) -> LinkOver {
    let mut over = moves(&mut link, (requests, bounds), &mut near, &mut far).await;
    if let Err(e) = link.close() {
        over = e.into();
    }
    tokio::join!(near.close(), far.close());
    over
}

async fn moves(
    link: &mut Link,
    (requests, bounds): (Option<Requests>, SharedBounds),
    near: &mut End<russh::server::Msg>,
    far: &mut End<russh::client::Msg>,
) -> LinkOver {
    let mut from_near = Source::new(VecDeque::new(), &mut near.read);
    let mut from_far = Source::new(VecDeque::new(), &mut far.read);
    let mut both = Both {
        link,
        requests,
        share: bounds.share(),
        bounds,
        up: Outlet::new(Arc::clone(&far.side.write), Arc::clone(&near.side.gate)),
        down: Outlet::new(Arc::clone(&near.side.write), Arc::clone(&far.side.gate)),
        near_gone: None,
        far_gone: false,
    };
    loop {
        if let Some(over) = both.over(&near.side.gate, &far.side.gate) {
            return over;
        }
        let due = both.near_gone.map(|at| at + DRAIN);
        let took = tokio::select! {
            handed = both.up.turn(false) => {
                if handed.is_err() {
                    both.far_gone = true;
                }
                Ok(())
            }
            handed = both.down.turn(false) => {
                if handed.is_err() {
                    both.near_gone.get_or_insert_with(Instant::now);
                }
                Ok(())
            }
            message = from_near.next(), if both.near_gone.is_none() => both.said(Way::Up, message),
            message = from_far.next(), if !both.far_gone => both.said(Way::Down, message),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                return LinkOver::Near;
            }
        };
        if let Err(over) = took {
            return over;
        }
    }
}

struct Both<'a> {
    link: &'a mut Link,
    requests: Option<Requests>,
    bounds: SharedBounds,
    share: Share,
    up: Outlet<russh::client::Msg>,
    down: Outlet<russh::server::Msg>,
    near_gone: Option<Instant>,
    far_gone: bool,
}

impl Both<'_> {
    fn over(&mut self, near: &Gate, far: &Gate) -> Option<LinkOver> {
        let (up, down) = (near.waiting(), far.waiting());
        let full = self.share.holds(up + down);
        if self.near_gone.is_some() && self.up.empty() {
            Some(LinkOver::Near)
        } else if self.far_gone && self.down.empty() {
            Some(LinkOver::Far)
        } else if near.over() || (full && up >= down) {
            Some(LinkOver::Over(Over::Full(Way::Up)))
        } else if far.over() || full {
            Some(LinkOver::Over(Over::Full(Way::Down)))
        } else {
            None
        }
    }

    /// Takes a message of the side that sends this way.
    fn said(&mut self, way: Way, message: Option<ChannelMsg>) -> Result<(), LinkOver> {
        match message {
            Some(ChannelMsg::Data { data }) => self.pass(way, data)?,
            Some(ChannelMsg::Eof) => self.put(way, Item::Eof, 0),
            None | Some(ChannelMsg::Close) => match way {
                Way::Up => self.near_gone = Some(Instant::now()),
                Way::Down => self.far_gone = true,
            },
            // Nothing else belongs to such a channel.
            Some(_) => {}
        }
        Ok(())
    }

    fn pass(&mut self, way: Way, data: Bytes) -> Result<(), LinkOver> {
        if let (Some(requests), Way::Down) = (&mut self.requests, way) {
            for name in requests.take(&data).map_err(|_| LinkOver::Garbled)? {
                self.link.agent(name)?;
            }
        }
        let bytes = data.len();
        self.bounds.passes(way, bytes).map_err(LinkOver::Over)?;
        let stream = match way {
            Way::Up => Stream::Input,
            Way::Down => Stream::Output,
        };
        let recorded = self.link.pass(stream, data)?;
        self.put(way, Item::Bytes(recorded), bytes);
        Ok(())
    }

    fn put(&mut self, way: Way, item: Item, bytes: usize) {
        match way {
            Way::Up => self.up.put(item, bytes),
            Way::Down => self.down.put(item, bytes),
        }
    }
}
