//! `approve`: reads the request to the approver, has its text signed, and hands the signature on.

use std::time::Duration;

use config::words::RequestId;
use record::request::APPROVAL_NAMESPACE;
use ssh_key::PublicKey;

use super::agent;
use super::call::{Call, Stop};
use super::show;
use crate::desk::{Refused, Shown, Standing};

/// How long we wait before we say that we wait for standard input.
const SILENCE: Duration = Duration::from_secs(2);

/// How long standard input may take to end.
const INPUT: Duration = Duration::from_secs(60);

/// Approves a request with the forwarded agent, or else with an SSHSIG on standard input.
pub(super) async fn approve(call: &Call, id: &RequestId) -> Result<(), Stop> {
    let shown = call.desk.show(&call.caller, id)?;
    refuse_early(call, &shown)?;
    call.peer.say(&show::request(&shown, call.now())).await?;
    let signature = match &call.agent {
        Some(handle) => agent::sign(handle, &keys(call), &shown.text)
            .await
            .map_err(Stop::Unsigned)?,
        None => from_input(call, id).await?,
    };
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

/// The person's registered keys, the one of this connection first.
fn keys(call: &Call) -> Vec<PublicKey> {
    let config = call.config();
    let person = config.persons.get(&call.caller.person);
    let mut keys = person.map(|person| person.keys.clone()).unwrap_or_default();
    keys.sort_by_key(|key| key.key_data() != call.caller.key.key_data());
    keys
}

async fn from_input(call: &Call, id: &RequestId) -> Result<String, Stop> {
    let input = async {
        if let Ok(input) = tokio::time::timeout(SILENCE, call.peer.input()).await {
            return Ok(input);
        }
        call.peer
            .say(&format!(
                "reading a signature from standard input …\n{}",
                ways(id)
            ))
            .await?;
        tokio::select! {
            input = call.peer.input() => Ok(input),
            () = call.peer.stopped() => Err(Stop::Gone),
            () = tokio::time::sleep(INPUT) => Ok(Some(Vec::new())),
        }
    };
    let Some(bytes) = input.await? else {
        let text = "what came on standard input is too long for an SSH signature\n";
        return Err(Stop::Usage(format!("{text}{}", ways(id))));
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        let text =
            "nothing signs: no agent was forwarded, and no signature came on standard input\n";
        return Err(Stop::Usage(format!("{text}{}", ways(id))));
    }
    String::from_utf8(bytes).map_err(|_| {
        let text = "what came on standard input is not an SSH signature\n";
        Stop::Usage(format!("{text}{}", ways(id)))
    })
}

/// Both ways to approve, ready to paste.
fn ways(id: &RequestId) -> String {
    format!(
        "with your agent:    ssh -A ca approve {id}\n\
         with a key file:    ssh ca show {id} --text > r && ssh-keygen -Y sign -n {APPROVAL_NAMESPACE} -f KEY r && ssh ca approve {id} < r.sig\n"
    )
}
