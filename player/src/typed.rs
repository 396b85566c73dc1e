//! What was typed, spelled so that it can be read.

use std::collections::VecDeque;

use crate::lines::neutral;

/// Most bytes that are kept: more than any window shows.
const MOST: usize = 4096;

/// The last that was typed.
#[derive(Debug, Default)]
pub struct Typed {
    bytes: VecDeque<u8>,
}

/// Keys that send more than one byte (`xterm-256color` in terminfo, both cursor modes).
const KEYS: [(&str, &str); 20] = [
    ("\x1b[A", "↑"),
    ("\x1b[B", "↓"),
    ("\x1b[C", "→"),
    ("\x1b[D", "←"),
    ("\x1bOA", "↑"),
    ("\x1bOB", "↓"),
    ("\x1bOC", "→"),
    ("\x1bOD", "←"),
    ("\x1b[H", "⇱"),
    ("\x1b[F", "⇲"),
    ("\x1bOH", "⇱"),
    ("\x1bOF", "⇲"),
    ("\x1b[1~", "⇱"),
    ("\x1b[4~", "⇲"),
    ("\x1b[2~", "⎀"),
    ("\x1b[3~", "⌦"),
    ("\x1b[5~", "⇞"),
    ("\x1b[6~", "⇟"),
    ("\x1b[200~", "«"),
    ("\x1b[201~", "»"),
];

impl Typed {
    /// More was typed.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(MOST);
        self.bytes.drain(..over);
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was typed: letters as they are, keys by their signs, `^C` for control and C. Nothing in it is invisible, and
    /// each line that was ended is a line.
    pub fn spelled(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let mut rest: &str = &text;
        let mut spelled = String::with_capacity(rest.len());
        while let Some(c) = rest.chars().next() {
            let key = KEYS.iter().find(|(sent, _)| rest.starts_with(sent));
            let (sent, sign) = key.map_or((c.len_utf8(), None), |(sent, sign)| {
                (sent.len(), Some(*sign))
            });
            match (sign, c) {
                (Some(sign), _) => spelled.push_str(sign),
                (None, '\r' | '\n') => spelled.push_str("⏎\n"),
                (None, '\t') => spelled.push('⇥'),
                (None, '\x7f' | '\x08') => spelled.push('⌫'),
                (None, '\x1b') => spelled.push('⎋'),
                (None, c @ '\0'..' ') => {
                    spelled.push('^');
                    spelled.push(char::from_u32(u32::from(c) + 0x40).unwrap_or('?'));
                }
                (None, ' ') => spelled.push(' '),
                (None, c) => spelled.push_str(&neutral(c.encode_utf8(&mut [0; 4]))),
            }
            rest = rest.get(sent..).unwrap_or_default();
        }
        spelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_spelled_and_nothing_invisible_is_left() {
        let mut typed = Typed::default();
        typed.push("ls -la\r\x03\x1b[A\x1bOB\tx\x7f\x1b[99zé \u{202e}\0".as_bytes());
        assert_eq!(typed.spelled(), "ls -la⏎\n^C↑↓⇥x⌫⎋[99zé \u{fffd}^@");
    }

    #[test]
    fn the_last_of_it_is_kept() {
        let mut typed = Typed::default();
        typed.push(&[b'a'; 10_000]);
        typed.push(b"end");
        let spelled = typed.spelled();
        assert_eq!(spelled.len(), MOST);
        assert!(spelled.ends_with("aend"));
    }
}
