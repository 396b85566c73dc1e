//! What goes: objects that are to be removed, and files that need not lie on this disk any more.
//!
//! Each recording is on its own: one that the bucket will not lock, does not remove or has lost keeps no other back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use config::words::SessionId;
use record::clock::UnixTime;

use super::journal::Progress;
use super::{FAILURES, Fault, Uploads, blocking, indexes, name, turn};
use crate::bucket::{BucketError, until};
use crate::site::Site;

/// Removes from the bucket what is to be removed there, beginning behind so many of them.
pub(super) async fn removed(
    site: &Arc<Site>,
    uploads: &Uploads,
    all: &[(SessionId, Progress)],
    turned: usize,
    failures: &mut Vec<Fault>,
) {
    let due = all.iter().filter_map(|(session, progress)| match progress {
        Progress::Removed { upload } => Some((session, upload)),
        _ => None,
    });
    let mut due: Vec<_> = due.collect();
    turn(&mut due, turned);
    for (session, upload) in due {
        if are_away(failures) {
            break;
        }
        failures.extend(
            remove(site, uploads, session, upload.as_deref())
                .await
                .err(),
        );
    }
}

async fn remove(
    site: &Arc<Site>,
    uploads: &Uploads,
    session: &SessionId,
    upload: Option<&str>,
) -> Result<(), Fault> {
    let (bucket, name) = (&uploads.bucket, name(site, session));
    // Whatever becomes of its index, the recording goes.
    let index = bucket.remove(&name.index()).await;
    let gone = async {
        bucket.remove(&name).await?;
        match upload {
            Some(upload) => bucket.abort(&name, upload).await,
            None => Ok(()),
        }
    };
    gone.await.map_err(|e| of_its_own(e, Fault::Remove))?;
    // The bucket does answer: whatever is wrong here says nothing of the others.
    index.map_err(Fault::Remove)?;
    let (store, journal) = (Arc::clone(&site.store), Arc::clone(&uploads.journal));
    let session = session.clone();
    Ok(blocking(move || {
        // We may have died before the file was removed.
        store.remove(&session)?;
        journal.forget(&session)
    })
    .await?)
}

/// Removes from this disk what is in the bucket for long enough, after it was locked where it can be. Of `all` that is known of the
/// bucket and `here` on the disk, it begins behind so many.
pub(super) async fn leave(
    site: &Arc<Site>,
    uploads: &Uploads,
    all: &[(SessionId, Progress)],
    here: &[(SessionId, u64)],
    turned: usize,
    failures: &mut Vec<Fault>,
) {
    let here: BTreeSet<_> = here.iter().map(|(session, _)| session).collect();
    let now = site.clock.wall();
    let due = all.iter().filter_map(|(session, progress)| {
        let Progress::Stored { at, locked, .. } = progress else {
            return None;
        };
        let locks = uploads.lock.is_some() && !locked;
        let leaves = is_over(uploads.keep_local, *at, now);
        let due = here.contains(session) && (locks || leaves);
        due.then_some((session, progress, locks, leaves))
    });
    let mut due: Vec<_> = due.collect();
    turn(&mut due, turned);
    for (session, progress, locks, leaves) in due {
        if are_away(failures) {
            break;
        }
        let left = if locks {
            // The next look lets it leave.
            lock(site, uploads, session, progress).await
        } else {
            Ok(())
        };
        let left = match left {
            Ok(()) if leaves => let_leave(site, uploads, session, progress).await,
            left => left,
        };
        failures.extend(left.err());
    }
}

/// Locks what is stored, where the configuration says so and the bucket can.
pub(super) async fn lock(
    site: &Arc<Site>,
    uploads: &Uploads,
    session: &SessionId,
    stored: &Progress,
) -> Result<(), Fault> {
    let &Progress::Stored {
        bytes,
        digest,
        at,
        indexed,
        ..
    } = stored
    else {
        return Ok(());
    };
    let locks = uploads.locks().await;
    let Some(time) = locks.map_err(|e| of_its_own(e, Fault::Lock))? else {
        return Ok(());
    };
    let until = until(site.clock.wall(), time);
    match uploads.bucket.lock(&name(site, session), &until).await {
        Err(BucketError::Missing) => return again(site, uploads, session, stored).await,
        locked => locked.map_err(|e| of_its_own(e, Fault::Lock))?,
    }
    let locked = Progress::Stored {
        bytes,
        digest,
        at,
        locked: true,
        indexed,
    };
    let _keeping = site.keeping.lock().await;
    if is_still(uploads, session, stored).await? {
        let (journal, session) = (Arc::clone(&uploads.journal), session.clone());
        blocking(move || journal.write(&session, &locked)).await?;
    }
    Ok(())
}

/// Removes a file whose object is still what it was when it was compared. That is read once more, since from then on there is
/// nothing else to hold it against.
async fn let_leave(
    site: &Arc<Site>,
    uploads: &Uploads,
    session: &SessionId,
    stored: &Progress,
) -> Result<(), Fault> {
    let Progress::Stored {
        bytes,
        digest,
        locked,
        indexed,
        ..
    } = stored
    else {
        return Ok(());
    };
    if !indexed && indexes::is_awaited(site, uploads, session) {
        return Ok(());
    }
    let locks = uploads.locks().await;
    let locks = locks.map_err(|e| of_its_own(e, Fault::Lock))?;
    if locks.is_some() && !locked {
        return Ok(());
    }
    let theirs = uploads.bucket.digest(&name(site, session), *bytes).await?;
    if theirs != Some(*digest) {
        return again(site, uploads, session, stored).await;
    }
    // It may have been erased or removed meanwhile; from here on it is not.
    let _keeping = site.keeping.lock().await;
    if is_still(uploads, session, stored).await? {
        let (store, id) = (Arc::clone(&site.store), session.clone());
        blocking(move || store.remove(&id)).await?;
        uploads.unindexed().remove(session);
        uploads.setbacks.forget(session);
        tracing::info!(%session, "a recording is in the bucket alone from now on");
    }
    Ok(())
}

/// Uploads again what the bucket has not, or has otherwise.
async fn again(
    site: &Arc<Site>,
    uploads: &Uploads,
    session: &SessionId,
    stored: &Progress,
) -> Result<(), Fault> {
    let _keeping = site.keeping.lock().await;
    if is_still(uploads, session, stored).await? {
        uploads.as_before(session)?;
        uploads.setbacks.count(session, site.clock.monotonic());
    }
    Ok(())
}

/// Whether the journal says so still. The caller holds [`Site::keeping`].
pub(super) async fn is_still(
    uploads: &Uploads,
    session: &SessionId,
    progress: &Progress,
) -> Result<bool, Fault> {
    let (journal, session) = (Arc::clone(&uploads.journal), session.clone());
    let now = blocking(move || journal.read(&session)).await?;
    Ok(now.as_ref() == Some(progress))
}

/// What is refused for one recording says nothing of the others.
pub(super) fn of_its_own(error: BucketError, fault: fn(BucketError) -> Fault) -> Fault {
    match error {
        BucketError::Denied(_) => fault(error),
        other => other.into(),
    }
}

/// Whether so many have failed that the rest waits for the next look.
pub(super) fn are_away(failures: &[Fault]) -> bool {
    failures.iter().filter(|why| why.is_away()).count() >= FAILURES
}

fn is_over(keep: Option<Duration>, at: UnixTime, now: UnixTime) -> bool {
    keep.is_some_and(|keep| now.since(at) >= keep)
}
