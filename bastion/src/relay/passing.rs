//! What comes from the target on its way to the person: masked, looked at, recorded, handed on.

use std::time::Duration;

use config::words::AlertName;
use record::entry::Sign;
use record::recording::{Hidden, RecordError, Stream};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::bounds::Reached;
use super::masks::{Passed, Shown};
use super::observed::Change;
use super::source::{Source, Turn};
use super::{Cursor, Over, Relay, Stop, said, said_below};
use crate::alarm::{self, Alarm};
use crate::flow::Way;
use crate::forward::Item;

impl Relay<'_> {
    pub(super) fn output(&mut self, shown: Shown) -> Result<(), RecordError> {
        let Shown {
            bytes: data,
            hidden,
        } = shown;
        let bytes = data.len();
        if bytes > 0 {
            self.alarm(|alarm| alarm.output(&data));
            let within = !data.ends_with(b"\n");
            let cursor = if within {
                Cursor::Within
            } else {
                Cursor::AtStart
            };
            self.cursor = self.cursor.map(|_| cursor);
            let seen = data.clone();
            let recorded = self.recorder.masked(Stream::Output, data, &hidden)?;
            self.stage.output(seen);
            self.down.put(Item::Bytes(recorded), bytes);
            return Ok(());
        }
        self.only_hidden(Stream::Output, &hidden)
    }

    pub(super) fn errors(&mut self, shown: Shown) -> Result<(), RecordError> {
        let Shown {
            bytes: data,
            hidden,
        } = shown;
        let bytes = data.len();
        if bytes > 0 {
            self.alarm(|alarm| alarm.output(&data));
            let seen = data.clone();
            let recorded = self.recorder.masked(Stream::ErrorOutput, data, &hidden)?;
            self.stage.output(seen);
            self.down.put(Item::Errors(recorded), bytes);
            return Ok(());
        }
        self.only_hidden(Stream::ErrorOutput, &hidden)
    }

    /// Keeps what was masked where nothing passes, as a mark that stands on no column of its own.
    fn only_hidden(&mut self, stream: Stream, hidden: &[Hidden]) -> Result<(), RecordError> {
        if !hidden.is_empty() {
            self.recorder.masked(stream, b"", hidden)?.into_inner();
        }
        Ok(())
    }

    /// Whether the person's side may stop and go on by itself when `^S` and `^Q` are typed.
    pub(super) fn flow_control(&mut self, may: bool) -> Result<(), RecordError> {
        let word = if may { "on" } else { "off" };
        let recorded = self.recorder.marker(&format!("xon-xoff {word}"))?;
        let item = Item::FlowControl(recorded, may, self.near.clone());
        self.down.put(item, 0);
        Ok(())
    }

    /// Passes what the masks have held back for as long as they may, if the target may speak and has said nothing more. Says when
    /// to look again.
    pub(super) async fn held(
        &mut self,
        target: &mut Source<'_>,
        turn: Turn,
        now: Instant,
    ) -> Result<Option<Instant>, RecordError> {
        let still = turn != Turn::Now;
        self.masks.look(now, still);
        if still {
            return Ok(None);
        }
        if self.masks.is_overdue() {
            // The target's connection brings what has arrived.
            yield_now().await;
            if target.has_next() {
                return Ok(None);
            }
            let passed = self.masks.overdue();
            self.pass(passed)?;
        }
        Ok(self.masks.next())
    }

    /// Looks at the session's bounds.
    pub(super) fn elapsed(&mut self, now: Instant) -> Result<(), Over> {
        match self.bounds.reached(now) {
            Some(Reached::Soon(left)) => {
                let left = (left + Duration::from_millis(500)).as_secs();
                self.say(&format!(
                    "nothing was typed for long: the session ends in {left} s"
                ))?;
                Ok(())
            }
            Some(reached) => Err(reached.into()),
            None => Ok(()),
        }
    }

    pub(super) fn passes(&mut self, way: Way, bytes: usize) -> Result<(), Over> {
        self.alarm(|alarm| alarm.passed(bytes));
        Ok(self.bounds.passes(way, bytes, Instant::now())?)
    }

    pub(super) fn pass(&mut self, passed: Passed) -> Result<(), RecordError> {
        self.output(passed.output)?;
        self.errors(passed.errors)
    }

    pub(super) fn say(&mut self, line: &str) -> Result<(), RecordError> {
        let recorded = if self.cursor == Some(Cursor::Within) {
            said_below(self.recorder, line)?
        } else {
            said(self.recorder, line, self.cursor.is_some())?
        };
        self.cursor = self.cursor.map(|_| Cursor::AtStart);
        if self.observed.paused() {
            self.down.put_first(Item::Errors(recorded), line.len());
        } else {
            self.down.put(Item::Errors(recorded), line.len());
        }
        Ok(())
    }

    /// So many others look on: without any, a session that needs one stands still, and ends after a while.
    pub(super) fn seen(&mut self, others: usize, now: Instant) -> Result<(), Over> {
        match self.observed.seen(others, now) {
            Some(Change::Paused(grace)) => self.say(&format!(
                "nobody watches: nothing passes until somebody does, and the session ends in {}",
                config::duration::show(grace)
            ))?,
            Some(Change::Goes) => self.say("somebody watches: the session goes on")?,
            None => {}
        }
        self.observed.over(now).map_err(Over::Alone)
    }

    /// Lets whoever looks at the session have something.
    pub(super) fn alarm(&self, what: impl FnOnce(&Alarm)) {
        if let Some(alarm) = &self.alarm {
            what(alarm);
        }
    }

    /// Something happened that the role is alerted of: it stands in the recording, where it is found again.
    pub(super) fn alerted(&mut self, name: AlertName, on: Sign, ends: bool) -> Result<(), Over> {
        alarm::mark(self.recorder, &name, on)?;
        if ends {
            return Err(Over::Stopped(Stop::Alert(name)));
        }
        Ok(())
    }
}
