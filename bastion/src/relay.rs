//! Moves a session's bytes: records them, counts in each direction's [`Gate`] what waits, and hands them on.

mod bounds;
mod files;
mod masks;
mod observed;
mod outlet;
mod over;
mod passing;
mod shared;
mod silence;
mod source;
mod taking;
mod together;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use record::recording::{Exit, RecordError, Recorded, Recorder};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::alarm::Alarm;
use crate::files::Files;
use crate::flow::{Flow, Gate, Take};
use crate::forward::Item;
use crate::watch::Stage;
pub(crate) use bounds::Bounds;
pub(crate) use masks::Masks;
pub(crate) use observed::Alone;
use observed::Observed;
use outlet::Lost;
pub(crate) use outlet::Outlet;
pub(crate) use over::{News, Over, Stop};
pub(crate) use shared::SharedBounds;
use source::Turn;
pub(crate) use source::{Source, hold, weight};

/// The two channels of a session, their gates, and what they had said before the relay began.
pub(crate) struct Sides<'a> {
    pub(crate) client: &'a mut ChannelReadHalf,
    pub(crate) client_said: VecDeque<ChannelMsg>,
    pub(crate) to_client: Arc<ChannelWriteHalf<russh::server::Msg>>,
    /// The client's connection.
    pub(crate) near: russh::server::Handle,
    pub(crate) target: &'a mut ChannelReadHalf,
    pub(crate) target_said: VecDeque<ChannelMsg>,
    pub(crate) to_target: Arc<ChannelWriteHalf<russh::client::Msg>>,
    /// Counts what comes from the client, and waits for the target.
    pub(crate) up: Arc<Gate>,
}

/// What holds for the bytes of a session.
pub(crate) struct Rules {
    /// The person has a terminal.
    pub(crate) pty: bool,
    /// What follows a file transfer, if the session is one.
    pub(crate) files: Option<Files>,
    /// What is masked of what the target sends.
    pub(crate) masks: Masks,
    /// How long it may do nothing, and how much may pass.
    pub(crate) bounds: Bounds,
    /// What looks at the session, if its role is alerted of something.
    pub(crate) alarm: Option<Alarm>,
    /// What those see of it who look on.
    pub(crate) stage: Arc<Stage>,
    /// Somebody else has to look on: how long it may stand still without one.
    pub(crate) observer: Option<Duration>,
}

/// Moves bytes until the session is over. Unless it was stopped, all that the target sent before its end has been
/// handed to the person's channel by then.
pub(crate) async fn run(
    recorder: &mut Recorder,
    rules: Rules,
    sides: Sides<'_>,
    news: &mut mpsc::UnboundedReceiver<News>,
) -> Over {
    let mut seats = rules.stage.seats();
    let (mut relay, mut client, mut target) = Relay::between(recorder, rules, sides);
    let over = loop {
        if let Some(over) = relay.over() {
            break over;
        }
        let now = Instant::now();
        relay.rested(now);
        let others = seats.borrow_and_update().others;
        let elapsed = relay.elapsed(now).and_then(|()| relay.seen(others, now));
        if let Err(over) = elapsed {
            break over;
        }
        let paused = relay.observed.paused();
        let behind = relay.recorder.behind();
        let from_client = client.turn(Take::Now, behind, now);
        let from_target = if relay.target_closed || paused {
            Turn::Not
        } else {
            target.turn(relay.flow.take(), behind, now)
        };
        let held = match relay.held(&mut target, from_target, now).await {
            Ok(due) => due,
            Err(error) => break error.into(),
        };
        let due = [
            from_client.at(),
            from_target.at(),
            relay.eof_due,
            held,
            relay.bounds.due(),
            relay.observed.due(),
        ];
        let pause = due.into_iter().flatten().min();
        let took = tokio::select! {
            Some(news) = news.recv() => relay.heard(news),
            handed = relay.up.turn(paused) => {
                // What the target had said before it went is still to come.
                if handed.is_ok() {
                    relay.flow.gave_up();
                }
                Ok(())
            }
            handed = relay.down.turn(paused) => match handed {
                Ok(()) => Ok(()),
                Err(Lost) => break Over::ClientClosed,
            },
            message = client.next(), if from_client == Turn::Now => {
                relay.client_all(message, &mut client)
            }
            message = target.next(), if from_target == Turn::Now => {
                relay.target_all(message, &mut target)
            }
            Ok(()) = seats.changed() => Ok(()),
            () = sleep_until(pause.unwrap_or(now)), if pause.is_some() => Ok(()),
        };
        if let Err(over) = took {
            break over;
        }
    };
    relay.left(over)
}

/// Where the next that is shown begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cursor {
    /// On a line of its own.
    AtStart,
    /// Behind what stands there.
    Within,
}

struct Relay<'a> {
    recorder: &'a mut Recorder,
    /// Of the person's terminal, if there is one.
    cursor: Option<Cursor>,
    files: Option<Files>,
    masks: Masks,
    bounds: Bounds,
    alarm: Option<Alarm>,
    stage: Arc<Stage>,
    observed: Observed,
    up: Outlet<russh::client::Msg>,
    down: Outlet<russh::server::Msg>,
    flow: Flow,
    near: russh::server::Handle,
    exit: Option<Exit>,
    client_done: bool,
    eof_due: Option<Instant>,
    target_closed: bool,
}

impl<'a> Relay<'a> {
    /// One that has not begun, and what comes from either side.
    fn between(
        recorder: &'a mut Recorder,
        rules: Rules,
        sides: Sides<'a>,
    ) -> (Self, Source<'a>, Source<'a>) {
        let client = Source::new(sides.client_said, sides.client);
        let target = Source::new(sides.target_said, sides.target);
        let down = Arc::<Gate>::default();
        let relay = Self {
            recorder,
            cursor: rules.pty.then_some(Cursor::AtStart),
            files: rules.files,
            masks: rules.masks,
            bounds: rules.bounds,
            alarm: rules.alarm,
            stage: rules.stage,
            observed: Observed::new(rules.observer),
            up: Outlet::new(sides.to_target, Arc::clone(&sides.up)),
            down: Outlet::new(sides.to_client, Arc::clone(&down)),
            flow: Flow::new(sides.up, down),
            near: sides.near,
            exit: None,
            client_done: false,
            eof_due: None,
            target_closed: false,
        };
        (relay, client, target)
    }

    /// What happens around the session.
    fn heard(&mut self, news: News) -> Result<(), Over> {
        match news {
            News::Say(line) => Ok(self.say(&line)?),
            News::Stop(stop) => Err(Over::Stopped(stop)),
            News::Alert { name, on, ends } => self.alerted(name, on, ends),
        }
    }

    fn over(&mut self) -> Option<Over> {
        if let Some(way) = self.flow.over() {
            return Some(Over::Full(way));
        }
        if self.target_closed && self.down.empty() {
            return Some(self.exit.take().map_or(Over::TargetClosed, Over::Exit));
        }
        None
    }

    /// Hands on the end of the target's output, once it has rested. A client that has sent its own end closes as
    /// soon as it hears of this one, and then takes no exit status any more; the close that follows tells it
    /// the same.
    fn rested(&mut self, now: Instant) {
        if self.eof_due.is_some_and(|due| due <= now) {
            self.eof_due = None;
            if !self.client_done {
                self.down.put(Item::Eof, 0);
            }
        }
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

/// The same at a terminal whose cursor stands within a line.
fn said_below(recorder: &mut Recorder, line: &str) -> Result<Recorded<Bytes>, RecordError> {
    recorder.output(Bytes::from(format!("\r\nhallpass: {line}\r\n")))
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
