//! Lines to zstd frames.

use std::io;
use std::sync::{Mutex, PoisonError};

use zstd::bulk::Compressor;

/// How hard a frame is compressed. Whoever reads it does not see a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::recording) enum Effort {
    /// As small as is reasonable: above it, memory for each context grows faster than the files shrink.
    Small,
    /// For a flood, which nobody reads as it comes, and for a store that cannot keep up: a sixth of the processor's time, and a
    /// twentieth more bytes of a log.
    Fast,
}

impl Effort {
    const fn level(self) -> i32 {
        match self {
            Self::Small => 9,
            Self::Fast => 1,
        }
    }
}

/// Contexts that nobody uses now. One holds 5 MiB, which to ask of the system and to clear for each frame would
/// take as long as a fast frame itself.
static IDLE: Mutex<Vec<Compressor<'static>>> = Mutex::new(Vec::new());

/// Most contexts that are kept: one for the store's thread, and one for the indexes and for sessions that end.
const KEPT: usize = 2;

/// Compresses lines into one frame that says its size and carries a checksum.
pub(in crate::recording) fn compress(lines: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut compressor = match idle {
        Some(compressor) => compressor,
        None => begin()?,
    };
    compressor.set_compression_level(effort.level())?;
    let frame = compressor.compress(lines)?;
    // One that has failed does not come back.
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() < KEPT {
        idle.push(compressor);
    }
    Ok(frame)
}

fn begin() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(Effort::Small.level())?;
    compressor.include_contentsize(true)?;
    compressor.include_checksum(true)?;
    Ok(compressor)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::decompress;
    use super::*;

    /// The frames of a context that has made others are those of a new one, byte by byte.
    #[test]
    fn a_context_that_is_used_again_makes_the_same_frames() {
        let text = |n: usize| -> Vec<u8> {
            let mut lines = Vec::new();
            for n in 0..n {
                writeln!(lines, "[0.000{n:03}, \"o\", \"line {}\"]", n * n).unwrap();
            }
            lines
        };
        for (size, effort) in [
            (9000, Effort::Fast),
            (10, Effort::Small),
            (9000, Effort::Small),
            (300, Effort::Fast),
            (0, Effort::Small),
        ] {
            let lines = text(size);
            let frame = compress(&lines, effort).unwrap();
            let mut fresh = begin().unwrap();
            fresh.set_compression_level(effort.level()).unwrap();
            assert_eq!(frame, fresh.compress(&lines).unwrap(), "{size} {effort:?}");
            assert_eq!(decompress(&frame).unwrap(), lines);
        }
    }

    #[test]
    fn contexts_are_kept_and_only_so_many() {
        std::thread::scope(|scope| {
            for _ in 0..3 * KEPT {
                scope.spawn(|| compress(&vec![b'x'; 100_000], Effort::Small).unwrap());
            }
        });
        let kept = IDLE.lock().unwrap().len();
        assert!((1..=KEPT).contains(&kept), "{kept}");
    }
}
