//! Log lines that stay lines: parts of what is logged come from a peer, also by way of libraries that escape nothing.

use std::io::{self, Write};

/// Writes events of a log, each given whole, without what would begin another line or change a terminal.
pub(crate) struct Lines<W> {
    /// Where to.
    pub(crate) to: W,
    /// Events carry colours, and what else they hold of escapes was taken out where they were made.
    pub(crate) colour: bool,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.to.write_all(line(event, self.colour).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn line(event: &[u8], colour: bool) -> String {
    let text = String::from_utf8_lossy(event);
    let (text, end) = match text.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (text.as_ref(), ""),
    };
    let mut line = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        let own = colour && c == '\u{1b}';
        if (c.is_control() || is_turning(c)) && !own {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line + end
}

/// Whether a character turns the direction of what stands around it (Unicode Bidirectional Algorithm §2), or breaks lines.
fn is_turning(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &str, colour: bool) -> String {
        let mut lines = Lines {
            to: Vec::new(),
            colour,
        };
        lines.write_all(event.as_bytes()).unwrap();
        String::from_utf8(lines.to).unwrap()
    }

    #[test]
    fn promise_35_an_event_of_a_log_is_one_line_whatever_it_says() {
        assert_eq!(written("INFO all is well\n", false), "INFO all is well\n");
        let hostile =
            "WARN unknown a\n2026 INFO forged\r\u{1b}[2J\u{9b}1m\u{202e}\u{2028}\u{61c}\0 é\n";
        let plain =
            r"WARN unknown a\n2026 INFO forged\r\u{1b}[2J\u{9b}1m\u{202e}\u{2028}\u{61c}\u{0} é";
        assert_eq!(written(hostile, false), format!("{plain}\n"));
        assert_eq!(
            written("\u{1b}[32mINFO\u{1b}[0m a\nb\n", true),
            "\u{1b}[32mINFO\u{1b}[0m a\\nb\n"
        );
    }
}
