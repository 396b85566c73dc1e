//! The directory of recordings, and the thread that makes them durable and seals them.

mod aside;
mod begin;
mod indexes;
mod patience;
mod stored;

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::limits;
use config::words::SessionId;

use super::disk::Disk;
use super::index::thread::Indexer;
use super::live::Live;
use super::pace::Pace;
use super::recover::{self, Recovered};
use super::seal::Signer;
use crate::age::WrapError;
use crate::clock::Clock;
use crate::lock;

pub(super) use aside::{aside_tail, set_aside};

/// The file that the one writer of a directory holds locked.
pub(super) const LOCK: &str = ".lock";

/// The directory of what could not be recovered.
pub(super) const ASIDE: &str = "aside";

/// The one writer of a directory of recordings.
#[derive(Debug)]
pub struct RecordingStore {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Why a store does not open, or lets no session begin.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or this one, writes to the directory.
    #[error("another bastion writes to {}: stop it, or give this one a directory of its own", .0.display())]
    InUse(PathBuf),
    /// The disk's fault.
    #[error("cannot {doing} in {}: {source}", .dir.display())]
    Disk {
        /// The directory of recordings.
        dir: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is nearly full.
    #[error("only {free} bytes are free for recordings, and {most} are wanted: make room", most = limits::DISK_RESERVE)]
    Full {
        /// Bytes that are free.
        free: u64,
    },
    /// A sync failed before: nothing is recorded until a restart has looked at what the disk holds.
    #[error(
        "the store of recordings lost the trust in its disk: check the disk and restart the bastion"
    )]
    Poisoned,
    /// The disk's fault: it does not answer.
    #[error("the disk of the recordings has not answered for {} s", limits::RECORDING_PATIENCE.as_secs())]
    Stalled,
    /// The caller's fault: the session's recording exists.
    #[error("there is a recording of session {0} already")]
    Exists(SessionId),
    /// A recipient's fault, or the system's: the recording cannot be sealed to those who are to read it.
    #[error("the recording cannot be sealed: {0}")]
    Recipients(#[from] WrapError),
    /// The caller's fault: the header names another bastion than the one that signs, or does not fit.
    #[error("the header of the recording is wrong: {0}")]
    Header(&'static str),
}

impl RecordingStore {
    /// Takes the directory, making it if there is none, and ends what an earlier process left unfinished.
    pub fn open(
        dir: &Path,
        signer: Signer,
        clock: Arc<dyn Clock>,
        disk: Box<dyn Disk>,
    ) -> Result<(Self, Recovered), StoreError> {
        Self::open_patient(dir, signer, clock, disk, limits::RECORDING_PATIENCE)
    }

    /// The same, with another patience than [`limits::RECORDING_PATIENCE`].
    pub(super) fn open_patient(
        dir: &Path,
        signer: Signer,
        clock: Arc<dyn Clock>,
        disk: Box<dyn Disk>,
        patience: Duration,
    ) -> Result<(Self, Recovered), StoreError> {
        let failed = |doing| {
            move |source| StoreError::Disk {
                dir: dir.to_owned(),
                doing,
                source,
            }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed("make the directory"))?;
        let handle = File::open(dir).map_err(failed("open the directory"))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK))
            .map_err(failed("make the lock file"))?;
        if !lock::alone(&lock).map_err(failed("lock"))? {
            return Err(StoreError::InUse(dir.to_owned()));
        }

        let recovered =
            recover::all(dir, &signer, disk.as_ref()).map_err(failed("recover recordings"))?;
        disk.sync(&handle).map_err(failed("sync"))?;
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            handle,
            _lock: lock,
            disk,
            signer,
            clock,
            poisoned: AtomicBool::new(false),
            pace: Pace::default(),
            looks: patience::looks(patience),
            sessions: Mutex::new(Sessions::default()),
            wake: Condvar::new(),
            indexer: OnceLock::new(),
        });
        let thread = std::thread::Builder::new()
            .name("recordings".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run()
            })
            .map_err(failed("start the thread"))?;
        Ok((
            Self {
                shared,
                thread: Some(thread),
            },
            recovered,
        ))
    }

    /// Whether a sync has failed: then no session may begin, and those that run end.
    pub fn poisoned(&self) -> bool {
        self.shared.poisoned()
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }
}

