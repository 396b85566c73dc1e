//! Dates, times and durations (RFC 5545 §3.3.4 to §3.3.6), and the zones that they are in.

use config::words::shown;
use jiff::civil::{DateTime, date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::lines::Property;
use super::{Read, flaw};

/// What a clock on the wall shows, and where the wall is.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub(super) clock: DateTime,
    pub(super) zone: TimeZone,
    /// Whether it is a whole day.
    pub(super) day: bool,
}

impl Local {
    /// The moment. A time that a clock shows twice is the first one, and one that it skips is counted by the offset
    /// before (§3.3.5).
    pub(super) fn moment(&self) -> Option<Timestamp> {
        moment(self.clock, &self.zone)
    }

    /// The one time of a property.
    pub(super) fn read(property: &Property, zone: Option<&TimeZone>) -> Read<Self> {
        Self::of(property, &property.value, zone)
    }

    /// The times of a property that may hold several.
    pub(super) fn list(property: &Property, zone: Option<&TimeZone>) -> Read<Vec<Self>> {
        let parts = property.value.split(',');
        parts.map(|part| Self::of(property, part, zone)).collect()
    }

    fn of(property: &Property, text: &str, zone: Option<&TimeZone>) -> Read<Self> {
        let line = property.line;
        let day = match property.param("VALUE").map(str::to_ascii_uppercase) {
            None => false,
            Some(kind) if kind == "DATE-TIME" => false,
            Some(kind) if kind == "DATE" => true,
            Some(_) => return flaw(line, format!("{} is not a date or a time", property.name)),
        };
        let Some((clock, utc)) = parse(text, day) else {
            return flaw(line, format!("{} is not a time", shown(text)));
        };
        let named = property.param("TZID");
        let zone = match (named, utc) {
            (None, true) => TimeZone::UTC,
            (Some(_), true) => return flaw(line, "a time in UTC with a TZID"),
            (Some(name), false) => zone_of(name).ok_or(()).or_else(|()| {
                flaw(
                    line,
                    format!(
                        "time zone {} is not known: name it as IANA does, like Europe/Berlin",
                        shown(name)
                    ),
                )
            })?,
            (None, false) => match zone {
                Some(zone) => zone.clone(),
                None => {
                    return flaw(
                        line,
                        "this time is in no time zone: say zone = \"…\" in the configuration",
                    );
                }
            },
        };
        Ok(Self { clock, zone, day })
    }
}

/// A zone of the database that this program carries; none if it is not there.
pub(crate) fn zone_of(name: &str) -> Option<TimeZone> {
    let name = name.strip_prefix('/').unwrap_or(name);
    TimeZone::get(name).ok()
}

pub(super) fn moment(clock: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(clock).compatible().ok()
}

/// `YYYYMMDD`, or with `day` unset `YYYYMMDDTHHMMSS` and, for UTC, `Z`.
fn parse(text: &str, day: bool) -> Option<(DateTime, bool)> {
    let (days, clock) = match (text.split_once('T'), day) {
        (None, true) => (text, None),
        (Some((days, clock)), false) => (days, Some(clock)),
        _ => return None,
    };
    let days = digits(days, 8)?;
    let of = jiff::civil::Date::new(
        i16::try_from(days / 10_000).ok()?,
        i8::try_from(days / 100 % 100).ok()?,
        i8::try_from(days % 100).ok()?,
    );
    let of = of.ok()?;
    let Some(clock) = clock else {
        return Some((of.to_datetime(time(0, 0, 0, 0)), false));
    };
    let (clock, utc) = match clock.strip_suffix('Z') {
        Some(clock) => (clock, true),
        None => (clock, false),
    };
    let clock = digits(clock, 6)?;
    // A leap second is the second before it, as far as shifts are concerned.
    let second = (clock % 100).min(if clock % 100 == 60 { 59 } else { 99 });
    let clock = jiff::civil::Time::new(
        i8::try_from(clock / 10_000).ok()?,
        i8::try_from(clock / 100 % 100).ok()?,
        i8::try_from(second).ok()?,
        0,
    );
    Some((of.to_datetime(clock.ok()?), utc))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let good = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

/// How long an event lasts: first so much on the clock on the wall, then so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) clock: SignedDuration,
    pub(super) time: SignedDuration,
}

impl Length {
    /// From a beginning to an end. A shift that is handed over at nine is handed over at nine in every week, also in
    /// those in which the clocks change: as calendars show it, and against the letter of §3.8.5.3.
    pub(super) fn between(begin: &Local, end: &Local) -> Option<Self> {
        if begin.zone == end.zone {
            let clock = end.clock.duration_since(begin.clock);
            let time = SignedDuration::ZERO;
            return Some(Self { clock, time });
        }
        let time = end.moment()?.duration_since(begin.moment()?);
        let clock = SignedDuration::ZERO;
        Some(Self { clock, time })
    }

    /// A `DURATION` (§3.3.6): weeks and days by the calendar, the rest by the clock.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
        let (days, clock) = match text.split_once('T') {
            Some((_, "")) => return None,
            Some((days, clock)) => (days, clock),
            None => (text, ""),
        };
        if days.is_empty() && clock.is_empty() {
            return None;
        }
        let days = units(days, &[('W', 7 * 86_400), ('D', 86_400)])?;
        let time = units(clock, &[('H', 3_600), ('M', 60), ('S', 1)])?;
        Some(Self {
            clock: SignedDuration::from_secs(days),
            time: SignedDuration::from_secs(time),
        })
    }

    /// The end of what begins then.
    pub(super) fn end(&self, begin: DateTime, zone: &TimeZone) -> Option<Timestamp> {
        let clock = begin.checked_add(self.clock).ok()?;
        moment(clock, zone)?.checked_add(self.time).ok()
    }

    /// About how many days it is, and no fewer.
    pub(super) fn days(&self) -> i64 {
        self.clock.as_secs().saturating_add(self.time.as_secs()) / 86_400 + 2
    }

    pub(super) fn is_some(&self) -> bool {
        self.clock.as_secs().saturating_add(self.time.as_secs()) > 0
    }
}

/// `1W`, `2D`, `1H30M`: each unit at most once and in this order.
fn units(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut sum = 0_i64;
    for (letter, seconds) in units {
        let Some((count, rest)) = text.split_once(*letter) else {
            continue;
        };
        if count.is_empty() || count.len() > 6 || !count.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        sum += count.parse::<i64>().ok()? * seconds;
        text = rest;
    }
    text.is_empty().then_some(sum)
}

/// The first day that this program knows.
pub(super) fn epoch() -> jiff::civil::Date {
    date(1970, 1, 1)
}
