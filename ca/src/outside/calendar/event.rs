//! One event (RFC 5545 §3.6.1): whom it names, and whether it covers a moment.

use std::collections::BTreeSet;

use config::limits;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::lines::{Component, Property};
use super::rule::Rule;
use super::time::{Length, Local, epoch};
use super::{Read, flaw};

/// How a calendar calls a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Called {
    /// By an `ATTENDEE`: an address in lower case, without `mailto:`.
    Address(String),
    /// By the `SUMMARY`, where there is no `ATTENDEE`.
    Summary(String),
}

/// One event, or all its repetitions.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) line: usize,
    pub(super) uid: String,
    pub(super) called: Vec<Called>,
    /// The repetition of another event that this one stands in for.
    pub(super) instead_of: Option<Timestamp>,
    /// Beginnings that do not take place.
    pub(super) except: BTreeSet<Timestamp>,
    begin: Local,
    length: Length,
    rule: Rule,
    /// Not cancelled, and not only tentative.
    firm: bool,
}

impl Event {
    /// Reads an event; none if nobody is on call by any like it.
    pub(super) fn read(component: &Component, zone: Option<&TimeZone>) -> Read<Option<Self>> {
        let of = Properties(component);
        for name in ["RDATE", "EXRULE"] {
            if let Some(property) = of.all(name).next() {
                return flaw(property.line, format!("{name} is not understood"));
            }
        }
        let line = component.line;
        let Some(start) = of.one("DTSTART")? else {
            return flaw(line, "an event without DTSTART");
        };
        let begin = Local::read(start, zone)?;
        let length = length(&of, &begin, line, zone)?;
        let rule = match of.one("RRULE")? {
            Some(rule) => {
                if length.days() > limits::CALENDAR_SPAN_DAYS {
                    return flaw(rule.line, "an event that repeats and is longer than a year");
                }
                Rule::read(rule, &begin)?
            }
            None => Rule::once(&begin),
        };
        let mut except = BTreeSet::new();
        for property in of.all("EXDATE") {
            let listed = Local::list(property, zone)?;
            except.extend(listed.iter().filter_map(Local::moment));
        }
        let status = of.one("STATUS")?.map(|p| p.value.to_ascii_uppercase());
        let uid = of.one("UID")?.map(|p| p.value.clone());
        let Some(uid) = uid.filter(|uid| !uid.is_empty()) else {
            return flaw(line, "an event without UID");
        };
        Ok(Some(Self {
            line,
            uid,
            called: called(&of)?,
            instead_of: instead_of(&of, zone)?,
            except,
            begin,
            length,
            rule,
            firm: status.is_none_or(|status| status == "CONFIRMED"),
        }))
    }

    /// Whether it can put anybody on call.
    pub(super) const fn counts(&self) -> bool {
        self.firm
    }

    /// Whether one of its repetitions covers a moment: from its first second to the one before its end.
    pub(super) fn covers(&self, now: Timestamp) -> bool {
        let zone = &self.begin.zone;
        let today = zone.to_datetime(now).date();
        let far = Span::new().days(self.length.days());
        let from = today.checked_sub(far).unwrap_or_else(|_| epoch());
        let to = today.tomorrow().unwrap_or(today);
        let begins = self.rule.between(from, to).into_iter();
        let begins = begins.map(|date| date.to_datetime(self.begin.clock.time()));
        begins.into_iter().any(|clock| {
            let begin = super::time::moment(clock, zone);
            let end = self.length.end(clock, zone);
            let (Some(begin), Some(end)) = (begin, end) else {
                return false;
            };
            let last = self.rule.until();
            begin <= now
                && now < end
                && !self.except.contains(&begin)
                && last.is_none_or(|last| begin <= last)
        })
    }
}

fn length(of: &Properties, begin: &Local, line: usize, zone: Option<&TimeZone>) -> Read<Length> {
    let length = match (of.one("DTEND")?, of.one("DURATION")?) {
        (Some(end), None) => {
            let end = Local::read(end, zone)?;
            if end.day != begin.day {
                return flaw(line, "DTSTART and DTEND are not both days or both times");
            }
            Length::between(begin, &end)
        }
        (None, Some(duration)) => Length::parse(&duration.value),
        (None, None) if begin.day => Length::parse("P1D"),
        (None, None) => return flaw(line, "an event without an end"),
        (Some(_), Some(_)) => return flaw(line, "both DTEND and DURATION"),
    };
    match length.filter(Length::is_some) {
        Some(length) => Ok(length),
        None => flaw(line, "an event that ends before it has begun"),
    }
}

fn instead_of(of: &Properties, zone: Option<&TimeZone>) -> Read<Option<Timestamp>> {
    let Some(property) = of.one("RECURRENCE-ID")? else {
        return Ok(None);
    };
    if property.param("RANGE").is_some() {
        return flaw(property.line, "RANGE is not understood");
    }
    Ok(Local::read(property, zone)?.moment())
}

fn called(of: &Properties) -> Read<Vec<Called>> {
    let mut any = false;
    let mut called = Vec::new();
    for property in of.all("ATTENDEE") {
        any = true;
        let is = |param: &str, words: &[&str]| {
            let value = property.param(param).map(str::to_ascii_uppercase);
            value.is_some_and(|value| words.contains(&value.as_str()))
        };
        if is("PARTSTAT", &["DECLINED"]) || is("CUTYPE", &["ROOM", "RESOURCE", "GROUP"]) {
            continue;
        }
        let address = property.value.trim().to_lowercase();
        let address = address.strip_prefix("mailto:").unwrap_or(&address);
        called.push(Called::Address(address.to_owned()));
    }
    if let Some(summary) = of.one("SUMMARY")?.filter(|_| !any) {
        called.push(Called::Summary(unescape(&summary.value)));
    }
    Ok(called)
}

/// Text as it was before it was escaped (§3.3.11).
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.trim().chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => ' ',
                Some(other) => other,
                None => '\\',
            },
            other => other,
        });
    }
    out
}

struct Properties<'a>(&'a Component);

impl<'a> Properties<'a> {
    fn all(&self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        let all = self.0.properties.iter();
        all.filter(move |property| property.name == name)
    }

    /// A property that stands there at most once.
    fn one(&self, name: &'a str) -> Read<Option<&'a Property>> {
        let mut all = self.all(name);
        let first = all.next();
        match all.next() {
            Some(second) => flaw(second.line, format!("a second {name}")),
            None => Ok(first),
        }
    }
}
