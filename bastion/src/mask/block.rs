//! The lines of a private key, from behind its first line to its last one.

use config::limits;

/// What a byte of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A part of the key.
    Secret,
    /// What stands between: spaces, the marks of a header, a backslash before an `n`.
    Between,
    /// The last of five dashes: the last line has begun, and the key is over.
    Last,
    /// Nothing that a key has: it was over before this.
    Over,
}

/// A block under way. Nothing of it has to wait.
#[derive(Debug, Default)]
pub(super) struct Block {
    dashes: u8,
    bytes: usize,
}

impl Block {
    /// Takes the next byte that is shown.
    pub(super) fn said(&mut self, byte: u8) -> Said {
        self.bytes += 1;
        if self.bytes > limits::MASK_KEY_BYTES {
            return Said::Over;
        }
        if byte == b'-' {
            self.dashes += 1;
            return if self.dashes == 5 {
                Said::Last
            } else {
                Said::Between
            };
        }
        self.dashes = 0;
        match byte {
            b'+' | b'/' | b'=' => Said::Secret,
            _ if byte.is_ascii_alphanumeric() => Said::Secret,
            b' ' | b':' | b',' | b'.' | b'\\' | b'"' | b'\'' => Said::Between,
            _ => Said::Over,
        }
    }

    /// A line is over.
    pub(super) fn line(&mut self) {
        self.dashes = 0;
    }
}
