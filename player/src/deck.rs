//! Where the replay stands: played, held, sped up, sought. It knows no terminal and no clock.

use std::time::Duration;

use crate::screen::{Screen, Snapshot};
use crate::tape::{Change, Tape};

/// The speeds, slow to fast.
pub const SPEEDS: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// The place of normal speed among them.
const NORMAL: usize = 2;

/// A snapshot is kept for each so many bytes of output, so that a step back replays at most that much.
const SNAPSHOT_EVERY: usize = 1 << 20;

/// All snapshots together hold at most so many bytes.
const SNAPSHOT_BYTES: usize = 24 << 20;

/// Bytes that are shown between two looks at the keys: a piece this small costs milliseconds, whatever it holds.
const PIECE: usize = 512;

/// A replay.
pub struct Deck {
    tape: Tape,
    screen: Screen,
    /// The first step that is not shown, and how many of its bytes are.
    next: usize,
    within: usize,
    position_us: u64,
    playing: bool,
    speed: usize,
    idle_us: Option<u64>,
    snapshots: Vec<Kept>,
    since_snapshot: usize,
}

struct Kept {
    next: usize,
    snapshot: Snapshot,
}

impl Deck {
    /// A replay at its beginning, playing. Waits longer than `idle` are cut to it.
    pub fn new(tape: Tape, idle: Option<Duration>) -> Self {
        let screen = first_screen(&tape);
        let first = screen.snapshot();
        let snapshots = first.map(|snapshot| Kept { next: 0, snapshot });
        let snapshots = snapshots.into_iter().collect();
        Self {
            tape,
            screen,
            next: 0,
            within: 0,
            position_us: 0,
            playing: true,
            speed: NORMAL,
            idle_us: idle.map(micros),
            snapshots,
            since_snapshot: 0,
        }
    }

    /// What is replayed.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// What is shown.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Microseconds since the session began.
    pub fn position_us(&self) -> u64 {
        self.position_us
    }

    /// Whether time runs.
    pub fn playing(&self) -> bool {
        self.playing
    }

    /// Whether everything up to the position is shown.
    pub fn caught_up(&self) -> bool {
        self.tape
            .steps
            .get(self.next)
            .is_none_or(|step| step.at_us > self.position_us)
    }

    /// Whether the end is reached.
    pub fn ended(&self) -> bool {
        self.position_us >= self.tape.duration_us && self.caught_up()
    }

    /// How fast time runs.
    pub fn speed(&self) -> f64 {
        SPEEDS.get(self.speed).copied().unwrap_or(1.0)
    }

    /// The longest wait that is shown in full, if waits are cut.
    pub fn idle(&self) -> Option<Duration> {
        self.idle_us.map(Duration::from_micros)
    }

    /// Holds or goes on; at the end, begins again.
    pub fn toggle(&mut self) {
        if self.ended() && !self.playing {
            self.seek(0);
        }
        self.playing = !self.playing;
    }

    /// The next speed up (or down); none beyond the last.
    pub fn faster(&mut self, up: bool) {
        self.speed = if up {
            (self.speed + 1).min(SPEEDS.len() - 1)
        } else {
            self.speed.saturating_sub(1)
        };
    }

    /// The speed nearest to this one.
    pub fn set_speed(&mut self, speed: f64) {
        let distance = |of: usize| (SPEEDS.get(of).copied().unwrap_or(1.0) - speed).abs();
        self.speed = (0..SPEEDS.len())
            .min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
            .unwrap_or(NORMAL);
    }

    /// Cuts waits longer than this from now on, or no longer.
    pub fn set_idle(&mut self, idle: Option<Duration>) {
        self.idle_us = idle.map(micros);
    }

    /// Goes to a time; past the end means the end.
    pub fn seek(&mut self, to_us: u64) {
        let to = to_us.min(self.tape.duration_us);
        if to < self.position_us {
            self.go_back(to);
        }
        self.position_us = to;
    }

    /// Goes forward (or back) by a time.
    pub fn seek_by(&mut self, by: Duration, forward: bool) {
        let by = micros(by);
        let to = if forward {
            self.position_us.saturating_add(by)
        } else {
            self.position_us.saturating_sub(by)
        };
        self.seek(to);
    }

