//! What the keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Row, Table, Widget};

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

pub(super) fn draw(window: Rect, buffer: &mut Buffer) {
    let rows = KEYS.iter().map(|(key, what)| Row::new([*key, *what]));
    let height = u16::try_from(KEYS.len()).unwrap_or(u16::MAX) + 2;
    let area = Rect {
        width: window.width.min(80),
        height: window.height.min(height),
        ..window
    };
    Clear.render(area, buffer);
    let [signs, aid] = NOTES;
    let block = Block::bordered()
        .title(" keys ")
        .title_bottom(Line::from(aid))
        .title_top(Line::from(signs).right_aligned());
    let table = Table::new(rows, [Constraint::Length(10), Constraint::Fill(1)]).block(block);
    Widget::render(table, area, buffer);
}
