//! Moves a session's bytes: records them, lets them wait where [`Flow`] says so, and hands them on.

mod outlet;
mod source;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::limits;
use record::recording::{Exit, RecordError, Recorded, Recorder, Stream};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::flow::{Flow, Way};
use crate::forward::{Item, STDERR};
use crate::sftp::{Act, Broken, Sftp};
use outlet::{Given, Outlet};
use source::{Source, Turn};

/// How long the end of the target's output rests before it is handed on: mostly the exit status and the close
/// follow at once.
const EOF_REST: Duration = Duration::from_millis(200);

/// Why a relay is over.
#[derive(Debug)]
pub(crate) enum Over {
    /// The target said how the command ended, and closed.
    Exit(Exit),
    /// The target closed, or its connection broke, without a word.
    TargetClosed,
    /// The person's channel or connection is closed.
    ClientClosed,
    /// One direction filled its spool.
    Full(Way),
    /// A file transfer that cannot be followed any more.
    Broken(Broken),
    /// Something could not be recorded.
    Recorder(RecordError),
    /// Somebody else ended it.
    Stopped(Stop),
}

impl From<RecordError> for Over {
    fn from(e: RecordError) -> Self {
        Self::Recorder(e)
    }
}

/// Why somebody else ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The grant's deadline.
    Deadline,
    /// The grant was given back or revoked.
    GrantEnded,
    /// The bastion was told to stop.
    Shutdown,
}

/// What happens around a session while its bytes move.
#[derive(Debug)]
pub(crate) enum News {
    /// A line of ours for the person.
    Say(String),
    /// The session must end.
    Stop(Stop),
}

/// The two channels of a session, and what they had said before the relay began.
pub(crate) struct Sides<'a> {
    pub(crate) client: &'a mut ChannelReadHalf,
    pub(crate) client_said: VecDeque<ChannelMsg>,
    pub(crate) to_client: Arc<ChannelWriteHalf<russh::server::Msg>>,
    pub(crate) target: &'a mut ChannelReadHalf,
    pub(crate) target_said: VecDeque<ChannelMsg>,
    pub(crate) to_target: Arc<ChannelWriteHalf<russh::client::Msg>>,
}

/// Moves bytes until the session is over. Unless it was stopped, all that the target sent before its end has been
/// handed to the person's channel by then. `alone` says whether no other channel lives on the person's connection.
pub(crate) async fn run(
    recorder: &mut Recorder,
    pty: bool,
    files: Option<Sftp>,
    sides: Sides<'_>,
    alone: impl Fn() -> bool,
    news: &mut mpsc::UnboundedReceiver<News>,
) -> Over {
    let (gave, mut given) = mpsc::unbounded_channel();
    let up = Outlet::new(sides.to_target, Way::Up, gave.clone());
    let down = Outlet::new(sides.to_client, Way::Down, gave);
    let mut relay = Relay {
        recorder,
        pty,
        files,
        flow: Flow::default(),
        up,
        down,
        exit: None,
        client_done: false,
        eof_due: None,
        target_closed: false,
    };
    let mut client = Source {
        said: sides.client_said,
        channel: sides.client,
        due: None,
    };
    let mut target = Source {
        said: sides.target_said,
        channel: sides.target,
        due: None,
    };
    let over = loop {
        if let Some(over) = relay.over() {
            break over;
        }
        let now = Instant::now();
        relay.rested(now);
        let behind = relay.recorder.behind();
        let from_client = client.turn(relay.flow.take(Way::Up, alone()), behind, now);
        let from_target = if relay.target_closed {
            Turn::Not
        } else {
            target.turn(relay.flow.take(Way::Down, true), behind, now)
        };
        let pause = [from_client, from_target]
            .into_iter()
            .filter_map(Turn::at)
            .chain(relay.eof_due)
            .min();
        let took = tokio::select! {
            Some(news) = news.recv() => match news {
                News::Say(line) => relay.say(&line).map_err(Over::from),
                News::Stop(stop) => break Over::Stopped(stop),
            },
            Some(given) = given.recv() => match given {
                Given::Taken(way, bytes) => {
                    relay.given(way, bytes);
                    Ok(())
                }
                // What it had said before it went is still to come.
                Given::Lost(Way::Up) => Ok(()),
                Given::Lost(Way::Down) => break Over::ClientClosed,
            },
            message = client.next(), if from_client.is_now() => match message {
                Some(ChannelMsg::Close) | None => break Over::ClientClosed,
                Some(message) => relay.client_said(message),
            },
            message = target.next(), if from_target.is_now() => relay.target_said(message),
            () = tokio::time::sleep_until(pause.unwrap_or(now)), if pause.is_some() => Ok(()),
        };
        if let Err(over) = took {
            break over;
        }
    };
    relay.left(over)
}

