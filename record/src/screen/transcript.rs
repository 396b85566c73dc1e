//! The text that stood on the screen when whole lines of it were taken away: scrolled, pushed off, wiped, or cut off by a smaller window.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use avt::observer::{Observation, Observer};
use avt::parser::{DecMode, EdScope, ElScope, Function};
use avt::{Cell, Operation, ScreenKind, Terminal};

use super::Scrolled;

/// How many lines of another screen are remembered, so that what is drawn again is not told again: past this it is begun anew.
const REMEMBERED: usize = 16 << 10;

/// Tells the lines that [`Scrolled`] tells, and beside them what a program wiped off the screen, moved off it within margins, or left on
/// another screen.
///
/// What is written to the terminal is told about once: only what goes away is looked at, and what stays on another screen while
/// a program draws it again and again is told once for as often as it stood there at once. So is a row that is wiped alone (EL, as
/// of a progress bar): what was told so is not told again until another screen begins.
///
/// What was written over, character by character, or wiped in part (ECH, DCH, EL within a row) is told of another screen alone, where
/// somebody says that it [stood](super::Screen::stood) there before.
#[derive(Debug, Default)]
pub struct Transcript {
    scrolled: Scrolled,
    margins: Option<(usize, usize)>,
    told: HashMap<u64, usize>,
    hasher: RandomState,
    /// What goes away if the operation scrolls.
    leaving: Vec<String>,
    has_scrolled: bool,
    /// How many rows the operation changes without scrolling.
    unscrolled: usize,
}

impl Transcript {
    /// Nothing was shown yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is left in the end.
    pub(super) fn finish(mut self, terminal: &Terminal) -> Vec<String> {
        self.elsewhere(terminal);
        self.scrolled.finish(terminal)
    }

    /// What stands on another screen now, if a program has one.
    pub(super) fn stood(&mut self, terminal: &Terminal) -> Vec<String> {
        self.elsewhere(terminal);
        self.scrolled.take()
    }

    fn elsewhere(&mut self, terminal: &Terminal) {
        if is_alternate(terminal) {
            let (cols, rows) = terminal.size();
            let lines = block(terminal, (0, 0), (rows, cols));
            self.tell_new(lines);
        }
    }

    /// Tells lines of another screen, so many of each as were never told of it before.
    fn tell_new(&mut self, lines: Vec<String>) {
        let mut now: HashMap<u64, usize> = HashMap::new();
        for line in lines.into_iter().filter(|line| !line.is_empty()) {
            let hash = self.hasher.hash_one(&line);
            let count = now.entry(hash).or_default();
            *count += 1;
            if self.told.len() >= REMEMBERED {
                self.told.clear();
            }
            let told = self.told.entry(hash).or_default();
            if *count > *told {
                *told = *count;
                self.scrolled.tell(line);
            }
        }
    }

    /// Part of the screen is wiped.
    fn wiped(&mut self, terminal: &Terminal, scope: &EdScope) {
        let (cols, rows) = terminal.size();
        let cursor = terminal.cursor();
        let lines = match scope {
            EdScope::Below => block(terminal, (cursor.row, cursor.col), (rows, cols)),
            EdScope::Above => block(terminal, (0, 0), (cursor.row + 1, cursor.col + 1)),
            // The terminal scrolls those of its own screen away.
            EdScope::All if is_alternate(terminal) => block(terminal, (0, 0), (rows, cols)),
            EdScope::All | EdScope::SavedLines => return,
        };
        if is_alternate(terminal) {
            self.tell_new(lines);
        } else {
            let from_top = matches!(scope, EdScope::Above) || (cursor.row, cursor.col) == (0, 0);
            self.scrolled.wipe(lines, from_top);
        }
    }

