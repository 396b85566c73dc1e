//! Reading a published log, believing nothing of it but its signature, and that only by the keys that have to sign it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use config::limits;
use ssh_key::PublicKey;

use super::super::read::{Read, Spelling};
use super::super::signed::Claimed;
use super::super::{LINE_BYTES, LogError, failed};
use super::path::{Kind, Tile};
use super::{CHECKPOINT, HASH_BYTES, WIDTH};
use crate::checkpoint::note::NOTE_BYTES;
use crate::entry::Line;
use crate::tree::{Hash, Tree, leaf_hash, proof};

/// Where the files of a published log come from: a directory, a web server, a bucket.
///
/// `get` gives a file's bytes, whole: an answer of more than `most` bytes is an error. That a file is not there is
/// [`io::ErrorKind::NotFound`].
pub trait Source {
    /// The file at a path below the log's prefix.
    fn get(&self, path: &str, most: usize) -> io::Result<Vec<u8>>;
    /// How people call that file.
    fn place(&self, path: &str) -> PathBuf;
}

/// A published directory.
#[derive(Debug, Clone)]
pub struct Dir(pub PathBuf);

impl Source for Dir {
    fn get(&self, path: &str, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.0.join(path))?;
        file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too long"));
        }
        Ok(bytes)
    }

    fn place(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }
}

impl Dir {
    /// Whether a directory looks like a published log rather than like a log of the CA's own.
    pub fn is_published(dir: &Path) -> bool {
        dir.join("tile").is_dir() && dir.join(CHECKPOINT).exists()
    }
}

/// Reads a published log from its first entry, and holds every tile of it against its checkpoint.
pub(in super::super) fn read(
    source: &dyn Source,
    anchors: &[PublicKey],
    mut each: impl FnMut(Line, Hash),
) -> Result<Read, LogError> {
    let place = source.place(CHECKPOINT);
    let text = source.get(CHECKPOINT, NOTE_BYTES);
    let text = text.map_err(|e| failed(&place, e))?;
    let wrong = |what: &str| LogError::Checkpoint {
        path: place.clone(),
        what: what.to_owned(),
    };
    let text = String::from_utf8(text).map_err(|_| wrong("is not text"))?;
    let claimed = Claimed::note(text).map_err(|what| wrong(&what))?;
    let size = claimed.said.size;
    // It is believed at the end: a newer key than those that are known follows from the entries alone.
    if size > limits::LOG_FOLLOWED_ENTRIES && !claimed.is_by_any(anchors) {
        return Err(wrong(
            "is signed by none of the keys that it is checked against, and is too long to follow them: take the log's keys of now, from `hallpass trust`",
        ));
    }
    let mut spelling = Spelling::default();
    let (mut tree, mut leaves) = (Tree::new(), Vec::new());
    for index in 0..size.div_ceil(u64::from(WIDTH)) {
        let tile = tile_of(Kind::Entries, index, size);
        for bytes in entries(source, tile)? {
            let line = spelling
                .check(&bytes, tree.size() + 1)
                .map_err(|what| LogError::Line {
                    path: source.place(&tile.to_string()),
                    line: tree.size() + 1,
                    what,
                })?;
            let leaf = leaf_hash(&bytes);
            tree.push(leaf);
            leaves.push(leaf);
            each(line, leaf);
        }
    }
    let signers = spelling.chain.signers(size, anchors);
    let note = claimed.by(&signers).map_err(|what| wrong(&what))?;
    if tree.root() != note.said.root {
        let path = source.place("tile/entries");
        return Err(LogError::Forked { path, size });
    }
    hold_tiles(source, leaves, size)?;
    Ok(Read::published(tree, note, spelling.chain))
}

/// The proof that the tree of the first `older` entries is the beginning of the tree of `size`, from the tiles of a
/// published log. It is only as true as the tiles: whoever uses it holds it against signed roots.
pub fn consistency(source: &dyn Source, older: u64, size: u64) -> Result<Vec<Hash>, LogError> {
    proof::consistency_by(older, size, |range| root_of(source, range, size))
}

