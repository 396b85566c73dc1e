//! What stood on the screen at one time, as SVG: text and rectangles, in the colours of xterm.
//!
//! Each run of cells has its place and its width, so that it stands on the terminal's grid whatever font a viewer has.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use avt::{Color, Pen};
use record::recording::ReadState;
use record::screen::{Cell, REPLACEMENT, Screen};

use super::{ExportError, Readable};
use crate::tape::{Change, micros, size};
use crate::view::screen::{STACKED, combines};
use crate::view::time;

/// A cell's width and height in user units, and how far below its top the letters stand.
const CELL: (usize, usize, usize) = (10, 20, 15);

/// The blank edge around the screen.
const EDGE: usize = 10;

/// Text and ground where the recording says nothing.
const PLAIN: (u32, u32) = (0x00e5_e5e5, 0x0000_0000);

/// The sixteen colours of xterm (`XTerm-col.ad`).
const SIXTEEN: [u32; 16] = [
    0x00_0000, 0xcd_0000, 0x00_cd00, 0xcd_cd00, 0x00_00ee, 0xcd_00cd, 0x00_cdcd, 0xe5_e5e5,
    0x7f_7f7f, 0xff_0000, 0x00_ff00, 0xff_ff00, 0x5c_5cff, 0xff_00ff, 0x00_ffff, 0xff_ffff,
];

/// Draws the screen as it was at `at`; past the end, as it was left.
pub(super) fn svg(
    from: &Readable<'_>,
    at: Duration,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let at_us = micros(at);
    let header = from.reader.header();
    let size = size(header);
    let mut screen = Screen::new(size, header.term.is_none());
    let mut shown_us = 0;
    for event in from.events() {
        let event = event?;
        if event.at_us > at_us {
            break;
        }
        if let Some(change) = Change::of(event.data) {
            change.show(&mut screen);
        }
        shown_us = event.at_us;
    }
    let end = if from.damaged.get() {
        shown_us
    } else {
        micros(from.reader.duration())
    };
    let mut shown = time(at_us.min(end));
    if from.state() == ReadState::Damaged && at_us > end {
        shown.push_str(", damaged from there on");
    }
    let title = format!("{} {} at {shown}", header.person, header.access);
    out.write_all(draw(&screen, &title).as_bytes())?;
    Ok(())
}

fn draw(screen: &Screen, title: &str) -> String {
    let (cols, rows) = (
        usize::from(screen.size().cols()),
        usize::from(screen.size().rows()),
    );
    let (width, height) = (cols * CELL.0 + 2 * EDGE, rows * CELL.1 + 2 * EDGE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"'DejaVu Sans Mono',Menlo,Consolas,'Liberation Mono',monospace\" font-size=\"16\" \
         fill=\"{}\">\n<title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
        colour(PLAIN.0),
        escaped(title),
        colour(PLAIN.1),
    );
    let cursor = screen.cursor();
    for row in 0..rows {
        let mut spots = spots(screen, row);
        if let Some((col, _)) = cursor.filter(|(_, at)| *at == row) {
            let stacked = screen.row(row).take(col).filter(combines).count();
            inverted(&mut spots, col - stacked);
        }
        draw_row(&spots, row, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// A cell, and what combines with its character.
struct Spot {
    cell: Cell,
    stacked: String,
}

fn spots(screen: &Screen, row: usize) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::new();
    for cell in screen.row(row) {
        if combines(&cell) {
            // The right half of a wide character has none.
            let before = spots.iter_mut().rfind(|spot| spot.cell.width > 0);
            if let Some(before) = before.filter(|spot| spot.stacked.chars().count() < STACKED) {
                before.stacked.push(cell.char);
            }
            continue;
        }
        let stacked = String::new();
        spots.push(Spot { cell, stacked });
    }
    spots
}

/// The cursor is a block.
fn inverted(spots: &mut [Spot], col: usize) {
    if let Some(Spot { cell, .. }) = spots.get_mut(col) {
        if cell.pen.is_inverse() {
            cell.pen.unset_inverse();
        } else {
            cell.pen.set_inverse();
        }
    }
}

/// Runs of cells that look alike; a wide character is a run of its own, because no font draws it exactly twice as wide.
fn draw_row(spots: &[Spot], row: usize, svg: &mut String) {
    let mut rest = spots;
    let mut col = 0;
    while let Some(Spot { cell: first, .. }) = rest.first() {
        let alike = |spot: &&Spot| spot.cell.pen == first.pen && spot.cell.width == 1;
        let count = if first.width == 1 {
            rest.iter().take_while(alike).count()
        } else {
            1
        };
        let (run, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        draw_run(run, (col, row), svg);
        col += run.len();
        rest = after;
    }
}

fn draw_run(run: &[Spot], (col, row): (usize, usize), svg: &mut String) {
    let Some(Spot { cell: first, .. }) = run.first().filter(|first| first.cell.width > 0) else {
        return;
    };
    let look = Look::of(&first.pen);
    let cells: usize = run.iter().map(|spot| usize::from(spot.cell.width)).sum();
    let (x, y, width) = (EDGE + col * CELL.0, EDGE + row * CELL.1, cells * CELL.0);
    if look.ground != PLAIN.1 {
        let ground = colour(look.ground);
        // Writing into a String does not fail.
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{ground}\"/>",
            CELL.1
        );
    }
    let spelled = run
        .iter()
        .flat_map(|spot| std::iter::once(spot.cell.char).chain(spot.stacked.chars()));
    let text: String = spelled.collect();
    if text.trim().is_empty() && !look.is_lined() {
        return;
    }
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{}>{}</text>",
        y + CELL.2,
        look.attributes(),
        escaped(&text),
    );
}

/// What a pen comes to.
struct Look<'a> {
    pen: &'a Pen,
    text: u32,
    ground: u32,
}