    /// A row is wiped.
    fn wiped_row(&mut self, terminal: &Terminal, scope: &ElScope) {
        let (cols, _) = terminal.size();
        let cursor = terminal.cursor();
        let whole = match scope {
            ElScope::All => true,
            ElScope::ToRight => cursor.col == 0,
            ElScope::ToLeft => cursor.col + 1 >= cols,
        };
        if whole {
            self.tell_new(block(terminal, (cursor.row, 0), (cursor.row + 1, cols)));
        }
    }

    /// A smaller size cuts rows off below the cursor of the terminal's own screen, also where that lies under another.
    fn cut(&mut self, terminal: &Terminal) {
        let stood = std::mem::take(&mut self.leaving);
        let stands = own(terminal);
        let same = stood.iter().zip(&stands).take_while(|(a, b)| a == b);
        let same = same.count();
        self.leaving = stood;
        self.leaving.drain(..same);
        self.has_scrolled = true;
    }

    /// The rows that this takes off the screen, if it scrolls.
    fn leaving(&self, terminal: &Terminal, function: &Function) -> Range<usize> {
        let (cols, rows) = terminal.size();
        let (top, bottom) = self.margins.unwrap_or((0, rows.saturating_sub(1)));
        let cursor = terminal.cursor();
        let at_bottom = cursor.row == bottom;
        let below = if cursor.row <= bottom {
            bottom + 1
        } else {
            rows
        };
        let count = |n: u16| usize::from(n.max(1));
        let at_top = |n: usize| top..(top + n).min(bottom + 1);
        let at_end = |from: usize, end: usize, n: usize| end.saturating_sub(n).max(from)..end;
        let up = match function {
            Function::Lf | Function::Nel if at_bottom => at_top(1),
            Function::Print(c) if at_bottom && wraps(*c, cursor.col, cols) => at_top(1),
            Function::Rep(n) if cursor.row <= bottom => {
                let last = cursor.row + (cursor.col + count(*n)).saturating_sub(1) / cols.max(1);
                at_top(last.saturating_sub(bottom))
            }
            Function::Su(n) => at_top(count(*n)),
            Function::Dl(n) => cursor.row..(cursor.row + count(*n)).min(below),
            Function::Ri if cursor.row == top => return at_end(top, bottom + 1, 1),
            Function::Sd(n) => return at_end(top, bottom + 1, count(*n)),
            Function::Il(n) => return at_end(cursor.row, below, count(*n)),
            _ => return 0..0,
        };
        // What leaves the terminal's own screen at its top comes as such.
        if up.start == 0 && !is_alternate(terminal) {
            0..0
        } else {
            up
        }
    }

    fn follow_margins(&mut self, terminal: &Terminal, operation: &Operation) {
        let (_, rows) = terminal.size();
        match operation {
            Operation::Function(Function::Decstbm(top, bottom)) => {
                let top = usize::from((*top).max(1)) - 1;
                let bottom = match usize::from(*bottom) {
                    0 => rows,
                    bottom => bottom,
                } - 1;
                if top < bottom && bottom < rows {
                    self.margins = Some((top, bottom));
                }
            }
            Operation::Function(Function::Decstr | Function::Ris) => self.margins = None,
            Operation::Resize { rows: new, .. } if *new != rows => self.margins = None,
            _ => {}
        }
    }
}

impl Observer for Transcript {
    type Output = Vec<String>;

    fn before(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        let terminal = context.terminal();
        self.has_scrolled = false;
        self.unscrolled = match operation {
            Operation::Function(Function::Print(_)) => 1,
            Operation::Function(Function::Rep(n)) => usize::from((*n).max(1)),
            // Whatever else has rows that leave scrolls.
            _ => 0,
        };
        match operation {
            Operation::Function(Function::Ed(scope)) => self.wiped(terminal, scope),
            Operation::Function(Function::El(scope)) => self.wiped_row(terminal, scope),
            Operation::Function(Function::Decset(modes))
                if switches(modes.as_slice()) && !is_alternate(terminal) =>
            {
                self.told.clear();
            }
            Operation::Function(Function::Decrst(modes)) if switches(modes.as_slice()) => {
                self.elsewhere(terminal);
                self.told.clear();
            }
            Operation::Function(Function::Ris) => {
                self.elsewhere(terminal);
                self.told.clear();
                self.scrolled.before(context, operation);
            }
            Operation::Resize { cols, rows } => {
                self.elsewhere(terminal);
                let size = terminal.size();
                if *cols < size.0 || *rows < size.1 {
                    self.leaving = own(terminal);
                }
            }
            Operation::Function(function) => {
                let rows = self.leaving(terminal, function);
                if !rows.is_empty() {
                    let (cols, _) = terminal.size();
                    self.leaving = block(terminal, (rows.start, 0), (rows.end, cols));
                }
            }
        }
        self.follow_margins(context.terminal(), operation);
    }

