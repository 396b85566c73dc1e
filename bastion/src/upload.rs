//! Recordings go to a bucket while their sessions run, and leave this disk when the configuration says so.
//!
//! Nothing waits for this. While the bucket is away or slow, recordings stay where they are, on this disk, and the log of
//! the bastion says so; whatever died half-way goes on at the next start ([`journal`]).

mod journal;
mod one;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::limits;
use config::words::{BastionName, SessionId};
use record::clock::UnixTime;
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bucket::{Bucket, BucketError, Locking, Name, Stored};
use crate::site::Site;

use journal::{Journal, Progress};
use one::One;

/// How long to leave a bucket alone that does not answer.
const AGAIN: Duration = Duration::from_secs(15);

/// How often it is said that it still does not.
const SAID_AGAIN: Duration = Duration::from_secs(600);

/// How often everything on the disk is looked at, whether or not a session has ended.
const LOOK: Duration = Duration::from_secs(300);

/// After how many failures the rest waits for the next look.
const FAILURES: usize = 4;

/// Why a recording is not in the bucket yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The bucket's fault.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// This disk's fault.
    #[error("the bastion's disk: {0}")]
    Disk(#[from] io::Error),
    /// The bucket's fault.
    #[error("the bucket has lost an upload that was under way")]
    Lost,
    /// The bucket's fault, or that of somebody who writes there.
    #[error("the bucket gives back something else than it was given")]
    Other,
    /// It does not fit.
    #[error("a recording is too long for an object, and stays on this disk")]
    Long,
}

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
    wake: Notify,
    /// Where recordings are put that are fetched to be read.
    pub(crate) fetched: PathBuf,
}

/// What the last looks have come to, so that it is said once.
#[derive(Default)]
struct Told {
    failing: Option<(Instant, Instant)>,
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
        self.journal.forget(session)?;
        self.known().remove(session);
        self.wake.notify_one();
        Ok(())
    }

    /// Removes a recording from the bucket, as soon as that answers. Blocks for some milliseconds.
    pub(crate) fn remove(&self, session: &SessionId) -> io::Result<()> {
        self.journal.write(session, &Progress::Removed)?;
        self.known().remove(session);
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
}

/// Uploads, for ever.
pub(crate) async fn run(site: Arc<Site>, uploads: Arc<Uploads>) {
    let mut told = Told::default();
    let mut count = 0;
    let mut looked: Option<Instant> = None;
    loop {
        let ended = site.ends.count();
        let woken = looked.is_none_or(|at| at.elapsed() >= LOOK);
        let result = if ended != count || woken {
            count = ended;
            // What has come there may be one that leaves this disk at once.
            let came = everything(&site, &uploads).await;
            looked = came.as_ref().is_ok_and(|came| !came).then(Instant::now);
            came.map(drop)
        } else {
            parts(&site, &uploads, site.store.running()).await
        };
        let pause = match result {
            Ok(()) => limits::UPLOAD_EVERY,
            Err(_) => AGAIN,
        };
        if result.is_err() {
            looked = None;
        }
        told.tell(&site, &uploads, result.err());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = uploads.wake.notified() => looked = None,
        }
    }
}

/// Whatever is due: removals, what has ended, what runs, and what need not lie here any more. Says whether something has come
/// to the bucket.
async fn everything(site: &Arc<Site>, uploads: &Arc<Uploads>) -> Result<bool, Fault> {
    let journal = Arc::clone(&uploads.journal);
    let all = blocking(move || journal.all()).await?;
    for (session, _) in all.iter().filter(|(_, at)| *at == Progress::Removed) {
        uploads.bucket.remove(&name(site, session)).await?;
        let (journal, session) = (Arc::clone(&uploads.journal), session.clone());
        blocking(move || journal.forget(&session)).await?;
    }
    let store = Arc::clone(&site.store);
    let here = blocking(move || store.finished()).await?;
    leave(site, uploads, &all, &here).await?;
    let known = uploads.known().clone();
    let waits = here
        .into_iter()
        .filter(|(session, _)| !known.contains(session));
    let finished: Vec<_> = waits
        .map(|(session, bytes)| (session, Some(bytes)))
        .collect();
    let came = !finished.is_empty();
    let running = site
        .store
        .running()
        .into_iter()
        .map(|session| (session, None));
    each(site, uploads, finished.into_iter().chain(running).collect()).await?;
    Ok(came)
}

