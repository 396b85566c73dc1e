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
/// * **Order.** The desk calls [`Store::commit`] once for each line of the log, in the log's order, after the line is
///   durable there. One caller at a time.
/// * **Atomicity.** A commit's rows and its position appear together or not at all, to readers and after a crash.
/// * **Durability.** A commit may be lost at a crash, from the end: what [`Store::load`] gives then is an earlier
///   state with its own position. It never gives a position that was not committed. A start compares and rebuilds.
/// * **Errors.** After any error the desk answers nobody until a restart; the store need not know what was kept.
pub(crate) trait Store: Send {
    /// Everything that is there, and the position in the log that it reflects; none if it is empty.
    fn load(&self) -> Result<Option<(Position, Rows)>, StoreError>;

    /// Puts these rows, and says that the store reflects this position.
    fn commit(&mut self, position: Position, rows: Rows) -> Result<(), StoreError>;

    /// Puts these rows in place of everything.
    fn replace(&mut self, position: Position, rows: Rows) -> Result<(), StoreError>;
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

fn batch(position: Position, rows: Rows) -> Result<sled::Batch, StoreError> {
    let mut batch = sled::Batch::default();
    for (key, value) in rows {
        batch.insert(key.as_bytes(), value);
    }
    batch.insert(POSITION, serde_json::to_vec(&position)?);
    Ok(batch)
}

impl Store for Sled {
    fn load(&self) -> Result<Option<(Position, Rows)>, StoreError> {
        let mut rows = Rows::new();
        for row in self.tree.iter() {
            let (key, value) = row?;
            let key = String::from_utf8_lossy(&key).into_owned();
            rows.insert(key, value.to_vec());
        }
        match rows.remove(POSITION) {
            Some(position) => Ok(Some((serde_json::from_slice(&position)?, rows))),
            None => Ok(None),
        }
    }

    fn commit(&mut self, position: Position, rows: Rows) -> Result<(), StoreError> {
        Ok(self.tree.apply_batch(batch(position, rows)?)?)
    }

    fn replace(&mut self, position: Position, rows: Rows) -> Result<(), StoreError> {
        self.tree.clear()?;
        self.tree.apply_batch(batch(position, rows)?)?;
        self.tree.flush()?;
        Ok(())
    }
}
