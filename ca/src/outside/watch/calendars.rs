//! Calendar files: read again when they change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::outside::Calendar;
use config::words::RosterName;

use super::super::oncall::{self, Known};
use crate::desk::Desk;

/// How often a file is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps what a calendar says. A file that is gone, or not understood any more, says nothing.
pub(super) async fn keep(desk: &Desk, name: &RosterName, rules: &Calendar) {
    let mut seen = None;
    loop {
        let now = looked_at(&rules.file).await;
        if seen.as_ref() != Some(&now) {
            read(desk, name, rules).await;
            seen = Some(now);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What changes when a file does: which one it is, how long, and when it was written.
type Seen = Option<(u64, u64, u64, i64, i64)>;

async fn looked_at(path: &Path) -> Seen {
    let of = |m: Metadata| (m.dev(), m.ino(), m.len(), m.mtime(), m.mtime_nsec());
    tokio::fs::metadata(path).await.ok().map(of)
}

async fn read(desk: &Desk, name: &RosterName, rules: &Calendar) {
    let own = rules.clone();
    let read = tokio::task::spawn_blocking(move || oncall::read(&own)).await;
    let known = match read {
        Ok(Ok(calendar)) => {
            let names = oncall::strangers(&desk.config(), rules, &calendar).join(", ");
            if !names.is_empty() {
                tracing::warn!(
                    names,
                    "the calendar of [on-call.{name}] names somebody who is not registered"
                );
            }
            Some(Known::Calendar(Arc::new(calendar)))
        }
        Ok(Err(why)) => {
            tracing::error!(%why, "nobody is on call by [on-call.{name}]");
            None
        }
        Err(why) => {
            tracing::error!(%why, "a defect: nobody is on call by [on-call.{name}]");
            None
        }
    };
    desk.know(name.clone(), known);
}
