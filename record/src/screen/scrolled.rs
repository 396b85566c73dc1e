//! What has left the screen at its top.

use avt::observer::{Observation, Observer};
use avt::parser::Function;
use avt::{Line, Operation, Terminal};

/// Longest line that is put together of the rows that it was wrapped into, in bytes: what is longer is told in parts.
const LONGEST: usize = 64 << 10;

/// Puts the rows that leave the screen together to lines of text, without blanks at their ends.
#[derive(Debug, Default)]
pub struct Scrolled {
    pending: String,
    ready: Vec<String>,
}

impl Scrolled {
    /// Nothing has left yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines that are left in the end.
    pub(super) fn finish(mut self, terminal: &Terminal) -> Vec<String> {
        self.rest(terminal);
        self.ready
    }

    /// The lines that are complete.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ready)
    }

    /// Tells a line that did not leave at the top.
    pub(super) fn tell(&mut self, line: String) {
        self.ready.push(line);
    }

    /// Tells lines that are wiped off the screen; `from_top`: with what its first row continues.
    pub(super) fn wipe(&mut self, lines: Vec<String>, from_top: bool) {
        let mut lines = lines.into_iter();
        if from_top && !self.pending.is_empty() {
            let mut begun = std::mem::take(&mut self.pending);
            begun.push_str(&lines.next().unwrap_or_default());
            self.ready.push(begun.trim_end().to_owned());
        }
        self.ready.extend(lines);
    }

    fn rest(&mut self, terminal: &Terminal) {
        let before = self.ready.len();
        for line in terminal.primary_screen().all_lines() {
            self.push(line);
        }
        while self.ready.len() > before && self.ready.last().is_some_and(String::is_empty) {
            self.ready.pop();
        }
    }

    fn push(&mut self, line: &Line) {
        self.pending.extend(line.chars());
        if !line.is_wrapped() || self.pending.len() >= LONGEST {
            self.ready.push(self.pending.trim_end().to_owned());
            self.pending.clear();
        }
    }
}

impl Observer for Scrolled {
    type Output = Vec<String>;

    /// A reset (RIS) wipes all that stands there.
    fn before(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        if matches!(operation, Operation::Function(Function::Ris)) {
            self.rest(context.terminal());
        }
    }

    fn evicted(&mut self, _: &mut Observation<'_>, line: &Line) {
        self.push(line);
    }

    fn end(&mut self, _: &mut Observation<'_>) -> Vec<String> {
        self.take()
    }
}
