mod bastions;
mod checks;
mod exclusions;
mod faults;
mod fold;
mod glass;
mod kept;
mod keygen;
mod people;
mod policy;
mod reach;
mod retired;
mod revoked;
mod rotation;
mod store;
mod targets;
mod warrant;

use std::path::Path;
use std::time::Duration;

use super::start::Opened;
use super::writer::Answer;
use super::*;
use crate::issue::Ledger as _;
use crate::journal::Journal;
use crate::keys::{self, Keys};
use crate::state::State;
use crate::store::{Inventory, Shelf, Store};
use crate::testing::{TestClock, approval, ask, caller, config, config_text, line};
use config::words::{BastionName, RequestId, SessionId};
use record::api;
use record::digest::Digest;
use record::entry::{Entry, Line};
use record::log::{Log, Position};
use record::review::Verdict;
use record::text::Reason;

/// A CA in a temporary directory.
struct World {
    dir: tempfile::TempDir,
    clock: Arc<TestClock>,
    text: String,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        keys::init_keys(&dir.path().join("ca")).unwrap();
        Self {
            dir,
            clock: TestClock::new(),
            text: config_text(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn config(&self) -> Arc<Config> {
        Arc::new(config(self.path(), &self.text))
    }

    fn try_open(&self) -> Result<Arc<Desk>, DeskError> {
        Desk::open(self.config(), self.clock.clone())
    }

    fn open(&self) -> Arc<Desk> {
        match self.try_open() {
            Ok(desk) => desk,
            Err(e) => panic!("{e}"),
        }
    }

    /// The lines of the log, read by nobody's leave.
    fn lines(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(self.path().join("ca/log/entries")).unwrap();
        text.lines()
            .map(|line| Line::parse(line).unwrap())
            .collect()
    }

    fn issues(&self, authority: record::entry::Authority) -> usize {
        let lines = self.lines();
        let issues = lines.iter().filter(
            |line| matches!(&line.entry, Entry::Issue { authority: by, .. } if *by == authority),
        );
        issues.count()
    }
}

/// The key that a CA of this desk signs with.
fn ca(desk: &Desk, name: KeyName) -> PublicKey {
    desk.hall.believed(name).remove(0)
}

/// alice asks for postgres@db1.prod.
async fn asked(desk: &Desk) -> RequestId {
    let alice = caller("alice", "alice");
    let asked = desk.request(&alice, ask("postgres@db1.prod")).await;
    asked.unwrap().id
}

/// And bob approves.
async fn granted(desk: &Desk) -> RequestId {
    let id = asked(desk).await;
    let standing = approve(desk, &id, "bob", "bob").await;
    assert!(
        matches!(standing, Ok(Standing::Granted { .. })),
        "{standing:?}"
    );
    id
}

async fn approve(
    desk: &Desk,
    id: &RequestId,
    person: &str,
    key: &str,
) -> Result<Standing, Refused> {
    let who = caller(person, key);
    let text = desk.text(&who, id)?;
    desk.approve(&who, id, &approval(key, &text)).await
}

async fn collected(desk: &Desk, id: &RequestId) -> Issued {
    let alice = caller("alice", "alice");
    desk.collect(&alice, id).await.unwrap()
}

fn gate() -> BastionName {
    "gate".parse().unwrap()
}

fn session(n: u8) -> SessionId {
    SessionId::from_parts(1_795_312_324_000, [n; 10])
}

fn session_ask(n: u8, certificate: &str) -> api::SessionAsk {
    api::SessionAsk {
        session: session(n),
        certificate: certificate.to_owned(),
        access: "postgres@db1.prod".parse().unwrap(),
        key: line("fresh"),
        source: "192.0.2.7".parse().unwrap(),
    }
}
