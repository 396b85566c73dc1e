//! The replayed screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar as _;

use super::Look;
use crate::screen::{Cell, Screen};
use crate::select::Selection;

/// Most characters that are drawn over another one: what is stacked higher is no writing.
pub(crate) const STACKED: usize = 4;

/// Whether a cell holds what combines with the character before it.
pub(crate) fn combines(cell: &Cell) -> bool {
    cell.width > 0 && cell.char.width() == Some(0)
}

/// A screen that is larger than the window is shown around its cursor, or around what is picked.
pub(super) fn draw(
    screen: &Screen,
    look: Look,
    selection: Option<Selection>,
    window: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let (col, row) = selection.map_or_else(|| screen.focus(), |selection| selection.at());
    let left = first_shown(col, window.width, screen.size().cols());
    let top = first_shown(row, window.height, screen.size().rows());
    for y in 0..window.height.min(screen.size().rows()) {
        let row = usize::from(y) + top;
        let picked = |col: usize| selection.is_some_and(|selection| selection.has(col, row));
        let cells = screen.row(row).enumerate().skip(left);
        let line = Rect {
            y: window.y + y,
            height: 1,
            ..window
        };
        draw_row(cells, look, picked, line, buffer);
    }
    let (col, row) = match selection {
        Some(selection) => selection.at(),
        None => screen.cursor()?,
    };
    // What combines takes no column when it is drawn.
    let before = screen.row(row).take(col).skip(left);
    let stacked = before.filter(combines).count();
    let x = u16::try_from(col.checked_sub(left)?.checked_sub(stacked)?)
        .ok()
        .filter(|x| *x < window.width)?;
    let y = u16::try_from(row.checked_sub(top)?)
        .ok()
        .filter(|y| *y < window.height)?;
    Some(Position::new(window.x + x, window.y + y))
}

fn draw_row(
    cells: impl Iterator<Item = (usize, Cell)>,
    look: Look,
    picked: impl Fn(usize) -> bool,
    line: Rect,
    buffer: &mut Buffer,
) {
    let mut x = 0;
    let mut stacked = 0;
    for (col, cell) in cells {
        let width = u16::from(cell.width);
        if x + width > line.width {
            break;
        }
        // One that combines with the character before it takes no room on a terminal. The emulator gives it a cell.
        if combines(&cell) {
            let before = x
                .checked_sub(1)
                .and_then(|x| buffer.cell_mut((line.x + x, line.y)));
            if let Some(before) = before.filter(|_| stacked < STACKED) {
                let both = format!("{}{}", before.symbol(), cell.char);
                before.set_symbol(&both);
                stacked += 1;
            }
            continue;
        }
        stacked = 0;
        if width > 0
            && let Some(drawn) = buffer.cell_mut((line.x + x, line.y))
        {
            let mut style = style(&cell.pen, look.colour);
            if picked(col) {
                style = style.add_modifier(Modifier::REVERSED | Modifier::UNDERLINED);
            }
            drawn.set_char(cell.char).set_style(style);
        }
        x += width;
    }
}

fn first_shown(focus: usize, window: u16, size: u16) -> usize {
    if size <= window {
        0
    } else {
        (focus + 1).saturating_sub(window.into())
    }
}

fn style(pen: &avt::Pen, colour: bool) -> Style {
    let mut style = Style::new();
    if colour {
        style = style.fg(pen.foreground().map_or(Color::Reset, self::colour));
        style = style.bg(pen.background().map_or(Color::Reset, self::colour));
    }
    let looks = [
        (pen.is_bold(), Modifier::BOLD),
        (pen.is_faint(), Modifier::DIM),
        (pen.is_italic(), Modifier::ITALIC),
        (pen.is_underline(), Modifier::UNDERLINED),
        (pen.is_strikethrough(), Modifier::CROSSED_OUT),
        (pen.is_inverse(), Modifier::REVERSED),
    ];
    looks
        .into_iter()
        .filter(|(on, _)| *on)
        .fold(style, |style, (_, look)| style.add_modifier(look))
}

fn colour(colour: avt::Color) -> Color {
    match colour {
        avt::Color::Indexed(index) => Color::Indexed(index),
        avt::Color::RGB(rgb) => Color::Rgb(rgb.r, rgb.g, rgb.b),
    }
}
