//! The lines of a private key, from behind its first line to its last one.

use config::limits;

/// What a byte of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A part of the key, or of what stands before its lines.
    Secret,
    /// What stands between: spaces, the marks of a header, a backslash before an `n`.
    Between,
    /// The last line has begun, and the key is over.
    Last,
    /// More than any key has: it was over before this.
    Over,
}

/// What the lines of a key have and hardly anything else, in characters of base64: the lines of PEM have 64 (RFC 7468 §2).
const RUN: usize = 16;

/// Lines without a [`RUN`] after which the key is over: its last line and the sum of an armoured one (RFC 9580 §6.1) may be shorter.
const LINES: usize = 2;

/// The same before its first [`RUN`]: an armoured key begins with headers, and an empty line that may have a prefix.
const HEADERS: usize = 8;

/// A block under way. Nothing of it has to wait.
#[derive(Debug, Default)]
pub(super) struct Block {
    bytes: usize,
    dashes: usize,
    /// What has to follow for the dashes to begin the last line of this key, or the first line of another.
    awaited: &'static [u8],
    /// Characters of base64 without anything between.
    run: usize,
    /// This line has shown anything.
    shown: bool,
    /// It has had a [`RUN`].
    keyed: bool,
    /// Some line has had one.
    begun: bool,
    /// Lines without one since then.
    lines: usize,
}

impl Block {
    /// Takes the next byte that is shown.
    pub(super) fn said(&mut self, byte: u8) -> Said {
        self.bytes += 1;
        if self.bytes > limits::MASK_KEY_BYTES {
            return Said::Over;
        }
        self.shown = true;
        if let Some(said) = self.mark(byte) {
            self.run = 0;
            return said;
        }
        let base64 = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        self.run = if base64 { self.run + 1 } else { 0 };
        self.keyed |= self.run >= RUN;
        match byte {
            b' ' | b':' | b',' | b'.' | b'\\' | b'"' | b'\'' | 0x80.. => Said::Between,
            _ => Said::Secret,
        }
    }

    /// A line is over; says whether the key is. Prefixes of its lines and headers do not end it: what is not shown for a line
    /// or two is the lesser harm.
    pub(super) fn line(&mut self) -> bool {
        if self.keyed {
            (self.begun, self.lines) = (true, 0);
        } else if self.shown {
            self.lines += 1;
        }
        (self.dashes, self.awaited, self.run) = (0, &[], 0);
        (self.shown, self.keyed) = (false, false);
        self.lines >= if self.begun { LINES } else { HEADERS }
    }

    /// Follows five dashes and what comes behind them, as far as it is what begins a first or a last line.
    fn mark(&mut self, byte: u8) -> Option<Said> {
        if byte == b'-' {
            self.dashes += 1;
            self.awaited = &[];
            return Some(Said::Between);
        }
        if std::mem::take(&mut self.dashes) >= 5 {
            self.awaited = match byte {
                b'E' => b"END",
                b'B' => b"BEGIN",
                _ => &[],
            };
        }
        match std::mem::take(&mut self.awaited) {
            [b'D'] if byte == b'D' => return Some(Said::Last),
            // The one before was cut, and this one is as long as any.
            [b'N'] if byte == b'N' => *self = Self::default(),
            [first, rest @ ..] if *first == byte => self.awaited = rest,
            _ => return None,
        }
        Some(Said::Between)
    }
}
