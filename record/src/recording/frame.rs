//! How frames lie in the file: [RFC 8878 §3.1](https://www.rfc-editor.org/rfc/rfc8878#section-3.1), and the
//! [seekable format](https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md).

mod compress;
mod seek;
mod trailer;
mod walk;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use config::limits;

pub(super) use compress::{Effort, compress};
pub(super) use seek::SeekTable;
pub(super) use trailer::Trailer;
pub(super) use walk::{Passed, Walk};

/// What every recording begins with.
pub const PREAMBLE: &[u8] = b"hallpass recording 1\n";
/// What one that is encrypted begins with.
pub const ENCRYPTED_PREAMBLE: &[u8] = b"hallpass recording 1 sealed to its recipients\n";
const PREAMBLE_STEM: &[u8] = b"hallpass recording ";

const ZSTD_MAGIC: u32 = 0xFD2F_B528;
const PREAMBLE_MAGIC: u32 = 0x184D_2A55;
const TRAILER_MAGIC: u32 = 0x184D_2A56;
const KEYS_MAGIC: u32 = 0x184D_2A57;
const LINES_MAGIC: u32 = 0x184D_2A58;
const CHUNKS_MAGIC: u32 = 0x184D_2A59;
const SCREEN_MAGIC: u32 = 0x184D_2A5B;
const SEEK_MAGIC: u32 = 0x184D_2A5E;
const SEEK_FOOTER: u32 = 0x8F92_EAB1;

/// Largest stored size of a zstd frame, which holds at most [`limits::FRAME_MAX_BYTES`]: what does not
/// compress grows by three bytes for each block of 128 KiB, and the header and checksum take less than 64.
const STORED_MAX: usize = limits::FRAME_MAX_BYTES + limits::FRAME_MAX_BYTES / 1024 + 64;

/// One frame of the file, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// The first one, and whether it says that the recording is encrypted.
    Preamble { encrypted: bool },
    /// The wrapped content key of an encrypted recording. Holds the payload.
    Keys(Vec<u8>),
    /// A frame of an encrypted recording.
    Encrypted(Encrypted),
    /// Lines, compressed. Holds all of the stored bytes.
    Lines(Vec<u8>),
    /// What is said about the frame before it. Holds the payload.
    Trailer(Vec<u8>),
    /// The seek table. Holds the payload.
    Seek(Vec<u8>),
}

/// A frame of an encrypted recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Encrypted {
    /// What follows the head.
    pub(super) holds: Holds,
    /// All of the stored bytes.
    pub(super) stored: Vec<u8>,
}

/// What an encrypted frame holds after its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A zstd frame of lines, encrypted.
    Lines,
    /// A tail as it stood when its bastion died, which nobody there could read.
    Chunks,
}

impl Encrypted {
    /// Puts a frame together.
    pub(super) fn new(holds: Holds, head: &[u8], body: &[u8]) -> Self {
        let magic = match holds {
            Holds::Lines => LINES_MAGIC,
            Holds::Chunks => CHUNKS_MAGIC,
        };
        let stored = skippable(magic, &[head, body].concat());
        Self { holds, stored }
    }

    /// The head and the body.
    pub(super) fn payload(&self) -> &[u8] {
        self.stored.get(SKIPPABLE_HEAD..).unwrap_or_default()
    }
}

/// Reads the encrypted frame that some stored bytes are.
pub(super) fn encrypted(stored: &[u8]) -> Option<Encrypted> {
    match read_frame(&mut &*stored) {
        Ok(Some(Stored::Encrypted(frame))) => Some(frame),
        _ => None,
    }
}

/// The magic number and the length of a skippable frame.
const SKIPPABLE_HEAD: usize = 8;

/// Why no frame can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The file ends within a frame.
    #[error("the file ends within a frame")]
    Cut,
    /// The bytes are not a frame that a recording has.
    #[error("{0}")]
    Foreign(&'static str),
    /// The recording has another version.
    #[error("written by another version of hallpass (recording version {0})")]
    Version(String),
    /// The disk's fault.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::UnexpectedEof {
            Self::Cut
        } else {
            Self::Io(e)
        }
    }
}

