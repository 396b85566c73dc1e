//! What people are told of a bucket: that it begins to fail, from time to time that it still does, and that it is back.

use std::time::Duration;

use tokio::time::Instant;

use super::{Fault, Uploads};
use crate::site::Site;

/// How often it is said that it still fails.
const SAID_AGAIN: Duration = Duration::from_secs(600);

/// What the last looks have come to, so that it is said once.
#[derive(Default)]
pub(super) struct Told {
    failing: Option<(Instant, Instant)>,
}

impl Told {
    /// Says it when the bucket begins to fail, from time to time while it does, and when it is back.
    pub(super) fn tell(&mut self, site: &Site, uploads: &Uploads, failure: Option<Fault>) {
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
                if count == 0 {
                    tracing::error!("{why}");
                } else {
                    tracing::error!(
                        recordings = count,
                        bytes,
                        "recordings wait on this disk for the bucket: {why}"
                    );
                }
                let since = before.map_or(now, |(since, _)| since);
                self.failing = Some((since, now));
            }
            (None, None) => {}
        }
    }
}
