//! What the checkpoints beside a log's lines claim of them, and whether it is so.

use std::path::{Path, PathBuf};

use config::limits;
use ssh_key::PublicKey;

use crate::log::chain::Chain;
use crate::log::signed::{self, Claimed, Signed};
use crate::log::{CHECKPOINT, LogError, NOTE};
use crate::tree::{Hash, Tree};

/// What the checkpoints beside the lines claim, and what stood there when the log was so long.
pub(super) struct Claims {
    checkpoint: Option<Claimed>,
    note: Option<Claimed>,
    /// Bytes of the entries, from before the checkpoints were read.
    length: u64,
    /// The lines within those bytes.
    before: u64,
    /// The tree's root at the checkpoint's size, once it had that.
    root_then: Option<Hash>,
    /// The same of the note.
    root_noted: Option<Hash>,
}

impl Claims {
    pub(super) fn read(dir: &Path, length: u64, empty: &Tree) -> Result<Self, LogError> {
        let note = signed::stored_note(dir)?;
        let checkpoint = signed::stored_checkpoint(dir)?;
        let no_lines = |claimed: &Claimed| claimed.said.size == 0;
        Ok(Self {
            root_then: checkpoint
                .as_ref()
                .is_none_or(no_lines)
                .then(|| empty.root()),
            root_noted: note.as_ref().is_some_and(no_lines).then(|| empty.root()),
            checkpoint,
            note,
            length,
            before: 0,
        })
    }

    /// A line was taken: the tree is this, of so many bytes.
    pub(super) fn took(&mut self, tree: &Tree, good: u64) {
        let size = tree.size();
        if good <= self.length {
            self.before = size;
        }
        let says = |claimed: &Claimed| claimed.said.size == size;
        if self.checkpoint.as_ref().is_some_and(says) {
            self.root_then = Some(tree.root());
        }
        if self.note.as_ref().is_some_and(says) {
            self.root_noted = Some(tree.root());
        }
    }

    /// The checkpoint and the note, if the keys that had to sign have signed them, and they speak of these lines.
    pub(super) fn believed(
        self,
        dir: &Path,
        path: PathBuf,
        has: u64,
        chain: &Chain,
        anchors: &[PublicKey],
    ) -> Result<(Option<Signed>, Option<Signed>), LogError> {
        let checkpoint = believed(self.checkpoint, chain, anchors, dir.join(CHECKPOINT))?;
        let note = believed(self.note, chain, anchors, dir.join(NOTE))?;
        let before = self.before;
        match (
            checkpoint.as_ref().map(|signed| &signed.said),
            self.root_then,
        ) {
            (None, _) if has > 0 => {
                return Err(LogError::Checkpoint {
                    path: dir.join(CHECKPOINT),
                    what: "is missing: restore it, or keep the log as evidence".to_owned(),
                });
            }
            (Some(checkpoint), None) => {
                let size = checkpoint.size;
                return Err(LogError::Shorter { path, has, size });
            }
            (Some(checkpoint), Some(root)) if root != checkpoint.root => {
                let size = checkpoint.size;
                return Err(LogError::Forked { path, size });
            }
            (Some(checkpoint), _) if before > checkpoint.size + limits::LOG_BATCH_LINES as u64 => {
                let (has, size) = (before, checkpoint.size);
                return Err(LogError::Unvouched { path, has, size });
            }
            _ => {}
        }
        let noted = note.as_ref().map(|note| note.said.root);
        if noted.is_some_and(|root| self.root_noted != Some(root)) {
            return Err(LogError::Checkpoint {
                path: dir.join(NOTE),
                what: "speaks of another log than the one that stands here: keep both as evidence"
                    .to_owned(),
            });
        }
        Ok((checkpoint, note))
    }
}

/// A checkpoint, if it is signed by the key that had to sign it when the log was as long as it claims.
fn believed(
    claimed: Option<Claimed>,
    chain: &Chain,
    anchors: &[PublicKey],
    path: PathBuf,
) -> Result<Option<Signed>, LogError> {
    let Some(claimed) = claimed else {
        return Ok(None);
    };
    let signers = chain.signers(claimed.said.size, anchors);
    let signed = claimed.by(&signers).map(Some);
    signed.map_err(|what| LogError::Checkpoint { path, what })
}
