//! What lies in the directory, and how a recording leaves it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use config::limits;
use config::words::SessionId;

use super::super::index;
use super::super::recover::file_of;
use super::super::seal;
use super::RecordingStore;

impl RecordingStore {
    /// The recordings that are finished, the oldest first, and their bytes. One that runs is not among them, nor one that the
    /// next start has to end. Blocks as long as listing a directory takes.
    pub fn finished(&self) -> io::Result<Vec<(SessionId, u64)>> {
        let (mut sizes, mut open) = (BTreeMap::new(), BTreeSet::new());
        for entry in std::fs::read_dir(&self.shared.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            match name.to_str().and_then(file_of) {
                Some((session, Some(_))) => _ = open.insert(session),
                Some((session, None)) => match entry.metadata() {
                    Ok(about) => _ = sizes.insert(session, about.len()),
                    // Somebody has removed it meanwhile.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(e),
                },
                None => {}
            }
        }
        // The names may be of different moments; what runs is asked last, so that none is taken for finished that began since.
        let sessions = self.shared.sessions();
        sizes.retain(|session, _| {
            !open.contains(session) && !sessions.running.contains_key(session)
        });
        Ok(sizes.into_iter().collect())
    }

    /// The sessions that are recorded now.
    pub fn running(&self) -> Vec<SessionId> {
        self.shared.sessions().running.keys().cloned().collect()
    }

    /// How many bytes of a running recording's file are sealed and durable: they never change again. None if it does not run,
    /// or is being sealed at this moment.
    pub fn sealed(&self, session: &SessionId) -> Option<u64> {
        let live = self.shared.sessions().running.get(session).cloned();
        live.and_then(|live| live.sealed())
    }

    /// How many bytes may still be written beside what recordings need.
    pub fn room(&self) -> io::Result<u64> {
        let free = self.shared.disk.free(&self.shared.handle)?;
        Ok(free.saturating_sub(limits::DISK_RESERVE))
    }

    /// Whether there is a recording of this session, finished or not.
    pub fn has(&self, session: &SessionId) -> bool {
        seal::cast_path(&self.shared.dir, session).exists()
    }

    /// Removes a recording that is finished, and its index; one that is gone already is no error. When this returns, it is gone for good. Blocks for some
    /// milliseconds. Whether it may go, somebody else has to know.
    pub fn remove(&self, session: &SessionId) -> io::Result<()> {
        if self.shared.sessions().running.contains_key(session) {
            return Err(io::Error::other("its session runs"));
        }
        let shared = &self.shared;
        self.gone(&index::path(&shared.dir, session))?;
        // If we die here, the recording has no index, and is read instead.
        self.gone(&seal::cast_path(&shared.dir, session))?;
        // If the power goes here, it may bring both back: whoever asked for this asks again.
        shared.disk.sync(&shared.handle)
    }

    /// Removes the indexes whose recordings are gone: one that was being made while its recording was removed.
    pub fn tidy(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.shared.dir)? {
            let name = entry?.file_name();
            let name = name.to_str().filter(|name| index::is_index(name));
            let id = name.and_then(|name| name.split_once('.')?.0.parse().ok());
            if let (Some(name), Some(session)) = (name, id)
                && !self.has(&session)
            {
                self.gone(&self.shared.dir.join(name))?;
            }
        }
        Ok(())
    }

    fn gone(&self, path: &Path) -> io::Result<()> {
        match self.shared.disk.remove(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}
