//! The indexes of recordings go to the bucket behind them, so that who reads there need not do without. They are made a moment after
//! their recordings, and only make things faster: no recording waits behind one, or stays here for one that the bucket refuses, or fails
//! some times to take while it answers otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use config::limits;
use config::words::SessionId;

use super::journal::Progress;
use super::{Fault, Uploads, blocking, going, name, turn};
use crate::bucket::{BucketError, Name};
use crate::site::Site;

/// Uploads the indexes of recordings that are there and here, beginning behind so many of them; says whether a recording may leave for that, or soon can.
pub(super) async fn all(
    site: &Arc<Site>,
    uploads: &Uploads,
    here: &[(SessionId, u64)],
    turned: usize,
    failures: &mut Vec<Fault>,
) -> Result<bool, Fault> {
    let journal = Arc::clone(&uploads.journal);
    let all = blocking(move || journal.all()).await?;
    let here: BTreeSet<_> = here.iter().map(|(session, _)| session).collect();
    let due = |(session, progress): &&(SessionId, Progress)| {
        matches!(progress, Progress::Stored { indexed: false, .. })
            && here.contains(session)
            && !uploads.does_without(session)
            && is_awaited(site, uploads, session)
    };
    let mut due: Vec<_> = all.iter().filter(due).collect();
    turn(&mut due, turned);
    let moved = !due.is_empty();
    for (session, progress) in due {
        if going::are_away(failures) {
            break;
        }
        match one(site, uploads, session, progress).await {
            Err(why) if why.is_away() && is_tried_again(site, uploads, session).await => {
                failures.push(why);
            }
            Err(why) => {
                tracing::warn!(%session, "searching a recording in the bucket reads all of it: {why}");
                let mut unindexed = uploads.unindexed();
                unindexed.insert(session.clone(), limits::INDEX_TRIES);
            }
            Ok(()) => {}
        }
    }
    Ok(moved)
}

/// Whether an index that has failed is waited for further: it is while the bucket does not answer at all, and some times more.
async fn is_tried_again(site: &Site, uploads: &Uploads, session: &SessionId) -> bool {
    let answers = uploads.bucket.size(&name(site, session)).await;
    if matches!(&answers, Err(why) if !matches!(why, BucketError::Missing)) {
        return true;
    }
    let mut unindexed = uploads.unindexed();
    let tries = unindexed.entry(session.clone()).or_default();
    *tries += 1;
    *tries < limits::INDEX_TRIES
}

/// Whether a recording has an index that is to be uploaded before it leaves this disk, or gets one in a moment.
pub(super) fn is_awaited(site: &Site, uploads: &Uploads, session: &SessionId) -> bool {
    let is_here = || site.store.index_of(session).is_some();
    site.store.owes_index(session) || (is_here() && !uploads.does_without(session))
}

async fn one(
    site: &Arc<Site>,
    uploads: &Uploads,
    session: &SessionId,
    stored: &Progress,
) -> Result<(), Fault> {
    let Some(path) = site.store.index_of(session) else {
        return Ok(());
    };
    let bytes = blocking(move || std::fs::read(path).map(Bytes::from)).await?;
    let put = put(uploads, &name(site, session).index(), bytes).await;
    put.map_err(|e| going::of_its_own(e, Fault::Index))?;
    let mut there = stored.clone();
    if let Progress::Stored { indexed, .. } = &mut there {
        *indexed = true;
    }
    let _keeping = site.keeping.lock().await;
    if going::is_still(uploads, session, stored).await? {
        let (journal, session) = (Arc::clone(&uploads.journal), session.clone());
        blocking(move || journal.write(&session, &there)).await?;
    }
    Ok(())
}

/// Makes the object; of parts, where it is larger than one.
async fn put(uploads: &Uploads, name: &Name, bytes: Bytes) -> Result<(), BucketError> {
    let (bucket, part) = (&uploads.bucket, limits::UPLOAD_PART_BYTES);
    if bytes.len() as u64 <= part {
        return bucket.put(name, bytes).await;
    }
    let upload = bucket.begin(name).await?;
    let made = async {
        let (mut rest, mut parts) = (bytes, Vec::new());
        while !rest.is_empty() {
            let most = usize::try_from(part).unwrap_or(usize::MAX);
            let some = rest.split_to(rest.len().min(most));
            parts.push(bucket.part(name, &upload, parts.len(), some).await?);
        }
        bucket.complete(name, &upload, parts).await
    };
    match made.await {
        Ok(()) => Ok(()),
        Err(why) => {
            // What made it fail is told, and most likely keeps this from being done too.
            let _ = bucket.abort(name, &upload).await;
            Err(why)
        }
    }
}
