//! Recordings: the evidence of one session each.
//!
//! A running session is written by a [`Recorder`], which a [`RecordingStore`] hands out; a
//! finished one is read by a [`Reader`] and judged by [`verify`]. The parts, in the data's way:
//!
//! * [`header`], [`event`]: what is said about a session and what happened in it, as lines of
//!   [asciicast v3](https://docs.asciinema.org/manual/asciicast/v3/).
//! * [`recorder`]: records first, so that the caller may then forward.
//! * [`store`]: the directory; its thread makes durable and seals.
//! * [`seal`]: turns a tail into a sealed frame; [`recover`] does so after a crash.
//! * [`frame`]: how frames lie in the file; [`crypt`]: what a recording that is sealed to recipients hides.
//! * [`reader`], [`verify`].
//! * [`index`]: the text that stood on the screen, so that it is found without running the emulator again.
//!
//! # The format
//!
//! In short; `FORMAT.md` in this crate says it whole, and `CHECKING.md` how to check a recording with stock tools.
//!
//! `ID.cast.zst` is a sequence of zstd and skippable frames ([RFC 8878 §3.1]):
//!
//! ```text
//! skippable 0x184D2A55   "hallpass recording 1\n": the format and its version
//! zstd frame 0           lines of asciicast v3; the first of them is the header
//! skippable 0x184D2A56   JSON: the checkpoint over frame 0, its signature, the frame's times
//! zstd frame 1           more lines
//! skippable 0x184D2A56   the checkpoint over frames 0 and 1
//! …
//! zstd frame n           the last line of the last frame is the End, and nothing else is
//! skippable 0x184D2A56   the checkpoint whose root stands for the whole recording
//! skippable 0x184D2A5E   seek table of the zstd seekable format, one entry for each frame above
//! ```
//!
//! `zstd -dc ID.cast.zst` is therefore an asciicast v3. The leaf of a frame is its stored bytes.
//! Beside the codes of asciicast v3 there are some of our own, which its players pass over:
//!
//! | code | data |
//! |---|---|
//! | `e` | text of standard error, for a command without a terminal |
//! | `B` | bytes that are not valid UTF-8: the stream's code, `:`, base64 |
//! | `f` | something about files, as JSON ([`file`]) |
//! | `c` | something about a forwarded connection, as JSON ([`forward`]) |
//! | `d` | a stream that was not kept whole: its code, its length in bytes, its SHA-256 or `-` |
//! | `k` | what a mask has replaced in the bytes that follow, sealed ([`crypt::original`]) |
//! | `z` | the End, as JSON |
//!
//! While the session runs, lines that are not sealed yet stand in `ID.NNNNNN.tail`, where the
//! number is that of the frame that it becomes. A tail after the first begins with a comment that says
//! how many bytes the tail before it had, so that a gap after a power loss is noticed.
//!
//! [RFC 8878 §3.1]: https://www.rfc-editor.org/rfc/rfc8878#section-3.1

pub mod crypt;
pub mod disk;
pub mod event;
pub mod file;
pub mod forward;
pub mod frame;
pub mod header;
pub mod index;
mod live;
mod pace;
pub mod reader;
pub mod recorder;
pub mod recover;
pub mod scan;
mod seal;
pub mod store;
pub mod verify;

pub use crypt::LockedError;
pub use crypt::original::{Hidden, Masked, OriginalError, OriginalKey};
pub use disk::{Disk, OsDisk};
pub use event::{Data, End, EndReason, Event, Exit, Stream, Tally};
pub use file::{FileEvent, FileOp, FilePath, OpenMode, Outcome, Transfer};
pub use forward::{ForwardEvent, Forwarded, Passed};
pub use header::{Header, Kind, Size, Term};
pub use reader::{ReadError, ReadState, Reader};
pub use recorder::{Forwards, Link, RecordError, Recorded, Recorder};
pub use recover::{Recovered, SetAside};
pub use scan::{Fault, Problem};
pub use seal::{Sealed, Signer};
pub use store::{RecordingStore, StoreError};

#[cfg(test)]
mod tests;
