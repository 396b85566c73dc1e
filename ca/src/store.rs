//! The state store: what is over, and has left the memory.
//!
//! ```text
//! DIR/rows   each row as a line: its key, a space, its JSON; appended, never changed
//! DIR/…      sled: where each row stands, and the position in the log that all of it reflects
//! ```
//!
//! It is derived: nothing is decided on its word, and a start that finds it behind, different or
//! unreadable makes it again from the log. sled alone would keep some hundred bytes in memory for each row of this size.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// A row is not where it should stand.
    #[error("the state store: a row is not where it should stand")]
    Lost,
    /// Its file of rows cannot be read or written, or a broken store not be set aside.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

const POSITION: &str = "position";

/// Bytes of places that are kept in memory: history is looked up rarely.
const CACHE_BYTES: u64 = 2 << 20;

/// Whoever had the store open before, under the log's lock, may be a moment behind in letting go of it.
const LOCK_TRIES: u32 = 100;

const LOCK_WAIT: Duration = Duration::from_millis(20);

/// sled 0.34 and a file, for one CA without any set-up.
pub(crate) struct Sled {
    tree: sled::Db,
    path: PathBuf,
    rows: File,
    /// How long the file of rows is.
    end: Mutex<u64>,
}

impl Sled {
    /// Opens or makes the store; one that does not open is set aside as `….broken`, and an empty one made.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        match Self::configured(dir) {
            Ok(store) => Ok(store),
            Err(why) => {
                tracing::warn!(%why, "the state store does not open: it is set aside and made again from the log");
                set_aside(dir)?;
                Self::configured(dir)
            }
        }
    }

    fn configured(dir: &Path) -> Result<Self, StoreError> {
        let config = sled::Config::new()
            .path(dir)
            .flush_every_ms(Some(500))
            .cache_capacity(CACHE_BYTES);
        let mut tree = config.open();
        for _ in 0..LOCK_TRIES {
            match &tree {
                Err(why) if why.to_string().contains("lock") => {}
                _ => break,
            }
            std::thread::sleep(LOCK_WAIT);
            tree = config.open();
        }
        let tree = tree?;
        let path = dir.join("rows");
        let mut options = OpenOptions::new();
        let file = options.append(true).read(true).create(true).mode(0o600);
        let opened = file.open(&path);
        let opened = opened.and_then(|rows| Ok((rows.metadata()?.len(), rows)));
        let (end, rows) = opened.map_err(|source| failed(&path, source))?;
        Ok(Self {
            tree,
            path,
            rows,
            end: Mutex::new(end),
        })
    }

    /// Appends rows; says where each stands.
    fn put(&self, rows: Rows) -> Result<sled::Batch, StoreError> {
        let mut end = self.end();
        let (mut bytes, mut places) = (Vec::new(), sled::Batch::default());
        for (key, value) in rows {
            let from = *end + bytes.len() as u64;
            bytes.extend_from_slice(key.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(&value);
            bytes.push(b'\n');
            let to = *end + bytes.len() as u64;
            places.insert(key.as_bytes(), &Place { from, to }.bytes());
        }
        // If we die within, what stands there is nobody's row: a start appends behind it.
        let wrote = (&self.rows).write_all(&bytes);
        wrote.map_err(|source| failed(&self.path, source))?;
        *end += bytes.len() as u64;
        Ok(places)
    }

    /// The row that stands at a place, if it is this one's.
    fn at(&self, key: &[u8], place: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let length = *self.end();
        let Some(place) = Place::read(place).filter(|place| place.to <= length) else {
            return Ok(None);
        };
        let size = usize::try_from(place.to - place.from).unwrap_or(0);
        let mut line = vec![0; size];
        let read = self.rows.read_exact_at(&mut line, place.from);
        read.map_err(|source| failed(&self.path, source))?;
        let value = line.strip_prefix(key).and_then(|rest| {
            let rest = rest.strip_prefix(b" ")?;
            rest.strip_suffix(b"\n")
        });
        Ok(value.map(<[u8]>::to_vec))
    }

    fn end(&self) -> MutexGuard<'_, u64> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From where to where a row stands in the file.
struct Place {
    from: u64,
    to: u64,
}

impl Place {
    fn bytes(&self) -> [u8; 16] {
        let both = u128::from(self.from) << 64 | u128::from(self.to);
        both.to_be_bytes()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let both = u128::from_be_bytes(bytes.try_into().ok()?);
        let from = u64::try_from(both >> 64).ok()?;
        let to = u64::try_from(both & u128::from(u64::MAX)).ok()?;
        (from < to).then_some(Self { from, to })
    }
}

fn failed(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

fn set_aside(dir: &Path) -> Result<(), StoreError> {
    let aside = dir.with_extension("broken");
    let io = |source| failed(dir, source);
    match fs::symlink_metadata(&aside) {
        Ok(old) if old.is_dir() => fs::remove_dir_all(&aside).map_err(io)?,
        Ok(_) => fs::remove_file(&aside).map_err(io)?,
        Err(_) => {}
    }
    fs::rename(dir, &aside).map_err(io)
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
        let Some(place) = self.tree.get(key)? else {
            return Ok(None);
        };
        match self.at(key.as_bytes(), &place)? {
            Some(row) => Ok(Some(row)),
            None => Err(StoreError::Lost),
        }
    }

    fn last(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        for row in self.tree.scan_prefix(prefix).rev() {
            let (key, place) = row?;
            let row = self.at(&key, &place)?.ok_or(StoreError::Lost)?;
            if !each(&String::from_utf8_lossy(&key), &row) {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, position: Position, rows: Rows) -> Result<(), StoreError> {
        let mut batch = self.put(rows)?;
        batch.insert(POSITION, serde_json::to_vec(&position)?);
        Ok(self.tree.apply_batch(batch)?)
    }

    fn clear(&self) -> Result<(), StoreError> {
        // Without a position first: whatever of the rest is left at a crash is not believed.
        self.tree.remove(POSITION)?;
        self.tree.flush()?;
        self.tree.clear()?;
        let mut end = self.end();
        let cut = self.rows.set_len(0);
        cut.map_err(|source| failed(&self.path, source))?;
        *end = 0;
        Ok(())
    }

    fn fill(&self, rows: Rows) -> Result<(), StoreError> {
        let batch = self.put(rows)?;
        Ok(self.tree.apply_batch(batch)?)
    }
}
