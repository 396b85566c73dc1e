//! How many bytes passed lately.

use std::collections::VecDeque;

/// Over how many ticks, of a second each, they are counted.
pub(super) const TICKS: u64 = 10;

/// What had passed at the last ticks.
#[derive(Debug, Default)]
pub(super) struct Rate(VecDeque<u64>);

impl Rate {
    /// A tick: so much has passed since the beginning. Says how much of it within the last [`TICKS`].
    pub(super) fn tick(&mut self, passed: u64) -> u64 {
        let before = match self.0.front() {
            Some(before) if self.0.len() as u64 >= TICKS => *before,
            _ => 0,
        };
        self.0.push_back(passed);
        if self.0.len() as u64 > TICKS {
            self.0.pop_front();
        }
        passed.saturating_sub(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_over_ten_seconds() {
        let mut rate = Rate::default();
        for second in 1..=10 {
            assert_eq!(rate.tick(second * 100), second * 100);
        }
        assert_eq!(rate.tick(1100), 1000);
        assert_eq!(rate.tick(1100), 900);
        for _ in 0..10 {
            rate.tick(1100);
        }
        assert_eq!(rate.tick(1100), 0);
    }
}
