//! One command of a target: `sync`, `renew`, or `join TARGET`. Answers are JSON or one certificate, for programs.

use std::fmt;
use std::sync::Arc;

use config::words::{TargetName, shown};
use serde::Serialize;

use super::peer::Peer;
use crate::desk::{Desk, Machine, Refused};

/// Longest command of a target, in bytes: a word and a name.
const LINE_BYTES: usize = 512;

/// What a target may say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Join(TargetName),
    Sync,
    Renew,
}

impl Said {
    fn parse(line: &[u8]) -> Result<Self, Refused> {
        let unknown = Refused::Because("a target says sync, renew or join TARGET");
        let line = str::from_utf8(line).ok();
        let line = line.filter(|line| line.len() <= LINE_BYTES);
        match line.map(|line| line.split_once(' ').ok_or(line)) {
            Some(Ok(("join", name))) => name
                .parse()
                .map(Self::Join)
                .map_err(|_| Refused::Join("this is not the name of a target")),
            Some(Err("sync")) => Ok(Self::Sync),
            Some(Err("renew")) => Ok(Self::Renew),
            _ => Err(unknown),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join(name) => write!(f, "join {name}"),
            Self::Sync => f.write_str("sync"),
            Self::Renew => f.write_str("renew"),
        }
    }
}

/// Reads one command of a target, as [`super::serve`] does, and gives it back as it was understood; or says what is wrong
/// with it.
pub fn read_machine_command(line: &[u8]) -> Result<String, String> {
    let said = Said::parse(line);
    said.map(|said| said.to_string()).map_err(|e| e.to_string())
}

/// Runs one command of a target, and says the exit status.
pub(super) async fn run(desk: &Arc<Desk>, machine: Machine, peer: &Peer, line: &[u8]) -> u8 {
    let answer = match Said::parse(line) {
        Ok(said) => answer(desk, machine, said).await,
        Err(refused) => Err(refused),
    };
    let line = String::from_utf8_lossy(line.get(..line.len().min(LINE_BYTES)).unwrap_or_default());
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

async fn answer(desk: &Arc<Desk>, machine: Machine, said: Said) -> Result<String, Refused> {
    match (said, &machine.token) {
        (Said::Join(name), _) => json(&desk.join(machine, &name).await?),
        (Said::Sync, None) => {
            let target = desk.target(&machine.key);
            let target = target.ok_or(Refused::Join("this host key is not known any more"))?;
            json(&desk.orders(Some(&target))?)
        }
        (Said::Renew, None) => Ok(desk.renew(machine).await? + "\n"),
        _ => Err(Refused::Because("with a token a target says join TARGET")),
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, Refused> {
    serde_json::to_string(value).map_err(|e| Refused::Unavailable(e.to_string()))
}
