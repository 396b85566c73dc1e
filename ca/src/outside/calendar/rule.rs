//! Events that repeat (RFC 5545 §3.3.10): every so many days, or on some days of every so many weeks.

use jiff::civil::{Date, Weekday};
use jiff::{Span, Timestamp};

use super::lines::Property;
use super::time::Local;
use super::{Read, flaw};

/// The days on which an event begins: in cycles of so many days, on some days of each.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// The first day of the first cycle.
    base: Date,
    /// Days from one cycle to the next.
    cycle: i64,
    /// The days of a cycle, counted from its first, in order.
    offsets: Vec<i64>,
    /// How many days of the first cycle lie before the beginning.
    skipped: i64,
    count: Option<i64>,
    /// The last moment at which it may begin.
    until: Option<Timestamp>,
}

/// Most cycles of days or weeks that somebody means.
const INTERVAL: i64 = 1000;

impl Rule {
    /// An event that does not repeat.
    pub(super) fn once(begin: &Local) -> Self {
        Self {
            base: begin.clock.date(),
            cycle: 1,
            offsets: vec![0],
            skipped: 0,
            count: Some(1),
            until: None,
        }
    }

    pub(super) fn read(property: &Property, begin: &Local) -> Read<Self> {
        let line = property.line;
        let mut given = Given::default();
        for part in property.value.split(';') {
            given.take(line, part)?;
        }
        let interval = match given.interval.as_deref().map(number) {
            None => 1,
            Some(Some(n)) if (1..=INTERVAL).contains(&n) => n,
            Some(_) => return flaw(line, "INTERVAL is not between 1 and 1000"),
        };
        let count = match given.count.as_deref().map(number) {
            None => None,
            Some(Some(n)) if n > 0 => Some(n),
            Some(_) => return flaw(line, "COUNT is not a number above 0"),
        };
        let until = match given.until {
            None => None,
            Some(_) if count.is_some() => return flaw(line, "both COUNT and UNTIL"),
            Some(text) => Some(until(line, text, begin)?),
        };
        let first = begin.clock.date();
        let start = match given.wkst.as_deref().map(weekday) {
            None => Weekday::Monday,
            Some(Some(day)) => day,
            Some(None) => return flaw(line, "WKST is not a day"),
        };
        let (base, cycle, offsets) = match (given.freq.as_deref(), given.byday.as_deref()) {
            (Some("DAILY"), None) => (first, interval, vec![0]),
            (Some("WEEKLY"), days) => {
                let offsets = offsets(line, days, first.weekday(), start)?;
                let own = i64::from(first.weekday().since(start));
                let base = first.checked_sub(Span::new().days(own));
                let base = base.or_else(|_| flaw(line, "DTSTART is too early"))?;
                (base, interval * 7, offsets)
            }
            (Some("DAILY"), Some(_)) => {
                return flaw(line, "BYDAY with DAILY is not understood: use WEEKLY");
            }
            _ => {
                return flaw(
                    line,
                    "only rules of FREQ=DAILY and FREQ=WEEKLY are understood",
                );
            }
        };
        let own = days(base, first);
        let skipped = offsets.iter().filter(|offset| **offset < own).count();
        if !offsets.contains(&own) {
            return flaw(line, "DTSTART is not on one of the days of BYDAY");
        }
        Ok(Self {
            base,
            cycle,
            offsets,
            skipped: i64::try_from(skipped).unwrap_or_default(),
            count,
            until,
        })
    }

    pub(super) const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The days from `from` to `to` on which it begins.
    pub(super) fn between(&self, from: Date, to: Date) -> Vec<Date> {
        let (from, to) = (days(self.base, from), days(self.base, to));
        let first = from.div_euclid(self.cycle).max(0);
        let width = i64::try_from(self.offsets.len()).unwrap_or(1).max(1);
        let counted = self.count.map(|count| (count + self.skipped) / width);
        let last = to.div_euclid(self.cycle);
        let last = counted.map_or(last, |counted| last.min(counted));
        let mut found = Vec::new();
        for cycle in first..=last {
            for (place, offset) in (0_i64..).zip(&self.offsets) {
                let index = cycle * width + place - self.skipped;
                let day = cycle * self.cycle + offset;
                let counted = index >= 0 && self.count.is_none_or(|count| index < count);
                if counted && (from..=to).contains(&day) {
                    let date = self.base.checked_add(Span::new().days(day));
                    found.extend(date.ok());
                }
            }
        }
        found
    }
}

#[derive(Default)]
struct Given {
    freq: Option<String>,
    interval: Option<String>,
    count: Option<String>,
    until: Option<String>,
    byday: Option<String>,
    wkst: Option<String>,
}

impl Given {
    fn take(&mut self, line: usize, part: &str) -> Read<()> {
        let upper = part.to_ascii_uppercase();
        let Some((name, value)) = upper.split_once('=') else {
            return flaw(line, "the rule has a part without a value");
        };
        let place = match name {
            "FREQ" => &mut self.freq,
            "INTERVAL" => &mut self.interval,
            "COUNT" => &mut self.count,
            "UNTIL" => &mut self.until,
            "BYDAY" => &mut self.byday,
            "WKST" => &mut self.wkst,
            other => {
                return flaw(
                    line,
                    format!(
                        "{} in a rule is not understood",
                        config::words::shown(other)
                    ),
                );
            }
        };
        match place.replace(value.to_owned()) {
            None => Ok(()),
            Some(_) => flaw(line, format!("{name} stands in the rule twice")),
        }
    }
}

/// `UNTIL` is of the same kind as `DTSTART`; a time is in UTC, or on the clock that `DTSTART` is on.
fn until(line: usize, value: String, begin: &Local) -> Read<Timestamp> {
    let kind = if begin.day { "DATE" } else { "DATE-TIME" };
    let property = Property::made(line, "UNTIL", kind, value);
    let until = Local::read(&property, Some(&begin.zone))?;
    let moment = until.moment();
    moment.map_or_else(|| flaw(line, "UNTIL is too far away"), Ok)
}

fn offsets(line: usize, given: Option<&str>, own: Weekday, start: Weekday) -> Read<Vec<i64>> {
    let Some(given) = given else {
        return Ok(vec![i64::from(own.since(start))]);
    };
    let mut offsets = Vec::new();
    for text in given.split(',') {
        let Some(day) = weekday(text) else {
            return flaw(line, "BYDAY holds something else than days of the week");
        };
        offsets.push(i64::from(day.since(start)));
    }
    offsets.sort_unstable();
    offsets.dedup();
    Ok(offsets)
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

fn number(text: &str) -> Option<i64> {
    let good = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

fn days(from: Date, to: Date) -> i64 {
    to.duration_since(from).as_secs() / 86_400
}