    /// Goes to the next step, and holds there.
    pub fn step(&mut self) {
        self.playing = false;
        if let Some(step) = self.tape.steps.get(self.next) {
            self.position_us = self.position_us.max(step.at_us);
        }
    }

    /// Goes to the next (or the previous) marker.
    pub fn to_marker(&mut self, forward: bool) {
        let here = self.position_us;
        let mut marks = self
            .tape
            .steps
            .iter()
            .filter(|s| matches!(s.change, Change::Marker(_)))
            .map(|s| s.at_us);
        let found = if forward {
            marks.find(|at| *at > here)
        } else {
            marks.rfind(|at| *at < here)
        };
        if let Some(at) = found {
            self.seek(at);
        }
    }

    /// Lets time run, if it does. While something is still to be shown, time waits for it.
    pub fn advance(&mut self, passed: Duration) {
        if !self.playing || !self.caught_up() {
            return;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a tick is short, and a speed at most 16"
        )]
        let passed_us = (passed.as_secs_f64() * self.speed() * 1e6) as u64;
        self.position_us = self
            .position_us
            .saturating_add(passed_us)
            .min(self.tape.duration_us);
        self.skip_idle();
        if self.ended() {
            self.playing = false;
        }
    }

    /// Shows the next piece of what is due; false if nothing is.
    pub fn work(&mut self) -> bool {
        if self.caught_up() {
            return false;
        }
        let Some(step) = self.tape.steps.get(self.next) else {
            return false;
        };
        let done = match &step.change {
            Change::Output(bytes) => {
                let piece = bytes.get(self.within..).unwrap_or_default();
                let piece = piece.get(..PIECE).unwrap_or(piece);
                self.screen.feed(piece);
                self.within += piece.len();
                self.since_snapshot += piece.len();
                self.within >= bytes.len()
            }
            Change::Resize(size) => {
                self.screen.resize(*size);
                // Reflowing costs as much as showing a screen.
                self.since_snapshot += usize::from(size.cols()) * usize::from(size.rows());
                true
            }
            Change::Marker(_) => true,
        };
        if done {
            self.next += 1;
            self.within = 0;
            self.keep_snapshot();
        }
        true
    }

    fn skip_idle(&mut self) {
        let Some(idle) = self.idle_us else { return };
        let last = self
            .next
            .checked_sub(1)
            .and_then(|i| self.tape.steps.get(i))
            .map_or(0, |step| step.at_us);
        let next = self
            .tape
            .steps
            .get(self.next)
            .map_or(self.tape.duration_us, |step| step.at_us);
        if next > self.position_us && self.position_us.saturating_sub(last) >= idle {
            self.position_us = next;
        }
    }

    fn go_back(&mut self, to_us: u64) {
        let before = |kept: &Kept| match kept.next.checked_sub(1) {
            None => true,
            Some(last) => self
                .tape
                .steps
                .get(last)
                .is_some_and(|step| step.at_us <= to_us),
        };
        if let Some(kept) = self.snapshots.iter().rev().find(|kept| before(kept)) {
            self.screen = Screen::restore(&kept.snapshot);
            self.next = kept.next;
            self.within = 0;
            self.since_snapshot = 0;
        }
    }

    fn keep_snapshot(&mut self) {
        let newest = self.snapshots.last().map_or(0, |kept| kept.next);
        if self.since_snapshot < SNAPSHOT_EVERY || self.next <= newest {
            return;
        }
        self.since_snapshot = 0;
        let Some(snapshot) = self.screen.snapshot() else {
            return;
        };
        let held: usize = self
            .snapshots
            .iter()
            .map(|kept| kept.snapshot.bytes())
            .sum();
        if held + snapshot.bytes() <= SNAPSHOT_BYTES {
            self.snapshots.push(Kept {
                next: self.next,
                snapshot,
            });
        }
    }
}

fn first_screen(tape: &Tape) -> Screen {
    Screen::new(tape.size(), tape.header.term.is_none())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
