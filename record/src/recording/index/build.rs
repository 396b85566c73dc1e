//! Reads a finished recording, and writes its index.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use config::limits;

use super::super::crypt::Vault;
use super::super::frame::{self, Effort, Encrypted, Holds, Trailer};
use super::super::reader::{ReadError, ReadState, Reader};
use super::super::seal::Signer;
use super::{chunk_line, letter, origin, part_path, path, preamble};
use crate::digest::Digest;
use crate::lines::{Line, Lines};
use crate::recording::event::{Data, Stream};
use crate::screen::Screen;
use crate::sshsig::SignError;
use crate::tree::{Tree, leaf_hash};

/// A block of lines is stored when it has so many bytes.
const BLOCK: usize = limits::FRAME_BYTES;

/// Why a recording has no index. It is searched all the same, by reading it.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The recording's fault.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The session runs, or the recording is damaged.
    #[error("the recording is not finished")]
    Unfinished,
    /// The caller's fault: only the bastion that has sealed a recording signs its index.
    #[error("it was recorded by {0}, whose key signs its index")]
    Another(String),
    /// It would be larger than [`limits::INDEX_BYTES`].
    #[error("its index would be larger than any")]
    Large,
    /// It was told to stop, or took longer than it may.
    #[error("it was stopped")]
    Stopped,
    /// The key's fault.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The disk's fault.
    #[error("it cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes the index of a recording, in place of the one that may be there, as long as `go_on` says so. Takes about as long
/// as a replay without pauses, in the memory of one screen and of two frames.
///
/// What is signed is what was read: the root is that of the very bytes from which the lines came.
pub fn build(
    reader: &Reader,
    signer: &Signer,
    go_on: &dyn Fn() -> bool,
) -> Result<Digest, IndexError> {
    bounded(reader, signer, go_on, limits::INDEX_BYTES)
}

/// The same, with another bound than [`limits::INDEX_BYTES`].
pub(in crate::recording) fn bounded(
    reader: &Reader,
    signer: &Signer,
    go_on: &dyn Fn() -> bool,
    most: u64,
) -> Result<Digest, IndexError> {
    if reader.state() != ReadState::Finished {
        return Err(IndexError::Unfinished);
    }
    let bastion = &reader.header().bastion;
    if *bastion != signer.name {
        return Err(IndexError::Another(bastion.to_string()));
    }
    let (dir, session) = (reader.dir(), reader.session());
    let part = part_path(dir, session);
    // A link that somebody has put there must not lead anywhere.
    match fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)?;
    let made = write(reader, file, most, go_on, signer).and_then(|root| {
        // If we die here or before, what stands there has the name of no index, and is written anew.
        fs::rename(&part, path(dir, session))?;
        Ok(root)
    });
    if made.is_err() {
        let _ = fs::remove_file(&part);
    }
    // Nothing was synced: an index that a power loss tears does not fit its checkpoint, and is not believed.
    made
}

fn write(
    reader: &Reader,
    file: File,
    most: u64,
    go_on: &dyn Fn() -> bool,
    signer: &Signer,
) -> Result<Digest, IndexError> {
    let mut out = Blocks {
        file,
        vault: reader.vault(),
        most,
        bytes: 0,
        tree: Tree::new(),
        text: Vec::new(),
        at_us: 0,
        failed: None,
    };
    out.put(&preamble())?;
    let mut lines = Lines::new(reader.header(), &mut |line| out.take(&line));
    let (mut recording, mut shown) = (Tree::new(), Shown::Same);
    for chunk in 0..reader.chunks() {
        if chunk > 0 {
            out.screen(chunk, shown.screen(&lines))?;
        }
        let (leaf, events) = reader.sealed(chunk)?;
        recording.push(leaf);
        for event in events {
            if !go_on() {
                return Err(IndexError::Stopped);
            }
            shown.take(&event.data, &lines);
            if !lines.take_while(&event, go_on, &mut |line| out.take(&line)) {
                return Err(IndexError::Stopped);
            }
            out.check()?;
        }
    }
    lines.finish(&mut |line| out.take(&line));
    out.check()?;
    out.flush()?;
    let root = Digest::from_bytes(*recording.root().as_bytes());
    let end_us = u64::try_from(reader.duration().as_micros()).unwrap_or(u64::MAX);
    let origin = origin(reader.session(), &root);
    let trailer = Trailer::sign(&signer.key, origin, &out.tree, (0, end_us))?;
    out.put(&trailer.store())?;
    Ok(root)
}

