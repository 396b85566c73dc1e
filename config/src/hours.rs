//! When a role is given: windows of the week, by the clock on the wall of a named time zone.
//!
//! A window is open exactly while the clock there shows a time within it. So where clocks are put forward, a time
//! that they skip is no time, and where they are put back, an hour that comes twice is in the window both times. Time
//! zones come with the program, and a machine's own are not asked: the same file means the same everywhere.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::limits;
use crate::words::shown;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// How many days ahead an opening is looked for: a window of one day a week may fall into the hour that clocks skip,
/// or on a day that a country skipped.
const AHEAD: i16 = 16;

/// How many days ahead a closing is looked for: longer than the longest grant.
const LONGEST: i16 = 2;

/// Windows of the week; open while any one of them is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    windows: Vec<Window>,
}

/// One window of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    zone: TimeZone,
    /// The days on which it begins, Monday first.
    days: [bool; 7],
    /// In minutes since midnight.
    from: u16,
    /// In minutes since midnight; not after `from` if it ends on the day after.
    to: u16,
}

/// Why something is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAWindow {
    /// The program knows no such zone.
    #[error("there is no time zone {}", shown(.0))]
    Zone(String),
    /// It is not a day, nor two with a hyphen between.
    #[error("{} is not a day", shown(.0))]
    Day(String),
    /// It is not a time of day.
    #[error("{} is not a time of day", shown(.0))]
    Time(String),
    /// It ends when it begins, or on no day.
    #[error("the window is empty")]
    Empty,
}

impl Window {
    /// Reads a window: a zone of the IANA database, days like `mon` or `mon-fri` (every day if there are none), and
    /// times of day from `00:00` to `24:00`.
    pub fn read(
        zone: &str,
        days: Option<&[&str]>,
        from: &str,
        to: &str,
    ) -> Result<Self, NotAWindow> {
        let zone = TimeZone::get(zone).map_err(|_| NotAWindow::Zone(zone.to_owned()))?;
        let window = Self {
            days: days.map_or(Ok([true; 7]), read_days)?,
            from: read_time(from)?,
            to: read_time(to)?,
            zone,
        };
        if window.from == window.to || window.from == DAY || !window.days.contains(&true) {
            return Err(NotAWindow::Empty);
        }
        Ok(window)
    }

    fn is_open(&self, at: Timestamp) -> bool {
        let local = self.zone.to_datetime(at);
        let minute =
            u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let today = self.begins_on(local.weekday());
        if self.from < self.to {
            return today && (self.from..self.to).contains(&minute);
        }
        let yesterday = self.begins_on(local.weekday().previous());
        (today && minute >= self.from) || (yesterday && minute < self.to)
    }

    fn begins_on(&self, day: Weekday) -> bool {
        let place = usize::from(day.to_monday_zero_offset().unsigned_abs());
        self.days.get(place).copied().unwrap_or(false)
    }

    /// Every moment of the next days at which the window may open or close: whenever the clock shows one of its two
    /// times, and whenever the clock is put forward or back.
    fn turns(&self, after: Timestamp, days: i16) -> Vec<Timestamp> {
        let today = self.zone.to_datetime(after).date();
        let mut turns = Vec::new();
        for day in -1..=days {
            let Ok(date) = today.checked_add(jiff::Span::new().days(day)) else {
                continue;
            };
            for minute in [self.from, self.to] {
                let (hour, minute) = hour_and_minute(minute % DAY);
                let time = self
                    .zone
                    .to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
                turns.extend(time.earlier());
                turns.extend(time.later());
            }
        }
        let last = turns.iter().max().copied().unwrap_or(after);
        let shifts = self.zone.following(after).map(|shift| shift.timestamp());
        turns.extend(shifts.take_while(|shift| *shift <= last));
        turns
    }
}

impl Hours {
    /// Open while any of these is; none if there are none, or more than [`limits::WINDOWS`].
    pub fn of(windows: Vec<Window>) -> Option<Self> {
        let count = windows.len();
        (1..=limits::WINDOWS)
            .contains(&count)
            .then_some(Self { windows })
    }

    /// Whether it is open at this moment, in seconds since 1970.
    pub fn is_open(&self, at: u64) -> bool {
        moment(at).is_some_and(|at| self.open(at))
    }

    /// The first moment at or after this one at which it is open.
    pub fn opens(&self, at: u64) -> Option<u64> {
        if self.is_open(at) {
            return Some(at);
        }
        self.turn(at, AHEAD, true)
    }

