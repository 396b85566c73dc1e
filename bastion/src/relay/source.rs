//! What comes from a side, and when the next of it may be taken.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use config::limits;
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::together::together;
use crate::flow::{Gate, Take};

/// How long to wait before each message when sealing has fallen behind.
const BEHIND: Duration = Duration::from_millis(5);

/// A side's messages, in order, and when the next may be taken.
pub(crate) struct Source<'a> {
    said: VecDeque<ChannelMsg>,
    channel: &'a mut ChannelReadHalf,
    due: Option<Instant>,
}

/// Whether a message may be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    At(Instant),
    Not,
}

impl Turn {
    pub(super) fn at(self) -> Option<Instant> {
        match self {
            Self::At(at) => Some(at),
            Self::Now | Self::Not => None,
        }
    }
}

impl<'a> Source<'a> {
    /// `said` comes before all that the channel has.
    pub(crate) fn new(said: VecDeque<ChannelMsg>, channel: &'a mut ChannelReadHalf) -> Self {
        Self {
            said,
            channel,
            due: None,
        }
    }

    /// The next message, or that there is none any more.
    pub(crate) async fn next(&mut self) -> Option<ChannelMsg> {
        let message = match self.said.pop_front() {
            Some(message) => Some(message),
            None => self.channel.wait().await,
        };
        self.due = None;
        message
    }

    /// A message that is there already.
    pub(super) fn ready(&mut self) -> Option<ChannelMsg> {
        let next = pin!(self.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            // That there is none any more is seen by whoever waits for the next.
            Poll::Ready(message) => message,
            Poll::Pending => None,
        }
    }

    /// Puts bytes that are there already behind those of a message, up to `most` of them. Never waits, and brings nothing
    /// out of order.
    pub(super) fn together(
        &mut self,
        message: Option<ChannelMsg>,
        most: usize,
    ) -> Option<ChannelMsg> {
        let (together, left) = together(message?, most, || self.ready());
        if let Some(left) = left {
            self.said.push_front(left);
        }
        Some(together)
    }

    /// Whether a message is there already, or the end.
    pub(super) fn has_next(&mut self) -> bool {
        if self.said.is_empty() {
            // What is there is there, whether or not this task has had its share.
            let next = pin!(unconstrained(self.channel.wait()));
            match next.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(message)) => self.said.push_back(message),
                Poll::Ready(None) => return true,
                Poll::Pending => return false,
            }
        }
        true
    }

    /// Whether the next message may be taken. `behind`: the recorder cannot seal as fast as it writes.
    pub(super) fn turn(&mut self, take: Take, behind: bool, now: Instant) -> Turn {
        let pause = match take {
            Take::Now if behind => BEHIND,
            Take::Now | Take::Not => {
                self.due = None;
                return if take == Take::Now {
                    Turn::Now
                } else {
                    Turn::Not
                };
            }
            Take::After(pause) => pause,
        };
        let due = *self.due.get_or_insert(now + pause);
        if now < due { Turn::At(due) } else { Turn::Now }
    }
}

/// Collects what a side says before the relay begins, and counts it in the side's gate. Returns when the side is gone,
/// or has sent more than may wait.
pub(crate) async fn hold(
    channel: &mut ChannelReadHalf,
    said: &mut VecDeque<ChannelMsg>,
    held: &mut usize,
    gate: &Gate,
) {
    while !gate.over() {
        let message = match channel.wait().await {
            None | Some(ChannelMsg::Close) => return,
            Some(
                message @ (ChannelMsg::Data { .. }
                | ChannelMsg::Eof
                | ChannelMsg::WindowChange { .. }
                | ChannelMsg::Signal { .. }),
            ) => message,
            Some(_) => continue,
        };
        let weight = weight(&message);
        *held += weight;
        gate.took(weight);
        said.push_back(message);
    }
}

/// What a message counts for that is held.
pub(crate) fn weight(message: &ChannelMsg) -> usize {
    let bytes = match message {
        ChannelMsg::Data { data } => data.len(),
        _ => 0,
    };
    bytes + limits::ITEM_BYTES
}
