//! Bytes as the text and the bytes that an event's line has room for.

use config::limits;

/// A run of valid text shorter than this, with bytes before and after it that are not, is kept among those
/// bytes: a line for each would cost more than it shows.
const SHORT_RUN: usize = 32;

/// Cuts bytes into pieces that are either all valid UTF-8 or kept as bytes, none longer than
/// [`limits::EVENT_BYTES`]. Put together they are the bytes again.
pub(in crate::recording) fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    if std::str::from_utf8(bytes).is_ok() {
        // Nearly always, and far faster than to look for what is not.
        cut(bytes, 0, bytes.len(), false, &mut pieces);
        return pieces;
    }
    let (mut start, mut at, mut raw) = (0, 0, false);
    for chunk in bytes.utf8_chunks() {
        let kept_raw = raw && chunk.valid().len() < SHORT_RUN && !chunk.invalid().is_empty();
        if !kept_raw {
            cut(bytes, start, at, raw, &mut pieces);
            cut(bytes, at, at + chunk.valid().len(), false, &mut pieces);
            start = at + chunk.valid().len();
        }
        at += chunk.valid().len() + chunk.invalid().len();
        raw = !chunk.invalid().is_empty();
    }
    cut(bytes, start, at, raw, &mut pieces);
    pieces
}

/// Adds `bytes[from..to]`, in pieces that are not too long; of text, whole characters.
fn cut<'a>(bytes: &'a [u8], from: usize, to: usize, raw: bool, pieces: &mut Vec<&'a [u8]>) {
    let mut rest = bytes.get(from..to).unwrap_or_default();
    while !rest.is_empty() {
        let mut end = rest.len().min(limits::EVENT_BYTES);
        while !raw && end > 1 && rest.get(end).is_some_and(|next| next & 0xc0 == 0x80) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
}
