//! The deck, drawn into cells: the replayed screen, what was typed, a timeline, and a line that says where it stands.

mod fit;
mod help;
mod list;
pub(crate) mod screen;
mod status;
mod time;
mod timeline;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Widget};
use unicode_width::UnicodeWidthStr as _;

use crate::deck::Deck;
use crate::select::Selection;

pub use help::Helping;
pub use list::Listing;
pub use time::{parse_place, parse_time, time};

/// The least width of what was typed, beside the screen.
const BESIDE: u16 = 24;

/// Fewer rows than this have no room for a frame around what stands over the screen.
const TIGHT: u16 = 8;

/// Fewest columns in which a text is typed behind what it is about.
const ASKED: usize = 20;

/// How it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether colours are used.
    pub colour: bool,
    /// Whether the timeline is shown.
    pub timeline: bool,
    /// Whether what was typed is shown.
    pub typed: bool,
    /// How many hundredths of the recording's file are here, where that is not all.
    pub here: Option<u8>,
}

impl Look {
    /// A style that is told by its colour, where colours are used.
    fn tint(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}

/// What stands over the screen.
pub enum Over<'a> {
    /// Nothing.
    Nothing,
    /// What the keys do.
    Help(&'a mut Helping),
    /// A list to choose from.
    List(&'a mut Listing),
    /// Text that is being picked.
    Selection(&'a Selection),
}

/// What the last line shows in place of the status: a prompt, a message.
pub type Prompt<'a> = Option<&'a str>;

/// Draws everything; yields where the cursor belongs, if it is to be seen.
pub fn draw(
    deck: &Deck,
    look: Look,
    over: Over<'_>,
    prompt: Prompt<'_>,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    if area.height == 0 {
        return None;
    }
    let typed = look.typed && !deck.typed().is_empty();
    let beside = area.width >= deck.screen().size().cols() + BESIDE;
    let [window, below, timeline, status] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(u16::from(typed && !beside && area.height > 4)),
        Constraint::Length(u16::from(
            look.timeline && area.height > 3 && !is_tight(&over, area),
        )),
        Constraint::Length(1),
    ])
    .areas(area);
    let [window, side] = Layout::horizontal([
        Constraint::Fill(1),
        Constraint::Length(if typed && beside {
            side_width(deck, area)
        } else {
            0
        }),
    ])
    .areas(window);
    let selection = match &over {
        Over::Selection(selection) => Some(**selection),
        _ => None,
    };
    let cursor = screen::draw(deck.screen(), look, selection, window, buffer);
    draw_typed_beside(deck, side, buffer);
    draw_typed_below(deck, below, buffer);
    timeline::draw(deck, look, timeline, buffer);
    let line = prompt.map_or_else(
        || status::line(deck, look, window, status),
        |prompt| fit::cut(&format!(" {}", clean(prompt)), status.width.into()),
    );
    Paragraph::new(line)
        .style(Style::new().add_modifier(Modifier::REVERSED))
        .render(status, buffer);
    match over {
        Over::Nothing | Over::Selection(_) => return cursor,
        Over::Help(helping) => helping.draw(window, buffer),
        Over::List(listing) => listing.draw(window, buffer),
    }
    None
}

/// The line in which something is typed: in few columns its end, where the typing is, and what it is about only if there is room.
pub fn asked(what: &str, typed: &str, hint: &str, width: u16) -> String {
    let typed = format!("{}▏", clean(typed));
    // The line begins with a blank.
    let width = usize::from(width).saturating_sub(1);
    let whole = format!("{what} {typed} {hint}");
    if whole.width() <= width {
        return whole;
    }
    let left = width.saturating_sub(what.width() + 1);
    if typed.width() <= left || left >= ASKED {
        return format!("{what} {}", fit::tail(&typed, left));
    }
    fit::tail(&typed, width)
}

/// Whether something to read stands over the screen, and needs every row.
fn is_tight(over: &Over<'_>, area: Rect) -> bool {
    matches!(over, Over::Help(_) | Over::List(_)) && area.height < TIGHT
}

/// Text that shows as itself: everything invisible is replaced.
pub fn clean(text: &str) -> String {
    crate::lines::neutral(text)
}

fn side_width(deck: &Deck, area: Rect) -> u16 {
    (area.width - deck.screen().size().cols()).min(2 * BESIDE)
}

/// The last lines that were typed.
fn draw_typed_beside(deck: &Deck, side: Rect, buffer: &mut Buffer) {
    if side.is_empty() {
        return;
    }
    let block = Block::new().borders(Borders::LEFT).title(" typed ");
    let inner = block.inner(side);
    let spelled = deck.typed().spelled();
    let width = usize::from(inner.width).max(1);
    let mut rows: Vec<String> = Vec::new();
    for line in spelled.split('\n') {
        rows.extend(fit::rows(line, width));
    }
    if rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    let over = rows.len().saturating_sub(inner.height.into());
    let last: Vec<Line> = rows.into_iter().skip(over).map(Line::from).collect();
    Clear.render(side, buffer);
    block.render(side, buffer);
    Paragraph::new(last).render(inner, buffer);
}

/// The last that was typed, in one line.
fn draw_typed_below(deck: &Deck, below: Rect, buffer: &mut Buffer) {
    if below.is_empty() {
        return;
    }
    let spelled = deck.typed().spelled().replace('\n', "");
    let room = usize::from(below.width).saturating_sub(8);
    let last = fit::tail(&spelled, room);
    Paragraph::new(format!(" typed: {last}"))
        .style(Style::new().add_modifier(Modifier::DIM))
        .render(below, buffer);
}

#[cfg(test)]
mod tests;