impl<'a> Look<'a> {
    fn of(pen: &'a Pen) -> Self {
        let text = pen.foreground().map_or(PLAIN.0, rgb);
        let ground = pen.background().map_or(PLAIN.1, rgb);
        let (text, ground) = if pen.is_inverse() {
            (ground, text)
        } else {
            (text, ground)
        };
        Self { pen, text, ground }
    }

    fn is_lined(&self) -> bool {
        self.pen.is_underline() || self.pen.is_strikethrough()
    }

    fn attributes(&self) -> String {
        let mut said = String::new();
        if self.text != PLAIN.0 {
            let _ = write!(said, " fill=\"{}\"", colour(self.text));
        }
        let lines = match (self.pen.is_underline(), self.pen.is_strikethrough()) {
            (true, true) => " text-decoration=\"underline line-through\"",
            (true, false) => " text-decoration=\"underline\"",
            (false, true) => " text-decoration=\"line-through\"",
            (false, false) => "",
        };
        let looks = [
            (self.pen.is_bold(), " font-weight=\"bold\""),
            (self.pen.is_italic(), " font-style=\"italic\""),
            (self.pen.is_faint(), " fill-opacity=\"0.6\""),
            (self.is_lined(), lines),
        ];
        said.extend(
            looks
                .into_iter()
                .filter(|(on, _)| *on)
                .map(|(_, look)| look),
        );
        said
    }
}

/// The red, green and blue of a colour; the 256 are those of xterm: sixteen, a cube of six, and grey.
fn rgb(colour: Color) -> u32 {
    let joined = |r: u8, g: u8, b: u8| u32::from_be_bytes([0, r, g, b]);
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match colour {
        Color::RGB(rgb) => joined(rgb.r, rgb.g, rgb.b),
        Color::Indexed(n @ 0..16) => SIXTEEN.get(usize::from(n)).copied().unwrap_or_default(),
        Color::Indexed(n @ 16..232) => {
            let n = n - 16;
            joined(step(n / 36), step(n / 6 % 6), step(n % 6))
        }
        Color::Indexed(n) => {
            let grey = 8 + 10 * (n - 232);
            joined(grey, grey, grey)
        }
    }
}

fn colour(rgb: u32) -> String {
    format!("#{rgb:06x}")
}

/// Text for XML: its own characters spelled, and none that XML 1.0 does not have (section 2.2); what is invisible has
/// been replaced before.
fn escaped(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => spelled.push_str("&lt;"),
            '>' => spelled.push_str("&gt;"),
            '&' => spelled.push_str("&amp;"),
            '"' => spelled.push_str("&quot;"),
            '\'' => spelled.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => spelled.push(REPLACEMENT),
            c if c.is_control() => spelled.push(REPLACEMENT),
            c => spelled.push(c),
        }
    }
    spelled
}
