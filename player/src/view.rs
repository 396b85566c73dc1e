//! The deck, drawn into cells: the replayed screen, and one line that says where it stands.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use record::text::is_visible;

use crate::deck::Deck;
use crate::screen::{Cell, REPLACEMENT};

/// How it is drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Look {
    /// Whether colours are used.
    pub colour: bool,
    /// Whether the help is shown over the screen.
    pub help: bool,
}

/// What the last line shows in place of the status: a prompt, a message.
pub type Prompt<'a> = Option<&'a str>;

const HELP: [&str; 13] = [
    " space      hold, go on             ",
    " ← →        5 s back, ahead         ",
    " PgUp PgDn  a minute back, ahead    ",
    " 0 … 9      to 0 % … 90 %           ",
    " Home End   to the beginning, end   ",
    " g          to a time, as 1:23      ",
    " [ ]        to the marker before, after ",
    " .          to the next change      ",
    " - +        slower, faster          ",
    " i          cut long waits, or not  ",
    " ?          this help               ",
    " q          leave                   ",
    "",
];

/// Draws everything; yields where the cursor belongs, if it is to be seen.
pub fn draw(
    deck: &Deck,
    look: Look,
    prompt: Prompt<'_>,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<Position> {
    let height = area.height.checked_sub(1)?;
    let window = Rect { height, ..area };
    let cursor = draw_screen(deck, look, window, buffer);
    if look.help {
        draw_help(window, buffer);
    }
    let line = prompt.map_or_else(
        || status(deck, window),
        |prompt| format!(" {}", clean(prompt)),
    );
    let style = Style::new().add_modifier(Modifier::REVERSED);
    let bar = format!("{line:<width$}", width = usize::from(area.width));
    buffer.set_stringn(area.x, area.y + height, bar, usize::from(area.width), style);
    cursor.filter(|_| !look.help)
}

/// Text that shows as itself: everything invisible is replaced.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if is_visible(c) { c } else { REPLACEMENT })
        .collect()
}

/// A time as the status shows it and as it is typed: `1:23`, `1:02:03`.
pub fn time(us: u64) -> String {
    let secs = us / 1_000_000;
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{secs:02}")
    } else {
        format!("{minutes}:{secs:02}")
    }
}

