//! A list of places to go to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, List, ListState, StatefulWidget, Widget};
use unicode_width::UnicodeWidthStr as _;

use super::{TIGHT, clean, time};

/// Fewer columns than this have none to spare.
const NARROW: u16 = 50;

/// What the keys do, long to short.
const KEYS: [&str; 2] = [
    " ↑ ↓ PgUp PgDn choose, Enter goes there, Esc leaves ",
    " Enter, Esc ",
];

/// Places, by time, and the one that is chosen.
#[derive(Debug)]
pub struct Listing {
    title: String,
    rows: Vec<(u64, String)>,
    state: ListState,
}

impl Listing {
    /// Places to choose from: their times, in order, and what is there. The last one that is not after `now_us` is chosen.
    pub fn new(title: String, rows: Vec<(u64, String)>, now_us: u64) -> Self {
        let chosen = rows
            .partition_point(|(at_us, _)| *at_us <= now_us)
            .saturating_sub(1);
        let state = ListState::default().with_selected(Some(chosen).filter(|_| !rows.is_empty()));
        Self { title, rows, state }
    }

    /// Chooses another one, so many further on; stops at the ends.
    pub fn go(&mut self, by: i32) {
        let by16 = u16::try_from(by.unsigned_abs()).unwrap_or(u16::MAX);
        if by < 0 {
            self.state.scroll_up_by(by16);
        } else {
            let last = self.rows.len().saturating_sub(1);
            self.state.scroll_down_by(by16);
            let chosen = self.state.selected().map(|chosen| chosen.min(last));
            self.state.select(chosen.filter(|_| !self.rows.is_empty()));
        }
    }

    /// The time of the one that is chosen.
    pub fn chosen(&self) -> Option<u64> {
        let (at_us, _) = self.rows.get(self.state.selected()?)?;
        Some(*at_us)
    }

    pub(super) fn draw(&mut self, area: Rect, buffer: &mut Buffer) {
        Clear.render(area, buffer);
        let last_us = self.rows.last().map_or(0, |(at_us, _)| *at_us);
        let column = if area.width < NARROW {
            time(last_us).len()
        } else {
            9
        };
        let rows = self.rows.iter();
        let rows = rows.map(|(at_us, text)| format!("{:>column$}  {}", time(*at_us), clean(text)));
        let mut list = List::new(rows)
            .highlight_symbol("▸")
            .highlight_style(Modifier::REVERSED);
        if area.height + 2 >= TIGHT {
            let keys = KEYS
                .iter()
                .find(|keys| keys.width() + 2 <= usize::from(area.width));
            let block = Block::bordered()
                .title(format!(" {} ", clean(&self.title)))
                .title_bottom(Line::from(keys.copied().unwrap_or_default()));
            list = list.block(block);
        }
        StatefulWidget::render(list, area, buffer, &mut self.state);
    }
}
