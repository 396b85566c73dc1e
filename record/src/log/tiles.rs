//! A log as [C2SP tlog-tiles](https://c2sp.org/tlog-tiles): plain files for any web server or bucket, which the tools of
//! other transparency logs read.
//!
//! ```text
//! DIR/checkpoint                the newest signed note, with the cosignatures of witnesses
//! DIR/tile/LEVEL/N              256 hashes of subtrees of 256^LEVEL leaves; .p/W while there are only W of them
//! DIR/tile/entries/N            256 lines, each behind its length in two bytes; .p/W likewise
//! ```
//!
//! It is derived from `entries` and `checkpoint.note`, and never changes what it once said: [`Publisher`] writes it, and
//! [`Source`] is where it is read from. [`consistency`] takes a proof from a few tiles, however long the log is.

mod path;
mod read;
mod write;

pub(super) use read::read;
pub use read::{Dir, Source, consistency};
pub use write::{Advanced, PublishError, Publisher};

/// Leaves or nodes of one full tile.
const WIDTH: u16 = 256;

/// Bytes of a tile's hash.
const HASH_BYTES: usize = 32;

/// The file of the checkpoint, below a published directory.
pub const CHECKPOINT: &str = "checkpoint";

#[cfg(test)]
mod tests;
