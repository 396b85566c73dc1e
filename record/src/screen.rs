//! The emulated terminal: whatever a recording holds, this is all that it can change.

use crate::recording::Size;
use crate::text::is_visible;
mod decoder;
mod scrolled;
mod stored;
mod transcript;
mod unfinished;

use avt::observer::Observer;
use avt::parser::Function;
use avt::{Parser, ScreenKind, Terminal};

pub use decoder::Decoder;
pub use scrolled::Scrolled;
pub use transcript::Transcript;

use unfinished::Unfinished;

/// What stands for a character that cannot be shown as it is.
pub const REPLACEMENT: char = '\u{fffd}';

/// After how many control functions somebody is asked whether to go on: on the largest screen they take a part of a second.
const UNASKED: usize = 32;

/// A terminal of bounded size that is fed bytes and shows cells.
///
/// It holds no scrollback. Repetitions (`CSI n b`) are cut to one screen, since more of them show nothing else and
/// cost a second of work for a few bytes. The pattern by which a screen is adjusted (DECALN, `ESC # 8`) is not drawn: it would
/// hide what stands there behind a screen full of `E`, and three bytes would be a million cells to tell.
pub struct Screen {
    parser: Parser,
    terminal: Terminal,
    decoder: Decoder,
    unfinished: Unfinished,
    size: Size,
    newlines: bool,
}

/// A screen as it was at one moment, to come back to.
#[derive(Debug, Clone)]
pub struct Snapshot {
    dump: String,
    decoder: Decoder,
    size: Size,
    newlines: bool,
}

impl Snapshot {
    /// Bytes of memory that it holds.
    pub fn bytes(&self) -> usize {
        self.dump.len()
    }

    /// What brings another terminal of the same size to the same place.
    pub fn drawn(&self) -> &str {
        &self.dump
    }
}

/// One cell, ready to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// A visible character.
    pub char: char,
    /// Columns that it takes: 1 or 2; 0 for the right half of a wide one.
    pub width: u8,
    /// How it looks.
    pub pen: avt::Pen,
}

impl Screen {
    /// A blank terminal. `newlines`: a line feed also returns to the first column, as a terminal's driver
    /// does for a command that has no terminal of its own.
    pub fn new(size: Size, newlines: bool) -> Self {
        Self {
            parser: Parser::new(),
            terminal: blank(size),
            decoder: Decoder::default(),
            unfinished: Unfinished::default(),
            size,
            newlines,
        }
    }

    /// Its size.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Shows some bytes. They may end within a character.
    pub fn feed(&mut self, bytes: &[u8]) {
        let text = self.decoder.decode(bytes);
        for c in text.chars() {
            if self.newlines && c == '\n' {
                self.terminal.execute(Function::Cr);
            }
            if let Some(function) = self.parse(c) {
                self.terminal.execute(function);
            }
        }
    }

    /// Shows some bytes to the screen and to an observer of it, and tells what that says: [`Scrolled`] tells the lines of
    /// text that are complete and out of sight, [`Transcript`] those and what was wiped.
    ///
    /// Each is told at once: a few bytes may scroll a whole screen away, so that what one event says has no bound but its length
    /// times a screen.
    pub fn feed_with<T, O>(&mut self, bytes: &[u8], observer: &mut O, tell: &mut dyn FnMut(T))
    where
        O: Observer<Output = Vec<T>>,
    {
        let _all = self.feed_while(bytes, observer, &|| true, tell);
    }

    /// The same, as long as `go_on` says so: three bytes may cost a whole screen, and an event has tens of thousands. Whether all
    /// was shown; what was not is lost.
    #[must_use]
    pub fn feed_while<T, O>(
        &mut self,
        bytes: &[u8],
        observer: &mut O,
        go_on: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(T),
    ) -> bool
    where
        O: Observer<Output = Vec<T>>,
    {
        let text = self.decoder.decode(bytes);
        let mut since = 0;
        for c in text.chars() {
            if self.newlines && c == '\n' {
                let said = self.terminal.execute_with(Function::Cr, &mut *observer);
                said.into_iter().for_each(&mut *tell);
            }
            if let Some(function) = self.parse(c) {
                since += usize::from(!matches!(function, Function::Print(_)));
                let said = self.terminal.execute_with(function, &mut *observer);
                said.into_iter().for_each(&mut *tell);
            }
            if since == UNASKED {
                since = 0;
                if !go_on() {
                    return false;
                }
            }
        }
        true
    }

    /// What stands before the cursor in its row, while nothing stands behind it; none while a program has the screen for
    /// itself.
    pub fn before_cursor(&self) -> Option<String> {
        if self.terminal.active_screen_kind() != ScreenKind::Primary {
            return None;
        }
        let (col, row) = self.focus();
        let cells = self.terminal.screen().line(row)?.cells();
        // Blanks at the end of a line are not kept.
        let (before, behind) = cells.split_at_checked(col).unwrap_or((cells, &[]));
        let blank = behind.iter().all(|cell| cell.char() == ' ');
        let shown = before.iter().filter(|cell| cell.width() > 0);
        let text: String = shown.map(avt::Cell::char).collect();
        blank.then(|| text + &" ".repeat(col - before.len()))
    }

