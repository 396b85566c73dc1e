//! Reads a recording, finished or not, for those who want to see it. Whether it can be believed, [`verify`](super::verify)
//! says; reading is kind, and goes as far as it can.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use config::words::SessionId;

use super::crypt::Vault;
use super::crypt::keys::Keys;
use super::crypt::original::{OriginalError, Originals};
use super::event::{self, Event};
use super::frame::{self, FrameError, Passed, Stored, Trailer, Walk};
use super::header::Header;
use super::recover::{file_of, open_plain};
use super::seal;
use crate::age::Identities;

use self::error::nothing_to_read;
use self::files::Files;

mod error;
mod files;
mod indexed;

pub use error::ReadError;

/// A recording that is open for reading.
#[derive(Debug)]
pub struct Reader {
    place: Files,
    header: Header,
    chunks: Vec<Chunk>,
    state: ReadState,
    /// Opens what was masked, if that is to be seen.
    originals: Option<Originals>,
}

/// How far a recording goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadState {
    /// To its End.
    Finished,
    /// To what was written when it was opened: the session runs, or its bastion has died.
    Unfinished,
    /// To a place that is damaged; `hallpass verify` says more.
    Damaged,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    at: Place,
    from_us: u64,
    to_us: u64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// A sealed frame, by its number.
    Sealed {
        number: u64,
        offset: u64,
        stored: usize,
    },
    /// A tail, by its number.
    Tail(u32),
}

impl Reader {
    /// Opens `SESSION.cast.zst`; if it is not finished, the tails beside it belong to it. One that is sealed needs an
    /// identity of one of its recipients. With identities that unmask, what was masked stands in its place, if the recording keeps it.
    pub fn open(path: &Path, identities: &Identities) -> Result<Self, ReadError> {
        Self::open_with(path, identities, None)
    }

    /// The same, with a content key that is at hand.
    fn open_with(
        path: &Path,
        identities: &Identities,
        vault: Option<Arc<Vault>>,
    ) -> Result<Self, ReadError> {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(file_of);
        let Some((session, None)) = name else {
            return Err(ReadError::Name(path.to_owned()));
        };
        let dir = path.parent().map(Path::to_owned).unwrap_or_default();
        let file = open_plain(path, OpenOptions::new().read(true))?;
        let mut place = Files {
            session,
            dir,
            file,
            vault,
        };
        let keys = place.keys()?;
        if let (Some(keys), None) = (&keys, &place.vault) {
            // Said first, because without a key nothing else can be said.
            keys.may_open(identities)?;
        }
        let (chunks, state) = all_chunks(&mut place, keys.as_ref(), identities)?;
        let first = chunks
            .first()
            .copied()
            .ok_or_else(|| nothing_to_read(state))?;
        let lines = place.lines_at(first.at)?;
        let line = lines
            .split(|b| *b == b'\n')
            .next()
            .and_then(|line| std::str::from_utf8(line).ok());
        let header = Header::from_line(line.unwrap_or_default())?;
        let wrapped = header.original.as_ref().filter(|_| identities.unmask());
        let originals = wrapped
            .map(|wrapped| Originals::open(&place.session, wrapped, identities))
            .transpose()
            .map_err(OriginalError::Locked)?;
        Ok(Self {
            place,
            header,
            chunks,
            state,
            originals,
        })
    }

    /// Whether what was masked stands in its place.
    pub const fn is_unmasked(&self) -> bool {
        self.originals.is_some()
    }

    /// Opens a session's recording in a directory of recordings.
    pub fn open_in(
        dir: &Path,
        session: &SessionId,
        identities: &Identities,
    ) -> Result<Self, ReadError> {
        Self::open(&seal::cast_path(dir, session), identities)
    }

    /// What is said about the session.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How far the recording goes.
    pub const fn state(&self) -> ReadState {
        self.state
    }

    /// From the beginning to the last event.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.chunks.last().map_or(0, |chunk| chunk.to_us))
    }

    /// How many bytes are stored now, in the file and in the newest tail: whoever sees them change opens it again.
    pub fn stored(&self) -> (u64, u64) {
        let tail = match self.chunks.last().map(|chunk| chunk.at) {
            Some(Place::Tail(number)) => number,
            _ => u32::try_from(self.chunks.len()).unwrap_or(u32::MAX),
        };
        self.place.stored_now(tail)
    }

    /// How many chunks there are: sealed frames, then tails. Each is read alone, in bounded memory.
    pub const fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The chunk in which the time is reached; of a time past the end, the last one.
    pub fn chunk_at(&self, at_us: u64) -> usize {
        self.chunks
            .partition_point(|chunk| chunk.to_us < at_us)
            .min(self.chunks.len().saturating_sub(1))
    }

    /// The time that a chunk begins at: that of the last event before it, in microseconds.
    pub fn chunk_start(&self, chunk: usize) -> u64 {
        self.chunks.get(chunk).map_or(0, |chunk| chunk.from_us)
    }

    /// The events of one chunk; past the last one, none.
    pub fn events(&self, chunk: usize) -> Result<Vec<Event>, ReadError> {
        let Some(Chunk { at, from_us, .. }) = self.chunks.get(chunk).copied() else {
            return Ok(Vec::new());
        };
        let lines = self.place.lines_at(at)?;
        let events = events_in(&lines, chunk, at, from_us)?;
        Ok(match &self.originals {
            Some(originals) => originals.unmask(events)?,
            None => events,
        })
    }

    /// All events, in order. Holds one chunk at a time.
    pub fn all_events(&self) -> impl Iterator<Item = Result<Event, ReadError>> + '_ {
        (0..self.chunks()).flat_map(|chunk| {
            let (events, error) = match self.events(chunk) {
                Ok(events) => (events, None),
                Err(e) => (Vec::new(), Some(Err(e))),
            };
            events.into_iter().map(Ok).chain(error)
        })
    }

    /// The lines of a chunk as they stand: asciicast v3, all chunks together. Each was read as one before; of
    /// a tail, those before the place where it was torn.
    pub fn lines(&self, chunk: usize) -> Result<Vec<u8>, ReadError> {
        let Some(Chunk { at, from_us, .. }) = self.chunks.get(chunk).copied() else {
            return Ok(Vec::new());
        };
        let mut bytes = self.place.lines_at(at)?;
        let mut at_us = from_us;
        let mut length = 0;
        for (n, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            // The very first line is the header, which opening has read.
            let good = line.strip_suffix(b"\n").is_some_and(|line| {
                std::str::from_utf8(line).is_ok_and(|line| {
                    (chunk, n) == (0, 0) || event::read_line(line, &mut at_us).is_ok()
                })
            });
            if !good {
                if matches!(at, Place::Sealed { .. }) {
                    return Err(ReadError::Damaged(
                        "it holds something that is no line".into(),
                    ));
                }
                break;
            }
            length += line.len();
        }
        bytes.truncate(length);
        if self.is_unmasked() {
            let head = if chunk == 0 {
                self.header.to_line()
            } else {
                Vec::new()
            };
            (bytes, at_us) = (head, from_us);
            for event in self.events(chunk)? {
                event::write_line(&mut bytes, &mut at_us, &event);
            }
        }
        Ok(bytes)
    }
}

