//! A screen as bytes, to be kept and read again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Decoder, Snapshot};
use crate::recording::Size;

impl Snapshot {
    /// It in bytes that [`Self::from_bytes`] reads: a line `COLSxROWS`, whether line feeds return, and the beginning of a
    /// character that is not whole, in base64; then what brings another terminal to the same place.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (cols, rows) = (self.size.cols(), self.size.rows());
        let partial = STANDARD.encode(&self.decoder.partial);
        let newlines = if self.newlines { "cr" } else { "lf" };
        format!("{cols}x{rows} {newlines} {partial}\n{}", self.dump).into_bytes()
    }

    /// Reads what [`Self::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (line, dump) = text.split_once('\n')?;
        let [size, newlines, partial] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let (cols, rows) = size.split_once('x')?;
        let partial = STANDARD.decode(partial).ok()?;
        Some(Self {
            dump: dump.to_owned(),
            decoder: Decoder { partial },
            size: Size::recorded(cols.parse().ok()?, rows.parse().ok()?)?,
            newlines: newlines == "cr",
        })
    }
}