struct Relay<'a> {
    recorder: &'a mut Recorder,
    pty: bool,
    files: Option<Sftp>,
    flow: Flow,
    up: Outlet,
    down: Outlet,
    exit: Option<Exit>,
    client_done: bool,
    eof_due: Option<Instant>,
    target_closed: bool,
}

impl Relay<'_> {
    fn over(&mut self) -> Option<Over> {
        if let Some(way) = self.flow.over() {
            return Some(Over::Full(way));
        }
        if self.target_closed && self.down.pending == 0 {
            return Some(self.exit.take().map_or(Over::TargetClosed, Over::Exit));
        }
        None
    }

    fn given(&mut self, way: Way, bytes: usize) {
        let outlet = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        outlet.pending = outlet.pending.saturating_sub(1);
        self.flow.gave(way, bytes);
    }

    /// Hands on the end of the target's output, once it has rested. A client that has sent its own end closes as
    /// soon as it hears of this one, and then takes no exit status any more; the close that follows tells it
    /// the same.
    fn rested(&mut self, now: Instant) {
        if self.eof_due.is_some_and(|due| due <= now) {
            self.eof_due = None;
            if !self.client_done {
                let weight = self.down.put(Item::Eof, 0);
                self.flow.took(Way::Down, weight);
            }
        }
    }

    fn client_said(&mut self, message: ChannelMsg) -> Result<(), Over> {
        let weight = match message {
            ChannelMsg::Data { data } if self.files.is_some() => {
                return self.follow(Way::Up, &data);
            }
            ChannelMsg::Data { data } => {
                let bytes = data.len();
                let recorded = self.recorder.input(data)?;
                self.up.put(Item::Bytes(recorded), bytes)
            }
            ChannelMsg::Eof => {
                self.client_done = true;
                self.up.put(Item::Eof, 0)
            }
            ChannelMsg::WindowChange {
                col_width,
                row_height,
                pix_width,
                pix_height,
            } => {
                let recorded = self.recorder.resize(col_width, row_height)?;
                self.up
                    .put(Item::Resize(recorded, pix_width, pix_height), 0)
            }
            ChannelMsg::Signal { signal } => {
                let recorded = self.recorder.marker(&format!("signal {}", name(&signal)))?;
                self.up.put(Item::Signal(recorded, signal), 0)
            }
            // Answered, or refused by name, in the doorman.
            _ => 0,
        };
        self.flow.took(Way::Up, weight);
        Ok(())
    }

    fn target_said(&mut self, message: Option<ChannelMsg>) -> Result<(), Over> {
        let weight = match message {
            Some(ChannelMsg::Data { data }) if self.files.is_some() => {
                return self.follow(Way::Down, &data);
            }
            Some(ChannelMsg::Data { data }) => {
                let bytes = data.len();
                let recorded = self.recorder.output(data)?;
                self.down.put(Item::Bytes(recorded), bytes)
            }
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => {
                let bytes = data.len();
                let recorded = self.recorder.error_output(data)?;
                self.down.put(Item::Errors(recorded), bytes)
            }
            Some(other) => {
                self.target_told(other)?;
                0
            }
            None => {
                self.target_closed = true;
                0
            }
        };
        self.flow.took(Way::Down, weight);
        Ok(())
    }

    /// Takes bytes of a file transfer: records what they do, and hands on the packets that the role gives.
    fn follow(&mut self, way: Way, data: &[u8]) -> Result<(), Over> {
        let Some(files) = &mut self.files else {
            return Ok(());
        };
        let acts = match way {
            Way::Up => files.client(data),
            Way::Down => files.target(data),
        };
        let mut events = Vec::new();
        for act in acts.map_err(Over::Broken)? {
            let (way, stream, packet) = match act {
                Act::Record(event) => {
                    events.push(event);
                    continue;
                }
                Act::ToTarget(packet) => (Way::Up, Stream::Input, packet),
                Act::ToClient(packet) => (Way::Down, Stream::Output, packet),
            };
            let bytes = packet.len();
            let told = std::mem::take(&mut events);
            let recorded = self.recorder.files(stream, told, packet)?;
            let outlet = match way {
                Way::Up => &mut self.up,
                Way::Down => &mut self.down,
            };
            let weight = outlet.put(Item::Bytes(recorded), bytes);
            self.flow.took(way, weight);
        }
        self.recorder.files_left(events)?;
        Ok(())
    }

    /// Records what a file transfer leaves open.
    fn left(self, over: Over) -> Over {
        let left = self.files.map(|mut files| files.finish());
        let left = left.filter(|events| !events.is_empty());
        match left.map(|events| self.recorder.files_left(events)) {
            Some(Err(e)) => Over::Recorder(e),
            _ => over,
        }
    }

    /// What the target says beside its bytes: how they end. The person hears of it when the recording is sealed.
    fn target_told(&mut self, message: ChannelMsg) -> Result<(), RecordError> {
        match message {
            ChannelMsg::Eof => self.eof_due = Some(Instant::now() + EOF_REST),
            ChannelMsg::ExitStatus { exit_status } => self.exited(Exit::Status(exit_status))?,
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.exited(Exit::Signal(name(&signal_name)))?;
            }
            ChannelMsg::Close => self.target_closed = true,
            _ => {}
        }
        Ok(())
    }

    fn exited(&mut self, exit: Exit) -> Result<(), RecordError> {
        self.exit = Some(self.recorder.exit(exit)?.into_inner());
        Ok(())
    }

    fn say(&mut self, line: &str) -> Result<(), RecordError> {
        let recorded = said(self.recorder, line, self.pty)?;
        let weight = self.down.put(Item::Errors(recorded), line.len());
        self.flow.took(Way::Down, weight);
        Ok(())
    }
}

