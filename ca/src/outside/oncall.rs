//! Who is on call: by an iCalendar file, or by a program that prints `{"version":1,"on-call":["alice"]}`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config::limits;
use config::outside::{self, Roster};
use config::words::{PersonName, RosterName, shown};
use jiff::Timestamp;
use record::clock::UnixTime;
use serde::Deserialize;

use super::Unheard;
use super::calendar::{Calendar, Called, zone_of};
use super::groups::{registered, version};

/// What is known of all rosters; of one that is not here, that nobody is on call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rosters(BTreeMap<RosterName, Known>);

/// What is known of one roster.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// What its calendar says; who that is, the configuration says.
    Calendar(Arc<Calendar>),
    /// What its program said, and until when by the clock that nobody can step.
    Told {
        /// Who is on call.
        persons: BTreeSet<PersonName>,
        /// When the answer is stale.
        until: Duration,
    },
}

impl Rosters {
    /// Takes what is known of a roster; nothing if it is not known any more.
    pub(crate) fn set(&mut self, roster: RosterName, known: Option<Known>) {
        match known {
            Some(known) => drop(self.0.insert(roster, known)),
            None => drop(self.0.remove(&roster)),
        }
    }

    /// Who of the registered persons is on call by a roster.
    pub(crate) fn on_call(
        &self,
        config: &Config,
        roster: &RosterName,
        now: UnixTime,
        monotonic: Duration,
    ) -> BTreeSet<PersonName> {
        match (self.0.get(roster), config.on_call.get(roster)) {
            (Some(Known::Calendar(calendar)), Some(Roster::Calendar(rules))) => {
                let seconds = i64::try_from(now.secs()).ok();
                let now = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
                let called = now.map(|now| calendar.at(now)).unwrap_or_default();
                let persons = called
                    .into_iter()
                    .map(|called| meant(config, rules, called));
                persons.flatten().cloned().collect()
            }
            (Some(Known::Told { persons, until }), Some(Roster::Command(_)))
                if monotonic < *until =>
            {
                let here = persons.iter();
                let here = here.filter(|name| config.persons.contains_key(*name));
                here.cloned().collect()
            }
            _ => BTreeSet::new(),
        }
    }
}

/// Why a calendar file says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CalendarUnread {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not understood.
    #[error("{}, {source}", path.display())]
    Text {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        source: super::calendar::CalendarError,
    },
    /// Its time zone is not known.
    #[error("time zone {} is not known: name it as IANA does, like Europe/Berlin", shown(.0))]
    Zone(String),
}

/// Reads a calendar file.
pub(crate) fn read(rules: &outside::Calendar) -> Result<Calendar, CalendarUnread> {
    let zone = match &rules.zone {
        None => None,
        Some(name) => Some(zone_of(name).ok_or_else(|| CalendarUnread::Zone(name.clone()))?),
    };
    let path = &rules.file;
    let unread = |source| CalendarUnread::File {
        path: path.clone(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unread)?;
    let most = limits::CALENDAR_BYTES;
    let read = file.take(most as u64 + 1).read_to_end(&mut bytes);
    read.map_err(unread)?;
    if bytes.len() > most {
        let words = format!("it is longer than {most} bytes");
        return Err(unread(std::io::Error::other(words)));
    }
    let text = String::from_utf8(bytes)
        .map_err(|e| unread(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))?;
    Calendar::parse(&text, zone.as_ref()).map_err(|source| CalendarUnread::Text {
        path: path.clone(),
        source,
    })
}

/// What a calendar calls somebody whom nobody here is; a few of them.
pub(crate) fn strangers(
    config: &Config,
    rules: &outside::Calendar,
    calendar: &Calendar,
) -> Vec<String> {
    let all = calendar.everybody().into_iter();
    let unknown = all.filter(|called| meant(config, rules, called).is_none());
    let shown = unknown.map(|called| match called {
        Called::Address(text) | Called::Summary(text) => shown(text),
    });
    shown.take(8).collect()
}

/// The person whom a calendar means: by the configuration's own list, or by the name itself.
fn meant<'a>(
    config: &'a Config,
    rules: &'a outside::Calendar,
    called: &Called,
) -> Option<&'a PersonName> {
    let (text, name) = match called {
        Called::Address(text) => {
            let local = text
                .split_once('@')
                .map_or(text.as_str(), |(local, _)| local);
            (text, local)
        }
        Called::Summary(text) => (text, text.as_str()),
    };
    let listed = rules.persons.get(text.as_str());
    let own = || config.persons.get_key_value(name).map(|(name, _)| name);
    listed.or_else(own)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Answer {
    version: u32,
    on_call: Vec<String>,
}

/// Reads a program's answer; also names that are nobody's.
pub(crate) fn told(
    config: &Config,
    answer: &[u8],
) -> Result<(BTreeSet<PersonName>, BTreeSet<String>), Unheard> {
    let answer: Answer =
        serde_json::from_slice(answer).map_err(|e| Unheard::Garbage(e.to_string()))?;
    version(answer.version)?;
    let mut unknown = BTreeSet::new();
    let persons = registered(config, answer.on_call.iter(), &mut unknown);
    Ok((persons, unknown))
}

#[cfg(test)]
mod tests;
