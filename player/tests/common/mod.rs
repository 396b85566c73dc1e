//! Recordings for the player's tests, made by a real store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use record::clock::Clock;
use record::recording::{
    EndReason, Header, Kind, OsDisk, Recorder, RecordingStore, Signer, Size, Term,
};
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

/// A clock that a test steps by hand.
#[derive(Debug, Default, Clone)]
pub(crate) struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub(crate) fn step(&self, us: u64) {
        self.0.fetch_add(us, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn wall_ms(&self) -> u64 {
        1_795_312_324_000
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// The header of a session in a terminal of this size.
pub(crate) fn header(cols: u32, rows: u32) -> Header {
    Header {
        session: "01JD0000000000000000000000".parse().unwrap(),
        person: "alice".parse().unwrap(),
        access: "postgres@db1.prod".parse().unwrap(),
        role: "db-oncall".parse().unwrap(),
        request: "7F3K-9QMD".parse().unwrap(),
        serial: 1841,
        bastion: "edge".parse().unwrap(),
        source: "192.0.2.7".parse().unwrap(),
        client: "SSH-2.0-OpenSSH_9.2".to_owned(),
        kind: Kind::Shell,
        command: None,
        forced: None,
        term: Some(Term {
            size: Size::recorded(cols, rows).unwrap(),
            name: "xterm".to_owned(),
        }),
        environment: Vec::new(),
        record_input: true,
        started_ms: 1_795_312_324_000,
        original: None,
    }
}

/// The bastion of all recordings.
pub(crate) fn signer() -> Signer {
    Signer {
        name: "edge".parse().unwrap(),
        key: PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32])),
    }
}

/// Records what `act` does; the directory, and the recording in it.
pub(crate) fn recording(
    header: &Header,
    act: impl FnOnce(&mut Recorder, &HandClock),
) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let opened = RecordingStore::open(
        dir.path(),
        signer(),
        Arc::new(clock.clone()),
        Box::new(OsDisk),
    );
    let (store, _) = opened.unwrap();
    let mut recorder = store
        .create(header, &config::recipients::Recipients::nobody())
        .unwrap();
    act(&mut recorder, &clock);
    recorder.finish(EndReason::Exit).unwrap();
    let path = dir.path().join(format!("{}.cast.zst", header.session));
    (dir, path)
}