/// Whether a file ends like a finished recording. A look, not a check.
pub(super) fn looks_finished(file: &File) -> io::Result<bool> {
    let mut footer = [0; 4];
    match file.metadata()?.len().checked_sub(4) {
        Some(at) => file.read_exact_at(&mut footer, at)?,
        None => return Ok(false),
    }
    Ok(u32::from_le_bytes(footer) == SEEK_FOOTER)
}

/// Reads the next frame; `None` at the end of the file. Never holds more than one frame.
pub(super) fn read_frame(from: &mut impl Read) -> Result<Option<Stored>, FrameError> {
    let mut bytes = Vec::new();
    from.by_ref().take(4).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let magic = bytes
        .first_chunk::<4>()
        .map(|magic| u32::from_le_bytes(*magic))
        .ok_or(FrameError::Cut)?;
    match magic {
        ZSTD_MAGIC => {
            pass_zstd(&mut Kept {
                from,
                bytes: &mut bytes,
            })?;
            Ok(Some(Stored::Lines(bytes)))
        }
        PREAMBLE_MAGIC => read_preamble(from).map(Some),
        TRAILER_MAGIC => Ok(Some(Stored::Trailer(read_skippable(from)?))),
        KEYS_MAGIC => Ok(Some(Stored::Keys(read_skippable(from)?))),
        LINES_MAGIC => read_encrypted(from, magic, Holds::Lines).map(Some),
        CHUNKS_MAGIC => read_encrypted(from, magic, Holds::Chunks).map(Some),
        SEEK_MAGIC => Ok(Some(Stored::Seek(read_skippable(from)?))),
        _ => Err(FrameError::Foreign(
            "these bytes begin no frame of a recording",
        )),
    }
}

/// Reads `count` more bytes of a zstd frame onto `bytes`.
fn more(from: &mut impl Read, bytes: &mut Vec<u8>, count: usize) -> Result<(), FrameError> {
    if bytes.len() + count > STORED_MAX {
        return Err(FrameError::Foreign(
            "a frame is larger than any that is recorded",
        ));
    }
    take(from, bytes, count)
}

fn take(from: &mut impl Read, bytes: &mut Vec<u8>, count: usize) -> Result<(), FrameError> {
    if bytes.len() + count > STORED_MAX.max(SKIPPABLE_HEAD + limits::SKIPPABLE_MAX_BYTES) {
        return Err(FrameError::Foreign(
            "a frame is larger than any that is recorded",
        ));
    }
    // Some room at once, so that it grows seldom: a frame that says more than it has gets no more.
    bytes.reserve(count.min(limits::FRAME_BYTES / 4));
    let read = from.by_ref().take(count as u64).read_to_end(bytes)?;
    if read == count {
        Ok(())
    } else {
        Err(FrameError::Cut)
    }
}

fn read_skippable(from: &mut impl Read) -> Result<Vec<u8>, FrameError> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut payload = Vec::new();
    take(from, &mut payload, skippable_length(length)?)?;
    Ok(payload)
}

fn skippable_length(length: [u8; 4]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > limits::SKIPPABLE_MAX_BYTES {
        return Err(FrameError::Foreign(
            "a skippable frame is larger than any that is recorded",
        ));
    }
    Ok(length)
}

fn read_encrypted(from: &mut impl Read, magic: u32, holds: Holds) -> Result<Stored, FrameError> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut stored = [magic.to_le_bytes(), length].concat();
    take(from, &mut stored, skippable_length(length)?)?;
    Ok(Stored::Encrypted(Encrypted { holds, stored }))
}

fn read_preamble(from: &mut impl Read) -> Result<Stored, FrameError> {
    let payload = read_skippable(from)?;
    if payload == PREAMBLE || payload == ENCRYPTED_PREAMBLE {
        let encrypted = payload == ENCRYPTED_PREAMBLE;
        return Ok(Stored::Preamble { encrypted });
    }
    let version = payload
        .strip_prefix(PREAMBLE_STEM)
        .and_then(|rest| rest.split(|b| matches!(b, b' ' | b'\n')).next());
    match version {
        Some(version) if version.len() < 8 && version.iter().all(u8::is_ascii_digit) => Err(
            FrameError::Version(String::from_utf8_lossy(version).into_owned()),
        ),
        _ => Err(FrameError::Foreign("this is not a recording of hallpass")),
    }
}

