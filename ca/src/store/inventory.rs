//! How a start holds the store against the log: the file of rows as it comes, byte by byte, and then the index as a whole.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufReader, Read as _};

use super::places::Place;
use super::shelf::{Shelf, line};
use super::{Inventory, Store as _, StoreError};
use crate::state::Rows;

/// Rows that are put at once; so few in tests that they meet several parts.
const ROWS: usize = if cfg!(test) { 2 } else { 4096 };

/// As much of the file of rows as is read at once.
const READ_BYTES: usize = 1 << 18;

/// A shelf, as far as it was held against the log.
pub(super) struct Held<'a> {
    shelf: &'a Shelf,
    file: BufReader<File>,
    /// How long the file was.
    length: u64,
    /// Where the next row begins.
    at: u64,
    /// Where the last row ended that the index knows of.
    indexed: u64,
    expected: Sum,
    /// Rows that the file does not have yet.
    behind: Rows,
    /// Places of rows that the file has, and perhaps not the index.
    unknown: Vec<(String, Place)>,
    written: Vec<u8>,
    found: Vec<u8>,
}

impl<'a> Held<'a> {
    pub(super) fn new(shelf: &'a Shelf) -> Result<Self, StoreError> {
        let (file, length) = shelf.read()?;
        Ok(Self {
            shelf,
            file: BufReader::with_capacity(READ_BYTES, file),
            length,
            at: 0,
            indexed: shelf.places.reach()?.end,
            expected: Sum::default(),
            behind: Rows::new(),
            unknown: Vec::new(),
            written: Vec::new(),
            found: Vec::new(),
        })
    }

    /// Whether the file says the same at this place, as far as it goes. What it lacks is put behind it.
    fn same(&mut self, key: &str, value: &[u8], place: Place) -> Result<bool, StoreError> {
        let there = place.length.min(self.length.saturating_sub(place.from));
        let there = usize::try_from(there).unwrap_or(usize::MAX);
        self.found.resize(there, 0);
        let read = self.file.read_exact(&mut self.found);
        read.map_err(|source| self.shelf.unread(source))?;
        if self.written.get(..there) != Some(self.found.as_slice()) {
            return Ok(false);
        }
        if there == self.written.len() {
            if place.end() > self.indexed {
                self.unknown.push((key.to_owned(), place));
            }
            return Ok(true);
        }
        if there > 0 {
            // It was being written when we died.
            self.shelf.cut(place.from)?;
            self.length = place.from;
        }
        self.behind.push((key.to_owned(), value.to_vec()));
        Ok(true)
    }

    fn put(&mut self) -> Result<(), StoreError> {
        self.shelf
            .places
            .put(std::mem::take(&mut self.unknown), None)?;
        // If the log turns out to be no good, or this not to be the end of it, the next start finds rows too many.
        self.shelf.fill(std::mem::take(&mut self.behind))
    }
}

impl Inventory for Held<'_> {
    fn next(&mut self, key: &str, value: &[u8]) -> Result<bool, StoreError> {
        self.written.clear();
        let length = line(key, value, &mut self.written);
        let place = Place {
            from: self.at,
            length,
        };
        self.expected.add(key, place);
        self.at = place.end();
        let same = self.same(key, value, place)?;
        if self.behind.len() + self.unknown.len() >= ROWS {
            self.put()?;
        }
        Ok(same)
    }

    fn whole(mut self: Box<Self>) -> Result<bool, StoreError> {
        if self.at < self.length {
            return Ok(false);
        }
        self.put()?;
        self.shelf.places.flush()?;
        let mut found = self.expected.empty();
        self.shelf.places.each(|key, place| found.add(key, place))?;
        Ok(found.is(&self.expected))
    }
}

/// Which places there are, in whatever order they come: how many, and the sum of their hashes, under a key that is drawn
/// for this start, so that nobody can make two sums meet.
#[derive(Default)]
struct Sum {
    by: RandomState,
    count: u64,
    total: u64,
}

impl Sum {
    /// Nothing yet, under the same key.
    fn empty(&self) -> Self {
        Self {
            by: self.by.clone(),
            ..Self::default()
        }
    }

    fn add(&mut self, key: &str, place: Place) {
        self.count += 1;
        self.total = self.total.wrapping_add(self.by.hash_one((key, place)));
    }

    fn is(&self, other: &Self) -> bool {
        (self.count, self.total) == (other.count, other.total)
    }
}
