//! Cells to the bytes of somebody's terminal: what is drawn here is all that it gets.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::style::force_color_output;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

/// To another screen without a cursor, so that the one before comes back at the end.
const BEGIN: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";

/// Back from it.
const END: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// Smallest side that is drawn, and the largest.
const SIDES: std::ops::RangeInclusive<u32> = 1..=500;

/// A screen of somebody else's terminal, of a size that we are told.
pub(crate) struct Paper {
    terminal: Terminal<CrosstermBackend<Ink>>,
    ink: Ink,
}

impl Paper {
    /// A blank one, and what brings the terminal there.
    pub(crate) fn new(cols: u32, rows: u32) -> io::Result<(Self, Bytes)> {
        // What the bastion's own environment says of colours (NO_COLOR) is not meant for somebody else's terminal.
        force_color_output(true);
        let ink = Ink::default();
        let viewport = Viewport::Fixed(area(cols, rows));
        let backend = CrosstermBackend::new(ink.clone());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport })?;
        let _ = ink.take();
        Ok((Self { terminal, ink }, Bytes::from_static(BEGIN)))
    }

    /// The terminal has another size: everything is drawn again.
    pub(crate) fn resize(&mut self, cols: u32, rows: u32) -> io::Result<()> {
        self.terminal.resize(area(cols, rows))
    }

    /// Draws, and gives the bytes that change what was there before.
    pub(crate) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<Bytes> {
        self.terminal.draw(draw)?;
        Ok(self.ink.take())
    }

    /// What brings the terminal back.
    pub(crate) fn end() -> Bytes {
        Bytes::from_static(END)
    }
}

fn area(cols: u32, rows: u32) -> Rect {
    let side = |side: u32, unknown: u32| {
        let side = if side == 0 { unknown } else { side };
        u16::try_from(side.clamp(*SIDES.start(), *SIDES.end())).unwrap_or(1)
    };
    Rect::new(0, 0, side(cols, 80), side(rows, 24))
}

/// Takes what the terminal would.
#[derive(Clone, Default)]
struct Ink(Arc<Mutex<Vec<u8>>>);

impl Ink {
    fn take(&self) -> Bytes {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Bytes::from(std::mem::take(&mut *bytes))
    }
}

impl Write for Ink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui::text::Line;

    use super::*;

    #[test]
    fn only_what_has_changed_is_sent() {
        let (mut paper, begin) = Paper::new(80, 24).unwrap();
        assert_eq!(begin, BEGIN);
        let mut draw = |text: &str| {
            let line = Line::raw(text.to_owned());
            paper
                .draw(|frame| frame.render_widget(line, frame.area()))
                .unwrap()
        };
        let first = draw("hello world");
        let again = draw("hello world");
        let other = draw("hello watch");
        let shown = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        assert!(shown(&first).contains("hello"), "{:?}", shown(&first));
        assert!(!shown(&again).contains("hello"), "{:?}", shown(&again));
        assert!(!shown(&other).contains("hello"), "{:?}", shown(&other));
        assert!(shown(&other).contains("atch"), "{:?}", shown(&other));
    }

    #[test]
    fn colours_are_drawn_whatever_the_bastion_s_own_terminal_is() {
        let (mut paper, _) = Paper::new(80, 24).unwrap();
        let red = Line::raw("alarm").style(ratatui::style::Color::Indexed(1));
        let bytes = paper
            .draw(|frame| frame.render_widget(red, frame.area()))
            .unwrap();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert!(shown.contains("38;5;1"), "{shown:?}");
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(area(0, 0), Rect::new(0, 0, 80, 24));
        assert_eq!(area(u32::MAX, 1), Rect::new(0, 0, 500, 1));
    }
}
