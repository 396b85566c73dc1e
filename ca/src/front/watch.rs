//! `pending --watch`: what waits, and from then on what is new, as it happens.

use std::collections::BTreeSet;
use std::sync::Arc;

use config::words::{RequestId, shown};
use tokio::sync::broadcast::error::RecvError;

use super::call::{Call, Stop};
use super::lists;
use super::run::STRANGER;
use crate::alert::Alert;
use crate::desk::{PendingRow, Status};

/// Prints what waits, and stays: what begins to wait or is decided is a line, and an alert is one at once.
pub(super) async fn watch(call: &Call) -> Result<(), Stop> {
    // Before the first look, so that nothing falls between the two.
    let (mut alerts, mut changes) = (call.desk.alerts(), call.desk.changes());
    let mut known = first(call).await?;
    loop {
        // Whatever has happened may have taken their key from them, or shut them out.
        if !is_still(call) {
            call.peer.say(STRANGER.1).await?;
            return Err(Stop::Said(Status::Policy));
        }
        tokio::select! {
            alert = alerts.recv() => match alert {
                Ok(alert) => heard(call, &alert).await?,
                Err(RecvError::Lagged(_)) => {
                    call.peer.say("more happened than can be shown: ssh ca pending\n").await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            },
            grown = changes.changed() => {
                if grown.is_err() {
                    return Ok(());
                }
                if is_still(call) {
                    known = news(call, known).await?;
                }
            }
            () = call.peer.stopped() => return Ok(()),
            () = call.ca_stops() => {
                call.peer.say("the CA is restarting\n").await?;
                return Err(Stop::Said(Status::Unavailable));
            }
        }
    }
}

async fn first(call: &Call) -> Result<BTreeSet<RequestId>, Stop> {
    let rows = for_you(call);
    let owed = call.desk.owed(&call.caller);
    let text = lists::pending(&rows, call.now());
    let reviews = lists::owed(&owed, call.now());
    let text = match (text.is_empty(), reviews.is_empty()) {
        (true, true) => "nothing waits; waiting for what comes …\n".to_owned(),
        (false, false) => format!("{text}\n{reviews}"),
        _ => format!("{text}{reviews}"),
    };
    call.peer.print(&text).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn news(call: &Call, known: BTreeSet<RequestId>) -> Result<BTreeSet<RequestId>, Stop> {
    let rows = for_you(call);
    let now: BTreeSet<RequestId> = rows.iter().map(|row| row.id.clone()).collect();
    for row in rows.iter().filter(|row| !known.contains(&row.id)) {
        let text = format!(
            "{}  {} asks for {} under {}: {}  ssh -A ca approve {}\n",
            row.id,
            row.person,
            row.access,
            row.role,
            shown(row.reason.as_str()),
            row.id
        );
        call.peer.print(&text).await?;
    }
    for id in known.difference(&now) {
        call.peer
            .print(&format!("{id}  waits for you no more\n"))
            .await?;
    }
    Ok(now)
}

/// Whether the key that this connection proved is still theirs, and neither is shut out.
fn is_still(call: &Call) -> bool {
    let now = call.desk.caller(&call.caller.key, call.caller.source);
    now.is_some_and(|now| now.person == call.caller.person)
}

async fn heard(call: &Call, alert: &Arc<Alert>) -> Result<(), Stop> {
    if is_still(call) && alert.tell.contains(&call.caller.person) {
        let text = format!("{}  {}\n", alert.at, shown(&alert.text));
        call.peer.print(&text).await?;
    }
    Ok(())
}

fn for_you(call: &Call) -> Vec<PendingRow> {
    let mut rows = call.desk.pending(&call.caller);
    rows.retain(|row| row.for_you);
    rows
}
