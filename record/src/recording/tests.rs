mod clear;
mod closed;
mod flood;
mod forged;
mod format;
mod forwards;
mod full;
mod hostile;
mod index;
mod original;
mod sealed;
mod slow;
mod stored;
mod together;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use config::recipient::Recipient;
use config::recipients::Recipients;
use config::words::SessionId;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{PrivateKey, PublicKey};

use super::reader::ReadError;
use super::verify::{self, Trusted, Verdict};
use super::*;
use crate::age::Identities;
use crate::clock::Clock;

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| key(7));

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn public() -> PublicKey {
    KEY.public_key().clone()
}

fn id(n: u8) -> SessionId {
    SessionId::from_parts(1_795_312_324_000, [n; 10])
}

fn signer() -> Signer {
    Signer {
        name: "bastion".parse().unwrap(),
        key: KEY.clone(),
    }
}

fn trusted() -> Trusted {
    Trusted::nobody().and(&signer().name, &public())
}

fn header(session: SessionId) -> Header {
    Header {
        session,
        person: "alice".parse().unwrap(),
        access: "postgres@db1.prod".parse().unwrap(),
        role: "db-oncall".parse().unwrap(),
        request: "7F3K-9QMD".parse().unwrap(),
        serial: 1841,
        bastion: "bastion".parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
        client: "SSH-2.0-OpenSSH_9.2".into(),
        kind: Kind::Shell,
        command: None,
        forced: None,
        term: Some(Term {
            size: Size::asked(80, 24),
            name: "xterm-256color".into(),
        }),
        environment: Vec::new(),
        record_input: true,
        started_ms: 1_795_312_324_000,
        original: None,
    }
}

/// Who may read what is sealed.
fn reviewer() -> Recipients {
    Recipients::any(vec![recipient(3)]).unwrap()
}

/// The recipient whose [`identity`] this is.
pub(super) fn recipient(seed: u8) -> Recipient {
    let line = key(seed).public_key().to_openssh().unwrap();
    line.parse().unwrap()
}

pub(super) fn identity(seed: u8) -> Identities {
    let text = key(seed).to_openssh(ssh_key::LineEnding::LF).unwrap();
    Identities::read(&text, &mut || None).unwrap()
}

/// A clock that a test steps by hand.
#[derive(Debug, Default, Clone)]
struct HandClock {
    wall_ms: Arc<AtomicU64>,
    us: Arc<AtomicU64>,
}

impl HandClock {
    fn step(&self, us: u64) {
        self.us.fetch_add(us, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.us.load(Ordering::Relaxed))
    }
}

fn open(dir: &Path) -> (RecordingStore, Recovered) {
    open_with(dir, HandClock::default(), Box::new(OsDisk))
}

fn open_with(dir: &Path, clock: HandClock, disk: Box<dyn Disk>) -> (RecordingStore, Recovered) {
    RecordingStore::open(dir, signer(), Arc::new(clock), disk).unwrap()
}

/// What a process finds that is started after a `kill -9` of the one before it, at this moment.
fn snapshot(dir: &Path) -> tempfile::TempDir {
    loop {
        let before = listing(dir);
        let copy = tempfile::tempdir().unwrap();
        let copied = before
            .keys()
            .all(|name| fs::copy(dir.join(name), copy.path().join(name)).is_ok());
        // The store's thread may have sealed something meanwhile; then this was no single moment.
        if copied && listing(dir) == before {
            return copy;
        }
    }
}

fn listing(dir: &Path) -> BTreeMap<String, u64> {
    let files = fs::read_dir(dir).unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let meta = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some((entry.file_name().into_string().unwrap(), meta.len()))
    });
    files.collect()
}

/// The whole check, which every test of a fault ends with.
fn assert_all_good(dir: &Path) {
    for (session, verdict) in verify::directory(dir, &trusted(), None).unwrap() {
        assert!(verdict.is_good(), "{session}: {verdict:?}");
    }
}

fn assert_finished(dir: &Path, session: &SessionId) -> verify::Checked {
    let verdicts = verify::directory(dir, &trusted(), None).unwrap();
    let verdict = verdicts
        .into_iter()
        .find(|(id, _)| id == session)
        .map(|(_, verdict)| verdict);
    match verdict {
        Some(Verdict::Good(checked)) => checked,
        other => panic!("{session}: {other:?}"),
    }
}

fn events(dir: &Path, session: &SessionId) -> Vec<Event> {
    Reader::open_in(dir, session, &identity(3))
        .unwrap()
        .all_events()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn stream(events: &[Event], wanted: Stream) -> Vec<u8> {
    let bytes = events.iter().filter_map(|event| match &event.data {
        Data::Bytes(stream, bytes) if *stream == wanted => Some(bytes.as_slice()),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

fn the_end(events: &[Event]) -> End {
    match events.last() {
        Some(Event {
            data: Data::End(end),
            ..
        }) => end.clone(),
        other => panic!("{other:?}"),
    }
}
