//! Where the replay stands: played, held, sped up, sought. It knows no terminal and no clock.

mod keyframes;
mod stepping;

use std::time::Duration;

use record::recording::reader::ReadError;

use crate::marks::{Mark, Marks};
use crate::screen::Screen;
use crate::survey::News;
use crate::survey::activity::Activity;
use crate::tape::{Change, Step, Tape, micros};
use crate::typed::Typed;

pub use keyframes::{Keyframe, Keyframes, Place};

/// The speeds, slow to fast.
pub const SPEEDS: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// The place of normal speed among them.
const NORMAL: usize = 2;

/// Bytes that are shown between two looks at the keys: a piece this small costs milliseconds, whatever it holds.
const PIECE: usize = 512;

/// A replay.
pub struct Deck {
    tape: Tape,
    screen: Screen,
    /// The first step that is not shown, how many of its bytes are, and the steps of its chunk.
    at: Place,
    within: usize,
    steps: Vec<Step>,
    /// When the last step that is shown happened.
    shown_us: u64,
    stuck: Option<String>,
    /// Since when what is recorded cannot be read.
    damaged_us: Option<u64>,
    position_us: u64,
    playing: bool,
    speed: usize,
    idle_us: Option<u64>,
    keyframes: Keyframes,
    marks: Marks,
    activity: Activity,
    typed: Typed,
}

impl Deck {
    /// A replay at its beginning, playing. Waits longer than `idle` are cut to it.
    pub fn new(tape: Tape, idle: Option<Duration>) -> Self {
        let screen = tape.screen();
        let mut deck = Self {
            keyframes: Keyframes::new(&screen),
            tape,
            screen,
            at: Place::default(),
            within: 0,
            steps: Vec::new(),
            shown_us: 0,
            stuck: None,
            damaged_us: None,
            position_us: 0,
            playing: true,
            speed: NORMAL,
            idle_us: idle.map(micros),
            marks: Marks::default(),
            activity: Activity::default(),
            typed: Typed::default(),
        };
        deck.load();
        deck
    }

    /// What is replayed.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// What is shown.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// What was typed last.
    pub fn typed(&self) -> &Typed {
        &self.typed
    }

    /// What was found worth a look, as far as it has been looked for.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// When how much happened, as far as it has been looked at.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// How many screens there are to come back to.
    pub fn keyframes(&self) -> usize {
        self.keyframes.len()
    }

    /// Why nothing further can be shown, if so.
    pub fn stuck(&self) -> Option<&str> {
        self.stuck.as_deref()
    }

    /// From when on what is recorded is damaged, as far as that is known, in microseconds: nothing later is shown.
    pub fn damaged_us(&self) -> Option<u64> {
        self.damaged_us.or_else(|| self.tape.cut_us())
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
        self.next().is_none_or(|step| step.at_us > self.position_us)
    }

