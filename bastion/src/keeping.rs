//! Removes the recordings that are kept no longer: the CA says which, and has it in its log first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use config::limits;
use config::words::SessionId;
use record::api::retention::{ExpireAsk, Kept, KeptAsk};
use record::retention::{self, Rule};

use crate::bucket::Stored;
use crate::ca_link::CaError;
use crate::site::Site;
use crate::upload::{There, blocking};

/// How long to wait before an unreachable CA, or a disk that fails, is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Why nothing more is removed for now.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("the directory of recordings: {0}")]
    Disk(#[from] std::io::Error),
}

/// Looks every [`limits::RETENTION_EVERY`], for ever.
pub(crate) async fn run(site: Arc<Site>) {
    loop {
        let pause = match sweep(&site).await {
            Ok(()) => limits::RETENTION_EVERY,
            Err(e) => {
                tracing::warn!("recordings are kept longer than their roles say: {e}");
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Removes what is due now.
async fn sweep(site: &Arc<Site>) -> Result<(), Fault> {
    let stored = stored(site).await?;
    let unknown: BTreeSet<_> = stored
        .iter()
        .filter(|(_, bytes)| *bytes == 0)
        .map(|(kept, _)| &kept.session)
        .collect();
    for (session, rule) in retention::due(&stored) {
        // To remove what counts for nothing makes no room.
        if matches!(rule, Rule::Size(_)) && unknown.contains(&session) {
            continue;
        }
        remove(site, session, rule).await?;
    }
    let store = Arc::clone(&site.store);
    Ok(blocking(move || store.tidy()).await?)
}

/// What lies here and how long it is kept.
async fn stored(site: &Arc<Site>) -> Result<Vec<(Kept, u64)>, Fault> {
    let store = Arc::clone(&site.store);
    let mut finished = blocking(move || store.finished()).await?;
    if let Some(uploads) = &site.uploads {
        // While the bucket is away, what lies here is looked at alone: no more is removed than should be.
        let known = Arc::clone(uploads);
        let known = blocking(move || known.all_there()).await?;
        finished.retain(|(session, _)| known.get(session) != Some(&There::Removed));
        match uploads.list(&site.name).await {
            Ok(there) => also(&mut finished, there, &known),
            Err(e) => tracing::warn!("recordings in the bucket are kept for now: {e}"),
        }
    }
    let mut stored = Vec::new();
    for some in finished.chunks(limits::KEPT_ASKED) {
        let sessions = some.iter().map(|(session, _)| session.clone()).collect();
        let given = site.link.kept(&KeptAsk { sessions }).await?;
        stored.extend(given.kept.into_iter().filter_map(|kept| {
            let (_, bytes) = some.iter().find(|(session, _)| *session == kept.session)?;
            Some((kept, *bytes))
        }));
    }
    Ok(stored)
}

/// Adds what lies in the bucket alone. How large it is says our own journal; 0 where that is lost, since who writes to the bucket
/// could have others removed by what lies there.
fn also(
    finished: &mut Vec<(SessionId, u64)>,
    there: Vec<Stored>,
    known: &BTreeMap<SessionId, There>,
) {
    let here: BTreeSet<SessionId> = finished
        .iter()
        .map(|(session, _)| session.clone())
        .collect();
    let alone = there.into_iter().map(|one| one.name.session);
    let alone = alone.filter(|session| !here.contains(session));
    finished.extend(alone.filter_map(|session| match known.get(&session) {
        Some(There::Removed) => None,
        Some(There::Known { bytes, .. }) => Some((session, *bytes)),
        None => Some((session, 0)),
    }));
}

async fn remove(site: &Arc<Site>, session: SessionId, rule: Rule) -> Result<(), Fault> {
    // Nobody holds it between the CA's word and its end.
    let _keeping = site.keeping.lock().await;
    let ask = ExpireAsk { session, rule };
    match site.link.expire(&ask).await {
        Ok(_) => {}
        Err(CaError::Refused(why)) => {
            tracing::info!(session = %ask.session, "a recording is kept: {why}");
            return Ok(());
        }
        Err(gone) => return Err(gone.into()),
    }
    let session = ask.session;
    // If we die here, the log says that it is removed; the next look asks again, and does it.
    let (store, gone) = (Arc::clone(&site.store), session.clone());
    let uploads = site.uploads.clone();
    blocking(move || {
        uploads.map_or(Ok(()), |uploads| uploads.remove(&gone))?;
        store.remove(&gone)
    })
    .await?;
    tracing::info!(%session, %rule, "a recording is removed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use record::digest::Digest;

    use super::*;
    use crate::bucket::Name;

    #[test]
    fn how_large_it_is_never_says_the_bucket_and_what_is_removed_goes_once() {
        let id = |n| SessionId::from_parts(n, [0; 10]);
        let there = |n| Stored {
            name: Name::recording(id(n), "edge".parse().unwrap()),
            bytes: 60 << 30,
        };
        let digest = Digest::from_bytes([0; 32]);
        let known = BTreeMap::from([
            (id(2), There::Known { bytes: 7, digest }),
            (id(3), There::Removed),
        ]);
        let mut finished = vec![(id(1), 5)];
        also(&mut finished, (1..=4).map(there).collect(), &known);
        assert_eq!(finished, [(id(1), 5), (id(2), 7), (id(4), 0)]);
    }
}