    /// Whether the row is continued in the next one.
    pub fn is_wrapped(&self, row: usize) -> bool {
        self.terminal
            .screen()
            .line(row)
            .is_some_and(avt::Line::is_wrapped)
    }

    /// Changes the size.
    pub fn resize(&mut self, size: Size) {
        self.size = size;
        self.terminal.resize(size.cols().into(), size.rows().into());
    }

    /// Changes the size, and yields what an observer says of that, such as the lines that are out of sight with it.
    pub fn resize_with<T, O>(&mut self, size: Size, observer: &mut O) -> Vec<T>
    where
        O: Observer<Output = Vec<T>>,
    {
        self.size = size;
        self.terminal
            .resize_with(size.cols().into(), size.rows().into(), observer)
    }

    /// What a program has on a screen of its own, as far as the transcript has not told it: for whoever knows that it stood
    /// long enough to be read.
    pub fn stood(&self, transcript: &mut Transcript) -> Vec<String> {
        transcript.stood(&self.terminal)
    }

    /// What is left to be told at the end.
    pub fn transcribed(&self, transcript: Transcript) -> Vec<String> {
        transcript.finish(&self.terminal)
    }

    /// The lines that are left on the screen at the end.
    pub fn finish(&self, scrolled: Scrolled) -> Vec<String> {
        scrolled.finish(&self.terminal)
    }

    /// The lines of text on it, from the top, without the blanks at their ends; rows that were wrapped are one line.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let screen = self.terminal.screen();
        let mut row = 0;
        std::iter::from_fn(move || {
            let mut text = String::new();
            let mut line = screen.line(row)?;
            loop {
                row += 1;
                let Some(next) = screen.line(row).filter(|_| line.is_wrapped()) else {
                    push_all_but_blanks(&mut text, line.cells());
                    return Some(text);
                };
                text.extend(line.chars());
                line = next;
            }
        })
    }

    /// The cells of one row, from the left.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Cell> + '_ {
        let line = self.terminal.screen().line(row);
        line.into_iter()
            .flat_map(avt::Line::cells)
            .map(|cell| Cell {
                char: if is_visible(cell.char()) {
                    cell.char()
                } else {
                    REPLACEMENT
                },
                width: cell.width(),
                pen: *cell.pen(),
            })
    }

    /// Column and row of the cursor, if it is shown.
    pub fn cursor(&self) -> Option<(usize, usize)> {
        let cursor = self.terminal.cursor();
        cursor.visible.then_some((cursor.col, cursor.row))
    }

    /// Column and row of the cursor, shown or not.
    pub fn focus(&self) -> (usize, usize) {
        let cursor = self.terminal.cursor();
        (cursor.col, cursor.row)
    }

    /// The screen as it is now; none in the middle of an endless control sequence.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let dump = self.terminal.dump() + self.unfinished.text()?;
        Some(Snapshot {
            dump,
            decoder: self.decoder.clone(),
            size: self.size,
            newlines: self.newlines,
        })
    }

    /// The screen as it was.
    pub fn restore(snapshot: &Snapshot) -> Self {
        let mut screen = Self::new(snapshot.size, false);
        screen.feed(snapshot.dump.as_bytes());
        Self {
            decoder: snapshot.decoder.clone(),
            newlines: snapshot.newlines,
            ..screen
        }
    }

    fn parse(&mut self, c: char) -> Option<Function> {
        let function = self.parser.feed(c);
        self.unfinished.follow(c, function.is_some());
        let function = function.filter(|function| !matches!(function, Function::Decaln));
        function.map(|function| bounded(function, self.size))
    }
}

/// Adds the characters of some cells, up to the last one that is no blank: most of a screen is empty.
fn push_all_but_blanks(text: &mut String, cells: &[avt::Cell]) {
    let last = cells.iter().rposition(|cell| cell.char() != ' ');
    let shown = cells.iter().take(last.map_or(0, |last| last + 1));
    text.reserve(shown.len());
    text.extend(shown.filter(|cell| cell.width() > 0).map(avt::Cell::char));
}

fn blank(size: Size) -> Terminal {
    // A size is at least one by one, so that the fallback is never taken.
    Terminal::new(size.cols().into(), size.rows().into())
        .or_else(|_| Terminal::new(80, 24))
        .unwrap_or_else(|_| unreachable!("80 by 24 is a size"))
}

fn bounded(function: Function, size: Size) -> Function {
    let (cols, rows) = (size.cols(), size.rows());
    match function {
        Function::Rep(n) => Function::Rep(n.min(cols.saturating_mul(rows))),
        Function::Su(n) => Function::Su(n.min(rows)),
        Function::Sd(n) => Function::Sd(n.min(rows)),
        Function::Il(n) => Function::Il(n.min(rows)),
        Function::Dl(n) => Function::Dl(n.min(rows)),
        Function::Ich(n) => Function::Ich(n.min(cols)),
        Function::Dch(n) => Function::Dch(n.min(cols)),
        Function::Cht(n) => Function::Cht(n.min(cols)),
        Function::Cbt(n) => Function::Cbt(n.min(cols)),
        other => other,
    }
}

#[cfg(test)]
mod tests;
