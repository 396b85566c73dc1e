//! The index of a finished recording: the [lines](crate::lines) that stood on its screen, so that who looks for text need not
//! run the emulator again.
//!
//! `ID.index.zst` lies beside the recording, and `FORMAT.md` in this crate says it whole:
//!
//! ```text
//! skippable 0x184D2A55   "hallpass index 1\n": the format and its version
//! zstd frame             lines of text; of a sealed recording, encrypted under its content key (skippable 0x184D2A58)
//! skippable 0x184D2A5B   the screen at the beginning of a frame of the recording, compressed; encrypted as the lines are
//! …
//! skippable 0x184D2A56   JSON: a checkpoint over the frames, and its signature
//! ```
//!
//! It only makes searching and seeking faster, and both must show the same with it. So it is believed only if a bastion that is
//! trusted has signed it, for the very bytes of the recording that lies there: its checkpoint names their root, and whoever
//! searches computes that root. An index that is missing, altered or another's hides nothing: the recording is read instead.
//!
//! * [`build`]: reads a recording, and writes its index.
//! * [`Index`]: one that can be believed; [`Screens`]: the screens of it, to seek by.
//! * [`thread`]: makes the index of each session that has ended, behind everything else.

mod build;
mod read;
pub(super) mod thread;

use std::path::{Path, PathBuf};

use config::words::SessionId;

use super::frame;
use crate::digest::Digest;
use crate::lines::From;

#[cfg(test)]
pub(in crate::recording) use build::bounded;
pub use build::{IndexError, build};
pub use read::{Index, Screens};

/// What every index begins with. The number is that of the lines and screens, too: an emulator that shows others writes
/// another one.
const PREAMBLE: &[u8] = b"hallpass index 1\n";

/// How the file is named behind its session.
const NAME: &str = "index.zst";

/// And how while it is being written.
const PART: &str = "index.part";

/// Where a recording's index stands.
pub(super) fn path(dir: &Path, session: &SessionId) -> PathBuf {
    dir.join(format!("{session}.{NAME}"))
}

fn part_path(dir: &Path, session: &SessionId) -> PathBuf {
    dir.join(format!("{session}.{PART}"))
}

/// Whether a file is named like an index, or like one that is being written.
pub(super) fn is_index(name: &str) -> bool {
    let behind = name.split_once('.');
    behind
        .is_some_and(|(id, rest)| id.parse::<SessionId>().is_ok() && (rest == NAME || rest == PART))
}

fn preamble() -> Vec<u8> {
    frame::begins_with(PREAMBLE)
}

/// The name that an index's checkpoint speaks of: the recording's session, and the root of its stored frames.
fn origin(session: &SessionId, root: &Digest) -> String {
    format!("hallpass/index/{session}/{root}")
}

/// The line that a screen's payload begins with: of which frame of the recording it is the beginning.
fn chunk_line(chunk: usize) -> String {
    format!("{chunk}\n")
}

/// One letter for what a line is part of.
const fn letter(from: From) -> char {
    match from {
        From::Command => 'c',
        From::Screen => 's',
        From::File => 'f',
        From::Marker => 'm',
    }
}

const fn of_letter(letter: u8) -> Option<From> {
    match letter {
        b'c' => Some(From::Command),
        b's' => Some(From::Screen),
        b'f' => Some(From::File),
        b'm' => Some(From::Marker),
        _ => None,
    }
}
