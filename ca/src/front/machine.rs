//! One command of a target: `sync`, `renew`, or `join TARGET`. Answers are JSON or one certificate, for programs.

use std::sync::Arc;

use config::words::{TargetName, shown};
use serde::Serialize;

use super::peer::Peer;
use crate::desk::{Desk, Machine, Refused};

/// Longest command of a target, in bytes: a word and a name.
const LINE_BYTES: usize = 512;

/// Runs one command of a target, and says the exit status.
pub(super) async fn run(desk: &Arc<Desk>, machine: Machine, peer: &Peer, line: &[u8]) -> u8 {
    let line = line.get(..line.len().min(LINE_BYTES)).unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    let answer = answer(desk, machine, &line).await;
    let status = match &answer {
        Ok(text) => {
            // A target that has gone asks again.
            let _ = peer.print(text).await;
            0
        }
        Err(refused) => {
            let _ = peer.say(&format!("{refused}\n")).await;
            refused.status().code()
        }
    };
    let why = answer.err().map(|refused| refused.to_string());
    tracing::info!(command = %shown(&line), status, why, "answered a target");
    status
}

async fn answer(desk: &Arc<Desk>, machine: Machine, line: &str) -> Result<String, Refused> {
    let words: Vec<&str> = line.split(' ').collect();
    match (words.as_slice(), &machine.token) {
        (["join", name], _) => {
            let name: TargetName = name
                .parse()
                .map_err(|_| Refused::Join("this is not the name of a target"))?;
            json(&desk.join(machine, &name).await?)
        }
        (["sync"], None) => {
            let target = desk.target(&machine.key);
            let target = target.ok_or(Refused::Join("this host key is not known any more"))?;
            json(&desk.orders(Some(&target))?)
        }
        (["renew"], None) => Ok(desk.renew(machine).await? + "\n"),
        _ => Err(Refused::Message("a target says sync, renew or join TARGET")),
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, Refused> {
    serde_json::to_string(value).map_err(|e| Refused::Unavailable(e.to_string()))
}
