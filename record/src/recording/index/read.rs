//! Reads an index, after it was found to be the bastion's.

use std::fs::{File, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use config::limits;

use super::super::crypt::Vault;
use super::super::frame::{self, Passed, Stored, Trailer, Walk};
use super::super::reader::{ReadError, ReadState, Reader};
use super::super::recover::open_plain;
use super::super::verify::Trusted;
use super::{of_letter, origin, path, preamble};
use crate::checkpoint::{Checkpoint, NAMESPACE};
use crate::cores;
use crate::lines::{From, Line};
use crate::screen::Snapshot;
use crate::sshsig;
use crate::tree::{Tree, leaf_hash};

/// The lines and screens of a recording, as one of the bastions that are trusted has signed them.
#[derive(Debug)]
pub struct Index {
    blocks: Vec<Block>,
    vault: Option<Arc<Vault>>,
}

/// The screens of a recording, as one of the bastions that are trusted has signed them.
#[derive(Debug)]
pub struct Screens(Index);

/// A frame of an index, after its place there.
#[derive(Debug)]
enum Block {
    /// All of its stored bytes.
    Lines(u64, Vec<u8>),
    /// Of which chunk it is the beginning, and what follows the line that says so.
    Screen(u64, usize, Vec<u8>),
}

impl Index {
    /// The index of a recording, if it has one that can be believed: a bastion's key that is trusted for what the recording's
    /// header names has signed it, and for exactly the frames that lie there. None in every other case, whatever is
    /// wrong: then the recording itself says what it holds.
    pub fn of(reader: &Reader, trusted: &Trusted) -> Option<Self> {
        Self::with(reader, trusted, |_| true)
    }

    /// The same, of which only those frames are kept. All of them are checked.
    fn with(reader: &Reader, trusted: &Trusted, keep: fn(&Frame) -> bool) -> Option<Self> {
        // It knows what was shown, and nothing of what was masked.
        if reader.state() != ReadState::Finished || reader.is_unmasked() {
            return None;
        }
        let bastion = reader.header().bastion.as_str();
        let keys: Vec<_> = trusted.keys(bastion).collect();
        if keys.is_empty() {
            return None;
        }
        let path = path(reader.dir(), reader.session());
        let file = open_plain(&path, OpenOptions::new().read(true)).ok()?;
        let (count, trailer) = counted(&file)?;
        let text = &trailer.checkpoint;
        sshsig::verify(keys, NAMESPACE, text.as_bytes(), &trailer.signature).ok()?;
        let said = Checkpoint::parse(text).ok()?;
        let end_us = u64::try_from(reader.duration().as_micros()).unwrap_or(u64::MAX);
        // Anybody can copy what was signed behind millions of frames that hold nothing: nothing is kept of them before.
        let fits = said.size == count
            && (trailer.from_us, trailer.to_us) == (0, end_us)
            && said.origin == origin(reader.session(), &reader.root().ok()?);
        if !fits {
            return None;
        }
        let (tree, blocks) = checked(&file, &frames(&file, count)?, keep)?;
        let fits = said.size == tree.size() && said.root == tree.root();
        fits.then(|| Self {
            blocks,
            vault: reader.vault_too(),
        })
    }

    /// Tells the lines in their order, until somebody has heard enough.
    pub fn lines(&self, tell: &mut dyn FnMut(&Line) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.lines_of(&mut |_| true, tell)
    }

    /// The same, of those blocks alone whose text is wanted. It is what FORMAT.md says of a block: each of its lines, and before
    /// it its time and its kind.
    pub fn lines_of(
        &self,
        wanted: &mut dyn FnMut(&str) -> bool,
        tell: &mut dyn FnMut(&Line) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut line = Line {
            at_us: 0,
            from: From::Screen,
            text: String::new(),
        };
        for block in &self.blocks {
            let Block::Lines(number, stored) = block else {
                continue;
            };
            let text = self.text(*number, stored);
            let text = text.ok_or_else(|| damaged("a block of its index does not open"))?;
            if !wanted(&text) {
                continue;
            }
            line.at_us = 0;
            for written in text.split_terminator('\n') {
                read_line(written, &mut line)
                    .ok_or_else(|| damaged("its index holds something that is no line"))?;
                if tell(&line).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn text(&self, number: u64, stored: &[u8]) -> Option<String> {
        let bytes = match &self.vault {
            None => frame::decompress(stored).ok()?,
            Some(vault) => {
                let frame = frame::encrypted(stored)?;
                frame::decompress(&vault.open_block(number, frame.payload())?).ok()?
            }
        };
        String::from_utf8(bytes).ok()
    }
}

impl Screens {
    /// The screens of a recording's index, where [`Index::of`] believes it. Its lines are checked as well, and not kept.
    pub fn of(reader: &Reader, trusted: &Trusted) -> Option<Self> {
        Index::with(reader, trusted, |frame| frame.screen).map(Self)
    }

    /// The last screen that is known at or before the beginning of a chunk of the recording, and of which chunk it is the
    /// beginning. What a replay shows there; at the beginning of the first chunk, it is blank, and stands in no index.
    pub fn before(&self, chunk: usize) -> Option<(usize, Snapshot)> {
        let known = self.0.blocks.iter().rev().filter_map(|block| match block {
            Block::Screen(number, at, body) if *at <= chunk => Some((*number, *at, body)),
            _ => None,
        });
        known
            .take(1)
            .find_map(|(number, at, body)| Some((at, self.screen(number, body)?)))
    }

    fn screen(&self, number: u64, body: &[u8]) -> Option<Snapshot> {
        let bytes = match &self.0.vault {
            None => frame::decompress(body).ok()?,
            Some(vault) => frame::decompress(&vault.open_block(number, body)?).ok()?,
        };
        Snapshot::from_bytes(&bytes)
    }
}

fn damaged(why: &str) -> ReadError {
    ReadError::Damaged(why.into())
}

/// Where a frame of lines or a screen lies in an index.
struct Frame {
    screen: bool,
    offset: u64,
    stored: usize,
}

/// How many frames there are, and what is said of them behind.
fn counted(file: &File) -> Option<(u64, Trailer)> {
    let mut count = 0;
    let trailer = passed(file, &mut |_| {
        count += 1;
        Some(())
    })?;
    Some((count, trailer))
}

/// Where the frames are, if there are no more than that now.
fn frames(file: &File, most: u64) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    passed(file, &mut |frame| {
        frames.push(frame);
        (frames.len() as u64 <= most).then_some(())
    })?;
    Some(frames)
}

/// Goes over the frames for as long as each is taken, up to what is said of them behind.
fn passed(file: &File, take: &mut dyn FnMut(Frame) -> Option<()>) -> Option<Trailer> {
    let preamble = preamble();
    let mut begin = vec![0; preamble.len()];
    file.read_exact_at(&mut begin, 0).ok()?;
    if begin != preamble {
        return None;
    }
    let mut offset = preamble.len() as u64;
    let mut walk = Walk::from(file.try_clone().ok()?, offset).ok()?;
    loop {
        let (screen, stored) = match walk.pass().ok()?? {
            Passed::Lines(stored) => (false, stored),
            Passed::Screen(stored) => (true, stored),
            Passed::Other(Stored::Trailer(payload)) => {
                let last = walk.pass().ok()?.is_none();
                return last.then(|| Trailer::parse(&payload))?;
            }
            Passed::Other(_) => return None,
        };
        take(Frame {
            screen,
            offset,
            stored,
        })?;
        offset += stored as u64;
        if offset > limits::INDEX_BYTES {
            return None;
        }
    }
}

/// Reads and hashes the frames, on all cores: the tree over them, and those that are kept.
fn checked(file: &File, frames: &[Frame], keep: fn(&Frame) -> bool) -> Option<(Tree, Vec<Block>)> {
    let read = cores::each(frames.len(), |n| {
        let frame = frames.get(n)?;
        let mut stored = vec![0; frame.stored];
        file.read_exact_at(&mut stored, frame.offset).ok()?;
        let leaf = leaf_hash(&stored);
        let block = keep(frame).then(|| block(n, frame.screen, stored));
        Some((leaf, block))
    });
    let (mut tree, mut blocks) = (Tree::new(), Vec::new());
    for frame in read {
        let (leaf, block) = frame?;
        tree.push(leaf);
        if let Some(block) = block {
            blocks.push(block?);
        }
    }
    Some((tree, blocks))
}

fn block(number: usize, screen: bool, stored: Vec<u8>) -> Option<Block> {
    let number = number as u64;
    if !screen {
        return Some(Block::Lines(number, stored));
    }
    let payload = frame::screen_payload(&stored)?;
    let at = payload.iter().position(|byte| *byte == b'\n')?;
    let (line, body) = payload.split_at_checked(at + 1)?;
    let chunk = std::str::from_utf8(line).ok()?.trim_end().parse().ok()?;
    Some(Block::Screen(number, chunk, body.to_vec()))
}

/// `SINCE LETTER TEXT`, onto the line before it.
fn read_line(written: &str, line: &mut Line) -> Option<()> {
    let (since, rest) = written.split_once(' ')?;
    let (letter, text) = rest.split_at_checked(2)?;
    let [letter, b' '] = letter.as_bytes() else {
        return None;
    };
    let since: i64 = since.parse().ok()?;
    line.at_us = line.at_us.checked_add_signed(since)?;
    line.from = of_letter(*letter)?;
    line.text.clear();
    line.text.push_str(text);
    Some(())
}