/// Parts of what runs.
async fn parts(
    site: &Arc<Site>,
    uploads: &Arc<Uploads>,
    running: Vec<SessionId>,
) -> Result<(), Fault> {
    let running = running.into_iter().map(|session| (session, None)).collect();
    each(site, uploads, running).await
}

/// Some recordings, several at once: those that are finished with their sizes. One that fails keeps no other back, but
/// several that do keep back the rest.
async fn each(
    site: &Arc<Site>,
    uploads: &Arc<Uploads>,
    all: Vec<(SessionId, Option<u64>)>,
) -> Result<(), Fault> {
    let room = Arc::new(Semaphore::new(limits::UPLOADS));
    let (mut tasks, mut failures) = (JoinSet::new(), Vec::new());
    for (session, finished) in all {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            break;
        };
        while let Some(done) = tasks.try_join_next() {
            failures.extend(failed(done));
        }
        if failures.len() >= FAILURES {
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
    failures.into_iter().next().map_or(Ok(()), Err)
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
    let sealed = || site.store.sealed(&session);
    let one = |session| One {
        site,
        uploads,
        session,
    };
    match finished {
        Some(bytes) => {
            one(session.clone()).finish(bytes).await?;
            uploads.known().insert(session);
            Ok(())
        }
        None => match sealed() {
            Some(sealed) => one(session).go_on(sealed).await,
            None => Ok(()),
        },
    }
}

/// Removes from this disk what is in the bucket for long enough, and forgets of what else is gone from here.
async fn leave(
    site: &Arc<Site>,
    uploads: &Arc<Uploads>,
    all: &[(SessionId, Progress)],
    here: &[(SessionId, u64)],
) -> Result<(), Fault> {
    let now = site.clock.wall();
    for (session, progress) in all {
        let Progress::Stored { bytes, at, .. } = progress else {
            continue;
        };
        let is_here = here.iter().any(|(id, _)| id == session);
        if is_here && !is_over(uploads.keep_local, *at, now) {
            continue;
        }
        // Taken before it is asked, so that it is not erased meanwhile.
        let _keeping = site.keeping.lock().await;
        if is_here && uploads.bucket.size(&name(site, session)).await? != *bytes {
            return Err(Fault::Other);
        }
        let (store, journal, id) = (
            Arc::clone(&site.store),
            Arc::clone(&uploads.journal),
            session.clone(),
        );
        blocking(move || {
            // If we die within, the next look forgets it.
            store.remove(&id)?;
            journal.forget(&id)
        })
        .await?;
        uploads.known().remove(session);
        tracing::info!(%session, "a recording is in the bucket alone from now on");
    }
    Ok(())
}

fn is_over(keep: Option<Duration>, at: UnixTime, now: UnixTime) -> bool {
    keep.is_some_and(|keep| now.since(at) >= keep)
}

impl Told {
    /// Says it when the bucket begins to fail, from time to time while it does, and when it is back.
    fn tell(&mut self, site: &Arc<Site>, uploads: &Uploads, failure: Option<Fault>) {
        let now = Instant::now();
        match (failure, self.failing) {
            (None, Some((since, _))) => {
                let seconds = since.elapsed().as_secs();
                tracing::info!(seconds, "the bucket takes recordings again");
                self.failing = None;
            }
            (Some(_), Some((_, said))) if said.elapsed() < SAID_AGAIN => {}
            (Some(why), before) => {
                let here = site.store.finished().unwrap_or_default();
                let known = uploads.known();
                let waits = here.iter().filter(|(session, _)| !known.contains(session));
                let (count, bytes) =
                    waits.fold((0_u64, 0_u64), |(n, sum), (_, bytes)| (n + 1, sum + bytes));
                tracing::error!(
                    recordings = count,
                    bytes,
                    "recordings wait on this disk for the bucket: {why}"
                );
                let since = before.map_or(now, |(since, _)| since);
                self.failing = Some((since, now));
            }
            (None, None) => {}
        }
    }
}

fn name(site: &Site, session: &SessionId) -> Name {
    Name {
        session: session.clone(),
        bastion: site.name.clone(),
    }
}

/// Does what blocks.
pub(crate) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await?
}
