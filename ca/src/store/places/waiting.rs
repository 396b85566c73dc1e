//! Places that are put and not written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::StoreError;
use super::{Place, Reach};

/// What the index does not have yet.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) gathering: Part,
    /// What the thread is writing.
    pub(super) writing: Option<Arc<Part>>,
    /// Somebody waits until nothing waits.
    pub(super) hurry: bool,
    pub(super) closing: bool,
    /// Why a transaction has failed: whoever writes next is told.
    pub(super) failed: Option<StoreError>,
    /// It has failed, and what waited is perhaps nowhere: nothing is written or looked up any more.
    pub(super) broken: bool,
}

#[derive(Default)]
pub(super) struct Part {
    pub(super) rows: BTreeMap<String, Place>,
    pub(super) reach: Option<Reach>,
}

impl Part {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.reach.is_none()
    }
}

impl Waiting {
    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        if self.broken {
            return Err(self.failed.take().unwrap_or(StoreError::Failed));
        }
        Ok(())
    }

    /// What waits, unless some of what did is lost.
    pub(super) const fn whole(&self) -> Result<&Self, StoreError> {
        if self.broken {
            return Err(StoreError::Failed);
        }
        Ok(self)
    }

    pub(super) fn of(&self, key: &str) -> Option<Place> {
        let writing = self.writing.as_ref();
        let written = || writing.and_then(|part| part.rows.get(key));
        let found = self.gathering.rows.get(key).or_else(written);
        found.copied()
    }

    /// Those whose keys begin with this.
    pub(super) fn all(&self, prefix: &str) -> BTreeMap<String, Place> {
        let writing = self.writing.iter().flat_map(|part| &part.rows);
        let all = writing.chain(&self.gathering.rows);
        let all = all.filter(|(key, _)| key.starts_with(prefix));
        all.map(|(key, place)| (key.clone(), *place)).collect()
    }
}
