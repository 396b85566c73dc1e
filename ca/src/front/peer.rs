//! The person at the other end of one channel: what they are told, what they send, and whether they
//! are still there.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use config::limits;
use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::watch;

/// The byte that a terminal sends for ^C while `ssh` has it in raw mode.
const INTERRUPT: u8 = 0x03;

/// The person has gone: nothing more can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client is gone")]
pub(super) struct Gone;

/// What is known of the other side, in the order in which it gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Open,
    Ended,
    Interrupted,
    Gone,
}

/// One channel's other end.
pub(super) struct Peer {
    write: ChannelWriteHalf<Msg>,
    terminal: Option<usize>,
    input: Mutex<Vec<u8>>,
    state: watch::Sender<State>,
}

impl Peer {
    /// `terminal` is the width of the person's terminal, if there is one.
    pub(super) fn new(write: ChannelWriteHalf<Msg>, terminal: Option<usize>) -> Self {
        Self {
            write,
            terminal,
            input: Mutex::default(),
            state: watch::Sender::new(State::Open),
        }
    }

    /// The width of the person's terminal, in columns.
    pub(super) const fn width(&self) -> Option<usize> {
        self.terminal
    }

    /// Says something that another program may read: standard output.
    pub(super) async fn print(&self, text: &str) -> Result<(), Gone> {
        let bytes = self.lines(text);
        self.unless_gone(self.write.data_bytes(bytes)).await
    }

    /// Gives a program bytes that are not text: standard output, as they are.
    pub(super) async fn print_bytes(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.unless_gone(self.write.data_bytes(bytes)).await
    }

    /// Says something to the person alone: standard error.
    pub(super) async fn say(&self, text: &str) -> Result<(), Gone> {
        let bytes = self.lines(text);
        self.unless_gone(self.write.extended_data_bytes(1, bytes))
            .await
    }

    /// Ends the channel with an exit status (RFC 4254 §6.10).
    pub(super) async fn exit(&self, status: u8) -> Result<(), Gone> {
        self.unless_gone(self.write.exit_status(status.into()))
            .await?;
        self.unless_gone(self.write.eof()).await?;
        self.unless_gone(self.write.close()).await
    }

    /// Returns when the person does not want to wait any longer, or cannot.
    pub(super) async fn stopped(&self) {
        self.reached(State::Interrupted).await;
    }

    /// Everything on standard input, once it has ended: none if it is longer than
    /// [`limits::SSHSIG_BYTES`], which is the most that any command reads.
    pub(super) async fn input(&self) -> Option<Vec<u8>> {
        self.reached(State::Ended).await;
        let input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        (input.len() <= limits::SSHSIG_BYTES).then(|| input.clone())
    }

    /// Takes everything that the other side sends until it is gone. The queue of a channel must
    /// never fill: the whole connection would stand still.
    pub(super) async fn drain(&self, mut read: ChannelReadHalf) {
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } => self.take(&data),
                ChannelMsg::Eof => self.reach(State::Ended),
                ChannelMsg::Signal {
                    signal: Sig::INT | Sig::TERM | Sig::HUP | Sig::QUIT,
                } => self.reach(State::Interrupted),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        self.reach(State::Gone);
    }

    fn take(&self, data: &[u8]) {
        if self.terminal.is_some() && data.contains(&INTERRUPT) {
            self.reach(State::Interrupted);
        }
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        let room = (limits::SSHSIG_BYTES + 1).saturating_sub(input.len());
        input.extend(data.iter().take(room));
        if input.len() > limits::SSHSIG_BYTES {
            self.reach(State::Ended);
        }
    }

    fn reach(&self, state: State) {
        self.state.send_if_modified(|now| {
            let worse = state > *now;
            if worse {
                *now = state;
            }
            worse
        });
    }

    async fn reached(&self, state: State) {
        let mut watch = self.state.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = watch.wait_for(|now| *now >= state).await;
    }

    /// A client that has gone never opens its window again: a write must not wait for it.
    async fn unless_gone(
        &self,
        write: impl Future<Output = Result<(), russh::Error>>,
    ) -> Result<(), Gone> {
        tokio::select! {
            written = write => written.map_err(|_| Gone),
            () = self.reached(State::Gone) => Err(Gone),
        }
    }

    /// With a terminal, `ssh` has it in raw mode, where a line feed alone does not go back to the
    /// first column.
    fn lines(&self, text: &str) -> Bytes {
        if self.terminal.is_some() {
            text.replace('\n', "\r\n").into()
        } else {
            text.to_owned().into()
        }
    }
}
