//! Shows a reviewer what happened, safely.
//!
//! Nothing of a recording reaches the reviewer's terminal as it is: it goes through an emulator, and what is
//! drawn are that emulator's cells, with characters that are not visible replaced.
//!
//! * [`tape`]: a recording's steps, chunk by chunk.
//! * [`screen`]: the emulator, which `record` holds: a bastion shows live sessions with it too.
//! * [`deck`]: where the replay stands; (state, event, now) in, state out.
//! * [`survey`]: what is found beside the replay: [`marks`], activity, screens to come back to.
//! * [`view`]: the deck drawn into cells; [`select`]: text that is picked from them; [`typed`]: what was typed.
//! * [`play`]: the thin skin around them: keys, ticks, the terminal.
//! * [`export`]: the same events in other formats.
//! * [`lines`]: the text that stood on the screen, which `record` tells: a bastion writes its index; [`search`] looks through it.

pub mod deck;
pub mod export;
mod keys;
pub mod marks;
pub mod play;
pub mod search;
pub mod select;
pub mod survey;
pub use record::lines;
pub use record::screen;
pub mod tape;
pub mod typed;
pub mod view;

pub use export::{Format, export};
pub use play::{Coming, PlayError, PlayOptions, Shown, play};