    /// Whether the end is reached.
    pub fn ended(&self) -> bool {
        self.position_us >= self.last_us() && self.caught_up()
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

    /// Holds.
    pub fn hold(&mut self) {
        self.playing = false;
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
        let to = to_us.min(self.last_us());
        let begun = self.next().filter(|_| self.within > 0);
        let shown = begun.map_or(self.shown_us, |step| step.at_us);
        let here = (to >= shown).then_some(self.at);
        if let Some(known) = self.tape.known(to) {
            self.keyframes.keep(known);
        }
        if let Some(best) = self.keyframes.before(to)
            && here.is_none_or(|here| best.place > here)
        {
            self.screen = Screen::restore(&best.snapshot);
            self.shown_us = best.shown_us;
            self.go(best.place);
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

    /// Learns what was found elsewhere.
    pub fn learn(&mut self, news: News) {
        match news {
            News::Marks(marks) => marks
                .into_iter()
                .for_each(|mark: Mark| self.marks.add(mark)),
            News::Activity(activity) => self.activity = activity,
            News::Keyframe(keyframe) => self.keyframes.keep(keyframe),
            News::Grown(tape) => self.grow(tape),
            News::Damaged(from_us) => self.damaged_us = Some(from_us),
        }
    }

    /// The recording goes on. Whoever was at its end stays there.
    fn grow(&mut self, tape: Tape) {
        let follows = self.playing && self.ended();
        self.tape = tape;
        (self.stuck, self.damaged_us) = (None, None);
        let done = self.at;
        self.load();
        self.at = done;
        self.turn();
        if follows {
            self.seek(u64::MAX);
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
            .min(self.last_us());
        self.skip_idle();
        // At the end of what still grows, it is waited for.
        if self.ended() && !self.tape.grows() {
            self.playing = false;
        }
    }

    /// Shows the next piece of what is due; false if nothing is.
    pub fn work(&mut self) -> bool {
        if self.caught_up() {
            return false;
        }
        let Some(step) = self.steps.get(self.at.step) else {
            return false;
        };
        let done = match &step.change {
            Change::Output(bytes) => {
                let piece = bytes.get(self.within..).unwrap_or_default();
                let piece = piece.get(..PIECE).unwrap_or(piece);
                self.screen.feed(piece);
                self.within += piece.len();
                self.keyframes.spent(piece.len());
                self.within >= bytes.len()
            }
            change => {
                change.show(&mut self.screen);
                if let Change::Input(bytes) = change {
                    self.typed.push(bytes);
                }
                if let Change::Resize(size) = change {
                    // Reflowing costs as much as showing a screen.
                    let cells = usize::from(size.cols()) * usize::from(size.rows());
                    self.keyframes.spent(cells);
                }
                true
            }
        };
        if done {
            self.shown_us = step.at_us;
            self.at.step += 1;
            self.within = 0;
            self.turn();
            self.keyframes.offer(self.at, self.shown_us, &self.screen);
        }
        true
    }

    /// The last time that can be shown.
    fn last_us(&self) -> u64 {
        let whole = self.tape.duration_us();
        self.damaged_us.map_or(whole, |from_us| from_us.min(whole))
    }

    fn next(&self) -> Option<&Step> {
        self.steps.get(self.at.step)
    }

    fn skip_idle(&mut self) {
        let Some(idle) = self.idle_us else { return };
        let next = self.next().map_or(self.last_us(), |step| step.at_us);
        if next > self.position_us && self.position_us.saturating_sub(self.shown_us) >= idle {
            self.position_us = next;
        }
    }

    /// Stands at another place, whose screen has been put up.
    fn go(&mut self, place: Place) {
        let elsewhere = self.at.chunk != place.chunk;
        self.at = place;
        self.within = 0;
        if elsewhere {
            self.load();
        }
        self.typed = Typed::default();
        for step in self.steps.get(..place.step).unwrap_or_default() {
            if let Change::Input(bytes) = &step.change {
                self.typed.push(bytes);
            }
        }
        self.turn();
    }

    /// Reads the steps of the chunk.
    fn load(&mut self) {
        match self.tape.source().steps(self.at.chunk) {
            Ok(steps) => self.steps = steps,
            Err(why) => {
                self.steps.clear();
                self.note(self.at.chunk, &why);
                self.stuck = Some(why.to_string());
            }
        }
    }

    /// A chunk that is damaged is the end.
    fn note(&mut self, chunk: usize, why: &ReadError) {
        if matches!(why, ReadError::Damaged(_)) {
            self.damaged_us = Some(self.tape.source().start_us(chunk));
        }
    }

    /// Turns to the next chunk when one is over. What cannot be read is waited for: it may have been sealed meanwhile.
    fn turn(&mut self) {
        while self.stuck.is_none()
            && self.at.step >= self.steps.len()
            && self.at.chunk + 1 < self.tape.source().chunks()
        {
            self.at = Place {
                chunk: self.at.chunk + 1,
                step: 0,
            };
            self.load();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
