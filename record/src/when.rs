//! Moments, as people type them.

use std::str::FromStr;
use std::time::Duration;

use config::duration;

use crate::clock::UnixTime;

/// A moment, as people type one: a date or a time in UTC, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This very moment.
    At(UnixTime),
    /// So long ago.
    Ago(Duration),
}

/// It is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write it like 30d, 2026-11-01 or 2026-11-01T12:00:00Z")]
pub struct NotAMoment;

impl When {
    /// Which moment that is, counted from `now`.
    pub fn before(self, now: UnixTime) -> UnixTime {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.before(ago),
        }
    }
}

impl FromStr for When {
    type Err = NotAMoment;

    fn from_str(typed: &str) -> Result<Self, NotAMoment> {
        if let Some(ago) = duration::parse(typed) {
            return Ok(Self::Ago(ago));
        }
        let whole = format!("{typed}T00:00:00Z");
        let at = typed.parse().or_else(|_| whole.parse());
        at.map(Self::At).map_err(|_| NotAMoment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_people_type_them() {
        let now = UnixTime::from_secs(1_795_312_324);
        let at = |typed: &str| typed.parse::<When>().unwrap().before(now).to_string();
        assert_eq!(at("2026-11-01"), "2026-11-01T00:00:00Z");
        assert_eq!(at("2026-11-01T12:00:00Z"), "2026-11-01T12:00:00Z");
        assert_eq!(at("0s"), now.to_string());
        for bad in ["yesterday", "2026-13-01", "", "2026-11-01T12:00"] {
            assert_eq!(bad.parse::<When>(), Err(NotAMoment), "{bad}");
        }
    }
}
