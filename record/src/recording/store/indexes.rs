//! The store asks for the index of what it has finished.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use config::words::SessionId;

use super::super::crypt::Vault;
use super::super::index;
use super::super::index::thread::Indexer;
use super::super::recover::Recovered;
use super::super::seal::Sealed;
use super::{RecordingStore, Shared};

impl RecordingStore {
    /// From now on each recording that is finished gets its [index](crate::recording::index), and those that were recovered do, as far as
    /// they can be read. A thread of its own makes them, behind everything else.
    pub fn keep_indexes(&self, recovered: &Recovered) -> io::Result<()> {
        let shared = &self.shared;
        let indexer = Indexer::start(&shared.dir, shared.signer.clone())?;
        for sealed in &recovered.sealed {
            indexer.ask(&sealed.session, None);
        }
        let _ = shared.indexer.set(indexer);
        Ok(())
    }

    /// The file of a recording's index, if it has one that is finished. What it says is not looked at.
    pub fn index_of(&self, session: &SessionId) -> Option<PathBuf> {
        let path = index::path(&self.shared.dir, session);
        path.is_file().then_some(path)
    }

    /// Whether a recording that has no index is about to get one.
    pub fn owes_index(&self, session: &SessionId) -> bool {
        let indexer = self.shared.indexer.get();
        indexer.is_some_and(|indexer| indexer.owes(session))
    }
}

impl Shared {
    /// A recording is finished: it gets its index where they are kept.
    pub(in crate::recording) fn index(&self, sealed: &Sealed, vault: Option<Arc<Vault>>) {
        if let Some(indexer) = self.indexer.get() {
            indexer.ask(&sealed.session, vault);
        }
    }
}
