//! What a measurement prints: a table for people, or a line of JSON a row.

use crate::print;

/// What a row has to show to have met its goal.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// Ours is at least so many times the peer's.
    TimesAtLeast(f64),
    /// Ours is at most so many times the peer's.
    TimesAtMost(f64),
    /// Ours is at most so much.
    AtMost(f64),
    /// Ours is at most so much more than the peer's.
    AboveAtMost(f64),
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) work: String,
    pub(super) unit: &'static str,
    pub(super) ours: f64,
    /// What it is compared with, and what that does.
    pub(super) peer: Option<(&'static str, f64)>,
    pub(super) goal: Option<Goal>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.peer.map(|(_, peer)| self.ours / peer)
    }

    fn met(&self) -> Option<bool> {
        let peer = self.peer.map_or(f64::NAN, |(_, peer)| peer);
        self.goal.map(|goal| match goal {
            Goal::TimesAtLeast(times) => self.ours >= times * peer,
            Goal::TimesAtMost(times) => self.ours <= times * peer,
            Goal::AtMost(most) => self.ours <= most,
            Goal::AboveAtMost(more) => self.ours <= peer + more,
        })
    }

    fn goal_text(&self) -> Option<String> {
        self.goal.map(|goal| match goal {
            Goal::TimesAtLeast(times) => format!("at least {times} times"),
            Goal::TimesAtMost(times) => format!("at most {times} times"),
            Goal::AtMost(most) => format!("at most {most:.1}"),
            Goal::AboveAtMost(more) => format!("at most {more} more"),
        })
    }

    /// Prints it: each field of `--json` is null where there is none.
    pub(super) fn print(&self, json: bool) {
        if json {
            let quoted =
                |text: Option<String>| text.map_or("null".to_owned(), |t| format!("{t:?}"));
            let number = |n: Option<f64>| n.map_or("null".to_owned(), |n| format!("{n:.3}"));
            print(&format!(
                "{{\"work\":{:?},\"unit\":{:?},\"ours\":{:.3},\"peer\":{},\"peer-is\":{},\"ratio\":{},\"goal\":{},\"met\":{}}}\n",
                self.work,
                self.unit,
                self.ours,
                number(self.peer.map(|(_, peer)| peer)),
                quoted(self.peer.map(|(name, _)| name.to_owned())),
                number(self.ratio()),
                quoted(self.goal_text()),
                self.met().map_or("null".to_owned(), |met| met.to_string()),
            ));
            return;
        }
        let peer = self
            .peer
            .map_or_else(String::new, |(name, peer)| format!("{name}: {peer:.1}"));
        let ratio = self
            .ratio()
            .map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let goal = match (self.goal_text(), self.met()) {
            (Some(goal), Some(true)) => format!("{goal}: met"),
            (Some(goal), _) => format!("{goal}: missed"),
            _ => String::new(),
        };
        print(&format!(
            "{:<58} {:>9.1} {:<6} {peer:<26} {ratio:>6}  {goal}\n",
            self.work, self.ours, self.unit
        ));
    }
}

/// The middle one of some values.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 50)
}

/// The value that so many per cent of the values do not exceed.
pub(super) fn percentile(values: &mut [f64], per_cent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * per_cent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: f64, peer: f64, goal: Goal) -> Row {
        Row {
            work: "w".to_owned(),
            unit: "u",
            ours,
            peer: Some(("p", peer)),
            goal: Some(goal),
        }
    }

    #[test]
    fn a_goal_is_met_at_its_bound_and_missed_past_it() {
        for (goal, at, past) in [
            (Goal::TimesAtLeast(1.5), 15.0, 14.9),
            (Goal::TimesAtMost(1.5), 15.0, 15.1),
            (Goal::AtMost(3.0), 3.0, 3.1),
            (Goal::AboveAtMost(1.0), 11.0, 11.1),
        ] {
            assert_eq!(row(at, 10.0, goal).met(), Some(true), "{goal:?}");
            assert_eq!(row(past, 10.0, goal).met(), Some(false), "{goal:?}");
        }
    }

    #[test]
    fn a_goal_that_was_computed_is_told_with_one_decimal() {
        let told = row(1.0, 1.0, Goal::AtMost(1.1 * 28.0 + 4.0)).goal_text();
        assert_eq!(told.as_deref(), Some("at most 34.8"));
    }

    #[test]
    fn the_median_and_the_last_per_cent() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        let mut many: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((percentile(&mut many, 99) - 99.0).abs() < f64::EPSILON);
    }
}
