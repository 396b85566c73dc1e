//! Shows a reviewer what happened, safely.
//!
//! Nothing of a recording reaches the reviewer's terminal as it is: it goes through an emulator, and what is
//! drawn are that emulator's cells, with characters that are not visible replaced.
//!
//! * [`tape`]: a recording, loaded: its events by time.
//! * [`screen`]: the emulator, which `record` holds: a bastion shows live sessions with it too.
//! * [`deck`]: where the replay stands; (state, event, now) in, state out.
//! * [`view`]: the deck drawn into cells.
//! * [`play`]: the thin skin around them: keys, ticks, the terminal.
//! * [`export`]: the same events in other formats.
//! * [`lines`]: the text that stood on the screen, which `record` tells: a bastion writes its index; [`search`] looks through it.

pub mod deck;
pub mod export;
mod keys;
pub mod play;
pub mod search;
pub use record::lines;
pub use record::screen;
pub mod tape;
pub mod view;

pub use export::{Format, export};
pub use play::{PlayError, PlayOptions, play};
