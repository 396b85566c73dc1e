//! How a recording begins.

use std::io;
use std::sync::Arc;

use config::limits;
use config::recipients::Recipients;

use super::super::crypt::Vault;
use super::super::crypt::original::Originals;
use super::super::header::Header;
use super::super::live::Live;
use super::super::recorder::Recorder;
use super::{RecordingStore, StoreError};

impl RecordingStore {
    /// Begins a recording. When this returns, its header is durable. Blocks for some milliseconds.
    ///
    /// With recipients it is encrypted, and nobody but them can ever read it; without, everybody can who has the file.
    pub fn create(&self, header: &Header, recipients: &Recipients) -> Result<Recorder, StoreError> {
        self.create_keeping(header.clone(), recipients, &Recipients::nobody())
    }

    /// The same; what is masked in the session is kept in the recording, if somebody may read that: nobody but these.
    pub fn create_keeping(
        &self,
        mut header: Header,
        recipients: &Recipients,
        original: &Recipients,
    ) -> Result<Recorder, StoreError> {
        let shared = &self.shared;
        let failed = |doing| {
            move |source| StoreError::Disk {
                dir: shared.dir.clone(),
                doing,
                source,
            }
        };
        if shared.poisoned() {
            return Err(StoreError::Poisoned);
        }
        if shared.stalled() {
            return Err(StoreError::Stalled);
        }
        if header.bastion != shared.signer.name {
            return Err(StoreError::Header("it names another bastion"));
        }
        let originals = if original.is_empty() {
            None
        } else {
            Some(Originals::create(&header.session, original)?)
        };
        let (originals, wrapped) = originals.unzip();
        header.original = wrapped;
        let first = header.to_line();
        if first.len() > limits::FRAME_BYTES {
            return Err(StoreError::Header("it is too long"));
        }
        let free = shared
            .disk
            .free(&shared.handle)
            .map_err(failed("see how much room there is"))?;
        if free < limits::DISK_RESERVE {
            return Err(StoreError::Full { free });
        }
        let vault = if recipients.is_empty() {
            None
        } else {
            let name = &shared.signer.name;
            Some(Vault::create(&header.session, name, recipients)?)
        };
        let live =
            Live::begin(shared, &header.session, &first, vault).map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => StoreError::Exists(header.session.clone()),
                _ => failed("begin a recording")(e),
            })?;
        let live = Arc::new(live);
        shared
            .sessions()
            .running
            .insert(header.session.clone(), Arc::clone(&live));
        shared.wake.notify_all();
        Ok(Recorder::new(Arc::clone(shared), live, &header, originals))
    }
}
