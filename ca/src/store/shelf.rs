//! The store on one machine's disk: a file of rows, and the index of their places.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use record::log::Position;

use super::inventory::Held;
use super::places::{Place, Places, Reach};
use super::{Inventory, Store, StoreError, failed};
use crate::state::Rows;

/// A file and an index, for one CA without any set-up.
pub(crate) struct Shelf {
    pub(super) places: Places,
    path: PathBuf,
    rows: File,
    /// How long the file of rows is.
    end: Mutex<u64>,
}

impl Shelf {
    /// Opens or makes the store; one that is damaged is set aside as `….broken`, and an empty one made. Any other that
    /// does not open is left where it is: it may know of lines that the log has lost.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        match Self::found(dir) {
            Err(why) if why.is_damage() || is_no_dir(dir) => {
                tracing::warn!(%why, "the state store is damaged: it is set aside and made again from the log");
                set_aside(dir)?;
                Self::found(dir)
            }
            found => found,
        }
    }

    fn found(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
        let places = Places::open(&dir.join("places"))?;
        let path = dir.join("rows");
        let mut options = OpenOptions::new();
        let file = options.append(true).read(true).create(true).mode(0o600);
        let opened = file.open(&path);
        let opened = opened.and_then(|rows| Ok((rows.metadata()?.len(), rows)));
        let (end, rows) = opened.map_err(|source| failed(&path, source))?;
        Ok(Self {
            places,
            path,
            rows,
            end: Mutex::new(end),
        })
    }

    /// Appends rows; then each can be looked up.
    fn put(&self, rows: Rows, position: Option<Position>) -> Result<(), StoreError> {
        let mut end = self.end();
        let (mut bytes, mut places) = (Vec::new(), Vec::with_capacity(rows.len()));
        for (key, value) in rows {
            let from = *end + bytes.len() as u64;
            let length = line(&key, &value, &mut bytes);
            places.push((key, Place { from, length }));
        }
        // If we die within, what stands there is the beginning of what the log says: a start goes on behind it.
        let wrote = (&self.rows).write_all(&bytes);
        wrote.map_err(|source| failed(&self.path, source))?;
        *end += bytes.len() as u64;
        let end = *end;
        let reach = position.is_some().then_some(Reach { position, end });
        // If we die before they are written, a start puts them again.
        self.places.put(places, reach)
    }

    /// The row that stands at a place, if it is this one's.
    fn at(&self, key: &str, place: Place) -> Result<Vec<u8>, StoreError> {
        if place.end() > *self.end() {
            return Err(StoreError::Lost);
        }
        let mut line = vec![0; usize::try_from(place.length).unwrap_or(0)];
        let read = self.rows.read_exact_at(&mut line, place.from);
        read.map_err(|source| failed(&self.path, source))?;
        let value = line.strip_prefix(key.as_bytes()).and_then(|rest| {
            let rest = rest.strip_prefix(b" ")?;
            rest.strip_suffix(b"\n")
        });
        value.map(<[u8]>::to_vec).ok_or(StoreError::Lost)
    }

    /// Cuts the file of rows.
    pub(super) fn cut(&self, to: u64) -> Result<(), StoreError> {
        let mut end = self.end();
        let cut = self.rows.set_len(to);
        cut.map_err(|source| failed(&self.path, source))?;
        *end = to;
        Ok(())
    }

    /// The file of rows, to be read from its beginning, and how long it is.
    pub(super) fn read(&self) -> Result<(File, u64), StoreError> {
        let file = File::open(&self.path).map_err(|source| failed(&self.path, source))?;
        Ok((file, *self.end()))
    }

    /// Reading it has failed.
    pub(super) fn unread(&self, source: std::io::Error) -> StoreError {
        failed(&self.path, source)
    }

    fn end(&self) -> MutexGuard<'_, u64> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Shelf {
    fn position(&self) -> Result<Option<Position>, StoreError> {
        Ok(self.places.reach()?.position)
    }

    fn row(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let place = self.places.of(key)?;
        place.map(|place| self.at(key, place)).transpose()
    }

    fn last(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.places
            .last(prefix, |key, place| Ok(each(key, &self.at(key, place)?)))
    }

    fn commit(&self, position: Position, rows: Rows) -> Result<(), StoreError> {
        self.put(rows, Some(position))
    }

    fn inventory(&self) -> Result<Box<dyn Inventory + '_>, StoreError> {
        Ok(Box::new(Held::new(self)?))
    }

    fn clear(&self) -> Result<(), StoreError> {
        // Without a position first: whatever of the rest is left at a crash is not believed.
        self.places.clear()?;
        self.cut(0)
    }

    fn fill(&self, rows: Rows) -> Result<(), StoreError> {
        self.put(rows, None)
    }
}

/// Writes a row as it stands in the file; says how many bytes it has.
pub(super) fn line(key: &str, value: &[u8], to: &mut Vec<u8>) -> u64 {
    let before = to.len();
    to.extend_from_slice(key.as_bytes());
    to.push(b' ');
    to.extend_from_slice(value);
    to.push(b'\n');
    (to.len() - before) as u64
}

/// Whether something stands in the store's place that is none.
fn is_no_dir(dir: &Path) -> bool {
    fs::metadata(dir).is_ok_and(|found| !found.is_dir())
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
