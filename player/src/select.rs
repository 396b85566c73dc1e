//! Text that is picked from the screen.

use record::recording::Size;

use crate::screen::Screen;

/// Most bytes that are copied: terminals drop longer ones without a word (xterm takes about this much).
pub const MOST: usize = 64 << 10;

/// A column and a row.
type Cell = (usize, usize);

/// From where to where, as one reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Selection {
    at: Cell,
    from: Option<Cell>,
}

/// A way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A column or row.
    Left,
    /// A column or row.
    Right,
    /// A column or row.
    Up,
    /// A column or row.
    Down,
    /// To the edge.
    First,
    /// To the edge.
    Last,
    /// To the edge.
    Top,
    /// To the edge.
    Bottom,
}

impl Selection {
    /// At the cursor.
    pub fn new(screen: &Screen) -> Self {
        Self {
            at: screen.focus(),
            from: None,
        }
    }

    /// Where it ends.
    pub fn at(&self) -> (usize, usize) {
        self.at
    }

    /// Goes somewhere, and stays on the screen.
    pub fn go(&mut self, way: Way, size: Size) {
        let last = (usize::from(size.cols()) - 1, usize::from(size.rows()) - 1);
        let (col, row) = (self.at.0.min(last.0), self.at.1.min(last.1));
        self.at = match way {
            Way::Left => (col.saturating_sub(1), row),
            Way::Right => ((col + 1).min(last.0), row),
            Way::Up => (col, row.saturating_sub(1)),
            Way::Down => (col, (row + 1).min(last.1)),
            Way::First => (0, row),
            Way::Last => (last.0, row),
            Way::Top => (col, 0),
            Way::Bottom => (col, last.1),
        };
    }

    /// Begins here, or no longer.
    pub fn begin(&mut self) {
        self.from = if self.from.is_some() {
            None
        } else {
            Some(self.at)
        };
    }

    /// Whether a cell is picked. With no beginning it is the whole row.
    pub fn has(&self, col: usize, row: usize) -> bool {
        match self.from {
            None => row == self.at.1,
            Some(from) => {
                let order = |cell: Cell| (cell.1, cell.0);
                let (one, other) = (order(from), order(self.at));
                (one.min(other)..=one.max(other)).contains(&(row, col))
            }
        }
    }

    /// What is picked. Rows that were wrapped are one line; nothing in it is invisible.
    pub fn text(&self, screen: &Screen) -> String {
        let mut text = String::new();
        let begin = self.from.map_or(self.at.1, |from| from.1.min(self.at.1));
        let end = self.from.map_or(self.at.1, |from| from.1.max(self.at.1));
        for row in begin..=end {
            let cells = screen.row(row).enumerate();
            let picked = cells.filter(|(col, cell)| cell.width > 0 && self.has(*col, row));
            let line: String = picked.map(|(_, cell)| cell.char).collect();
            if screen.is_wrapped(row) && row < end {
                text.push_str(&line);
            } else {
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_picked_is_what_stands_there() {
        let mut screen = Screen::new(Size::recorded(10, 4).unwrap(), false);
        screen.feed("one two  \r\n複製 three four\u{202e}".as_bytes());
        let mut selection = Selection {
            at: (4, 0),
            from: None,
        };
        assert_eq!(selection.text(&screen), "one two");
        selection.begin();
        for way in [Way::Down, Way::Left] {
            selection.go(way, screen.size());
        }
        assert_eq!(selection.text(&screen), "two\n複製");
        selection.go(Way::Bottom, screen.size());
        assert_eq!(selection.text(&screen), "two\n複製 three four\u{fffd}");
        for way in [Way::Top, Way::First, Way::Up, Way::Left] {
            selection.go(way, screen.size());
        }
        assert_eq!(selection.text(&screen), "one t");
        assert!(selection.has(0, 0) && !selection.has(5, 0));
    }
}