/// The root of a part of the tree, from as few hashes of tiles as it takes.
fn root_of(source: &dyn Source, range: Range<u64>, size: u64) -> Result<Hash, LogError> {
    let length = range.end - range.start;
    if !length.is_power_of_two() {
        let middle = range.start + proof::half(length);
        let left = root_of(source, range.start..middle, size)?;
        let right = root_of(source, middle..range.end, size)?;
        return Ok(crate::tree::node_hash(&left, &right));
    }
    let height = length.trailing_zeros();
    let level = height / 8;
    let first = range.start >> (8 * level);
    let count = 1_usize << (height % 8);
    let nodes = size >> (8 * level);
    let kind = Kind::Hashes(u8::try_from(level).unwrap_or(u8::MAX));
    let tile = tile_of(kind, first / u64::from(WIDTH), nodes);
    let hashes = hashes(source, tile)?;
    let from = usize::try_from(first % u64::from(WIDTH)).unwrap_or_default();
    let part = hashes.get(from..from + count);
    let part = part.ok_or_else(|| bad(source, tile, "is too short"))?;
    Ok(subtree(part))
}

fn subtree(nodes: &[Hash]) -> Hash {
    let mut tree = Tree::new();
    for node in nodes {
        tree.push(*node);
    }
    tree.root()
}

/// The tile at an index of a level that has this many nodes.
fn tile_of(kind: Kind, index: u64, nodes: u64) -> Tile {
    let left = nodes - index * u64::from(WIDTH);
    let width = u16::try_from(left).map_or(WIDTH, |left| left.min(WIDTH));
    Tile { kind, index, width }
}

/// Every tile that the checkpoint needs has to be what its entries say.
fn hold_tiles(source: &dyn Source, leaves: Vec<Hash>, size: u64) -> Result<(), LogError> {
    let (mut nodes, mut level) = (leaves, 0);
    while !nodes.is_empty() {
        let mut above = Vec::new();
        let count = size >> (8 * u32::from(level));
        for (index, part) in (0..).zip(nodes.chunks(usize::from(WIDTH))) {
            let tile = tile_of(Kind::Hashes(level), index, count);
            if hashes(source, tile)? != part {
                return Err(bad(source, tile, "has other hashes than its entries"));
            }
            if tile.is_full() {
                above.push(subtree(part));
            }
        }
        (nodes, level) = (above, level + 1);
    }
    Ok(())
}

/// A tile's bytes. Of a partial one that is gone, the full one.
fn fetch(source: &dyn Source, tile: Tile, most: usize) -> Result<Vec<u8>, LogError> {
    let failure = |tile: Tile, e| failed(&source.place(&tile.to_string()), e);
    match source.get(&tile.to_string(), most) {
        Err(e) if e.kind() == io::ErrorKind::NotFound && !tile.is_full() => {
            let full = source.get(&tile.full().to_string(), most);
            full.map_err(|_| failure(tile, e))
        }
        got => got.map_err(|e| failure(tile, e)),
    }
}

fn hashes(source: &dyn Source, tile: Tile) -> Result<Vec<Hash>, LogError> {
    let bytes = fetch(source, tile, usize::from(WIDTH) * HASH_BYTES)?;
    let (whole, rest) = bytes.as_chunks::<HASH_BYTES>();
    let width = usize::from(tile.width);
    if !rest.is_empty() || (whole.len() != width && whole.len() != usize::from(WIDTH)) {
        return Err(bad(source, tile, "is not as long as it has to be"));
    }
    let hashes = whole.iter().take(width).map(|one| Hash::from_bytes(*one));
    Ok(hashes.collect())
}

fn entries(source: &dyn Source, tile: Tile) -> Result<Vec<Vec<u8>>, LogError> {
    let short = || bad(source, tile, "is not as long as it has to be");
    let bytes = fetch(source, tile, usize::from(WIDTH) * (2 + LINE_BYTES))?;
    let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
    while entries.len() < usize::from(tile.width) {
        let (length, behind) = rest.split_first_chunk::<2>().ok_or_else(short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, behind) = behind.split_at_checked(length).ok_or_else(short)?;
        entries.push(entry.to_vec());
        rest = behind;
    }
    if tile.is_full() && !rest.is_empty() {
        return Err(short());
    }
    Ok(entries)
}

fn bad(source: &dyn Source, tile: Tile, what: &str) -> LogError {
    LogError::Tile {
        path: source.place(&tile.to_string()),
        what: what.to_owned(),
    }
}
