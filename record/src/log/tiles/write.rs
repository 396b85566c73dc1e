//! Publishing: from the log's own files to tiles, a step at a time.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ssh_key::PublicKey;

use super::super::chain::{Anchors, Chain};
use super::super::{LINE_BYTES, LogError, NOTE, failed, signed};
use super::path::{Kind, Tile};
use super::{CHECKPOINT, HASH_BYTES, WIDTH};
use crate::checkpoint::Checkpoint;
use crate::checkpoint::note::NOTE_BYTES;
use crate::entry::Line;
use crate::lock;
use crate::tree::{Hash, Tree, leaf_hash};

/// Why a log is not published further. What was published before stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log or the disk is at fault.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another process publishes to the same directory.
    #[error("{}: another process publishes to this directory", .0.display())]
    Locked(PathBuf),
    /// The log has no note yet.
    #[error("{}: has no checkpoint.note: it is written when the CA starts", .0.display())]
    NoNote(PathBuf),
    /// The log has gone back behind what was published.
    #[error(
        "ALARM: {}: {had} entries are published, and the log has {has}: it was rolled back; keep both, and find out who did it", dir.display()
    )]
    RolledBack {
        /// The published directory.
        dir: PathBuf,
        /// How many entries are published.
        had: u64,
        /// How many the log vouches for.
        has: u64,
    },
    /// What was published is of another log, or of another branch of this one.
    #[error("ALARM: {}: is not what the log says at this place: one of the two was altered; keep both, and find out who did it", .0.display())]
    Other(PathBuf),
}

/// The one writer of a published directory. It holds a lock on it, and memory for one tile a level.
pub struct Publisher {
    log: PathBuf,
    out: PathBuf,
    anchors: Vec<PublicKey>,
    /// The log's own keys so far: who has to sign follows from it, also when another key has come while this runs.
    chain: Chain,
    entries: BufReader<File>,
    tree: Tree,
    /// The hashes of each level that make no full tile yet.
    levels: Vec<Vec<Hash>>,
    /// The entries of the last bundle, as long as it is not full.
    bundle: Vec<u8>,
    /// What the published checkpoint says, until the log has been followed as far.
    published: Option<Checkpoint>,
    _lock: File,
}

