//! A session's screen, drawn into cells, and one line below it that says whose it is.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use record::screen::{Cell, Screen};

/// Draws everything; yields where the cursor belongs, if it is to be seen. A screen that is larger than the area is shown
/// around its cursor.
pub(super) fn draw(
    screen: &Screen,
    line: &str,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let height = area.height.checked_sub(1)?;
    let window = Rect { height, ..area };
    let size = screen.size();
    let (col, row) = screen.focus();
    let left = first_shown(col, window.width, size.cols());
    let top = first_shown(row, window.height, size.rows());
    for y in 0..window.height.min(size.rows()) {
        let cells = screen.row(usize::from(y) + top).skip(left);
        draw_row(cells, window, y, buffer);
    }
    let part = if size.cols() > window.width || size.rows() > window.height {
        format!("  part of {}×{}", size.cols(), size.rows())
    } else {
        String::new()
    };
    let bar = format!(
        "{:<width$}",
        format!(" {line}{part}"),
        width = usize::from(area.width)
    );
    let style = Style::new().add_modifier(Modifier::REVERSED);
    buffer.set_stringn(area.x, area.y + height, bar, usize::from(area.width), style);
    let (col, row) = screen.cursor()?;
    let within = |at: usize, from: usize, most: u16| {
        let at = u16::try_from(at.checked_sub(from)?).ok()?;
        (at < most).then_some(at)
    };
    let (x, y) = (
        within(col, left, window.width)?,
        within(row, top, window.height)?,
    );
    Some(Position::new(window.x + x, window.y + y))
}

fn draw_row(cells: impl Iterator<Item = Cell>, window: Rect, y: u16, buffer: &mut Buffer) {
    let mut x = 0;
    for cell in cells {
        let width = u16::from(cell.width);
        if x + width > window.width {
            break;
        }
        if width > 0
            && let Some(drawn) = buffer.cell_mut((window.x + x, window.y + y))
        {
            drawn.set_char(cell.char).set_style(style(&cell));
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

fn style(cell: &Cell) -> Style {
    let pen = cell.pen;
    let ink = |colour: Option<avt::Color>| match colour {
        None => Color::Reset,
        Some(avt::Color::Indexed(index)) => Color::Indexed(index),
        Some(avt::Color::RGB(rgb)) => Color::Rgb(rgb.r, rgb.g, rgb.b),
    };
    let style = Style::new()
        .fg(ink(pen.foreground()))
        .bg(ink(pen.background()));
    let looks = [
        (pen.is_bold(), Modifier::BOLD),
        (pen.is_faint(), Modifier::DIM),
        (pen.is_italic(), Modifier::ITALIC),
        (pen.is_underline(), Modifier::UNDERLINED),
        (pen.is_strikethrough(), Modifier::CROSSED_OUT),
        (pen.is_inverse(), Modifier::REVERSED),
    ];
    let on = looks.into_iter().filter(|(on, _)| *on);
    on.fold(style, |style, (_, look)| style.add_modifier(look))
}

#[cfg(test)]
mod tests {
    use record::recording::Size;

    use super::*;

    fn drawn(output: &str, width: u16, height: u16) -> Vec<String> {
        let mut screen = Screen::new(Size::asked(80, 24), false);
        screen.feed(output.as_bytes());
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        draw(&screen, "alice", area, &mut buffer);
        let row = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol().to_owned())
                .collect()
        };
        (0..height).map(row).collect()
    }

    #[test]
    fn the_screen_stands_over_whose_it_is() {
        let rows = drawn("\x1b[31mred\x1b[0m 複", 80, 25);
        assert_eq!(rows[0].trim_end(), "red 複");
        assert_eq!(rows[24].trim_end(), " alice");
        let rows = drawn("top\x1b[24;1Hbottom", 40, 10);
        assert_eq!(rows[8].trim_end(), "bottom");
        assert!(rows[9].contains("part of 80×24"), "{}", rows[9]);
        assert_eq!(drawn("x", 1, 1).len(), 1);
    }
}
