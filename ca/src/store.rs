//! The state store: what the log says, in a form that other tools can look up.
//!
//! It is derived: nothing is decided on its word, and a start that finds it behind, different or
//! unreadable makes it again from the log.

use std::fs;
use std::path::{Path, PathBuf};

use record::log::Position;

use crate::state::Rows;

/// A place for rows that are derived from the log.
///
/// * **Order.** The desk calls [`Store::commit`] once for each batch of the log's lines, in the log's order, after the batch
///   is durable there. One caller at a time writes; any may read meanwhile, and reads what was committed.
/// * **Atomicity.** A commit's rows and its position appear together or not at all, to readers and after a crash.
/// * **Durability.** A commit may be lost at a crash, from the end: what is found then is an earlier
///   state with its own position. It never has a position that was not committed. A start compares and mends.
/// * **Errors.** After any error of a write the desk answers nobody until a restart; the store need not know what was kept.
pub(crate) trait Store: Send + Sync {
    /// The position in the log that the rows reflect; none if there is none, or it is being made again.
    fn position(&self) -> Result<Option<Position>, StoreError>;

    /// How many rows there are.
    fn count(&self) -> Result<u64, StoreError>;

    /// One row.
    fn row(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Hands over the rows whose keys begin with this, the last ones first, until it is told to stop.
    fn last(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), StoreError>;

    /// Puts these rows, and says that the store reflects this position.
    fn commit(&self, position: Position, rows: Rows) -> Result<(), StoreError>;

    /// Removes everything, so that it can be made again: by [`Store::fill`] in parts, and a commit in the end.
    fn clear(&self) -> Result<(), StoreError>;

    /// Puts these rows, and says nothing of what the store reflects.
    fn fill(&self, rows: Rows) -> Result<(), StoreError>;
}

/// The store failed: its disk's fault, or its own.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What sled says.
    #[error("the state store: {0}")]
    Sled(#[from] sled::Error),
    /// A row or the position cannot be read or written.
    #[error("the state store: {0}")]
    Row(#[from] serde_json::Error),
    /// A broken store could not be set aside.
    #[error("{}: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

const POSITION: &str = "position";

/// Bytes of rows that are kept in memory: history is looked up rarely.
const CACHE_BYTES: u64 = 16 << 20;

/// sled 0.34, for one CA without any set-up.
pub(crate) struct Sled {
    tree: sled::Db,
}

impl Sled {
    /// Opens or makes the store; one that does not open is set aside as `….broken`, and an empty one made.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let configured = || {
            sled::Config::new()
                .path(dir)
                .flush_every_ms(Some(500))
                .cache_capacity(CACHE_BYTES)
                .open()
        };
        let tree = match configured() {
            Ok(tree) => tree,
            Err(why) => {
                tracing::warn!(%why, "the state store does not open: it is set aside and made again from the log");
                set_aside(dir)?;
                configured()?
            }
        };
        Ok(Self { tree })
    }
}

fn set_aside(dir: &Path) -> Result<(), StoreError> {
    let aside = dir.with_extension("broken");
    let io = |source| StoreError::Io {
        path: dir.to_owned(),
        source,
    };
    match fs::symlink_metadata(&aside) {
        Ok(old) if old.is_dir() => fs::remove_dir_all(&aside).map_err(io)?,
        Ok(_) => fs::remove_file(&aside).map_err(io)?,
        Err(_) => {}
    }
    fs::rename(dir, &aside).map_err(io)
}

fn batch(rows: Rows) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for (key, value) in rows {
        batch.insert(key.as_bytes(), value);
    }
    batch
}

impl Store for Sled {
    fn position(&self) -> Result<Option<Position>, StoreError> {
        let held = self.tree.get(POSITION)?;
        let read = held.map(|held| serde_json::from_slice(&held));
        Ok(read.transpose()?)
    }

    fn count(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for key in self.tree.iter().keys() {
            count += u64::from(key?.as_ref() != POSITION.as_bytes());
        }
        Ok(count)
    }

    fn row(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tree.get(key)?.map(|value| value.to_vec()))
    }

    fn last(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        for row in self.tree.scan_prefix(prefix).rev() {
            let (key, value) = row?;
            if !each(&String::from_utf8_lossy(&key), &value) {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, position: Position, rows: Rows) -> Result<(), StoreError> {
        let mut batch = batch(rows);
        batch.insert(POSITION, serde_json::to_vec(&position)?);
        Ok(self.tree.apply_batch(batch)?)
    }

    fn clear(&self) -> Result<(), StoreError> {
        // Without a position first: whatever of the rest is left at a crash is not believed.
        self.tree.remove(POSITION)?;
        self.tree.flush()?;
        self.tree.clear()?;
        Ok(())
    }

    fn fill(&self, rows: Rows) -> Result<(), StoreError> {
        Ok(self.tree.apply_batch(batch(rows))?)
    }
}