/// How far the tiles reach now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    /// The note that they belong to: what to write as the checkpoint, with or without cosignatures.
    pub note: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl Publisher {
    /// Begins to follow the log in `log` from its first line, to publish it in `out`. Tiles that are there already are
    /// held against it, and not written again.
    pub fn open(
        log: &Path,
        out: &Path,
        key: &(impl Anchors + ?Sized),
    ) -> Result<Self, PublishError> {
        fs::create_dir_all(out).map_err(|e| failed(out, e))?;
        let path = out.join(".lock");
        let mut options = fs::OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|e| failed(&path, e))?;
        if !lock::alone(&lock).map_err(|e| failed(&path, e))? {
            return Err(PublishError::Locked(out.to_owned()));
        }
        let path = log.join("entries");
        let entries = File::open(&path).map_err(|e| failed(&path, e))?;
        Ok(Self {
            log: log.to_owned(),
            out: out.to_owned(),
            anchors: key.keys().to_vec(),
            chain: Chain::default(),
            entries: BufReader::new(entries),
            tree: Tree::new(),
            levels: Vec::new(),
            bundle: Vec::new(),
            published: published(out)?,
            _lock: lock,
        })
    }

    /// Writes every tile of the log's newest note. After an error nothing of it counts: a new [`Publisher`] begins again.
    ///
    /// The checkpoint is not replaced yet, so that readers see the old tree, whose tiles are all still there, until
    /// [`Self::put_checkpoint`].
    pub fn advance(&mut self) -> Result<Advanced, PublishError> {
        let claimed = signed::stored_note(&self.log)?;
        let claimed = claimed.ok_or_else(|| PublishError::NoNote(self.log.clone()))?;
        let has = claimed.said.size;
        let had = self.published.as_ref().map_or(0, |said| said.size);
        if has < had || has < self.tree.size() {
            return Err(PublishError::RolledBack {
                dir: self.out.clone(),
                had: had.max(self.tree.size()),
                has,
            });
        }
        self.hold()?;
        while self.tree.size() < has {
            let line = self.line()?;
            self.push(&line)?;
            self.hold()?;
        }
        let note = claimed
            .by(&self.chain.signers(has, &self.anchors))
            .map_err(|what| LogError::Checkpoint {
                path: self.log.join(NOTE),
                what,
            })?;
        if self.tree.root() != note.said.root {
            let path = self.log.join("entries");
            return Err(LogError::Forked { path, size: has }.into());
        }
        self.partials()?;
        Ok(Advanced {
            note: note.text,
            checkpoint: note.said,
        })
    }

    /// Replaces the published checkpoint: by the note of the last [`Self::advance`], or by that note with more signatures.
    pub fn put_checkpoint(&mut self, note: &str) -> Result<(), PublishError> {
        // If we die before, the tiles are ahead of the checkpoint: the next run finds them as they have to be.
        self.replace(CHECKPOINT, note.as_bytes(), false)
    }

    /// When the log has been followed as far as what is published: they have to be the same.
    fn hold(&mut self) -> Result<(), PublishError> {
        let same = |said: &Checkpoint| said.root == self.tree.root();
        match &self.published {
            Some(said) if said.size == self.tree.size() && !same(said) => {
                Err(PublishError::Other(self.out.join(CHECKPOINT)))
            }
            Some(said) if said.size == self.tree.size() => {
                self.published = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn line(&mut self) -> Result<Vec<u8>, PublishError> {
        let path = self.log.join("entries");
        let mut bytes = Vec::new();
        let mut part = (&mut self.entries).take(LINE_BYTES as u64 + 1);
        part.read_until(b'\n', &mut bytes)
            .map_err(|e| failed(&path, e))?;
        if bytes.pop_if(|last| *last == b'\n').is_none() {
            let what = "is not ended, and the checkpoint vouches for it".to_owned();
            let line = self.tree.size() + 1;
            return Err(LogError::Line { path, line, what }.into());
        }
        Ok(bytes)
    }

    /// Follows the log's own keys, of which few lines speak.
    fn follow(&mut self, line: &[u8]) -> Result<(), LogError> {
        let text = str::from_utf8(line).unwrap_or_default();
        if !text.contains("\"keys\":{") {
            return Ok(());
        }
        let size = self.tree.size() + 1;
        let followed = Line::parse(text).map_err(|e| e.to_string());
        let followed = followed.and_then(|line| {
            let followed = self.chain.take(&line.entry, size);
            followed.map_err(|e| e.to_string())
        });
        followed.map_err(|what| LogError::Line {
            path: self.log.join("entries"),
            line: size,
            what,
        })
    }

    fn push(&mut self, line: &[u8]) -> Result<(), PublishError> {
        self.follow(line)?;
        let length = u16::try_from(line.len()).map_err(|_| LogError::Line {
            path: self.log.join("entries"),
            line: self.tree.size() + 1,
            what: "is longer than a bundle of entries can say".to_owned(),
        })?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(line);
        let leaf = leaf_hash(line);
        self.tree.push(leaf);
        if self.tree.size().is_multiple_of(u64::from(WIDTH)) {
            let tile = self.last(Kind::Entries, 0).full();
            let bundle = std::mem::take(&mut self.bundle);
            self.put_full(tile, &bundle)?;
        }
        self.push_hash(0, leaf)
    }

    /// Adds a hash to a level; a level that is full becomes a tile, and one hash of the level above.
    fn push_hash(&mut self, level: u8, hash: Hash) -> Result<(), PublishError> {
        let (mut level, mut hash) = (level, hash);
        loop {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(at) else {
                return Ok(());
            };
            hashes.push(hash);
            if hashes.len() < usize::from(WIDTH) {
                return Ok(());
            }
            let full = std::mem::take(hashes);
            let tile = self.last(Kind::Hashes(level), level).full();
            self.put_full(tile, &joined(&full))?;
            let mut subtree = Tree::new();
            for one in full {
                subtree.push(one);
            }
            hash = subtree.root();
            level += 1;
        }
    }

    /// The last tile of a level that any leaf of the tree stands under; its width is what makes it partial.
    const fn last(&self, kind: Kind, level: u8) -> Tile {
        let shift = 8 * level as u32;
        let nodes = match self.tree.size().checked_shr(shift) {
            Some(nodes) => nodes,
            None => 0,
        };
        let (index, width) = if nodes % 256 == 0 && nodes > 0 {
            (nodes / 256 - 1, WIDTH)
        } else {
            (nodes / 256, (nodes % 256) as u16)
        };
        Tile { kind, index, width }
    }

    fn partials(&self) -> Result<(), PublishError> {
        if !self.bundle.is_empty() {
            let path = self.last(Kind::Entries, 0).to_string();
            self.put(&path, &self.bundle, false)?;
        }
        for (level, hashes) in self.levels.iter().enumerate() {
            if hashes.is_empty() {
                continue;
            }
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            let path = self.last(Kind::Hashes(level), level).to_string();
            self.put(&path, &joined(hashes), false)?;
        }
        Ok(())
    }

    /// A full tile is forever; the partial ones of its place are not needed any more.
    fn put_full(&self, tile: Tile, bytes: &[u8]) -> Result<(), PublishError> {
        self.put(&tile.to_string(), bytes, true)?;
        let partials = self.out.join(tile.partials());
        match fs::remove_dir_all(&partials) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(&partials, e).into()),
            _ => Ok(()),
        }
    }

    /// Puts a file where none is, and holds it against the one that is.
    fn put(&self, path: &str, bytes: &[u8], durable: bool) -> Result<(), PublishError> {
        let full = self.out.join(path);
        match read_most(&full, bytes.len() + 1) {
            Ok(there) if there == bytes => Ok(()),
            // A power cut can leave a file without its bytes: those that are forever are synced, and never empty.
            Ok(there) if there.is_empty() => self.replace(path, bytes, durable),
            Ok(_) => Err(PublishError::Other(full)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.replace(path, bytes, durable),
            Err(e) => Err(failed(&full, e).into()),
        }
    }

    /// Puts a whole file in place of another, so that readers see the one or the other.
    fn replace(&self, path: &str, bytes: &[u8], durable: bool) -> Result<(), PublishError> {
        let (new, full) = (self.out.join(".new"), self.out.join(path));
        let written = full.parent().map_or(Ok(()), fs::create_dir_all);
        let written = written.and_then(|()| {
            let mut file = File::create(&new)?;
            file.write_all(bytes)?;
            if durable {
                file.sync_all()?;
            }
            fs::rename(&new, &full)
        });
        written.map_err(|e| failed(&full, e).into())
    }
}

/// What the published checkpoint says. Its signature is not asked for: it is our own directory, and the roots decide.
fn published(out: &Path) -> Result<Option<Checkpoint>, PublishError> {
    let path = out.join(CHECKPOINT);
    let bytes = match read_most(&path, NOTE_BYTES + 1) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&path, e).into()),
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    let body = text.split_inclusive("\n\n").next().unwrap_or_default();
    let body = body.strip_suffix('\n').unwrap_or_default();
    let said = Checkpoint::parse(body);
    said.map(Some).map_err(|_| PublishError::Other(path))
}

fn read_most(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(most as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn joined(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}
