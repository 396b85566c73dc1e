//! Times as they are shown and typed.

use std::time::Duration;

/// A time as the status shows it and as it is typed: `1:23`, `1:02:03`.
pub fn time(us: u64) -> String {
    let secs = us / 1_000_000;
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{secs:02}")
    } else {
        format!("{minutes}:{secs:02}")
    }
}

/// Reads a time: seconds, `1:23` or `1:02:03`, with a fraction if need be.
pub fn parse_time(text: &str) -> Option<Duration> {
    let parts: Vec<&str> = text.trim().split(':').collect();
    let (last, before) = parts.split_last().filter(|(_, before)| before.len() <= 2)?;
    let plain = last.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let mut seconds: f64 = last.parse().ok().filter(|_| plain)?;
    for (part, unit) in before.iter().rev().zip([60_u32, 3600]) {
        let count: u32 = part.parse().ok()?;
        seconds += f64::from(count) * f64::from(unit);
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// Reads a place: a time, or a part of the whole as `42%`.
pub fn parse_place(text: &str, whole: Duration) -> Option<Duration> {
    let Some(percent) = text.trim().strip_suffix('%') else {
        return parse_time(text);
    };
    let plain = percent.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let percent: f64 = percent.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(whole.as_secs_f64() * percent.min(100.0) / 100.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_they_show() {
        for text in ["0:00", "1:23", "59:59", "1:02:03"] {
            let us = u64::try_from(parse_time(text).unwrap().as_micros()).unwrap();
            assert_eq!(time(us), text);
        }
        assert_eq!(parse_time("90.5"), Some(Duration::from_millis(90_500)));
        for bad in ["", "a", "1:2:3:4", "-1", "1e99", "inf", ":", "1:"] {
            assert_eq!(parse_time(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_part_of_the_whole_is_a_place() {
        let whole = Duration::from_secs(200);
        for (text, secs) in [
            ("42%", 84),
            ("0%", 0),
            ("100%", 200),
            ("1000%", 200),
            ("1:40", 100),
        ] {
            assert_eq!(
                parse_place(text, whole),
                Some(Duration::from_secs(secs)),
                "{text}"
            );
        }
        for bad in ["%", "-1%", "x%", "1%%"] {
            assert_eq!(parse_place(bad, whole), None, "{bad:?}");
        }
    }
}
