//! Recordings go to a bucket while their sessions run, and leave this disk when the configuration says so.
//!
//! Nothing waits for this. While the bucket is away or slow, recordings stay where they are, on this disk, and the log of
//! the bastion says so; whatever died half-way goes on at the next start ([`journal`]).

mod fault;
mod going;
mod indexes;
mod journal;
mod one;
mod setback;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::limits;
use config::words::{BastionName, SessionId};
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bucket::{Bucket, BucketError, Locking, Name, Stored};
use crate::site::Site;

use fault::Fault;
pub(crate) use journal::There;
use journal::{Journal, Progress};
use one::One;
use setback::{Setbacks, Taken};
use told::Told;

/// How long to leave a bucket alone that does not answer.
const AGAIN: Duration = Duration::from_secs(15);

/// How often everything on the disk is looked at, whether or not a session has ended.
const LOOK: Duration = Duration::from_secs(300);

/// After how many failures the rest waits for the next look.
const FAILURES: usize = 4;

/// What the bastion has in its bucket.
pub(crate) struct Uploads {
    bucket: Bucket,
    journal: Arc<Journal>,
    keep_local: Option<Duration>,
    lock: Option<Duration>,
    /// Whether the bucket can lock, once it has answered that.
    locking: OnceCell<Locking>,
    /// The recordings that are known to be there.
    stored: Mutex<BTreeSet<SessionId>>,
    /// How often the indexes of recordings here have failed: those that are waited for no more have [`limits::INDEX_TRIES`].
    unindexed: Mutex<BTreeMap<SessionId, u32>>,
    setbacks: Setbacks,
    taken: Taken,
    /// How many looks have ended before everything was tried.
    cut_short: AtomicUsize,
    wake: Notify,
    /// Where recordings are put that are fetched to be read.
    pub(crate) fetched: PathBuf,
}

impl Uploads {
    /// Prepares to upload, with what an earlier process has left.
    pub(crate) fn open(
        given: &config::bucket::Bucket,
        data: &Path,
        bucket: Bucket,
    ) -> io::Result<Self> {
        let journal = Journal::open(&data.join("uploads"))?;
        let stored = journal.all()?.into_iter();
        let stored = stored.filter(|(_, at)| matches!(at, Progress::Stored { .. }));
        let fetched = data.join("fetched");
        match std::fs::remove_dir_all(&fetched) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        Ok(Self {
            bucket,
            stored: Mutex::new(stored.map(|(session, _)| session).collect()),
            unindexed: Mutex::default(),
            setbacks: Setbacks::default(),
            taken: Taken::default(),
            cut_short: AtomicUsize::new(0),
            journal: Arc::new(journal),
            keep_local: given.keep_local,
            lock: given.lock,
            locking: OnceCell::new(),
            wake: Notify::new(),
            fetched,
        })
    }

    /// What lies in the bucket of this bastion's.
    pub(crate) async fn list(&self, bastion: &BastionName) -> Result<Vec<Stored>, BucketError> {
        self.bucket.list(Some(bastion)).await
    }

    /// The bucket.
    pub(crate) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// What is in the bucket of this recording counts no more: it is uploaded again. Blocks for some milliseconds.
    pub(crate) fn again(&self, session: &SessionId) -> io::Result<()> {
        self.setbacks.forget(session);
        self.as_before(session)
    }

    /// The same, of one that is what it was.
    fn as_before(&self, session: &SessionId) -> io::Result<()> {
        self.journal.forget(session)?;
        self.known().remove(session);
        self.taken.forget(session);
        self.unindexed().remove(session);
        self.wake.notify_one();
        Ok(())
    }

    /// Whether what is uploaded is locked, if the bucket can do that.
    pub(crate) fn locks_some(&self) -> bool {
        self.lock.is_some()
    }

    /// What is known of a recording there; none if nothing is. Blocks for some milliseconds.
    pub(crate) fn there(&self, session: &SessionId) -> io::Result<Option<There>> {
        Ok(self.journal.read(session)?.as_ref().and_then(There::of))
    }

