//! Control sequences that are not over.

/// The control sequence that the parser is in the middle of, if it is: feeding it to another parser brings
/// that one to the same place.
#[derive(Debug, Clone, Default)]
pub(super) struct Unfinished {
    text: String,
    lost: bool,
}

impl Unfinished {
    /// Longer sequences are not kept, in bytes.
    const MOST: usize = 64 << 10;

    /// A character was fed to the parser, which executed a function with it or not.
    pub(super) fn follow(&mut self, c: char, executed: bool) {
        // Most of all output: text, outside of any sequence.
        if executed && self.text.is_empty() && matches!(c, ' '..='~') {
            self.lost = false;
            return;
        }
        match c {
            // Each of these begins a sequence, or ends one.
            '\x1b' | '\x18' | '\x1a' | '\u{80}'..='\u{9f}' => self.begin(c),
            '\x07' if self.is_osc() => self.clear(),
            // Other controls are executed within a sequence, and leave it as it is.
            _ if c < ' ' && !self.text.is_empty() => {}
            _ if executed => self.clear(),
            _ if self.text.len() >= Self::MOST => self.lost = true,
            _ => self.text.push(c),
        }
    }

    /// It as text; none of one without end.
    pub(super) fn text(&self) -> Option<&str> {
        (!self.lost).then_some(&self.text)
    }

    fn is_osc(&self) -> bool {
        self.text.starts_with("\x1b]") || self.text.starts_with('\u{9d}')
    }

    fn begin(&mut self, c: char) {
        self.clear();
        self.text.push(c);
    }

    fn clear(&mut self) {
        self.text.clear();
        self.lost = false;
    }
}
