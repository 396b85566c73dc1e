//! Bytes to text.

use super::REPLACEMENT;

/// Bytes to text, over the seams between them; what is not UTF-8 becomes [`REPLACEMENT`].
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    pub(super) partial: Vec<u8>,
}

impl Decoder {
    /// The text that is complete with these bytes.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        let joined = [self.partial.as_slice(), bytes].concat();
        self.partial.clear();
        let mut text = String::with_capacity(joined.len());
        let mut chunks = joined.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            let unfinished = chunks.peek().is_none() && begins_a_character(invalid);
            if unfinished {
                self.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(REPLACEMENT);
            }
        }
        text
    }
}

/// Whether more bytes could make these a character.
fn begins_a_character(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(e) if e.error_len().is_none())
}