    fn dirty(&mut self, rows: Range<usize>) {
        match self.unscrolled.checked_sub(1) {
            Some(left) if rows.len() <= 1 => self.unscrolled = left,
            _ => self.has_scrolled = true,
        }
    }

    fn after(&mut self, context: &mut Observation<'_>, operation: &Operation) {
        if matches!(operation, Operation::Resize { .. }) && !self.leaving.is_empty() {
            self.cut(context.terminal());
        }
        let leaving = self.leaving.drain(..);
        if self.has_scrolled {
            leaving
                .filter(|line| !line.is_empty())
                .for_each(|line| self.scrolled.tell(line));
        }
    }

    fn evicted(&mut self, context: &mut Observation<'_>, line: &avt::Line) {
        self.scrolled.evicted(context, line);
    }

    fn end(&mut self, context: &mut Observation<'_>) -> Vec<String> {
        self.scrolled.end(context)
    }
}

fn is_alternate(terminal: &Terminal) -> bool {
    terminal.active_screen_kind() == ScreenKind::Alternate
}

fn switches(modes: &[DecMode]) -> bool {
    modes.iter().any(|mode| {
        matches!(
            mode,
            DecMode::AltScreenBuffer | DecMode::SaveCursorAltScreenBuffer
        )
    })
}

/// Whether a character may begin another row. A wide one also does where one column is left.
fn wraps(c: char, col: usize, cols: usize) -> bool {
    col >= cols || (!c.is_ascii() && col + 1 == cols)
}

/// The lines of the terminal's own screen, and those that are about to leave it at its top.
fn own(terminal: &Terminal) -> Vec<String> {
    let mut lines = vec![String::new()];
    for row in terminal.primary_screen().all_lines() {
        if let Some(line) = lines.last_mut() {
            line.extend(row.chars());
            if !row.is_wrapped() {
                line.truncate(line.trim_end().len());
                lines.push(String::new());
            }
        }
    }
    lines
}

/// The lines between two places, each a row and a column: up to the one before the last row, whole; of the last row, up to the
/// column. Rows that were wrapped are one line; without the empty lines at both ends.
fn block(terminal: &Terminal, from: (usize, usize), to: (usize, usize)) -> Vec<String> {
    let mut lines = Vec::new();
    let mut text = String::new();
    for row in from.0..to.0 {
        let Some(line) = terminal.screen().line(row) else {
            break;
        };
        let begin = if row == from.0 { from.1 } else { 0 };
        let end = if row + 1 == to.0 { to.1 } else { usize::MAX };
        let cells = line.cells();
        let cells = cells.get(..end).unwrap_or(cells);
        let cells = cells.get(begin..).unwrap_or_default();
        text.extend(cells.iter().filter(|cell| cell.width() > 0).map(Cell::char));
        if !line.is_wrapped() || row + 1 == to.0 {
            text.truncate(text.trim_end().len());
            if !(lines.is_empty() && text.is_empty()) {
                lines.push(std::mem::take(&mut text));
            }
            text.clear();
        }
    }
    let kept = lines.iter().rposition(|line| !line.is_empty());
    lines.truncate(kept.map_or(0, |last| last + 1));
    lines
}

#[cfg(test)]
mod tests;