/// What a replay shows, where it is something else than the output alone: what was done to files, and forwarded.
enum Shown {
    /// The output alone.
    Same,
    /// This.
    Own(Box<Screen>),
    /// Nobody knows: it began in the middle of an endless control sequence.
    Lost,
}

impl Shown {
    /// Before the event is taken elsewhere.
    fn take(&mut self, data: &Data, lines: &Lines) {
        let line = match data {
            Data::File(file) => Some(format!("{file}\r\n")),
            Data::Forward(forward) => Some(format!("{forward}\r\n")),
            _ => None,
        };
        if let (Some(_), Self::Same) = (&line, &self) {
            let snapshot = lines.screen().snapshot();
            *self = snapshot.map_or(Self::Lost, |now| Self::Own(Box::new(Screen::restore(&now))));
        }
        let Self::Own(screen) = self else {
            return;
        };
        match (data, line) {
            (_, Some(line)) => screen.feed(line.as_bytes()),
            (Data::Bytes(Stream::Output | Stream::ErrorOutput, bytes), _) => screen.feed(bytes),
            (Data::Resize(size), _) => screen.resize(*size),
            _ => {}
        }
    }

    fn screen<'a>(&'a self, lines: &'a Lines) -> Option<&'a Screen> {
        match self {
            Self::Same => Some(lines.screen()),
            Self::Own(screen) => Some(screen),
            Self::Lost => None,
        }
    }
}

/// The blocks of an index, one after the other.
struct Blocks<'a> {
    file: File,
    vault: Option<&'a Vault>,
    most: u64,
    bytes: u64,
    tree: Tree,
    text: Vec<u8>,
    /// What the next line's time is told from; every block begins at zero, so that each can be read alone.
    at_us: u64,
    /// The first thing that went wrong: nothing is taken any more.
    failed: Option<IndexError>,
}

impl Blocks<'_> {
    fn take(&mut self, line: &Line) {
        if self.failed.is_some() {
            return;
        }
        let since = i128::from(line.at_us) - i128::from(self.at_us);
        self.at_us = line.at_us;
        let letter = letter(line.from);
        // A vector takes everything.
        let _ = writeln!(self.text, "{since} {letter} {}", line.text);
        if self.text.len() >= BLOCK {
            self.failed = self.flush().err();
        }
    }

    /// Keeps the screen at the beginning of a chunk, unless it stands in the middle of an endless control sequence.
    fn screen(&mut self, chunk: usize, screen: Option<&Screen>) -> Result<(), IndexError> {
        let Some(snapshot) = screen.and_then(Screen::snapshot) else {
            return Ok(());
        };
        let mut body = frame::compress(&snapshot.to_bytes(), Effort::Small)?;
        if let Some(vault) = self.vault {
            body = vault.close_block(self.tree.size(), &body)?;
        }
        let stored = frame::screen(&[chunk_line(chunk).as_bytes(), &body].concat());
        self.tree.push(leaf_hash(&stored));
        self.put(&stored)
    }

    fn check(&mut self) -> Result<(), IndexError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        if self.text.len() > limits::FRAME_MAX_BYTES {
            return Err(IndexError::Large);
        }
        if self.text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        self.at_us = 0;
        let mut stored = frame::compress(&text, Effort::Small)?;
        if let Some(vault) = self.vault {
            let body = vault.close_block(self.tree.size(), &stored)?;
            stored = Encrypted::new(Holds::Lines, &[], &body).stored;
        }
        self.tree.push(leaf_hash(&stored));
        self.put(&stored)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.most {
            return Err(IndexError::Large);
        }
        Ok(self.file.write_all(bytes)?)
    }
}
