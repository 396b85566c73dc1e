//! What the keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget};
use unicode_width::UnicodeWidthStr as _;

use super::TIGHT;
use super::fit::paragraph;

const KEYS: [(&str, &str); 19] = [
    ("space", "hold, go on"),
    ("← →", "5 s back, ahead; with shift a minute"),
    ("PgUp PgDn", "a minute back, ahead"),
    ("0 … 9", "to 0 % … 90 %"),
    ("Home End", "to the beginning, to the end"),
    ("g", "to a time, as 1:23, or a part, as 42%"),
    (", .", "to the change before, after"),
    ("[ ]", "to the mark before, after"),
    ("- +", "slower, faster: 0.25 to 16 times"),
    ("i", "cut waits to 2 s, or not"),
    ("/", "look for text; n N: next, previous"),
    ("f", "list what was found"),
    ("c", "list commands"),
    ("m", "list all marks"),
    ("k", "what was typed, where it was kept"),
    ("t", "timeline: activity and marks"),
    ("v", "pick text; y copies it to the clipboard"),
    ("? h", "this help"),
    ("q", "leave"),
];

/// What is under the keys.
const NOTES: [&str; 2] = [
    " › command  f file  ⇄ forward  ↔ resize  ◆ marker  ! alert  ■ end ",
    " commands are read off prompts on the screen: an aid to find places, no proof ",
];

/// Columns of the keys, with the one behind them.
const KEY: usize = 11;

/// The help, and from which row on it is shown.
#[derive(Debug, Default)]
pub struct Helping {
    top: usize,
    /// How many rows had no room when it was drawn.
    over: usize,
}

impl Helping {
    /// Whether there is more of it than is shown.
    pub fn is_long(&self) -> bool {
        self.over > 0
    }

    /// Goes on by so many rows, and stops at the ends.
    pub fn go(&mut self, by: i32) {
        let rows = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
        self.top = if by < 0 {
            self.top.saturating_sub(rows)
        } else {
            self.top.saturating_add(rows).min(self.over)
        };
    }

    pub(super) fn draw(&mut self, window: Rect, buffer: &mut Buffer) {
        let framed = window.height + 2 >= TIGHT;
        let [signs, aid] = NOTES;
        // The title on the same line, and the frame's corners.
        let widest = (signs.width() + 8).max(aid.width() + 2);
        let rows = KEYS.len() + 2;
        let fits =
            framed && usize::from(window.width) >= widest && usize::from(window.height) >= rows;
        let width = usize::from(window.width.min(80));
        let lines = lines(width.saturating_sub(if framed { 2 } else { 0 }), !fits);
        let height = lines.len() + if framed { 2 } else { 0 };
        let area = Rect {
            width: window.width.min(80),
            height: window.height.min(u16::try_from(height).unwrap_or(u16::MAX)),
            ..window
        };
        Clear.render(area, buffer);
        let mut inner = area;
        if framed {
            let mut block = Block::bordered().title(" keys ");
            if fits {
                block = block.title_top(Line::from(signs).right_aligned());
            }
            inner = block.inner(area);
            self.over = lines.len().saturating_sub(inner.height.into());
            let foot = if self.over > 0 { " ↑ ↓ more " } else { aid };
            if fits || self.over > 0 {
                block = block.title_bottom(Line::from(foot));
            }
            block.render(area, buffer);
        }
        self.over = lines.len().saturating_sub(inner.height.into());
        self.top = self.top.min(self.over);
        let shown = lines.into_iter().skip(self.top).map(Line::from);
        Paragraph::new(shown.collect::<Vec<_>>()).render(inner, buffer);
    }
}

/// The keys and what they do, in so many columns, and the notes below them.
fn lines(width: usize, notes: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, what) in KEYS {
        let rows = paragraph(what, width.saturating_sub(KEY).max(1));
        for (n, row) in rows.iter().enumerate() {
            let key = if n == 0 { key } else { "" };
            let blanks = " ".repeat(KEY.saturating_sub(key.width()));
            lines.push(format!("{key}{blanks}{row}"));
        }
    }
    if notes {
        for note in NOTES {
            lines.extend(paragraph(note.trim(), width.max(1)));
        }
    }
    lines
}