/// What of a frame comes next, as whoever goes over it wants it.
trait Ahead {
    /// Goes over the next bytes, and looks at them.
    fn look<const N: usize>(&mut self) -> Result<[u8; N], FrameError>;
    /// Goes over so many.
    fn pass(&mut self, count: usize) -> Result<(), FrameError>;
}

/// All bytes are kept.
struct Kept<'a, R> {
    from: &'a mut R,
    bytes: &'a mut Vec<u8>,
}

impl<R: Read> Ahead for Kept<'_, R> {
    fn look<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.pass(N)?;
        self.bytes.last_chunk().copied().ok_or(FrameError::Cut)
    }

    fn pass(&mut self, count: usize) -> Result<(), FrameError> {
        more(self.from, self.bytes, count)
    }
}

/// Goes over the rest of a zstd frame, behind its magic number, by its block headers (§3.1.1).
fn pass_zstd(ahead: &mut impl Ahead) -> Result<(), FrameError> {
    let [descriptor] = ahead.look()?;
    let single_segment = descriptor & 0x20 != 0;
    let window = usize::from(!single_segment);
    let dictionary = match descriptor & 3 {
        0 => 0,
        _ => return Err(FrameError::Foreign("a frame wants a dictionary")),
    };
    let content_size = match descriptor >> 6 {
        0 if single_segment => 1,
        0 => 0,
        n => 1_usize << n,
    };
    ahead.pass(window + dictionary + content_size)?;
    loop {
        let [low, middle, high] = ahead.look()?;
        let header = u32::from_le_bytes([low, middle, high, 0]);
        let size = usize::try_from(header >> 3).unwrap_or(usize::MAX);
        match header >> 1 & 3 {
            0 | 2 => ahead.pass(size)?,
            1 => ahead.pass(1)?,
            _ => return Err(FrameError::Foreign("a frame has a block of no kind")),
        }
        if header & 1 == 1 {
            break;
        }
    }
    if descriptor & 4 != 0 {
        ahead.pass(4)?;
    }
    Ok(())
}

/// Opens a stored zstd frame. Refuses one that does not say its size, says more than
/// [`limits::FRAME_MAX_BYTES`], or holds anything else than it says.
pub(super) fn decompress(stored: &[u8]) -> Result<Vec<u8>, FrameError> {
    let bad = FrameError::Foreign("a frame does not decompress");
    let size = match zstd::zstd_safe::get_frame_content_size(stored) {
        Ok(Some(size)) => usize::try_from(size).unwrap_or(usize::MAX),
        _ => return Err(FrameError::Foreign("a frame does not say how large it is")),
    };
    if size > limits::FRAME_MAX_BYTES {
        return Err(FrameError::Foreign(
            "a frame holds more than any that is recorded",
        ));
    }
    match zstd::bulk::decompress(stored, size) {
        Ok(bytes) if bytes.len() == size => Ok(bytes),
        _ => Err(bad),
    }
}

/// A skippable frame around `payload`.
fn skippable(magic: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    [&magic.to_le_bytes(), &length.to_le_bytes(), payload].concat()
}

/// The stored preamble; of an encrypted recording, with the wrapped content key that follows it.
pub(super) fn preamble(keys: Option<&[u8]>) -> Vec<u8> {
    match keys {
        None => skippable(PREAMBLE_MAGIC, PREAMBLE),
        Some(keys) => [
            skippable(PREAMBLE_MAGIC, ENCRYPTED_PREAMBLE),
            skippable(KEYS_MAGIC, keys),
        ]
        .concat(),
    }
}

/// A frame of an index that holds a screen.
pub(super) fn screen(payload: &[u8]) -> Vec<u8> {
    skippable(SCREEN_MAGIC, payload)
}

/// The payload of such a frame, from its stored bytes.
pub(super) fn screen_payload(stored: &[u8]) -> Option<&[u8]> {
    stored.get(SKIPPABLE_HEAD..)
}

/// What a file of another kind begins with that is made of the same frames.
pub(super) fn begins_with(payload: &[u8]) -> Vec<u8> {
    skippable(PREAMBLE_MAGIC, payload)
}

/// A trailer's stored frame, from its payload.
pub(super) fn trailer(payload: &[u8]) -> Vec<u8> {
    skippable(TRAILER_MAGIC, payload)
}