/// The events that some lines of a chunk hold.
fn events_in(lines: &[u8], chunk: usize, at: Place, from_us: u64) -> Result<Vec<Event>, ReadError> {
    let mut at_us = from_us;
    let mut events = Vec::new();
    let skip = usize::from(chunk == 0);
    for line in lines
        .split(|b| *b == b'\n')
        .skip(skip)
        .filter(|line| !line.is_empty())
    {
        let read = std::str::from_utf8(line)
            .map_err(|_| "it is not UTF-8".to_owned())
            .and_then(|line| event::read_line(line, &mut at_us).map_err(|e| e.to_string()));
        match (read, at) {
            (Ok(event), _) => events.extend(event),
            // A tail ends where it was torn.
            (Err(_), Place::Tail(_)) => break,
            (Err(why), Place::Sealed { .. }) => return Err(ReadError::Damaged(why)),
        }
    }
    Ok(events)
}

/// Finds the sealed frames of a file and the tails that follow them. A tail may be sealed while this looks for it:
/// then there is another frame, and it looks again.
fn all_chunks(
    place: &mut Files,
    keys: Option<&Keys>,
    identities: &Identities,
) -> Result<(Vec<Chunk>, ReadState), ReadError> {
    let mut before = None;
    loop {
        let (mut chunks, state) = index(&place.file)?;
        if let (Some(keys), None) = (keys, &place.vault) {
            place.vault = place.statement(&chunks)?.map_or(Ok(None), |statement| {
                Vault::open(keys, &statement, identities).map(|vault| Some(Arc::new(vault)))
            })?;
        }
        if state != ReadState::Unfinished {
            return Ok((chunks, state));
        }
        let sealed = chunks.len();
        let none = place.tails(&mut chunks)?;
        if !none {
            return Ok((chunks, state));
        }
        if before == Some(sealed) {
            return Ok((chunks, ReadState::Damaged));
        }
        before = Some(sealed);
    }
}

/// Finds the sealed frames of a file, and how far it goes. Reads where each begins, and what stands between them.
fn index(file: &File) -> Result<(Vec<Chunk>, ReadState), ReadError> {
    let mut from = Walk::from(file.try_clone()?, 0)?;
    let mut offset = match from.read()? {
        Some(Stored::Preamble { encrypted: false }) => frame::preamble(None).len() as u64,
        Some(Stored::Preamble { encrypted: true }) => match from.read()? {
            Some(Stored::Keys(payload)) => frame::preamble(Some(&payload)).len() as u64,
            _ => return Err(ReadError::NotARecording("its wrapped key is missing")),
        },
        None => return Err(ReadError::NotARecording("it is empty")),
        _ => return Err(ReadError::NotARecording("it does not begin as one")),
    };
    let mut chunks: Vec<Chunk> = Vec::new();
    loop {
        let stored = match from.pass() {
            Ok(Some(Passed::Lines(stored))) => stored,
            Ok(Some(Passed::Other(Stored::Seek(_)))) => return Ok((chunks, ReadState::Finished)),
            // One that is cut off is being written, and its tail is there; if it is not, the file was cut.
            Ok(None) | Err(FrameError::Cut) => return Ok((chunks, ReadState::Unfinished)),
            Err(FrameError::Io(e)) => return Err(e.into()),
            _ => return Ok((chunks, ReadState::Damaged)),
        };
        if chunks.len() as u64 >= limits::RECORDING_FRAMES {
            return Ok((chunks, ReadState::Damaged));
        }
        // The trailer of the last frame may be missing in part while it is being written.
        let payload = match from.read() {
            Ok(Some(Stored::Trailer(payload))) => payload,
            Err(FrameError::Cut) | Ok(None) => return Ok((chunks, ReadState::Unfinished)),
            _ => return Ok((chunks, ReadState::Damaged)),
        };
        let Some(trailer) = Trailer::parse(&payload) else {
            return Ok((chunks, ReadState::Damaged));
        };
        let at = Place::Sealed {
            number: chunks.len() as u64,
            offset,
            stored,
        };
        chunks.push(Chunk {
            at,
            from_us: trailer.from_us,
            to_us: trailer.to_us.max(trailer.from_us),
        });
        offset += (stored + payload.len() + 8) as u64;
    }
}
