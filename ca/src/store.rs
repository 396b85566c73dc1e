//! The state store: what is over, and has left the memory.
//!
//! ```text
//! DIR/rows     each row as a line: its key, a space, its JSON; in the order in which the log let go of them
//! DIR/places   redb: where each row stands, and the position in the log that all of it reflects
//! ```
//!
//! It is derived: a start that finds it behind, different or damaged makes it again from the log, before anything is
//! decided on what it says. Which bytes `rows` has follows from the log alone, so that a start compares them as they come,
//! and looks nothing up.
//!
//! * [`shelf`]: the two files; [`places`]: the index, kept behind by a thread of its own.
//! * [`inventory`]: how they are held against the log.

mod inventory;
mod places;
mod shelf;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use record::log::Position;

use crate::state::Rows;

pub(crate) use shelf::Shelf;

/// A place for rows that are derived from the log.
///
/// * **Order.** The desk calls [`Store::commit`] once for each batch of the log's lines, in the log's order, after the batch
///   is durable there. One caller at a time writes; any may read meanwhile, and reads what was committed.
/// * **Atomicity.** Readers see a commit's rows together or not at all.
/// * **Durability.** Commits may be lost at a crash, from the end: what is found then is an earlier state, perhaps with
///   rows behind it that its position does not reflect. It never has a position that was not committed, nor one that
///   reflects rows that it does not have. A start compares and mends.
/// * **Errors.** After any error of a write the desk answers nobody until a restart; the store need not know what was
///   kept. An error may come as late as the next write.
pub(crate) trait Store: Send + Sync {
    /// The position in the log that the rows reflect; none if there is none, or it is being made again.
    fn position(&self) -> Result<Option<Position>, StoreError>;

    /// One row.
    fn row(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Hands over the rows whose keys begin with this, the last ones first, until it is told to stop.
    fn last(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), StoreError>;

    /// Puts these rows behind the others, and says that the store reflects this position.
    fn commit(&self, position: Position, rows: Rows) -> Result<(), StoreError>;

    /// Begins to hold the rows against those that follow from the log. Nobody else uses the store meanwhile.
    fn inventory(&self) -> Result<Box<dyn Inventory + '_>, StoreError>;

    /// Removes everything, so that it can be made again: by [`Store::fill`] in parts, and a commit in the end.
    fn clear(&self) -> Result<(), StoreError>;

    /// Puts these rows, and says nothing of what the store reflects.
    fn fill(&self, rows: Rows) -> Result<(), StoreError>;
}

/// A store that is held against the log.
pub(crate) trait Inventory {
    /// The row that the log has next. Says whether the store has no other one in its place; one that it does not have
    /// yet is put there.
    fn next(&mut self, key: &str, value: &[u8]) -> Result<bool, StoreError>;

    /// The log has no more rows. Says whether the store has none either, and finds each of them by its key.
    fn whole(self: Box<Self>) -> Result<bool, StoreError>;
}

/// The store failed: its disk's fault, or its own.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What redb says.
    #[error("the state store: {0}")]
    Places(Box<redb::Error>),
    /// A row or the position cannot be read or written.
    #[error("the state store: {0}")]
    Row(#[from] serde_json::Error),
    /// A row is not where it should stand.
    #[error("the state store: a row is not where it should stand")]
    Lost,
    /// An earlier write failed: what is there is unknown until a restart.
    #[error("the state store: an earlier write failed")]
    Failed,
    /// The process that had the index open before, or another one, still has.
    #[error("{}: another process has the state store open: start again when it has ended", .0.display())]
    Busy(PathBuf),
    /// The system gives it no thread, its file of rows cannot be read or written, or a broken store not be set aside.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl StoreError {
    /// Whether it is what the store's files say that cannot be right. They are worth nothing then; after any other error,
    /// what they say may be right.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Places(why) => match &**why {
                redb::Error::Io(source) => is_damage(source),
                redb::Error::Corrupted(_)
                | redb::Error::UpgradeRequired(_)
                | redb::Error::TableTypeMismatch { .. }
                | redb::Error::TableIsMultimap(_)
                | redb::Error::TypeDefinitionChanged { .. } => true,
                _ => false,
            },
            Self::Io { source, .. } => is_damage(source),
            Self::Row(_) | Self::Lost => true,
            Self::Failed | Self::Busy(_) => false,
        }
    }
}

fn is_damage(source: &std::io::Error) -> bool {
    matches!(
        source.kind(),
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof
    )
}

fn failed(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
