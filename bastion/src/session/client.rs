//! The person's side of a session.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use record::recording::Exit;
use russh::server::Msg;
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::oneshot;

use super::LAST_WORD;
use crate::doorman::HEARD;
use crate::flow::Gate;
use crate::forward::{Item, STDERR, forward};
use crate::jump::Place;
use crate::last;
use crate::links::Near;
use crate::prelude::Start;
use crate::relay;

/// Whether the request for a shell or a command has been answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It has.
    Given,
    /// Not yet; it is answered with success, so that the client shows the reason and the exit status.
    Success,
    /// Not yet; the target refused it, and so do we.
    Failure,
}

/// The person's channel.
pub(crate) struct Client {
    pub(super) read: ChannelReadHalf,
    pub(super) said: VecDeque<ChannelMsg>,
    pub(super) held: usize,
    pub(super) gate: Arc<Gate>,
    pub(super) person: Person,
}

/// The person's channel, of which nothing is taken any more. What arrives on it waits for nobody, or it would hold up all of
/// the person's connection.
pub(crate) struct Person {
    pub(super) id: ChannelId,
    pub(super) write: Arc<ChannelWriteHalf<Msg>>,
    pub(super) near: Near,
    /// The request for a shell or a command has been answered with success.
    pub(super) answered: bool,
    _place: Place,
}

/// A channel that has just been opened, which nothing was asked on.
pub(crate) struct Fresh {
    pub(crate) channel: Channel<Msg>,
    pub(crate) near: Near,
    /// Ready when something is asked for on it.
    pub(crate) started: oneshot::Receiver<Start>,
    pub(crate) place: Place,
    pub(crate) gate: Arc<Gate>,
}

impl Fresh {
    /// Waits until something is asked for, and has it attended to; closes if nothing is.
    pub(crate) fn begin<F>(self, attend: impl FnOnce(Client, Start) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        tokio::spawn(async move {
            let Self {
                channel,
                near,
                started,
                place,
                gate,
            } = self;
            let mut client = Client::new(channel, near, place, gate);
            match client.asked(started).await {
                Some(start) => attend(client, start).await,
                None => client.close().await,
            }
        });
    }
}

impl Client {
    fn new(channel: Channel<Msg>, near: Near, place: Place, gate: Arc<Gate>) -> Self {
        let (read, write) = channel.split();
        Self {
            read,
            said: VecDeque::new(),
            held: 0,
            gate,
            person: Person {
                id: write.id(),
                write: Arc::new(write),
                near,
                answered: false,
                _place: place,
            },
        }
    }

    /// Takes nothing any more.
    pub(crate) fn deaf(self) -> Person {
        self.person
    }

    /// Waits until something is asked for; none if the channel closes before.
    async fn asked(&mut self, mut started: oneshot::Receiver<Start>) -> Option<Start> {
        self.while_held(&mut started).await.and_then(Result::ok)
    }

    /// Says that what was asked for is being done.
    pub(crate) async fn accept(&mut self) {
        let person = &mut self.person;
        if !person.answered {
            person.answered = true;
            let _ = person.near.handle.channel_success(person.id).await;
        }
    }

    /// The next thing that the person says, before a session is there to take it; none when they have gone.
    pub(crate) async fn next(&mut self) -> Option<ChannelMsg> {
        match self.said.pop_front() {
            Some(message) => {
                let weight = relay::weight(&message);
                self.gate.gave(weight);
                self.held = self.held.saturating_sub(weight);
                Some(message)
            }
            None => self.read.wait().await,
        }
    }

    /// Puts back what was not meant for whoever took it: it is said again before all else.
    pub(crate) fn put_back(&mut self, data: Bytes) {
        let message = ChannelMsg::Data { data };
        let weight = relay::weight(&message);
        self.gate.took(weight);
        self.held += weight;
        self.said.push_front(message);
    }

    /// Shows the person something of ours that belongs to no session. Says whether they took it in time.
    pub(crate) async fn show(&mut self, bytes: Bytes) -> bool {
        if bytes.is_empty() {
            return true;
        }
        let write = Arc::clone(&self.person.write);
        let showing = async move { write.data_bytes(bytes).await.is_ok() };
        let shown = self.while_held(tokio::time::timeout(LAST_WORD, showing));
        matches!(shown.await, Some(Ok(true)))
    }

    /// Waits for something while the channel is drained; none if the client has gone meanwhile.
    pub(crate) async fn while_held<T>(&mut self, something: impl Future<Output = T>) -> Option<T> {
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
        self.person.hand(item).await;
    }

    /// See [`Person::tell`].
    pub(crate) async fn tell(&self, line: Option<String>, pty: bool) {
        self.person.tell(line, pty).await;
    }

    /// See [`Person::leave`].
    pub(crate) async fn leave(self, reply: Reply, exit: Exit) {
        self.deaf().leave(reply, exit).await;
    }

    /// Closes.
    pub(crate) async fn close(self) {
        self.deaf().close().await;
    }
}

impl Person {
    /// Hands the channel something that was recorded, if it takes it in time.
    pub(super) async fn hand(&self, item: Item) {
        let _ = tokio::time::timeout(LAST_WORD, forward(&self.write, item)).await;
    }

    /// Gives the person a line of ours that no recording holds: there is none, or it has failed.
    pub(crate) async fn tell(&self, line: Option<String>, pty: bool) {
        let Some(line) = line else { return };
        let end = if pty { "\r\n" } else { "\n" };
        let bytes = Bytes::from(format!("hallpass: {line}{end}"));
        let _ =
            tokio::time::timeout(LAST_WORD, self.write.extended_data_bytes(STDERR, bytes)).await;
    }

    /// Says how the command ended, and closes. A connection that takes nothing now hears of it when it does again.
    pub(crate) async fn leave(self, reply: Reply, exit: Exit) {
        last::word(LAST_WORD, self.leaving(reply, exit)).await;
    }

    /// Closes.
    pub(crate) async fn close(self) {
        last::word(LAST_WORD, self.closing()).await;
    }

    async fn leaving(self, reply: Reply, exit: Exit) {
        match reply {
            _ if self.answered => {}
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
        self.closing().await;
    }

    /// russh (0.65) does not say that the peer has closed a channel that was closed here first: so its gate goes now.
    async fn closing(self) {
        let _ = self.write.close().await;
        self.near.gates.leave(self.id);
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