    /// The first moment at or after this one at which it is closed; none if that is further away than any grant lasts.
    pub fn closes(&self, at: u64) -> Option<u64> {
        if !self.is_open(at) {
            return Some(at);
        }
        self.turn(at, LONGEST, false)
    }

    /// This moment as the clock of a window shows it that is open then, for example `Mon 2026-11-23 08:00 Europe/Zurich`.
    pub fn show(&self, at: u64) -> String {
        let Some(at) = moment(at) else {
            return String::new();
        };
        let open = self.windows.iter().find(|window| window.is_open(at));
        let Some(window) = open.or(self.windows.first()) else {
            return String::new();
        };
        let local = at.to_zoned(window.zone.clone());
        format!(
            "{} {}",
            local.strftime("%a %Y-%m-%d %H:%M"),
            zone_name(&window.zone)
        )
    }

    fn open(&self, at: Timestamp) -> bool {
        self.windows.iter().any(|window| window.is_open(at))
    }

    fn turn(&self, after: u64, days: i16, open: bool) -> Option<u64> {
        let after = moment(after)?;
        let windows = self.windows.iter();
        let turns = windows.flat_map(|window| window.turns(after, days));
        // Zones are on different days: past this the turns of some are not all there.
        let whole = after.checked_add(jiff::SignedDuration::from_hours(i64::from(days) * 24 - 2));
        let whole = whole.ok()?;
        let mut turns: Vec<_> = turns
            .filter(|turn| *turn > after && *turn <= whole)
            .collect();
        turns.sort_unstable();
        let found = turns.into_iter().find(|turn| self.open(*turn) == open)?;
        u64::try_from(found.as_second()).ok()
    }
}

/// Shown, for example `mon-fri 08:00-18:00 Europe/Zurich`.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, window) in self.windows.iter().enumerate() {
            let between = if n > 0 { ", " } else { "" };
            write!(f, "{between}{window}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = show_days(self.days);
        if !days.is_empty() {
            write!(f, "{days} ")?;
        }
        for (minute, behind) in [(self.from, '-'), (self.to, ' ')] {
            write!(f, "{:02}:{:02}{behind}", minute / 60, minute % 60)?;
        }
        f.write_str(zone_name(&self.zone))
    }
}

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Runs of days with a hyphen; nothing for all of them.
fn show_days(days: [bool; 7]) -> String {
    let mut runs: Vec<(&str, &str)> = Vec::new();
    let mut before = false;
    for (name, on) in NAMES.into_iter().zip(days) {
        match runs.last_mut() {
            Some((_, last)) if on && before => *last = name,
            _ if on => runs.push((name, name)),
            _ => {}
        }
        before = on;
    }
    let runs = runs.iter().map(|(first, last)| {
        if first == last {
            (*first).to_owned()
        } else {
            format!("{first}-{last}")
        }
    });
    if days == [true; 7] {
        return String::new();
    }
    runs.collect::<Vec<_>>().join(" ")
}

fn read_days(names: &[&str]) -> Result<[bool; 7], NotAWindow> {
    let mut days = [false; 7];
    for name in names {
        let wrong = || NotAWindow::Day((*name).to_owned());
        let place = |one: &str| NAMES.iter().position(|day| *day == one).ok_or_else(wrong);
        let (first, last) = name.split_once('-').unwrap_or((name, name));
        let (first, last) = (place(first)?, place(last)?);
        // `sat-mon` goes over the end of the week.
        let length = (last + 7 - first) % 7;
        for day in (first..=first + length).map(|day| day % 7) {
            if let Some(on) = days.get_mut(day) {
                *on = true;
            }
        }
    }
    Ok(days)
}

fn read_time(text: &str) -> Result<u16, NotAWindow> {
    let two = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let parts = text.split_once(':');
    let parts = parts.and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
    match parts {
        Some((hour @ 0..=23, minute @ 0..=59)) => Ok(hour * 60 + minute),
        Some((24, 0)) => Ok(DAY),
        _ => Err(NotAWindow::Time(text.to_owned())),
    }
}

fn hour_and_minute(minute: u16) -> (i8, i8) {
    let small = |n: u16| i8::try_from(n).unwrap_or_default();
    (small(minute / 60), small(minute % 60))
}

fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

fn moment(secs: u64) -> Option<Timestamp> {
    let secs = i64::try_from(secs).ok()?;
    Timestamp::from_second(secs).ok()
}

#[cfg(test)]
mod tests;
