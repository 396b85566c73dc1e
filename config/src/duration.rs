//! Durations as people type them: `90s`, `15m`, `2h`, `1h30m`, `7d`.

use std::time::Duration;

/// Reads a duration; none if it is not one. Units go from large to small, each at most once.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0_u64;
    let mut largest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: u64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if unit >= largest {
            return None;
        }
        largest = unit;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = rest.get(digits + 1..)?;
    }
    (largest != u64::MAX).then(|| Duration::from_secs(seconds))
}

/// Shows a duration the same way, for example `1h30m`; under a second it is `0s`.
pub fn show(duration: Duration) -> String {
    let mut left = duration.as_secs();
    let mut out = String::new();
    for (unit, letter) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
        if left >= unit {
            out.push_str(&(left / unit).to_string());
            out.push(letter);
            left %= unit;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(parse("15m"), Some(Duration::from_secs(900)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5_400)));
        for bad in [
            "",
            "15",
            "m",
            "1m1h",
            "1m1m",
            "-1m",
            "1.5h",
            "99999999999999999999d",
            "1M",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn durations_show_as_they_read() {
        for text in ["1s", "1m30s", "2h", "7d", "0s"] {
            assert_eq!(parse(text).map(show).as_deref(), Some(text));
        }
    }
}
