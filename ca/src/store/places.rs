//! Where each row stands: an index on the disk, of which a fixed part is kept in memory.
//!
//! What is put here is found at once, and written behind by a thread of its own, many places in one transaction:
//! a B-tree writes a page for each key that comes at random, and the desk does not wait for its disk.
//!
//! * [`waiting`]: what is put and not written.

mod waiting;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use record::log::Position;
use redb::{Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _};
use redb::{ReadOnlyTable, TableDefinition, TableError};

use super::{StoreError, failed};
use waiting::{Part, Waiting};

/// Where a row begins in the file, and how many bytes it has with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) from: u64,
    pub(super) length: u64,
}

impl Place {
    /// Where the next row begins.
    pub(super) const fn end(self) -> u64 {
        self.from.saturating_add(self.length)
    }
}

const PLACES: TableDefinition<'_, &str, (u64, u64)> = TableDefinition::new("places");

/// The places that are written, as of one moment.
type Written = ReadOnlyTable<&'static str, (u64, u64)>;

const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");

/// The key in `META`: how far the index goes, as JSON.
const REACH: &str = "reach";

/// Bytes of the index that are kept in memory: history is looked up rarely.
const CACHE_BYTES: usize = 4 << 20;

/// As many places as are written in one transaction.
const PART: usize = 4096;

/// As many as wait in memory, beside those that are being written, before whoever puts more has to wait too.
pub(super) const WAITING: usize = 2 * PART;

/// How long a place waits for company.
const BEHIND: Duration = Duration::from_millis(500);

/// Whoever had the store open before, under the log's lock, may be a moment behind in letting go of it.
const LOCK_TRIES: u32 = 100;

const LOCK_WAIT: Duration = Duration::from_millis(20);

/// How far the index goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reach {
    /// The position in the log that it reflects.
    pub(super) position: Option<Position>,
    /// Where its last row ends in the file.
    pub(super) end: u64,
}

/// The index.
pub(super) struct Places {
    index: Arc<Index>,
    thread: Option<JoinHandle<()>>,
}

struct Index {
    database: Database,
    waiting: Mutex<Waiting>,
    /// Something of it has changed.
    news: Condvar,
}

