//! Opens the recorder of a session, or gives it up.

use std::sync::Arc;

use config::limits;
use record::api::SessionEnd;
use record::recording::{EndReason, Header, Recorder, Size, StoreError, Term};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::fault::Fault;
use super::permission::{Permission, canonical};
use super::runs::Running;
use crate::ends::{end_of, never_began};
use crate::prelude::Start;
use crate::route::Route;
use crate::site::Site;

/// Opens the recorder. Without one, the CA hears of the session's end, at once or when the disk goes on.
pub(super) async fn open_recorder(
    site: &Arc<Site>,
    route: &Route,
    permission: &Permission,
    start: &Start,
    runs: &Running,
) -> Result<Recorder, Fault> {
    let given = &permission.given;
    let terminal = start.prelude.terminal.as_ref();
    let header = Header {
        session: permission.session.clone(),
        person: given.person.clone(),
        access: route.access().clone(),
        role: given.role.clone(),
        request: given.request.clone(),
        serial: given.serial,
        bastion: site.name.clone(),
        source: canonical(route.source()),
        client: start.client.clone(),
        kind: runs.kind(),
        command: runs.asked.clone(),
        forced: runs.forced.clone(),
        term: terminal.map(|t| Term {
            size: Size::asked(t.cols, t.rows),
            name: t.name.clone(),
        }),
        environment: start.prelude.environment.clone(),
        record_input: given.record_input,
        started_ms: site.clock.wall_ms(),
        original: None,
    };
    let recipients = given.recipients.clone();
    let original = given.terms.mask.original.clone();
    let creating = Arc::clone(site);
    let (give, mut take) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        let session = header.session.clone();
        let created = creating
            .store
            .create_keeping(header, &recipients, &original);
        if created.is_err() {
            keep(&creating, &never_began(session, &EndReason::Recorder));
        }
        if let Err(Ok(late)) = give.send(created) {
            nobody_waits(&creating, late);
        }
    });
    let created = timeout(limits::RECORDING_PATIENCE, &mut take).await;
    let created = if let Ok(created) = created {
        created.map_err(|_| Fault::Defect)?
    } else {
        // What is not here by now is given back to whoever makes it, who ends it.
        take.close();
        take.try_recv().map_err(|_| StoreError::Stalled)?
    };
    Ok(created?)
}

/// Ends a recording that was made too late, so that the CA hears of its end.
fn nobody_waits(site: &Site, recorder: Recorder) {
    match recorder.finish(EndReason::Recorder) {
        Ok(sealed) => keep(site, &end_of(&sealed)),
        // The next start ends it, and tells the CA.
        Err(e) => tracing::error!("a recording is not sealed: {e}"),
    }
}

fn keep(site: &Site, end: &SessionEnd) {
    if let Err(e) = site.ends.keep(end) {
        tracing::error!(session = %end.session, "the end is not kept for the CA: {e}");
    }
}
