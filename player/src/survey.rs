//! Looks through a recording beside its replay: first for when how much happened and for what is marked in it, then, with an
//! emulator, for commands and for screens to come back to. Both go on where a recording grows.

pub mod activity;
mod prompts;

use record::recording::reader::ReadError;

use crate::deck::{Keyframe, Keyframes, Place};
use crate::marks::{Kind, Mark};
use crate::screen::Screen;
use crate::tape::{Change, Step, Tape};

use activity::Activity;
use prompts::Prompts;

/// What a survey has found.
pub enum News {
    /// More places that are worth a look.
    Marks(Vec<Mark>),
    /// When how much happened, so far.
    Activity(Activity),
    /// A screen to come back to.
    Keyframe(Keyframe),
    /// The recording goes on.
    Grown(Tape),
    /// What is recorded from then on cannot be read, in microseconds.
    Damaged(u64),
}

/// Where the survey stands.
pub struct Survey {
    tape: Tape,
    skimmed: Place,
    activity: Activity,
    watched: Place,
    shown_us: u64,
    screen: Screen,
    keyframes: Keyframes,
    prompts: Prompts,
    /// The first chunk that is damaged: nothing is looked at from there on.
    broken: Option<usize>,
}

impl Survey {
    /// At the beginning. What was to be run is the first command.
    pub fn new(tape: Tape, tell: &mut dyn FnMut(News)) -> Self {
        let header = tape.header();
        let commands = [&header.command, &header.forced].into_iter().flatten();
        let first = commands.map(|command| Mark::new(0, Kind::Command, command));
        tell(News::Marks(first.collect()));
        let screen = tape.screen();
        Self {
            tape,
            skimmed: Place::default(),
            activity: Activity::default(),
            watched: Place::default(),
            shown_us: 0,
            screen,
            keyframes: Keyframes::default(),
            prompts: Prompts::default(),
            broken: None,
        }
    }

    /// What is looked through.
    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    /// The recording goes on.
    pub fn grow(&mut self, tape: Tape) {
        self.tape = tape;
        self.broken = None;
    }

    /// Looks through one chunk; false if there is nothing to look through now. One that is damaged is told, and is the end.
    ///
    /// # Errors
    ///
    /// The chunk cannot be read; if it was sealed meanwhile, a tape that is opened again has it.
    pub fn work(&mut self, tell: &mut dyn FnMut(News)) -> Result<bool, ReadError> {
        let mut skimmed = self.skimmed;
        let found = self.ahead(&mut skimmed, tell);
        self.skimmed = skimmed;
        if let Some(steps) = found? {
            let steps = steps.get(self.skimmed.step..).unwrap_or_default();
            self.skimmed.step += steps.len();
            let marks = steps.iter().filter_map(|step| self.activity.saw(step));
            tell(News::Marks(marks.collect()));
            tell(News::Activity(self.activity.clone()));
            return Ok(true);
        }
        let mut watched = self.watched;
        let found = self.ahead(&mut watched, tell);
        self.watched = watched;
        if let Some(steps) = found? {
            for step in steps.get(self.watched.step..).unwrap_or_default() {
                self.watch(step, tell);
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// The steps of the chunk in which something is left, if there is one, and the place in it.
    fn ahead(
        &mut self,
        place: &mut Place,
        tell: &mut dyn FnMut(News),
    ) -> Result<Option<Vec<Step>>, ReadError> {
        let source = self.tape.source();
        while place.chunk < self.broken.unwrap_or(source.chunks()) {
            let steps = match source.steps(place.chunk) {
                Err(ReadError::Damaged(_)) => {
                    self.broken = Some(place.chunk);
                    tell(News::Damaged(source.start_us(place.chunk)));
                    return Ok(None);
                }
                read => read?,
            };
            if place.step < steps.len() {
                return Ok(Some(steps));
            }
            if place.chunk + 1 == source.chunks() {
                break;
            }
            *place = Place {
                chunk: place.chunk + 1,
                step: 0,
            };
        }
        Ok(None)
    }

    fn watch(&mut self, step: &Step, tell: &mut dyn FnMut(News)) {
        match &step.change {
            Change::Output(bytes) => {
                let commands = self.prompts.follow(&mut self.screen, bytes);
                if !commands.is_empty() {
                    let mark = |text: String| Mark::new(step.at_us, Kind::Command, &text);
                    tell(News::Marks(commands.into_iter().map(mark).collect()));
                }
                self.keyframes.spent(bytes.len());
            }
            change => {
                change.show(&mut self.screen);
                if let Change::Resize(size) = change {
                    let cells = usize::from(size.cols()) * usize::from(size.rows());
                    self.keyframes.spent(cells);
                }
            }
        }
        self.shown_us = step.at_us;
        self.watched.step += 1;
        if let Some(keyframe) = self
            .keyframes
            .due(self.watched, self.shown_us, &self.screen)
        {
            tell(News::Keyframe(keyframe));
        }
    }
}

#[cfg(test)]
mod tests;
