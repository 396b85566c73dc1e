//! A reviewer's channel: what is said on it, and how long it may live.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::limits;
use config::words::SessionId;
use record::api::review::Pass;
use russh::server::Msg;
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::doorman::HEARD;
use crate::forward::STDERR;
use crate::last;
use crate::links::Near;
use crate::prelude::{Start, Terminal};
use crate::relay::Stop;
use crate::site::{Phase, Site};

/// How long a reviewer's side may take a word.
const WORD: Duration = Duration::from_secs(5);

/// What a terminal sends for an interrupt.
const INTERRUPT: u8 = 3;

/// A reviewer's channel.
pub(super) struct Desk {
    read: ChannelReadHalf,
    out: Out,
    terminal: Option<Terminal>,
}

/// Where a reviewer reads.
#[derive(Clone)]
pub(super) struct Out {
    id: ChannelId,
    write: Arc<ChannelWriteHalf<Msg>>,
    near: Near,
    pty: bool,
}

impl Desk {
    /// Waits until something is asked; none if the channel closes before.
    pub(super) async fn open(
        channel: Channel<Msg>,
        near: Near,
        mut started: oneshot::Receiver<Start>,
    ) -> Option<(Self, Start)> {
        let (mut read, write) = channel.split();
        let start = tokio::select! {
            start = &mut started => start.ok()?,
            () = left(&mut read, false) => return None,
        };
        let terminal = start.prelude.terminal.clone();
        let out = Out {
            id: write.id(),
            write: Arc::new(write),
            near,
            pty: terminal.is_some(),
        };
        let desk = Self {
            read,
            out,
            terminal,
        };
        Some((desk, start))
    }

    /// The columns of the reviewer's terminal, if there is one.
    pub(super) fn cols(&self) -> Option<u32> {
        self.terminal.as_ref().map(|terminal| terminal.cols)
    }

    /// The reviewer's terminal, if there is one.
    pub(super) fn terminal(&self) -> Option<&Terminal> {
        self.terminal.as_ref()
    }

    /// Says that what was asked is being done.
    pub(super) async fn accept(&self) {
        let _ = self.out.near.handle.channel_success(self.out.id).await;
    }

    /// Says that nothing like that is done here.
    pub(super) async fn refuse(self) {
        let Self { read, out, .. } = self;
        drop(read);
        last::word(WORD, async move {
            let _ = out.near.handle.channel_failure(out.id).await;
            out.close().await;
        })
        .await;
    }

    /// Prints text of ours.
    pub(super) async fn print(&self, text: &str) {
        let text = if self.out.pty {
            text.replace('\n', "\r\n")
        } else {
            text.to_owned()
        };
        let _ = timeout(WORD, self.out.give(Bytes::from(text))).await;
    }

    /// Gives bytes that are for a terminal.
    pub(super) async fn show(&self, bytes: Bytes) {
        let _ = timeout(WORD, self.out.give(bytes)).await;
    }

    /// Says why something is not done.
    pub(super) async fn complain(&self, line: &str) {
        let end = if self.out.pty { "\r\n" } else { "\n" };
        let bytes = Bytes::from(format!("hallpass: {line}{end}"));
        let said = self.out.write.extended_data_bytes(STDERR, bytes);
        let _ = timeout(WORD, said).await;
    }

    /// Where the reviewer reads.
    pub(super) fn out(&self) -> &Out {
        &self.out
    }

    /// The reviewer's side, for somebody who listens to it.
    pub(super) fn sides(&mut self) -> (&mut ChannelReadHalf, &Out) {
        (&mut self.read, &self.out)
    }

    /// Does something, unless the reviewer leaves before it is done.
    pub(super) async fn unless_left<T>(&mut self, act: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = act => Some(done),
            () = left(&mut self.read, self.out.pty) => None,
        }
    }

    /// Says how it ended, and closes.
    pub(super) async fn leave(self, status: u32) {
        let Self { read, out, .. } = self;
        // What arrives waits for nobody any more, or it would hold up all of the reviewer's connection.
        drop(read);
        last::word(WORD, async move {
            if status != 0 {
                tokio::time::sleep(HEARD).await;
            }
            let _ = out.write.eof().await;
            let _ = out.write.exit_status(status).await;
            out.close().await;
        })
        .await;
    }
}

/// Does something as long as the grant lives, and the bastion does. The grant is counted from `began`, the moment before
/// the CA was asked.
pub(super) async fn bounded<T>(
    site: &Arc<Site>,
    pass: &Pass,
    began: Instant,
    act: impl Future<Output = T>,
) -> Result<T, Stop> {
    let registered = site.running.begin(&fresh(site), &pass.request);
    let (mut grant, mut phase) = (registered.watch(), site.phase.subscribe());
    let rest = Duration::from_millis(pass.left_ms).min(limits::GRANT_LONGEST);
    tokio::select! {
        () = tokio::time::sleep_until(began + rest) => Err(Stop::Deadline),
        stop = grant.ended() => Err(stop),
        _ = phase.wait_for(|phase| *phase == Phase::Over) => Err(Stop::Shutdown),
        done = act => Ok(done),
    }
}

impl Out {
    /// Gives the reviewer bytes; returns when the channel has taken them. Says whether it still takes any.
    pub(super) async fn give(&self, bytes: Bytes) -> bool {
        self.write.data_bytes(bytes).await.is_ok()
    }

    /// Closes. Its gate goes with it: russh (0.65) does not say that the peer has closed a channel that was closed here first.
    async fn close(&self) {
        let _ = self.write.close().await;
        self.near.gates.leave(self.id);
    }

    /// The channel.
    pub(super) fn write(&self) -> &ChannelWriteHalf<Msg> {
        &self.write
    }

    /// Whether the reviewer has a terminal.
    pub(super) fn pty(&self) -> bool {
        self.pty
    }
}

/// Returns when the reviewer has gone, or has typed an interrupt. What else is typed means nothing.
async fn left(read: &mut ChannelReadHalf, pty: bool) {
    loop {
        match read.wait().await {
            None | Some(ChannelMsg::Close) => return,
            Some(ChannelMsg::Data { data }) if pty && data.contains(&INTERRUPT) => return,
            Some(_) => {}
        }
    }
}

/// A name for a reading among the sessions that run: it ends as they do.
fn fresh(site: &Site) -> SessionId {
    let mut random = [0; 10];
    // A name that is not random ends with its grant all the same, and names nothing else.
    let _ = getrandom::fill(&mut random);
    SessionId::from_parts(site.clock.wall_ms(), random)
}
