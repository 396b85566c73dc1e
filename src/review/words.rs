//! What is said behind a replay or an export.

use std::io::{self, Write};
use std::time::Duration;

use player::Shown;
use player::view::time;
use record::recording::ReadState;

use crate::failure::{Failure, Result};

/// That a time is past the end.
pub(super) fn past_the_end(name: &str, at: Duration, whole: Duration) -> String {
    let clock = |time| self::time(u64::try_from(Duration::as_micros(&time)).unwrap_or(u64::MAX));
    format!(
        "{name} {} is past the end: the recording goes to {}, and its last screen stands there",
        clock(at),
        clock(whole)
    )
}

/// Says what was missing from what was played, and from when on.
pub(super) fn played(seen: Shown) -> Result<()> {
    match seen.damaged_us {
        None => told(seen.state),
        Some(from_us) => Err(Failure::new(format!(
            "the recording is damaged from {} on, and nothing later was shown: `hallpass verify` says more",
            time(from_us)
        ))),
    }
}

/// Says what was missing from what was shown or written.
pub(super) fn told(state: ReadState) -> Result<()> {
    match state {
        ReadState::Finished => Ok(()),
        ReadState::Unfinished => Ok(writeln!(
            io::stderr(),
            "the recording is not finished: this is all of it so far"
        )?),
        ReadState::Damaged => Err(Failure::new(
            "the recording is damaged, and this is only what comes before the damage: `hallpass verify` says more",
        )),
    }
}