/// Records a line of ours as the person will see it: on the terminal if there is one, else on standard error.
pub(crate) fn said(
    recorder: &mut Recorder,
    line: &str,
    pty: bool,
) -> Result<Recorded<Bytes>, RecordError> {
    if pty {
        recorder.output(Bytes::from(format!("hallpass: {line}\r\n")))
    } else {
        recorder.error_output(Bytes::from(format!("hallpass: {line}\n")))
    }
}

/// A signal's name (RFC 4254 §6.10), as far as it is one.
pub(crate) fn name(signal: &Sig) -> String {
    let name = match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    };
    name.chars()
        .filter(char::is_ascii_graphic)
        .take(64)
        .collect()
}

/// Collects what a side says before the relay begins, and returns when the side is gone. It stops taking
/// at [`limits::SPOOL_SOFT`] if nothing else needs the connection, and else counts as gone at
/// [`limits::SPOOL_HARD`].
pub(crate) async fn hold(
    channel: &mut ChannelReadHalf,
    said: &mut VecDeque<ChannelMsg>,
    held: &mut usize,
    alone: impl Fn() -> bool,
) {
    while *held <= limits::SPOOL_HARD {
        while *held >= limits::SPOOL_SOFT && alone() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        match channel.wait().await {
            None | Some(ChannelMsg::Close) => return,
            Some(ChannelMsg::Data { data }) => {
                *held += data.len() + limits::ITEM_BYTES;
                said.push_back(ChannelMsg::Data { data });
            }
            Some(
                message @ (ChannelMsg::Eof
                | ChannelMsg::WindowChange { .. }
                | ChannelMsg::Signal { .. }),
            ) => {
                *held += limits::ITEM_BYTES;
                said.push_back(message);
            }
            Some(_) => {}
        }
    }
}
