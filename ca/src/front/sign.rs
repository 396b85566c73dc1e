//! A signature by a key of the person's: from the agent that they forwarded, or else from standard input.

use std::time::Duration;

use ssh_key::PublicKey;

use super::agent;
use super::call::{Call, Stop};

/// How long we wait before we say that we wait for standard input.
const SILENCE: Duration = Duration::from_secs(2);

/// How long standard input may take to end.
const INPUT: Duration = Duration::from_secs(60);

/// The person's registered keys of this kind, the one of this connection first.
pub(super) fn keys(call: &Call, kind: impl Fn(&PublicKey) -> bool) -> Vec<PublicKey> {
    let config = call.config();
    let person = config.persons.get(&call.caller.person);
    let mut keys = person.map(|person| person.keys.clone()).unwrap_or_default();
    keys.retain(kind);
    keys.sort_by_key(|key| key.key_data() != call.caller.key.key_data());
    keys
}

/// An armoured SSHSIG over `text`; `ways` says how to give one.
pub(super) async fn signature(
    call: &Call,
    keys: &[PublicKey],
    namespace: &str,
    text: &str,
    ways: &str,
) -> Result<String, Stop> {
    match &call.agent {
        Some(handle) => agent::sign(handle, keys, namespace, text)
            .await
            .map_err(Stop::Unsigned),
        None => from_input(call, ways).await,
    }
}

async fn from_input(call: &Call, ways: &str) -> Result<String, Stop> {
    let input = async {
        if let Ok(input) = tokio::time::timeout(SILENCE, call.peer.input()).await {
            return Ok(input);
        }
        call.peer
            .say(&format!(
                "reading a signature from standard input …\n{ways}"
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
        return Err(Stop::Usage(format!("{text}{ways}")));
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        let text =
            "nothing signs: no agent was forwarded, and no signature came on standard input\n";
        return Err(Stop::Usage(format!("{text}{ways}")));
    }
    String::from_utf8(bytes).map_err(|_| {
        let text = "what came on standard input is not an SSH signature\n";
        Stop::Usage(format!("{text}{ways}"))
    })
}