    /// What is known of all recordings there. Blocks.
    pub(crate) fn all_there(&self) -> io::Result<BTreeMap<SessionId, There>> {
        let all = self.journal.all()?.into_iter();
        Ok(all
            .filter_map(|(session, progress)| Some((session, There::of(&progress)?)))
            .collect())
    }

    /// Removes a recording from the bucket, as soon as that answers. Blocks for some milliseconds.
    pub(crate) fn remove(&self, session: &SessionId) -> io::Result<()> {
        let upload = match self.journal.read(session)? {
            Some(Progress::Parts { upload, .. }) => Some(upload),
            Some(Progress::Removed { upload }) => upload,
            Some(Progress::Stored { .. }) | None => None,
        };
        self.journal.write(session, &Progress::Removed { upload })?;
        self.known().remove(session);
        self.taken.forget(session);
        self.setbacks.forget(session);
        self.wake.notify_one();
        Ok(())
    }

    /// For how long objects are to be locked, if the bucket can do that.
    async fn locks(&self) -> Result<Option<Duration>, BucketError> {
        if self.lock.is_none() {
            return Ok(None);
        }
        let ask = || async {
            let locking = self.bucket.locking().await?;
            if locking == Locking::Impossible {
                tracing::warn!(
                    "the bucket cannot lock objects: whoever has its credentials can overwrite and remove recordings there"
                );
            }
            Ok::<_, BucketError>(locking)
        };
        let locking = *self.locking.get_or_try_init(ask).await?;
        Ok(self.lock.filter(|_| locking == Locking::Possible))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<SessionId>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the index of a recording here is waited for no more.
    fn does_without(&self, session: &SessionId) -> bool {
        let tries = self.unindexed().get(session).copied();
        tries.is_some_and(|tries| tries >= limits::INDEX_TRIES)
    }

    fn unindexed(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, u32>> {
        self.unindexed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Uploads, for ever.
pub(crate) async fn run(site: Arc<Site>, uploads: Arc<Uploads>) {
    let mut told = Told::default();
    let mut count = 0;
    let mut looked: Option<Instant> = None;
    let mut narrow = false;
    loop {
        let ended = site.ends.count();
        let whole = ended != count || looked.is_none_or(|at| at.elapsed() >= LOOK);
        // Where the way is too narrow for all of them, it may be wide enough for one.
        let room = if narrow { 1 } else { limits::UPLOADS };
        let mut failures = Vec::new();
        if whole {
            count = ended;
            match everything(&site, &uploads, room, &mut failures).await {
                // What has come there may be one that leaves this disk at once.
                Ok(came) => looked = (!came).then(Instant::now),
                Err(why) => failures.push(why),
            }
        } else {
            let running = site.store.running().into_iter();
            let running = running.map(|session| (session, None)).collect();
            each(&site, &uploads, running, room, &mut failures).await;
        }
        narrow = failures.iter().any(Fault::is_away);
        let mut pause = limits::UPLOAD_EVERY;
        if failures.iter().any(Fault::is_passing) {
            (pause, looked) = (AGAIN, None);
        }
        if whole || !failures.is_empty() {
            told.tell(&site, &uploads, failures.into_iter().next());
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = uploads.wake.notified() => looked = None,
        }
    }
}

/// Whatever is due: removals, what has ended, what runs, and what need not lie here any more. Says whether something has come
/// to the bucket, or soon can. One recording that fails keeps no other back: what ends a look before its end is behind the others in the
/// next.
async fn everything(
    site: &Arc<Site>,
    uploads: &Arc<Uploads>,
    room: usize,
    failures: &mut Vec<Fault>,
) -> Result<bool, Fault> {
    let journal = Arc::clone(&uploads.journal);
    let all = blocking(move || journal.all()).await?;
    let turned = FAILURES * uploads.cut_short.load(Ordering::Relaxed);
    // Each in its own right: that one kind of thing fails keeps no other from being tried.
    let mut removals = Vec::new();
    going::removed(site, uploads, &all, turned, &mut removals).await;
    let store = Arc::clone(&site.store);
    let here = blocking(move || store.finished()).await?;
    let mut leaving = Vec::new();
    going::leave(site, uploads, &all, &here, turned, &mut leaving).await;
    let removed = all
        .iter()
        .filter(|(_, at)| matches!(at, Progress::Removed { .. }));
    let removed: BTreeSet<_> = removed.map(|(session, _)| session).collect();
    let known = uploads.known().clone();
    let now = site.clock.monotonic();
    let (waiting, mut finished): (Vec<_>, Vec<_>) = here
        .iter()
        .filter(|(session, _)| !known.contains(session) && !removed.contains(session))
        .map(|(session, bytes)| (session.clone(), Some(*bytes)))
        .partition(|(session, _)| uploads.setbacks.is_waiting(session, now));
    turn(&mut finished, turned);
    let running = site.store.running().into_iter();
    let running = running.map(|session| (session, None));
    let both = finished.iter().cloned().chain(running).collect();
    let mut coming = Vec::new();
    each(site, uploads, both, room, &mut coming).await;
    // Last: no recording waits for what only makes things faster.
    let mut indexes = Vec::new();
    let moved = indexes::all(site, uploads, &here, turned, &mut indexes).await?;
    let all = [removals, leaving, coming, indexes];
    if all.iter().any(|some| going::are_away(some)) {
        uploads.cut_short.fetch_add(1, Ordering::Relaxed);
    }
    failures.extend(all.into_iter().flatten());
    if !waiting.is_empty() {
        failures.push(Fault::Other);
    }
    let known = uploads.known();
    Ok(moved || finished.iter().any(|(session, _)| known.contains(session)))
}

/// Begins elsewhere. Of what can fail alone: behind others, what has failed would stand in front again.
fn turn<T>(all: &mut [T], by: usize) {
    if let Some(by) = by.checked_rem(all.len()) {
        all.rotate_left(by);
    }
}

/// Some recordings, several at once: those that are finished with their sizes. One that fails keeps no other back, but
/// several that do keep back the rest.
async fn each(
    site: &Arc<Site>,
    uploads: &Arc<Uploads>,
    all: Vec<(SessionId, Option<u64>)>,
    room: usize,
    failures: &mut Vec<Fault>,
) {
    let room = Arc::new(Semaphore::new(room));
    let mut tasks = JoinSet::new();
    for (session, finished) in all {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            break;
        };
        while let Some(done) = tasks.try_join_next() {
            failures.extend(failed(done));
        }
        if going::are_away(failures) {
            break;
        }
        let (site, uploads) = (Arc::clone(site), Arc::clone(uploads));
        tasks.spawn(async move {
            let result = upload(&site, &uploads, session, finished).await;
            drop(permit);
            result
        });
    }
    while let Some(done) = tasks.join_next().await {
        failures.extend(failed(done));
    }
}

fn failed(done: Result<Result<(), Fault>, tokio::task::JoinError>) -> Option<Fault> {
    match done {
        Ok(result) => result.err(),
        Err(e) => Some(Fault::Disk(io::Error::other(e))),
    }
}

async fn upload(
    site: &Arc<Site>,
    uploads: &Arc<Uploads>,
    session: SessionId,
    finished: Option<u64>,
) -> Result<(), Fault> {
    let one = One {
        site,
        uploads,
        session,
    };
    let result = match finished {
        Some(bytes) => one.finish(bytes).await,
        None => match site.store.sealed(&one.session) {
            Some(sealed) => one.go_on(sealed).await,
            None => Ok(()),
        },
    };
    match result {
        // It was removed meanwhile, or erased, and goes up again.
        Err(Fault::Over) => Ok(()),
        Err(Fault::Disk(_)) if !site.store.has(&one.session) => Ok(()),
        result => result,
    }
}

fn name(site: &Site, session: &SessionId) -> Name {
    Name::recording(session.clone(), site.name.clone())
}

/// Does what blocks.
pub(crate) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await?
}

#[cfg(test)]
mod tests;