/// Reads a time: seconds, `1:23` or `1:02:03`, with a fraction if need be.
pub fn parse_time(text: &str) -> Option<Duration> {
    let parts: Vec<&str> = text.trim().split(':').collect();
    let (last, before) = parts.split_last().filter(|(_, before)| before.len() <= 2)?;
    let plain = last.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let mut seconds: f64 = last.parse().ok().filter(|_| plain)?;
    for (part, unit) in before.iter().rev().zip([60_u32, 3600]) {
        let count: u32 = part.parse().ok()?;
        seconds += f64::from(count) * f64::from(unit);
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// A screen that is larger than the window is shown around its cursor.
fn draw_screen(deck: &Deck, look: Look, window: Rect, buffer: &mut Buffer) -> Option<Position> {
    let screen = deck.screen();
    let (col, row) = screen.focus();
    let left = first_shown(col, window.width, screen.size().cols());
    let top = first_shown(row, window.height, screen.size().rows());
    for y in 0..window.height.min(screen.size().rows()) {
        draw_row(
            screen.row(usize::from(y) + top).skip(left),
            look,
            window,
            y,
            buffer,
        );
    }
    let (col, row) = screen.cursor()?;
    let x = u16::try_from(col.checked_sub(left)?)
        .ok()
        .filter(|x| *x < window.width)?;
    let y = u16::try_from(row.checked_sub(top)?)
        .ok()
        .filter(|y| *y < window.height)?;
    Some(Position::new(window.x + x, window.y + y))
}

fn draw_row(
    cells: impl Iterator<Item = Cell>,
    look: Look,
    window: Rect,
    y: u16,
    buffer: &mut Buffer,
) {
    let mut x = 0;
    for cell in cells {
        let width = u16::from(cell.width);
        if x + width > window.width {
            break;
        }
        if width > 0 {
            let place = (window.x + x, window.y + y);
            if let Some(drawn) = buffer.cell_mut(place) {
                drawn
                    .set_char(cell.char)
                    .set_style(style(&cell.pen, look.colour));
            }
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

fn draw_help(window: Rect, buffer: &mut Buffer) {
    let style = Style::new().add_modifier(Modifier::REVERSED);
    for (y, line) in HELP.iter().filter(|line| !line.is_empty()).enumerate() {
        let Ok(y) = u16::try_from(y) else { return };
        if y >= window.height {
            return;
        }
        buffer.set_stringn(
            window.x,
            window.y + y,
            format!("{line:<40}"),
            usize::from(window.width),
            style,
        );
    }
}

fn status(deck: &Deck, window: Rect) -> String {
    let tape = deck.tape();
    let state = match (deck.playing(), deck.caught_up()) {
        _ if deck.ended() => "■",
        (_, false) => "…",
        (true, _) => "▶",
        (false, _) => "‖",
    };
    let now = time(deck.position_us());
    let end = tape
        .end
        .as_ref()
        .map_or_else(|| "no end".to_owned(), |end| clean(end.reason.as_str()));
    let header = &tape.header;
    let size = deck.screen().size();
    let cut = size.cols() > window.width || size.rows() > window.height;
    let part = if cut {
        format!("  part of {}×{}", size.cols(), size.rows())
    } else {
        String::new()
    };
    let idle = deck.idle().map_or_else(String::new, |idle| {
        format!("  waits ≤ {} s", idle.as_secs_f64())
    });
    let left = format!(" {state} {now} ");
    let right = format!(
        " {}  ? help  {}×{idle}  {} {}  {end}{part}",
        time(tape.duration_us),
        deck.speed(),
        header.person,
        header.access,
    );
    let used = left.chars().count() + right.chars().count();
    let room = usize::from(window.width).saturating_sub(used);
    left + &progress(deck, room.clamp(4, 40) as u64) + &right
}

fn progress(deck: &Deck, width: u64) -> String {
    let whole = deck.tape().duration_us.max(1);
    let done = deck.position_us().saturating_mul(width) / whole;
    (0..width)
        .map(|at| if at < done { '━' } else { '─' })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deck::tests::tape;
    use crate::tape::Change;

    fn drawn(output: &str, width: u16, height: u16) -> Vec<String> {
        let mut deck = Deck::new(
            tape(vec![(0, Change::Output(output.as_bytes().to_vec()))]),
            None,
        );
        while deck.work() {}
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        draw(&deck, Look::default(), None, area, &mut buffer);
        let row = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol().to_owned())
                .collect::<String>()
        };
        (0..height).map(row).collect()
    }

    #[test]
    fn the_screen_stands_over_the_status() {
        let rows = drawn("hello\r\nw\x1b[31mor\x1b[0mld", 80, 25);
        assert_eq!(rows[0].trim_end(), "hello");
        assert_eq!(rows[1].trim_end(), "world");
        assert!(rows[24].contains("alice postgres@db1.prod"), "{}", rows[24]);
        assert!(!rows[24].contains("part of"), "{}", rows[24]);
    }

    #[test]
    fn a_larger_screen_is_shown_around_its_cursor() {
        let rows = drawn("top\x1b[24;1Hbottom", 80, 10);
        assert_eq!(rows[8].trim_end(), "bottom");
        assert!(rows[9].contains("part of 80×24"), "{}", rows[9]);
    }

    #[test]
    fn a_window_of_one_row_or_none_shows_what_it_can() {
        assert_eq!(drawn("x", 3, 1).len(), 1);
        assert!(drawn("x", 3, 0).is_empty());
    }

    #[test]
    fn times_read_as_they_show() {
        for text in ["0:00", "1:23", "59:59", "1:02:03"] {
            let us = u64::try_from(parse_time(text).unwrap().as_micros()).unwrap();
            assert_eq!(time(us), text);
        }
        assert_eq!(parse_time("90.5"), Some(Duration::from_millis(90_500)));
        for bad in ["", "a", "1:2:3:4", "-1", "1e99", "inf", ":", "1:"] {
            assert_eq!(parse_time(bad), None, "{bad:?}");
        }
    }
}