impl Drop for RecordingStore {
    fn drop(&mut self) {
        self.shared.sessions().stop = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(indexer) = self.shared.indexer.get() {
            indexer.stop();
        }
    }
}

/// What the store, its thread and its recorders share.
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) handle: File,
    /// Held for as long as anything may write here.
    _lock: File,
    pub(super) disk: Box<dyn Disk>,
    pub(super) signer: Signer,
    pub(super) clock: Arc<dyn Clock>,
    poisoned: AtomicBool,
    /// Of the thread.
    pace: Pace,
    /// How many looks one operation may outlast.
    looks: u64,
    sessions: Mutex<Sessions>,
    wake: Condvar,
    indexer: OnceLock<Indexer>,
}

#[derive(Default)]
struct Sessions {
    running: BTreeMap<SessionId, Arc<Live>>,
    stop: bool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    pub(super) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    /// A recorder was dropped without its End: the thread writes one.
    pub(super) fn abandon(&self, live: &Live) {
        live.abandon();
        self.wake.notify_all();
    }

    /// A recording is finished, or left to the next start.
    pub(super) fn forget(&self, session: &SessionId) {
        self.sessions().running.remove(session);
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: makes durable every [`limits::SYNC_EVERY`], and seals in between.
    fn run(&self) {
        loop {
            let sessions = self.sessions();
            if sessions.stop {
                break;
            }
            if sessions.running.is_empty() {
                drop(self.wake.wait(sessions));
                continue;
            }
            let running: Vec<Arc<Live>> = sessions.running.values().cloned().collect();
            drop(sessions);

            let began = Instant::now();
            self.sync_at_pace(&references(&running));
            let more = self.seal(&running, began);
            if !more {
                let pause = limits::SYNC_EVERY.saturating_sub(began.elapsed());
                let sessions = self.sessions();
                if !sessions.stop {
                    drop(self.wake.wait_timeout(sessions, pause));
                }
            }
        }
        let running: Vec<Arc<Live>> = self.sessions().running.values().cloned().collect();
        self.sync(&references(&running));
    }

    /// The thread's own group: each file an operation of its own.
    fn sync_at_pace(&self, running: &[&Live]) {
        for live in running {
            self.pace
                .keep(|| self.sync_each(&[*live], &|| self.pace.turn()));
        }
    }

    /// One group: what any session has written since the last one becomes durable, in the order of writing.
    pub(super) fn sync(&self, running: &[&Live]) {
        self.sync_each(running, &|| ());
    }

    /// The same, calling `turn` after each file.
    fn sync_each(&self, running: &[&Live], turn: &dyn Fn()) {
        let mut entries = false;
        for live in running {
            for file in live.take_unsynced(&mut entries) {
                if self.poisoned() {
                    return;
                }
                if self.disk.sync(&file).is_err() {
                    self.poison();
                }
                turn();
            }
        }
        if entries && !self.poisoned() && self.disk.sync(&self.handle).is_err() {
            self.poison();
        }
    }

    /// Seals what waits, for as long as one period lasts; says whether something still waits.
    fn seal(&self, running: &[Arc<Live>], began: Instant) -> bool {
        let mut more = false;
        for live in running {
            if self.poisoned() {
                return false;
            }
            self.pace.keep(|| {
                live.end_if_abandoned(self, &|| self.pace.turn());
                live.rotate_if_old(self);
            });
            while self
                .pace
                .keep(|| live.seal_some(self, began, &|| self.pace.turn()))
            {
                if began.elapsed() >= limits::SYNC_EVERY {
                    more = true;
                    break;
                }
            }
        }
        more
    }
}

fn references(running: &[Arc<Live>]) -> Vec<&Live> {
    running.iter().map(AsRef::as_ref).collect()
}
