//! Going from one thing to the next.

use super::Deck;
use crate::tape::Step;

impl Deck {
    /// Goes to the next thing that shows, and holds there.
    pub fn step(&mut self) {
        self.playing = false;
        let mut chunk = self.at.chunk;
        let mut steps = self.steps.get(self.at.step..).unwrap_or_default().to_vec();
        loop {
            if let Some(step) = steps.iter().find(|step| step.change.is_seen()) {
                self.position_us = self.position_us.max(step.at_us);
                return;
            }
            // What lies behind something that cannot be read is not shown.
            let is_stuck = self.stuck.is_some() && chunk == self.at.chunk;
            chunk += 1;
            if is_stuck || chunk >= self.tape.source().chunks() {
                break;
            }
            match self.tape.source().steps(chunk) {
                Ok(next) => steps = next,
                Err(why) => {
                    self.note(chunk, &why);
                    break;
                }
            }
        }
        self.seek(u64::MAX);
    }

    /// Goes back to before the last thing that was shown, and holds there.
    pub fn step_back(&mut self) {
        self.playing = false;
        let seen = |steps: &[Step], before: u64| {
            let earlier = |step: &&Step| step.change.is_seen() && step.at_us < before;
            steps.iter().rfind(earlier).map(|step| step.at_us)
        };
        let last = |steps: &[Step]| seen(steps, u64::MAX);
        let shown = self.steps.get(..self.at.step).unwrap_or_default();
        let (mut now, mut found) = (last(shown), None);
        if let Some(now) = now {
            found = seen(shown, now);
        }
        let mut chunk = self.at.chunk;
        while found.is_none() && chunk > 0 {
            chunk -= 1;
            let steps = self.tape.source().steps(chunk).unwrap_or_default();
            now = now.or_else(|| last(&steps));
            found = now.and_then(|now| seen(&steps, now));
        }
        self.seek(found.unwrap_or(0));
    }

    /// Goes to the next (or the previous) mark.
    pub fn to_mark(&mut self, forward: bool) {
        if let Some(mark) = self.marks.next(self.position_us, forward) {
            self.seek(mark.at_us);
        }
    }
}
