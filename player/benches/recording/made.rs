//! The recordings that are measured.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::recipients::Recipients;
use config::words::SessionId;
use record::age::Identities;
use record::clock::Clock;
use record::recording::verify::Trusted;
use record::recording::{
    EndReason, Header, Kind, OsDisk, Recorder, RecordingStore, Signer, Size, Term,
};
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

/// How long the session that is read was, in microseconds.
pub(crate) const LONG_US: u64 = 10 * 3600 * 1_000_000;

/// A clock that is stepped by hand.
#[derive(Debug, Default, Clone)]
pub(crate) struct HandClock(Arc<AtomicU64>);

impl Clock for HandClock {
    fn wall_ms(&self) -> u64 {
        1_795_312_324_000
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Writes the long recording, with so many bytes of output.
pub(crate) fn long(dir: &Path, recipients: &Recipients, bytes: u64) -> PathBuf {
    let clock = HandClock::default();
    let store = store(dir, Arc::new(clock.clone()));
    let mut recorder = recorder(&store, 1, true, recipients);
    let text = busy(bytes);
    let mut random = Random(11);
    let pieces = text.len() as u64 / 700 + 1;
    let mut at = text.as_slice();
    while !at.is_empty() {
        let length = usize::try_from(1 + random.below(1400))
            .unwrap()
            .min(at.len());
        let (piece, rest) = at.split_at(length);
        clock.0.fetch_add(LONG_US / pieces, Ordering::Relaxed);
        while recorder.behind() {
            std::thread::sleep(Duration::from_millis(1));
        }
        recorder.output(piece).unwrap().into_inner();
        at = rest;
    }
    recorder.finish(EndReason::Exit).unwrap();
    dir.join(format!("{}.cast.zst", id(1)))
}

/// Terminal output as busy sessions have it: logs, listings, and a table that is drawn again and again.
pub(crate) fn busy(bytes: u64) -> Vec<u8> {
    let mut random = Random(3);
    let mut text = String::new();
    let words = [
        "accepted",
        "connection",
        "from",
        "worker",
        "replica",
        "lag",
        "checkpoint",
        "retry",
        "user",
        "query",
    ];
    let word = |random: &mut Random| {
        let at = usize::try_from(random.below(words.len() as u64)).unwrap();
        words.get(at).copied().unwrap_or_default()
    };
    while (text.len() as u64) < bytes {
        match random.below(10) {
            0 => {
                text += "\x1b[H\x1b[2J";
                for row in 0..40 {
                    let (cpu, size) = (random.below(100), random.below(99_999_999));
                    let _ = write!(
                        text,
                        "\x1b[{};1H{:>7} root 20 0 {size:>9} S \x1b[1m{cpu:>3}.{}\x1b[m {}d\x1b[K",
                        row + 1,
                        random.below(32768),
                        cpu % 10,
                        word(&mut random),
                    );
                }
            }
            1..=3 => {
                let _ = write!(
                    text,
                    "-rw-r--r-- 1 root root {:>9} Nov {:>2} {:02}:{:02} lib{}-{}.so.{}\r\n",
                    random.below(9_999_999),
                    1 + random.below(28),
                    random.below(24),
                    random.below(60),
                    word(&mut random),
                    word(&mut random),
                    random.below(20),
                );
            }
            _ => {
                let _ = write!(
                    text,
                    "\x1b[32m2026-11-22T10:{:02}:{:02}\x1b[m {} ",
                    random.below(60),
                    random.below(60),
                    word(&mut random)
                );
                for _ in 0..random.below(9) {
                    text += word(&mut random);
                    text += " ";
                }
                let _ = write!(text, "id={:06x}\r\n", random.below(1 << 24));
            }
        }
    }
    text.into_bytes()
}

/// Numbers that are the same in each run (Knuth's MMIX generator).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        self.0.rotate_right(16) % most
    }
}

pub(crate) fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

pub(crate) fn public() -> ssh_key::PublicKey {
    key(7).public_key().clone()
}

pub(crate) fn signer() -> Signer {
    Signer {
        name: "edge".parse().unwrap(),
        key: key(7),
    }
}

pub(crate) fn trusted() -> Trusted {
    Trusted::nobody().and(&signer().name, &public())
}

pub(crate) fn reviewer() -> Recipients {
    let line = key(3).public_key().to_openssh().unwrap();
    Recipients::any(vec![line.parse().unwrap()]).unwrap()
}

pub(crate) fn identity() -> Identities {
    let text = key(3).to_openssh(ssh_key::LineEnding::LF).unwrap();
    Identities::read(&text, &mut || None).unwrap()
}

pub(crate) fn id(n: u8) -> SessionId {
    SessionId::from_parts(1_795_312_324_000, [n; 10])
}

pub(crate) fn store(dir: &Path, clock: Arc<dyn Clock>) -> RecordingStore {
    let opened = RecordingStore::open(dir, signer(), clock, Box::new(OsDisk));
    opened.unwrap().0
}

pub(crate) fn recorder(
    store: &RecordingStore,
    n: u8,
    terminal: bool,
    recipients: &Recipients,
) -> Recorder {
    let header = Header {
        session: id(n),
        person: "alice".parse().unwrap(),
        access: "postgres@db1.prod".parse().unwrap(),
        role: "db-oncall".parse().unwrap(),
        request: "7F3K-9QMD".parse().unwrap(),
        serial: 1841,
        bastion: signer().name,
        source: "192.0.2.7".parse().unwrap(),
        client: "SSH-2.0-OpenSSH_9.2".to_owned(),
        kind: Kind::Shell,
        command: None,
        forced: None,
        term: terminal.then(|| Term {
            size: Size::recorded(120, 50).unwrap(),
            name: "xterm".to_owned(),
        }),
        environment: Vec::new(),
        record_input: true,
        started_ms: 1_795_312_324_000,
        original: None,
    };
    store.create(&header, recipients).unwrap()
}
