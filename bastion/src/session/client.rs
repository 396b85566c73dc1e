//! The person's side of a session.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use record::recording::Exit;
use russh::server::Msg;
use russh::{ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};

use super::LAST_WORD;
use crate::doorman::HEARD;
use crate::flow::Gate;
use crate::forward::{Item, STDERR, forward};
use crate::jump::Place;
use crate::links::Near;
use crate::relay;

/// Whether the request for a shell or a command has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// It has.
    Given,
    /// Not yet; it is answered with success, so that the client shows the reason and the exit status.
    Success,
    /// Not yet; the target refused it, and so do we.
    Failure,
}

/// The person's channel.
pub(super) struct Client {
    pub(super) id: ChannelId,
    pub(super) read: ChannelReadHalf,
    pub(super) write: Arc<ChannelWriteHalf<Msg>>,
    pub(super) near: Near,
    pub(super) said: VecDeque<ChannelMsg>,
    pub(super) held: usize,
    pub(super) gate: Arc<Gate>,
    pub(super) _place: Place,
}

impl Client {
    /// Waits for something while the channel is drained; none if the client has gone meanwhile.
    pub(super) async fn while_held<T>(&mut self, something: impl Future<Output = T>) -> Option<T> {
        let Self {
            read,
            said,
            held,
            gate,
            ..
        } = self;
        tokio::select! {
            // What is ready is not given up because the client has just gone.
            biased;
            done = something => Some(done),
            () = relay::hold(read, said, held, gate) => None,
        }
    }

    /// Waits for something while the channel is drained, also if the client has gone meanwhile.
    pub(super) async fn meanwhile<T>(&mut self, something: impl Future<Output = T> + Unpin) -> T {
        let mut something = something;
        match self.while_held(&mut something).await {
            Some(done) => done,
            None => something.await,
        }
    }

    /// Hands the channel something that was recorded, if it takes it in time.
    pub(super) async fn hand(&self, item: Item) {
        let _ = tokio::time::timeout(LAST_WORD, forward(&self.write, item)).await;
    }

    /// Gives the person a line of ours that no recording holds: there is none, or it has failed.
    pub(super) async fn tell(&self, line: Option<String>, pty: bool) {
        let Some(line) = line else { return };
        let end = if pty { "\r\n" } else { "\n" };
        let bytes = Bytes::from(format!("hallpass: {line}{end}"));
        let _ =
            tokio::time::timeout(LAST_WORD, self.write.extended_data_bytes(STDERR, bytes)).await;
    }

    /// Says how the command ended, and closes.
    pub(super) async fn leave(self, reply: Reply, exit: Exit) {
        let leaving = async {
            match reply {
                Reply::Given => {}
                Reply::Success => {
                    let _ = self.near.handle.channel_success(self.id).await;
                }
                Reply::Failure => {
                    tokio::time::sleep(HEARD).await;
                    let _ = self.near.handle.channel_failure(self.id).await;
                }
            }
            match exit {
                Exit::Status(status) => {
                    let _ = self.write.exit_status(status).await;
                }
                Exit::Signal(name) => {
                    let (signal, empty) = (signal(name), String::new());
                    let _ = self
                        .near
                        .handle
                        .exit_signal_request(self.id, signal, false, empty.clone(), empty)
                        .await;
                }
            }
            let _ = self.write.close().await;
        };
        let _ = tokio::time::timeout(LAST_WORD, leaving).await;
    }

    pub(super) async fn close(self) {
        let _ = tokio::time::timeout(LAST_WORD, self.write.close()).await;
    }
}

fn signal(name: String) -> Sig {
    match name.as_str() {
        "ABRT" => Sig::ABRT,
        "ALRM" => Sig::ALRM,
        "FPE" => Sig::FPE,
        "HUP" => Sig::HUP,
        "ILL" => Sig::ILL,
        "INT" => Sig::INT,
        "KILL" => Sig::KILL,
        "PIPE" => Sig::PIPE,
        "QUIT" => Sig::QUIT,
        "SEGV" => Sig::SEGV,
        "TERM" => Sig::TERM,
        "USR1" => Sig::USR1,
        _ => Sig::Custom(name),
    }
}
