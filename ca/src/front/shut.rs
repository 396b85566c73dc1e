//! `revoke`, `restore` and `token`: who is shut out, and what is let in.

use config::limits;
use config::words::TargetName;
use record::entry::Whom;

use super::call::{Call, Stop};
use super::command::{Restore, Revoke};

/// Ends one grant, or shuts somebody or something out.
pub(super) async fn revoke(call: &Call, typed: Revoke) -> Result<(), Stop> {
    let Revoke { what, reason } = typed;
    if let Some(id) = &what.id {
        call.desk.revoke(&call.caller, id, reason).await?;
        let text =
            format!("revoked {id}: its certificate opens nothing any more, its sessions end now\n");
        return Ok(call.peer.say(&text).await?);
    }
    // One of them was typed, or it would not have parsed.
    let Some(whom) = what.whom() else {
        return Ok(());
    };
    let ended = call
        .desk
        .exclude(&call.caller, whom.clone(), reason)
        .await?;
    let grants = match (&whom, ended) {
        (Whom::Bastion(_), _) => "every session through it ends now".to_owned(),
        (_, 0) => "no grant was running".to_owned(),
        (_, 1) => "1 grant and its sessions end now".to_owned(),
        (_, n) => format!("{n} grants and their sessions end now"),
    };
    let text = format!("{whom} is shut out until `restore`: {grants}\n");
    Ok(call.peer.say(&text).await?)
}

/// Lets somebody or something in again.
pub(super) async fn restore(call: &Call, typed: Restore) -> Result<(), Stop> {
    let Restore { what, reason } = typed;
    let Some(whom) = what.whom() else {
        return Ok(());
    };
    call.desk
        .restore(&call.caller, whom.clone(), reason)
        .await?;
    let text = format!("{whom} is let in again; what has ended stays ended\n");
    Ok(call.peer.say(&text).await?)
}

/// Makes a join token.
pub(super) async fn token(call: &Call, target: &TargetName) -> Result<(), Stop> {
    let token = call.desk.invite(&call.caller, target).await?;
    call.peer.print(&(token.reveal() + "\n")).await?;
    let config = call.config();
    let key = record::fingerprint::Fingerprint::of(call.desk.identity().public_key());
    let text = format!(
        "good once, for {target}, within {}; on {target}, as root:\n  hallpass target join {target} --ca {} --ca-key {key} --token -\n",
        config::duration::show(limits::TOKEN_LIFE),
        config.ca.address,
    );
    Ok(call.peer.say(&text).await?)
}