impl Places {
    /// Opens or makes the index, checks its every page, and starts its thread.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).mode(0o600);
        drop(options.open(path).map_err(|source| failed(path, source))?);
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        // Without it a file that was altered may be believed, and end this process later.
        builder.set_check_integrity_on_open(true);
        let mut database = builder.create(path);
        for _ in 0..LOCK_TRIES {
            if !matches!(database, Err(DatabaseError::DatabaseAlreadyOpen)) {
                break;
            }
            thread::sleep(LOCK_WAIT);
            database = builder.create(path);
        }
        let database = database.map_err(|why| match why.into() {
            redb::Error::DatabaseAlreadyOpen => StoreError::Busy(path.to_owned()),
            redb::Error::Io(source) => failed(path, source),
            other => of_redb(other),
        })?;
        Self::over(database, path)
    }

    /// Starts the thread that writes to an index; this is its path.
    pub(super) fn over(database: Database, path: &Path) -> Result<Self, StoreError> {
        let index = Arc::new(Index {
            database,
            waiting: Mutex::default(),
            news: Condvar::new(),
        });
        let own = index.clone();
        let thread = thread::Builder::new().name("store".to_owned());
        let thread = thread.spawn(move || own.keep());
        Ok(Self {
            index,
            thread: Some(thread.map_err(|source| failed(path, source))?),
        })
    }

    /// Puts places, and says how far they go. Waits while too many wait already.
    pub(super) fn put(
        &self,
        places: Vec<(String, Place)>,
        reach: Option<Reach>,
    ) -> Result<(), StoreError> {
        let full =
            |waiting: &mut Waiting| waiting.gathering.rows.len() >= WAITING && !waiting.broken;
        let mut waiting = self.index.wait_while(self.index.waiting(), full);
        waiting.check()?;
        waiting.gathering.rows.extend(places);
        if reach.is_some() {
            waiting.gathering.reach = reach;
        }
        self.index.news.notify_all();
        Ok(())
    }

    /// How many places wait, and are not being written.
    #[cfg(test)]
    pub(super) fn waits(&self) -> usize {
        self.index.waiting().gathering.rows.len()
    }

    /// Returns when nothing waits any more.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        let mut waiting = self.index.waiting();
        waiting.hurry = true;
        self.index.news.notify_all();
        let busy = |waiting: &mut Waiting| {
            let done = waiting.writing.is_none() && waiting.gathering.is_empty();
            !done && !waiting.broken
        };
        let mut waiting = self.index.wait_while(waiting, busy);
        waiting.hurry = false;
        waiting.check()
    }

    /// Removes everything.
    pub(super) fn clear(&self) -> Result<(), StoreError> {
        self.flush()?;
        self.index.clear()
    }

    /// How far it goes, of what is written.
    pub(super) fn reach(&self) -> Result<Reach, StoreError> {
        let read = self.index.database.begin_read().map_err(of_redb)?;
        let table = match read.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Reach::default()),
            table => table.map_err(of_redb)?,
        };
        let held = table.get(REACH).map_err(of_redb)?;
        let read = held.map(|held| serde_json::from_str(held.value()));
        Ok(read.transpose()?.unwrap_or_default())
    }

    /// Where a row stands.
    pub(super) fn of(&self, key: &str) -> Result<Option<Place>, StoreError> {
        // In this order: what leaves the one is in the other by then.
        let waits = self.index.waiting().whole()?.of(key);
        if let Some(place) = waits {
            return Ok(Some(place));
        }
        let Some(table) = self.index.table()? else {
            return Ok(None);
        };
        let held = table.get(key).map_err(of_redb)?;
        Ok(held.map(|held| place(held.value())))
    }

    /// Hands over each place, in no order, of what is written.
    pub(super) fn each(&self, mut each: impl FnMut(&str, Place)) -> Result<(), StoreError> {
        let Some(table) = self.index.table()? else {
            return Ok(());
        };
        for held in table.iter().map_err(of_redb)? {
            let (key, value) = held.map_err(of_redb)?;
            each(key.value(), place(value.value()));
        }
        Ok(())
    }

    /// Hands over the places whose keys begin with this, the last ones first, until it is told to stop.
    pub(super) fn last(
        &self,
        prefix: &str,
        mut each: impl FnMut(&str, Place) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut waiting = self.index.waiting().whole()?.all(prefix);
        if let Some(table) = self.index.table()? {
            // No key has this character, which is behind all others.
            let end = format!("{prefix}\u{10ffff}");
            for held in table.range(prefix..&end).map_err(of_redb)?.rev() {
                let (key, held) = held.map_err(of_redb)?;
                let key = key.value();
                while let Some(newer) = waiting.last_entry().filter(|one| one.key().as_str() > key)
                {
                    let (key, place) = newer.remove_entry();
                    if !each(&key, place)? {
                        return Ok(());
                    }
                }
                // Written since.
                waiting.remove(key);
                if !each(key, place(held.value()))? {
                    return Ok(());
                }
            }
        }
        for (key, place) in waiting.into_iter().rev() {
            if !each(&key, place)? {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for Places {
    /// Waits until everything is written, so that whoever opens it next finds all of it.
    fn drop(&mut self) {
        self.index.waiting().closing = true;
        self.index.news.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Index {
    /// Writes what waits, until it closes and nothing waits.
    fn keep(&self) {
        while let Some(part) = self.take() {
            // A transaction that ends so is not committed; and whoever waits for this thread has to hear of it.
            let written = panic::catch_unwind(AssertUnwindSafe(|| self.write(&part)));
            let written = written.unwrap_or(Err(StoreError::Failed));
            let mut waiting = self.waiting();
            waiting.writing = None;
            if let Err(why) = written {
                waiting.broken = true;
                waiting.failed = Some(why);
            }
            self.news.notify_all();
            if waiting.broken {
                return;
            }
        }
    }

    /// Takes what waits, when it has gathered for long enough; nothing in the end.
    fn take(&self) -> Option<Arc<Part>> {
        let idle = |waiting: &mut Waiting| waiting.gathering.is_empty() && !waiting.closing;
        let waiting = self.wait_while(self.waiting(), idle);
        let gathers = |waiting: &mut Waiting| {
            waiting.gathering.rows.len() < PART && !waiting.hurry && !waiting.closing
        };
        let waited = self.news.wait_timeout_while(waiting, BEHIND, gathers);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.gathering.is_empty() {
            return None;
        }
        let part = Arc::new(std::mem::take(&mut waiting.gathering));
        waiting.writing = Some(part.clone());
        self.news.notify_all();
        Some(part)
    }

    fn write(&self, part: &Part) -> Result<(), StoreError> {
        let write = self.database.begin_write().map_err(of_redb)?;
        {
            let mut table = write.open_table(PLACES).map_err(of_redb)?;
            for (key, place) in &part.rows {
                let place = (place.from, place.length);
                table.insert(key.as_str(), place).map_err(of_redb)?;
            }
        }
        if let Some(reach) = &part.reach {
            let mut table = write.open_table(META).map_err(of_redb)?;
            let reach = serde_json::to_string(reach)?;
            table.insert(REACH, reach.as_str()).map_err(of_redb)?;
        }
        // If we die within, none of it is there.
        write.commit().map_err(of_redb)
    }

    fn clear(&self) -> Result<(), StoreError> {
        let write = self.database.begin_write().map_err(of_redb)?;
        write.delete_table(PLACES).map_err(of_redb)?;
        write.delete_table(META).map_err(of_redb)?;
        write.commit().map_err(of_redb)
    }

    /// The places that are written; none before the first.
    fn table(&self) -> Result<Option<Written>, StoreError> {
        let read = self.database.begin_read().map_err(of_redb)?;
        match read.open_table(PLACES) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            table => Ok(Some(table.map_err(of_redb)?)),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        let waiting = self.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        condition: impl FnMut(&mut Waiting) -> bool,
    ) -> MutexGuard<'a, Waiting> {
        let waited = self.news.wait_while(waiting, condition);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

const fn place((from, length): (u64, u64)) -> Place {
    Place { from, length }
}

fn of_redb(why: impl Into<redb::Error>) -> StoreError {
    StoreError::Places(Box::new(why.into()))
}
