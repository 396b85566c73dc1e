//! From a byte offset in the file to the line that a person looks at.

use std::ops::Range;

/// The line, counted from one, in which a span begins.
pub fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.get(..span.start).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}
