//! What the person sees, as lines of text.

use record::recording::Size;
use record::screen::Screen;

/// How wide the screen is that a command without a terminal is drawn on, so that few of its lines are wrapped, and how high.
const WIDE: (u32, u32) = (400, 24);

/// A screen, and what its rows held when they were looked at last.
pub(super) struct Shown {
    screen: Screen,
    rows: Vec<String>,
}

impl Shown {
    /// A blank one, of the person's terminal if there is one.
    pub(super) fn new(terminal: Option<Size>) -> Self {
        let size = terminal.unwrap_or_else(|| Size::asked(WIDE.0, WIDE.1));
        Self {
            screen: Screen::new(size, terminal.is_none()),
            rows: Vec::new(),
        }
    }

    /// Draws bytes, and shows each row that they change. It looks often enough that no line scrolls away unseen, be it by line
    /// feeds or because rows are full.
    pub(super) fn feed(&mut self, bytes: &[u8], look: &mut impl FnMut(&str)) {
        let size = self.screen.size();
        let half = usize::from(size.rows()).div_ceil(2);
        let most = half * usize::from(size.cols());
        let mut rest = bytes;
        while !rest.is_empty() {
            let ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            let end = ends.map(|(at, _)| at + 1).nth(half - 1);
            let end = end.unwrap_or(rest.len()).min(most.max(1));
            let (piece, left) = rest.split_at(end);
            self.screen.feed(piece);
            self.look(look);
            rest = left;
        }
    }

    /// Changes its size.
    pub(super) fn resize(&mut self, size: Size) {
        self.screen.resize(size);
        self.rows.clear();
    }

    fn look(&mut self, look: &mut impl FnMut(&str)) {
        self.rows
            .resize(self.screen.size().rows().into(), String::new());
        let mut text = String::new();
        for (at, before) in self.rows.iter_mut().enumerate() {
            text.clear();
            let cells = self.screen.row(at).filter(|cell| cell.width > 0);
            text.extend(cells.map(|cell| cell.char));
            let shown = text.trim_end();
            if shown != before {
                look(shown);
                before.clear();
                before.push_str(shown);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(terminal: Option<Size>, pieces: &[&str]) -> Vec<String> {
        let mut shown = Shown::new(terminal);
        let mut seen = Vec::new();
        for piece in pieces {
            shown.feed(piece.as_bytes(), &mut |row| seen.push(row.to_owned()));
        }
        seen
    }

    #[test]
    fn it_is_seen_as_it_is_drawn() {
        let small = Some(Size::asked(20, 4));
        // In pieces, in colours, by a moved cursor, and corrected.
        for pieces in [
            &["root@d", "b1:~# "][..],
            &["\x1b[31mroot\x1b[0m@db1:~# "],
            &["@db1:~# \x1b[H\x1b[4@root"],
            &["rxxt\x1b[3Doo\x1b[1C@db1:~# "],
        ] {
            let last = seen(small, pieces).pop();
            assert_eq!(last.as_deref(), Some("root@db1:~#"), "{pieces:?}");
        }
    }

    #[test]
    fn no_line_scrolls_away_unseen() {
        let many: Vec<String> = (0..500).map(|n| format!("line {n}\n")).collect();
        let seen = seen(None, &[&many.concat()]);
        for n in 0..500 {
            assert!(seen.contains(&format!("line {n}")), "{n}");
        }
        // Nor one that ends where its row does.
        let many: Vec<String> = (0..500).map(|n| format!("row {n:06}")).collect();
        let seen = self::seen(Some(Size::asked(10, 6)), &[&many.concat()]);
        for row in many {
            assert!(seen.contains(&row), "{row}");
        }
    }

    #[test]
    fn what_one_piece_draws_is_seen_before_the_next_erases_it() {
        let seen = seen(Some(Size::asked(20, 4)), &["root@db1:~#", "\r\x1b[K"]);
        assert_eq!(seen, ["root@db1:~#", ""]);
    }
}
