//! Reads an index, after it was found to be the bastion's.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::Arc;

use config::limits;

use super::super::crypt::Vault;
use super::super::frame::{self, Stored, Trailer};
use super::super::reader::{ReadError, ReadState, Reader};
use super::super::recover::open_plain;
use super::super::verify::Trusted;
use super::{of_letter, origin, path, preamble};
use crate::checkpoint::{Checkpoint, NAMESPACE};
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
        // It knows what was shown, and nothing of what was masked.
        if reader.state() != ReadState::Finished || reader.is_unmasked() {
            return None;
        }
        let bastion = reader.header().bastion.as_str();
        let keys: Vec<_> = trusted.keys(bastion).collect();
        if keys.is_empty() {
            return None;
        }
        let bytes = bytes(reader)?;
        let (blocks, tree, trailer) = split(&bytes)?;
        let text = &trailer.checkpoint;
        sshsig::verify(keys, NAMESPACE, text.as_bytes(), &trailer.signature).ok()?;
        let said = Checkpoint::parse(text).ok()?;
        let end_us = u64::try_from(reader.duration().as_micros()).unwrap_or(u64::MAX);
        let fits = said.size == tree.size()
            && said.root == tree.root()
            && (trailer.from_us, trailer.to_us) == (0, end_us)
            && said.origin == origin(reader.session(), &reader.root().ok()?);
        fits.then(|| Self {
            blocks,
            vault: reader.vault_too(),
        })
    }

    /// Tells the lines in their order, until somebody has heard enough.
    pub fn lines(&self, tell: &mut dyn FnMut(&Line) -> ControlFlow<()>) -> Result<(), ReadError> {
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

    /// Keeps the screens, and lets the lines go.
    pub fn into_screens(mut self) -> Screens {
        self.blocks
            .retain(|block| matches!(block, Block::Screen(..)));
        Screens(self)
    }
}

impl Screens {
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

/// All that an index's file holds.
fn bytes(reader: &Reader) -> Option<Vec<u8>> {
    let path = path(reader.dir(), reader.session());
    let file = open_plain(&path, OpenOptions::new().read(true)).ok()?;
    let mut bytes = Vec::new();
    file.take(limits::INDEX_BYTES + 1)
        .read_to_end(&mut bytes)
        .ok()?;
    (bytes.len() as u64 <= limits::INDEX_BYTES).then_some(bytes)
}

/// The blocks, the tree over them, and what is said of it behind.
fn split(bytes: &[u8]) -> Option<(Vec<Block>, Tree, Trailer)> {
    let mut from = bytes.strip_prefix(preamble().as_slice())?;
    let (mut blocks, mut tree) = (Vec::new(), Tree::new());
    loop {
        let number = tree.size();
        if let Some((payload, rest)) = frame::next_screen(from) {
            tree.push(leaf_hash(&frame::screen(payload)));
            let at = payload.iter().position(|byte| *byte == b'\n')?;
            let (line, body) = payload.split_at_checked(at + 1)?;
            let chunk = std::str::from_utf8(line).ok()?.trim_end().parse().ok()?;
            blocks.push(Block::Screen(number, chunk, body.to_vec()));
            from = rest;
            continue;
        }
        let stored = match frame::read_frame(&mut from).ok()?? {
            Stored::Lines(stored) => stored,
            Stored::Encrypted(frame) => frame.stored,
            Stored::Trailer(payload) if from.is_empty() => {
                return Some((blocks, tree, Trailer::parse(&payload)?));
            }
            _ => return None,
        };
        tree.push(leaf_hash(&stored));
        blocks.push(Block::Lines(number, stored));
    }
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
