//! A log as an auditor sees it: what its checkpoints prove to somebody who was not there.

use std::fmt::Write as _;
use std::path::Path;

use ssh_key::PublicKey;

use super::chain::{Anchors, Chain, fingerprint};
use super::read::{self, Read};
use super::signed::{Claimed, Signed};
use super::tiles::{self, Source};
use super::{LogError, Position};
use crate::checkpoint::Checkpoint;
use crate::entry::Line;
use crate::tree::Hash;
use crate::tree::proof::{self, ProofError};

/// The first line of a [C2SP tlog-proof](https://c2sp.org/tlog-proof).
const TLOG_PROOF: &str = "c2sp.org/tlog-proof@v1";

/// A log that was read whole, every check included, with the hashes that proofs are made of: 32 bytes a line.
pub struct LogView {
    leaves: Vec<Hash>,
    checkpoint: Option<Signed>,
    note: Option<Signed>,
    chain: Chain,
    anchors: Vec<PublicKey>,
}

/// Why a log proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The log has no signed note, because an older version wrote it.
    #[error("the log has no checkpoint.note: it is written when the CA starts")]
    NoNote,
    /// The log has no signed checkpoint.
    #[error("the log is empty: nothing is signed yet")]
    Empty,
    /// The entry stands behind the newest checkpoint.
    #[error("entry {index} is newer than the checkpoint, which has {size}: try again in a moment")]
    NotYet {
        /// The entry's index, counted from zero.
        index: u64,
        /// How many entries the checkpoint covers.
        size: u64,
    },
    /// What was kept of the log is not a checkpoint that its key has signed.
    #[error(
        "ALARM: the checkpoint that was kept {0}: it was altered, or this log is not the one that it was taken from"
    )]
    Kept(String),
    /// The log has fewer entries than it once had.
    #[error(
        "ALARM: the log shrank: {has} entries are signed where {had} were: keep both, and find out who has the log's key"
    )]
    Shrunk {
        /// How many entries it had.
        had: u64,
        /// How many it has.
        has: u64,
    },
    /// The log is not a continuation of what it once was.
    #[error(
        "ALARM: the log was forked: its first {had} entries are others than those that were signed: keep both, and find out who has the log's key"
    )]
    Forked {
        /// How many entries it had.
        had: u64,
    },
    /// A defect of this program: its own proof does not hold.
    #[error("a proof that was just made does not hold: {0}")]
    Proof(#[from] ProofError),
}

impl LogView {
    /// Reads and checks a log as [`super::verify_log`] does, and hands over each line with its index.
    pub fn read(
        dir: &Path,
        key: &(impl Anchors + ?Sized),
        mut each: impl FnMut(u64, Line),
    ) -> Result<Self, LogError> {
        let mut leaves = Vec::new();
        let mut index = 0;
        let read = read::read(dir, key.keys(), |line, leaf| {
            each(index, line);
            leaves.push(leaf);
            index += 1;
        })?;
        Ok(Self::of(leaves, read, key.keys()))
    }

    /// [`Self::read`] of a log that was published as tiles.
    pub fn published(
        source: &dyn Source,
        key: &(impl Anchors + ?Sized),
        mut each: impl FnMut(u64, Line),
    ) -> Result<Self, LogError> {
        let mut leaves = Vec::new();
        let mut index = 0;
        let read = tiles::read(source, key.keys(), |line, leaf| {
            each(index, line);
            leaves.push(leaf);
            index += 1;
        })?;
        Ok(Self::of(leaves, read, key.keys()))
    }

    fn of(leaves: Vec<Hash>, read: Read, anchors: &[PublicKey]) -> Self {
        Self {
            leaves,
            checkpoint: read.checkpoint,
            note: read.note,
            chain: read.chain,
            anchors: anchors.to_vec(),
        }
    }

    /// The fingerprint of the log's key of now, if it is another one than those that the log was checked against: they
    /// vouch for it.
    pub fn followed(&self) -> Option<String> {
        let current = self.chain.current()?;
        let mut known = self.anchors.iter();
        let known = known.any(|anchor| anchor.key_data() == current.key_data());
        (!known).then(|| fingerprint(current))
    }

    /// The newest checkpoint: of a published log, the note.
    fn newest(&self) -> Result<&Signed, ViewError> {
        let newest = self.checkpoint.as_ref().or(self.note.as_ref());
        newest.ok_or(ViewError::Empty)
    }

    /// What the newest checkpoint covers.
    pub fn signed(&self) -> Result<Position, ViewError> {
        let Checkpoint { size, root, .. } = self.newest()?.said;
        Ok(Position { size, root })
    }

    /// The newest note, with whatever cosignatures it has.
    pub fn note(&self) -> Result<&str, ViewError> {
        let note = self.note.as_ref().map(|note| note.text.as_str());
        note.ok_or(ViewError::NoNote)
    }

    /// The newest checkpoint with its signature: what a monitor keeps, and gives to [`Self::continues`] the next time.
    pub fn checkpoint(&self) -> Result<&str, ViewError> {
        Ok(&self.newest()?.text)
    }

    /// A proof that entry `index` stands in the log, as a [C2SP tlog-proof](https://c2sp.org/tlog-proof) under the
    /// newest note; checked before it is given.
    pub fn prove(&self, index: u64) -> Result<String, ViewError> {
        let note = self.note.as_ref().ok_or(ViewError::NoNote)?;
        let Checkpoint { size, root, .. } = note.said;
        let late = ViewError::NotYet { index, size };
        let covered = self.first(size).ok_or(ViewError::NoNote)?;
        let at = usize::try_from(index).map_err(|_| late.clone())?;
        let (Some(leaf), Some(path)) = (covered.get(at), proof::inclusion(covered, at)) else {
            return Err(late);
        };
        proof::verify_inclusion(*leaf, index, size, root, &path)?;
        let mut text = format!("{TLOG_PROOF}\nindex {index}\n");
        for hash in path {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{hash}");
        }
        Ok(text + "\n" + &note.text)
    }

    /// Whether the log is a continuation of what a checkpoint said that was kept from before, and how many entries it
    /// had then. The newer checkpoint is held against the older one by a consistency proof. The older one may be signed by
    /// any key that the log ever had: it proves nothing but what the log once said.
    pub fn continues(&self, kept: &str) -> Result<u64, ViewError> {
        let claimed = Claimed::either(kept.to_owned());
        let older = claimed.and_then(|claimed| claimed.by(&self.chain.ever(&self.anchors)));
        let older = older.map_err(ViewError::Kept)?.said;
        let newer = self.signed()?;
        let had = older.size;
        if newer.size < had {
            let has = newer.size;
            return Err(ViewError::Shrunk { had, has });
        }
        let covered = self.first(newer.size);
        let path = covered
            .zip(usize::try_from(had).ok())
            .and_then(|(covered, had)| proof::consistency(covered, had))
            .ok_or(ViewError::Forked { had })?;
        let (then, now) = ((had, older.root), (newer.size, newer.root));
        match proof::verify_consistency(then, now, &path) {
            Ok(()) => Ok(had),
            // The newer root is that of these very leaves: whichever root the proof misses, the older one is to blame.
            Err(ProofError::OlderRoot | ProofError::Root) => Err(ViewError::Forked { had }),
            Err(defect) => Err(defect.into()),
        }
    }

    fn first(&self, size: u64) -> Option<&[Hash]> {
        self.leaves.get(..usize::try_from(size).ok()?)
    }
}
