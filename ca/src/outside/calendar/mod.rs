//! An iCalendar file (RFC 5545) of who is on call.
//!
//! * [`lines`]: content lines, their parameters, and the components that they make (§3.1, §3.4).
//! * [`time`]: dates, times and durations, and the zones that they are in (§3.3.4, §3.3.5, §3.3.6).
//! * [`rule`]: events that repeat (§3.3.10).
//! * [`event`]: one `VEVENT` (§3.6.1): whom it names, and whether it covers a moment.
//!
//! It is a strict part of the format: what could change who is on call and is not understood refuses the whole file.
//! That is `RDATE`, `EXRULE`, `RANGE`, rules that repeat by anything but days and weeks, and time zones that are not
//! named as IANA names them. A `VTIMEZONE` is not read: its name is looked up instead. All else is skipped.

mod event;
mod lines;
mod rule;
mod time;

use std::collections::{BTreeMap, BTreeSet};

use config::limits;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) use event::Called;
use event::Event;
pub(crate) use time::zone_of;

/// Why a calendar is refused. Nobody is on call by it then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct CalendarError {
    /// The line, counted from one, unfolded lines by their first.
    pub(crate) line: usize,
    /// What is wrong, or not understood.
    pub(crate) what: String,
}

type Read<T> = Result<T, CalendarError>;

fn flaw<T>(line: usize, what: impl Into<String>) -> Read<T> {
    let what = what.into();
    Err(CalendarError { line, what })
}

/// A calendar that was understood whole.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    events: Vec<Event>,
}

impl Calendar {
    /// Reads a calendar; `zone` is of times that name none.
    pub(crate) fn parse(text: &str, zone: Option<&TimeZone>) -> Read<Self> {
        let mut events = Vec::new();
        for component in lines::components(text)? {
            if let Some(event) = Event::read(&component, zone)? {
                events.push(event);
            }
            if events.len() > limits::CALENDAR_EVENTS {
                let most = limits::CALENDAR_EVENTS;
                return flaw(component.line, format!("more than {most} events"));
            }
        }
        replace(&mut events)?;
        events.retain(Event::counts);
        Ok(Self { events })
    }

    /// Whom the events name that cover a moment.
    pub(crate) fn at(&self, now: Timestamp) -> BTreeSet<&Called> {
        let covering = self.events.iter().filter(|event| event.covers(now));
        covering.flat_map(|event| &event.called).collect()
    }

    /// Everybody whom any event names.
    pub(crate) fn everybody(&self) -> BTreeSet<&Called> {
        self.events.iter().flat_map(|event| &event.called).collect()
    }
}

/// An event with a `RECURRENCE-ID` stands in for one repetition of the event with its `UID` (§3.8.4.4).
fn replace(events: &mut [Event]) -> Read<()> {
    let mut whole: BTreeMap<String, usize> = BTreeMap::new();
    for (n, event) in events.iter().enumerate() {
        if event.instead_of.is_none() && whole.insert(event.uid.clone(), n).is_some() {
            return flaw(event.line, "a second event with this UID");
        }
    }
    let stands_in = events
        .iter()
        .filter_map(|event| Some((whole.get(&event.uid).copied()?, event.instead_of?)));
    for (n, moment) in stands_in.collect::<Vec<_>>() {
        if let Some(event) = events.get_mut(n) {
            event.except.insert(moment);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
