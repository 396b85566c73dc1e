//! What comes from a side, and when the next of it may be taken.

use std::collections::VecDeque;
use std::time::Duration;

use russh::{ChannelMsg, ChannelReadHalf};
use tokio::time::Instant;

use crate::flow::Take;

/// How long to wait before each message when sealing has fallen behind.
const BEHIND: Duration = Duration::from_millis(5);

/// A side's messages, in order, and when the next may be taken.
pub(super) struct Source<'a> {
    pub(super) said: VecDeque<ChannelMsg>,
    pub(super) channel: &'a mut ChannelReadHalf,
    pub(super) due: Option<Instant>,
}

/// Whether a message may be taken.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    Now,
    At(Instant),
    Not,
}

impl Turn {
    pub(super) fn is_now(self) -> bool {
        matches!(self, Self::Now)
    }

    pub(super) fn at(self) -> Option<Instant> {
        match self {
            Self::At(at) => Some(at),
            Self::Now | Self::Not => None,
        }
    }
}

impl Source<'_> {
    pub(super) async fn next(&mut self) -> Option<ChannelMsg> {
        let message = match self.said.pop_front() {
            Some(message) => Some(message),
            None => self.channel.wait().await,
        };
        self.due = None;
        message
    }

    pub(super) fn turn(&mut self, take: Take, behind: bool, now: Instant) -> Turn {
        let pause = match take {
            Take::Not => {
                self.due = None;
                return Turn::Not;
            }
            Take::Now if behind => BEHIND,
            Take::Now => return Turn::Now,
            Take::After(pause) => pause,
        };
        let due = *self.due.get_or_insert(now + pause);
        if now < due { Turn::At(due) } else { Turn::Now }
    }
}
