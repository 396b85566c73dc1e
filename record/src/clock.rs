//! The two clocks: what time people call it, and how much time has passed.
//!
//! This is the one place that reads the system's clocks. Everything else is given a
//! [`Clock`], so that a test can step it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A source of time.
pub trait Clock: Send + Sync {
    /// The time of day, in milliseconds since 1970. It may step in either direction.
    fn wall_ms(&self) -> u64;

    /// Time since some fixed moment of this process. It never steps and never goes back.
    fn monotonic(&self) -> Duration;

    /// The time of day in whole seconds.
    fn wall(&self) -> UnixTime {
        UnixTime::from_secs(self.wall_ms() / 1000)
    }
}

/// The clocks of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Begins counting now.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A moment, in seconds since 1970 (as certificates count them), written as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnixTime(u64);

/// What was given is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time: write it like 2026-11-22T03:28:04Z")]
pub struct NotATime;

impl UnixTime {
    /// The last second of the year 9999: past it RFC 3339 has no spelling.
    const LAST: u64 = 253_402_207_199;

    /// The moment this many seconds after 1970; past the year 9999 it is held there.
    pub const fn from_secs(secs: u64) -> Self {
        Self(if secs > Self::LAST { Self::LAST } else { secs })
    }

    /// Seconds since 1970.
    pub const fn secs(self) -> u64 {
        self.0
    }

    /// The moment this much later.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self::from_secs(self.0.saturating_add(duration.as_secs()))
    }

    /// The moment this much earlier.
    #[must_use]
    pub const fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }

    /// How long from `earlier` to this moment; zero if it is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// The time of day alone, for example `03:28:04 UTC`.
    pub fn time_of_day(self) -> String {
        let text = self.to_string();
        format!("{} UTC", text.get(11..19).unwrap_or(&text))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = i64::try_from(self.0).unwrap_or(i64::MAX);
        let stamp = jiff::Timestamp::from_second(secs).unwrap_or(jiff::Timestamp::MAX);
        f.pad(&stamp.to_string())
    }
}

impl FromStr for UnixTime {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let stamp: jiff::Timestamp = text.parse().map_err(|_| NotATime)?;
        let time = u64::try_from(stamp.as_second())
            .map(Self::from_secs)
            .map_err(|_| NotATime)?;
        if time.to_string() == text {
            Ok(time)
        } else {
            Err(NotATime)
        }
    }
}

impl TryFrom<String> for UnixTime {
    type Error = NotATime;

    fn try_from(text: String) -> Result<Self, NotATime> {
        text.parse()
    }
}

impl From<UnixTime> for String {
    fn from(time: UnixTime) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_spelling() {
        let time = UnixTime::from_secs(1_795_312_324);
        assert_eq!(time.to_string().parse(), Ok(time));
        let last = UnixTime::from_secs(u64::MAX);
        assert_eq!(last.to_string().parse(), Ok(last));
        for bad in [
            "",
            "1970-01-01T00:00:00.5Z",
            "1970-01-01T01:00:00+01:00",
            "1969-12-31T23:59:59Z",
            "now",
        ] {
            assert_eq!(bad.parse::<UnixTime>(), Err(NotATime), "{bad}");
        }
    }
}
