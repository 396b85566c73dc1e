//! The whole recording in one row: when how much happened, what is worth a look, and where the replay stands.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use ratatui::widgets::{Sparkline, Widget};

use super::Look;
use crate::deck::Deck;
use crate::marks::{Kind, Mark};
use crate::survey::activity::column;

/// The level of the highest bar at least: a megabyte a second.
const HIGH: u64 = 21;

pub(super) fn draw(deck: &Deck, look: Look, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let whole = deck.tape().duration_us();
    let levels = deck.activity().columns(whole, area.width);
    let highest = levels.iter().copied().max().unwrap_or(0).max(HIGH);
    Sparkline::default()
        .data(&levels)
        .max(highest)
        .style(look.tint(Color::Cyan))
        .render(area, buffer);
    let place = |at_us: u64| {
        let x = u16::try_from(column(at_us, whole, area.width)).unwrap_or(u16::MAX);
        (area.x.saturating_add(x), area.y)
    };
    // Of several in one column the one that matters most is drawn last.
    let mut marks: Vec<&Mark> = deck.marks().all().iter().collect();
    marks.sort_by_key(|mark| mark.kind);
    for mark in marks {
        let Some(cell) = buffer.cell_mut(place(mark.at_us)) else {
            continue;
        };
        match mark.kind {
            // There are many, and the bar tells more.
            Kind::Command => {
                cell.set_style(look.tint(Color::Yellow).add_modifier(Modifier::UNDERLINED))
            }
            Kind::Alert => cell
                .set_symbol(mark.kind.sign())
                .set_style(look.tint(Color::Red)),
            kind => cell
                .set_symbol(kind.sign())
                .set_style(look.tint(Color::Green)),
        };
    }
    if let Some(cell) = buffer.cell_mut(place(deck.position_us())) {
        cell.modifier.insert(Modifier::REVERSED);
    }
}
