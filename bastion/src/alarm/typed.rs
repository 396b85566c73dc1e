//! Lines as they were typed, with the simplest edits done: what a shell's own editing makes of them is only seen on the screen.

use config::limits;

/// The line under way.
#[derive(Debug, Default)]
pub(super) struct Typed {
    line: Vec<u8>,
    escape: Escape,
}

#[derive(Debug, Default, Clone, Copy)]
enum Escape {
    #[default]
    None,
    /// Behind an escape.
    Begun,
    /// Within a sequence of `CSI` or `SS3`: an arrow or a function key.
    Within,
}

impl Typed {
    /// Takes bytes, and gives the lines that end with them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            if self.escapes(*byte) {
                continue;
            }
            match *byte {
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    lines.extend((!line.is_empty()).then(|| text(&line)));
                }
                // ^H and DEL, over the bytes of one character.
                0x08 | 0x7f => while self.line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
                // ^C, ^U.
                0x03 | 0x15 => self.line.clear(),
                // ^W.
                0x17 => self.drop_word(),
                0x1b => self.escape = Escape::Begun,
                0..=0x1f => {}
                _ if self.line.len() < limits::TYPED_BYTES => self.line.push(*byte),
                // Longer than anybody types: its pieces are lines.
                other => {
                    lines.push(text(&self.line));
                    self.line = vec![other];
                }
            }
        }
        lines
    }

    /// Whether the byte belongs to the sequence of a key.
    fn escapes(&mut self, byte: u8) -> bool {
        self.escape = match (self.escape, byte) {
            (Escape::None, _) => return false,
            (Escape::Begun, b'[' | b'O') | (Escape::Within, 0x20..=0x3f) => Escape::Within,
            _ => Escape::None,
        };
        true
    }

    fn drop_word(&mut self) {
        while self.line.pop_if(|byte| *byte == b' ').is_some() {}
        while self.line.pop_if(|byte| *byte != b' ').is_some() {}
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_is_left_when_it_ends() {
        for (typed, lines) in [
            ("ls -l\r", vec!["ls -l"]),
            ("cat /etc/shadoe\x7fw\r", vec!["cat /etc/shadow"]),
            ("é\x7fe\n", vec!["e"]),
            ("rm -rf /\x15id\r", vec!["id"]),
            ("rm -rf /\x03\r", vec![]),
            ("sudo  rm x \x17y\r", vec!["sudo  rm y"]),
            ("a\x1b[D\x1b[1;5C\x1bOPb\r", vec!["ab"]),
            ("one\rtwo\nthr", vec!["one", "two"]),
        ] {
            assert_eq!(Typed::default().take(typed.as_bytes()), lines, "{typed:?}");
        }
        let mut split = Typed::default();
        assert!(split.take(b"cat /etc\x1b").is_empty());
        assert_eq!(split.take(b"[C/shadow\r"), ["cat /etc/shadow"]);
    }

    #[test]
    fn one_byte_past_the_longest_line_begins_another() {
        let mut typed = Typed::default();
        assert!(typed.take(&vec![b'a'; limits::TYPED_BYTES]).is_empty());
        assert_eq!(typed.take(b"b").len(), 1);
        assert_eq!(typed.take(b"c\r"), ["bc"]);
    }
}
