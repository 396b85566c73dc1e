//! Goes over the frames of a file, without reading what lies in those that are large.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

use super::{
    Ahead, CHUNKS_MAGIC, FrameError, LINES_MAGIC, SCREEN_MAGIC, SKIPPABLE_HEAD, STORED_MAX, Stored,
    ZSTD_MAGIC, pass_zstd, read_frame, skippable_length,
};

/// What one look at the file reads: where a frame begins, or the checkpoint behind one.
const LOOK: usize = 2 << 10;

/// How long a frame's magic number is.
const MAGIC: i64 = 4;

/// Stands between two frames of a file.
#[derive(Debug)]
pub(in crate::recording) struct Walk {
    from: BufReader<File>,
}

/// What was gone over.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::recording) enum Passed {
    /// Lines, encrypted or not, of so many stored bytes.
    Lines(usize),
    /// A screen of an index, of so many.
    Screen(usize),
    /// Something else, which was read.
    Other(Stored),
}

impl Walk {
    /// Stands at this offset of a file.
    pub(in crate::recording) fn from(file: File, offset: u64) -> io::Result<Self> {
        let mut from = BufReader::with_capacity(LOOK, file);
        from.seek(SeekFrom::Start(offset))?;
        Ok(Self { from })
    }

    /// Reads the next frame as [`read_frame`] does.
    pub(in crate::recording) fn read(&mut self) -> Result<Option<Stored>, FrameError> {
        read_frame(&mut self.from)
    }

    /// Goes over the next frame; `None` at the end of the file.
    pub(in crate::recording) fn pass(&mut self) -> Result<Option<Passed>, FrameError> {
        let mut magic = Vec::new();
        (&mut self.from)
            .take(MAGIC.unsigned_abs())
            .read_to_end(&mut magic)?;
        let number = match magic.first_chunk() {
            _ if magic.is_empty() => return Ok(None),
            Some(magic) => u32::from_le_bytes(*magic),
            None => return Err(FrameError::Cut),
        };
        let mut over = Over {
            from: &mut self.from,
            passed: magic.len(),
        };
        Ok(Some(match number {
            ZSTD_MAGIC => {
                pass_zstd(&mut over)?;
                Passed::Lines(over.passed)
            }
            LINES_MAGIC | CHUNKS_MAGIC => Passed::Lines(over.skippable()?),
            SCREEN_MAGIC => Passed::Screen(over.skippable()?),
            _ => {
                self.from.seek_relative(-MAGIC)?;
                return Ok(self.read()?.map(Passed::Other));
            }
        }))
    }
}

/// The bytes of one frame, of which only some are looked at.
struct Over<'a> {
    from: &'a mut BufReader<File>,
    passed: usize,
}

impl Over<'_> {
    /// Goes over the rest of a skippable frame: its stored size.
    fn skippable(mut self) -> Result<usize, FrameError> {
        let mut length = [0; 4];
        self.from.read_exact(&mut length)?;
        let length = skippable_length(length)?;
        self.over(length)?;
        Ok(SKIPPABLE_HEAD + length)
    }

    /// A file that ends before is cut off there, though it could be gone further.
    fn over(&mut self, count: usize) -> Result<(), FrameError> {
        let by = i64::try_from(count).map_err(|_| FrameError::Cut)?;
        self.from.seek_relative(by)?;
        if self.from.stream_position()? > self.from.get_ref().metadata()?.len() {
            return Err(FrameError::Cut);
        }
        Ok(())
    }

    fn add(&mut self, count: usize) -> Result<(), FrameError> {
        self.passed = self.passed.saturating_add(count);
        if self.passed > STORED_MAX {
            return Err(FrameError::Foreign(
                "a frame is larger than any that is recorded",
            ));
        }
        Ok(())
    }
}

impl Ahead for Over<'_> {
    fn look<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.add(N)?;
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn pass(&mut self, count: usize) -> Result<(), FrameError> {
        self.add(count)?;
        self.over(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::recording::frame::{Effort, Encrypted, Holds, compress, screen, trailer};

    /// What reading every byte finds.
    fn read_through(bytes: &[u8]) -> Vec<String> {
        let mut from = bytes;
        told(|| {
            let stored = read_frame(&mut from)?;
            Ok(stored.map(|stored| match stored {
                Stored::Lines(stored) => Passed::Lines(stored.len()),
                Stored::Encrypted(frame) => Passed::Lines(frame.stored.len()),
                other => Passed::Other(other),
            }))
        })
    }

    fn walked(bytes: &[u8]) -> Vec<String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut walk = Walk::from(file, 0).unwrap();
        told(|| walk.pass())
    }

    fn told(mut next: impl FnMut() -> Result<Option<Passed>, FrameError>) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            match next() {
                Ok(Some(passed)) => told.push(format!("{passed:?}")),
                Ok(None) => return told,
                Err(e) => {
                    told.push(e.to_string());
                    return told;
                }
            }
        }
    }

    #[test]
    fn going_over_frames_finds_what_reading_them_finds_wherever_the_file_ends() {
        let noise: Vec<u8> = (0..6000_u32)
            .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2])
            .collect();
        let bytes = [
            compress(&noise, Effort::Small).unwrap(),
            trailer(b"{}"),
            compress(&vec![b'a'; 300_000], Effort::Small).unwrap(),
            trailer(&[b'x'; 900]),
            Encrypted::new(Holds::Lines, b"head\n", &noise).stored,
            trailer(b"{}"),
        ]
        .concat();
        for cut in (0..bytes.len()).step_by(7).chain([bytes.len()]) {
            let part = bytes.get(..cut).unwrap();
            assert_eq!(walked(part), read_through(part), "cut at {cut}");
        }
        assert_eq!(walked(&bytes).len(), 6);
        let large = [LINES_MAGIC.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
        assert_eq!(walked(&large), read_through(&large));
        assert_eq!(walked(&screen(b"1\nx")), ["Screen(11)"]);
        assert_eq!(
            walked(b"nonsense"),
            ["these bytes begin no frame of a recording"]
        );
    }
}
