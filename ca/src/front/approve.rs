//! `approve`: reads the request to the approver, has its text signed, and hands the signature on.

use config::words::RequestId;
use record::request::APPROVAL_NAMESPACE;

use super::call::{Call, Stop};
use super::{show, sign};
use crate::desk::{Refused, Shown, Standing};

/// Approves a request with the forwarded agent, or else with an SSHSIG on standard input.
pub(super) async fn approve(call: &Call, id: &RequestId) -> Result<(), Stop> {
    let shown = call.desk.show(&call.caller, id)?;
    refuse_early(call, &shown)?;
    call.peer.say(&show::request(&shown, call.now())).await?;
    let keys = sign::keys(call, |_| true);
    let signature =
        sign::signature(call, &keys, APPROVAL_NAMESPACE, &shown.text, &ways(id)).await?;
    let standing = call.desk.approve(&call.caller, id, &signature).await?;
    let text = match standing {
        Standing::Granted { until } => format!(
            "approved: {} has {} until {}\n",
            shown.person,
            shown.access,
            until.time_of_day()
        ),
        Standing::Waiting { needs, checks, .. } => {
            let missing = crate::desk::Need::with_checks(&needs, &checks);
            format!("approved; still {missing}\n")
        }
        other => format!("approved; but {}\n", Refused::Closed(other)),
    };
    Ok(call.peer.say(&text).await?)
}

/// What is certain to be refused is refused before anybody touches a key. The desk decides again.
fn refuse_early(call: &Call, shown: &Shown) -> Result<(), Refused> {
    if shown.person == call.caller.person {
        return Err(Refused::OwnRequest);
    }
    match &shown.standing {
        Standing::Denied { .. }
        | Standing::Failed { .. }
        | Standing::Withdrawn
        | Standing::Expired => Err(Refused::Closed(shown.standing.clone())),
        _ => Ok(()),
    }
}

/// Both ways to approve, ready to paste.
fn ways(id: &RequestId) -> String {
    format!(
        "with your agent:    ssh -A ca approve {id}\n\
         with a key file:    ssh ca show {id} --text > r && ssh-keygen -Y sign -n {APPROVAL_NAMESPACE} -f KEY r && ssh ca approve {id} < r.sig\n"
    )
}
