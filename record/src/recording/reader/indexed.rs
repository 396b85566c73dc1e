//! What an index needs of the recording that it is made of, or believed for.

use std::path::Path;
use std::sync::Arc;

use config::words::SessionId;

use super::{Chunk, Place, ReadError, Reader, events_in};
use crate::age::Identities;
use crate::cores;
use crate::digest::Digest;
use crate::recording::crypt::Vault;
use crate::recording::event::Event;
use crate::recording::header::Header;
use crate::tree::{Hash, Tree, leaf_hash};

impl Reader {
    /// Opens a recording with the key that it was written with.
    pub(in crate::recording) fn with_vault(
        path: &Path,
        vault: Option<Arc<Vault>>,
    ) -> Result<Self, ReadError> {
        Self::open_with(path, &Identities::default(), vault)
    }

    /// Whose recording the file's name says it is.
    pub(in crate::recording) const fn session(&self) -> &SessionId {
        &self.place.session
    }

    /// The directory that it lies in.
    pub(in crate::recording) fn dir(&self) -> &Path {
        &self.place.dir
    }

    /// What opens it, if it is sealed.
    pub(in crate::recording) fn vault(&self) -> Option<&Vault> {
        self.place.vault.as_deref()
    }

    /// The same, to be kept.
    pub(in crate::recording) fn vault_too(&self) -> Option<Arc<Vault>> {
        self.place.vault.clone()
    }

    /// The root over the sealed frames, of the bytes that lie there now: read and hashed on all cores.
    pub fn root(&self) -> Result<Digest, ReadError> {
        let leaves = cores::each(self.chunks.len(), |n| match self.chunks.get(n)?.at {
            Place::Sealed { offset, stored, .. } => Some(self.leaf(offset, stored)),
            Place::Tail(_) => None,
        });
        let mut tree = Tree::new();
        for leaf in leaves.into_iter().flatten() {
            tree.push(leaf?);
        }
        Ok(Digest::from_bytes(*tree.root().as_bytes()))
    }

    fn leaf(&self, offset: u64, stored: usize) -> Result<Hash, ReadError> {
        Ok(leaf_hash(&self.place.stored(offset, stored)?))
    }

    /// A sealed frame's leaf, and its events, both from one reading. The first frame's header has to be the one
    /// that this was opened with.
    pub(in crate::recording) fn sealed(
        &self,
        chunk: usize,
    ) -> Result<(Hash, Vec<Event>), ReadError> {
        let found = self.chunks.get(chunk).copied();
        let Some(Chunk { at, from_us, .. }) = found else {
            return Err(ReadError::Changed);
        };
        let Place::Sealed {
            number,
            offset,
            stored,
        } = at
        else {
            return Err(ReadError::Changed);
        };
        let bytes = self.place.stored(offset, stored)?;
        let lines = self.place.opened(number, &bytes)?;
        if chunk == 0 {
            let line = lines.split(|b| *b == b'\n').next().unwrap_or_default();
            let line = std::str::from_utf8(line).unwrap_or_default();
            if Header::from_line(line)? != self.header {
                return Err(ReadError::Changed);
            }
        }
        let events = events_in(&lines, chunk, at, from_us)?;
        Ok((leaf_hash(&bytes), events))
    }
}
