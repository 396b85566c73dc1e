//! What a recording costs while it is written, and how fast it is verified, searched and opened anywhere: run by
//! `cargo xtask bench record`, which measures the sizes of real sessions beside it.
//!
//! The recording that is read is ten hours long: output of many kinds, put together by a fixed seed and written by a real
//! store whose clock is stepped. It is measured as a clear one and as one that is sealed.
//!
//! ```text
//! recording [--json] [--megabytes N] [--bulk MIB_PER_SECOND] [--keep DIR]
//! ```
//!
//! With `--bulk`, the rate of a whole session, it says which part of one the recording takes. With `--keep`, the clear recording stays in a directory, with `allowed_signers` beside it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement that cannot go on stops, and its numbers are its product"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use config::recipients::Recipients;
use config::words::SessionId;
use player::search::{Query, search};
use record::age::Identities;
use record::clock::{Clock, SystemClock};
use record::recording::index::{self, Index};
use record::recording::verify::{self, Trusted};
use record::recording::{
    Data, EndReason, Header, Kind, OsDisk, Reader, Recorder, RecordingStore, Signer, Size, Stream,
    Term,
};
use record::screen::Screen;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

/// How long the session that is read was, in microseconds.
const LONG_US: u64 = 10 * 3600 * 1_000_000;

/// A clock that is stepped by hand.
#[derive(Debug, Default, Clone)]
struct HandClock(Arc<AtomicU64>);

impl Clock for HandClock {
    fn wall_ms(&self) -> u64 {
        1_795_312_324_000
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

fn main() {
    let mut plan = Plan {
        json: false,
        bytes: 250_000_000,
        bulk: None,
        keep: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => plan.json = true,
            "--megabytes" => {
                plan.bytes = args.next().unwrap().parse::<u64>().unwrap() * 1_000_000;
            }
            "--bulk" => plan.bulk = args.next().unwrap().parse().ok(),
            "--keep" => plan.keep = args.next().map(PathBuf::from),
            // `cargo bench` says that it is one.
            _ => {}
        }
    }
    // First, so that nothing else has left room in memory.
    plan.memory();
    plan.writing();
    plan.stalls();
    for sealed in [true, false] {
        plan.reading(sealed);
    }
}

struct Plan {
    json: bool,
    bytes: u64,
    bulk: Option<f64>,
    keep: Option<PathBuf>,
}

/// What a row has to show.
#[derive(Clone, Copy)]
enum Goal {
    None,
    AtMost(f64),
    AtLeast(f64),
}

impl Plan {
    fn row(&self, work: &str, unit: &str, ours: f64, peer: Option<(&str, f64)>, goal: Goal) {
        let ratio = peer.map(|(_, peer)| ours / peer);
        let (said, met) = match goal {
            Goal::None => (None, None),
            Goal::AtMost(most) => (Some(format!("at most {most}")), Some(ours <= most)),
            Goal::AtLeast(least) => (Some(format!("at least {least}")), Some(ours >= least)),
        };
        if self.json {
            let line = serde_json::json!({
                "work": work, "unit": unit, "ours": ours, "peer": peer.map(|(_, peer)| peer),
                "peer-is": peer.map(|(name, _)| name), "ratio": ratio, "goal": said, "met": met,
            });
            println!("{line}");
            return;
        }
        let peer = peer.map_or_else(String::new, |(name, peer)| format!("{name}: {peer:.1}"));
        let goal = match (said, met) {
            (Some(said), Some(true)) => format!("{said}: met"),
            (Some(said), _) => format!("{said}: missed"),
            _ => String::new(),
        };
        println!("{work:<64} {ours:>9.2} {unit:<6} {peer:<26} {goal}");
    }

    /// What recording adds to each MiB of a bulk session, on the way of its bytes.
    fn writing(&self) {
        const PIECE: usize = 32 << 10;
        let mebibytes = (self.bytes >> 20).max(16);
        for (name, terminal) in [("without a terminal", false), ("in a terminal", true)] {
            let dir = tempfile::tempdir().unwrap();
            let store = store(dir.path(), Arc::new(SystemClock::default()));
            let mut recorder = recorder(&store, 1, terminal, &reviewer());
            let text = busy(PIECE as u64 * 64);
            let mut pieces = text.chunks(PIECE).cycle();
            let begin = Instant::now();
            let mut waited = Duration::ZERO;
            for _ in 0..mebibytes * (1 << 20) / PIECE as u64 {
                // As the relay does: it gives the target no more room until the sealing has caught up.
                let pause = Instant::now();
                while recorder.behind() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                waited += pause.elapsed();
                recorder
                    .output(pieces.next().unwrap())
                    .unwrap()
                    .into_inner();
            }
            let took = begin.elapsed();
            let at_work = took.saturating_sub(waited);
            recorder.finish(EndReason::Exit).unwrap();
            let per = |time: Duration| time.as_secs_f64() * 1000.0 / mebibytes as f64;
            self.row(
                &format!("recording of bulk output, {name}"),
                "ms/MiB",
                per(at_work),
                None,
                Goal::None,
            );
            if let (Some(rate), false) = (self.bulk, terminal) {
                let share = per(at_work) * rate / 10.0;
                self.row(
                    "recording's part of a bulk session",
                    "%",
                    share,
                    None,
                    Goal::AtMost(10.0),
                );
            }
            self.row(
                &format!("bulk output that can be recorded for long, {name}"),
                "MiB/s",
                mebibytes as f64 / took.as_secs_f64(),
                None,
                Goal::None,
            );
        }
    }

    /// How long one call of a session that types takes, while others write and are sealed as fast as they can.
    fn stalls(&self) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), Arc::new(SystemClock::default()));
        let over = AtomicBool::new(false);
        let mut took = Vec::new();
        std::thread::scope(|scope| {
            for n in 2..6 {
                let (store, over) = (&store, &over);
                scope.spawn(move || {
                    let mut bulk = recorder(store, n, true, &reviewer());
                    let text = busy(1 << 20);
                    while !over.load(Ordering::Relaxed) {
                        for piece in text.chunks(8 << 10) {
                            while bulk.behind() && !over.load(Ordering::Relaxed) {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                            bulk.output(piece).unwrap().into_inner();
                            // 8 MiB/s each: more than anybody reads, and less than what starves the machine.
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    }
                    bulk.finish(EndReason::Exit).unwrap();
                });
            }
            let mut typing = recorder(&store, 1, true, &reviewer());
            for _ in 0..2000 {
                std::thread::sleep(Duration::from_millis(2));
                let begin = Instant::now();
                typing.output("k").unwrap().into_inner();
                took.push(begin.elapsed().as_secs_f64() * 1000.0);
            }
            over.store(true, Ordering::Relaxed);
            typing.finish(EndReason::Exit).unwrap();
        });
        let work = "keystroke into the recording beside four busy sessions";
        self.row(
            &format!("{work}, p50"),
            "ms",
            percentile(&mut took, 50),
            None,
            Goal::None,
        );
        self.row(
            &format!("{work}, p99"),
            "ms",
            percentile(&mut took, 99),
            None,
            Goal::AtMost(10.0),
        );
        self.row(
            &format!("{work}, worst"),
            "ms",
            percentile(&mut took, 100),
            None,
            Goal::None,
        );
    }

    /// What recordings keep in memory, each of a session with a megabyte of output so far.
    fn memory(&self) {
        const SESSIONS: u8 = 64;
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), Arc::new(SystemClock::default()));
        let text = busy(1 << 20);
        let write = |n| {
            let mut recorder = recorder(&store, n, true, &reviewer());
            for piece in text.chunks(32 << 10) {
                recorder.output(piece).unwrap().into_inner();
            }
            recorder
        };
        // The first one brings what all share.
        let first = write(0);
        let before = resident();
        let all: Vec<Recorder> = (1..=SESSIONS).map(write).collect();
        let after = resident();
        let each = (after - before) / f64::from(SESSIONS) / 1024.0;
        self.row(
            "memory of a recording",
            "MiB",
            each,
            None,
            Goal::AtMost(3.0),
        );
        for recorder in all {
            recorder.finish(EndReason::Exit).unwrap();
        }
        first.finish(EndReason::Exit).unwrap();
    }

    /// The long recording: its size, and how fast it is verified, searched, and opened anywhere.
    fn reading(&self, sealed: bool) {
        let kept = self.keep.as_ref().filter(|_| !sealed);
        let own = tempfile::tempdir().unwrap();
        let dir = kept.map_or(own.path(), PathBuf::as_path);
        let kind = if sealed { "sealed" } else { "clear" };
        let recipients = if sealed {
            reviewer()
        } else {
            Recipients::nobody()
        };
        let path = self.long(dir, &recipients);
        let megabytes = self.bytes as f64 / 1e6;
        let stored = fs::metadata(&path).unwrap().len() as f64 / 1e6;
        self.row(
            &format!("ten hours, {kind}: size"),
            "MB",
            stored,
            None,
            Goal::None,
        );

        let identities = if sealed {
            identity()
        } else {
            Identities::default()
        };
        let reader = Reader::open(&path, &identities).unwrap();
        let took = seconds(|| {
            index::build(&reader, &signer(), &|| true).unwrap();
        });
        self.row(
            &format!("ten hours, {kind}: making the index, of output"),
            "MB/s",
            megabytes / took,
            None,
            Goal::None,
        );
        let indexed = fs::metadata(dir.join(format!("{}.index.zst", id(1))))
            .unwrap()
            .len() as f64
            / 1e6;
        self.row(
            &format!("ten hours, {kind}: size of the index"),
            "MB",
            indexed,
            None,
            Goal::None,
        );
        if kept.is_some() {
            let line = public().to_openssh().unwrap();
            fs::write(dir.join("allowed_signers"), format!("edge {line}\n")).unwrap();
        }

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.verifying(&path, kind, stored, cores);
        self.searching(&path, kind, megabytes, cores, &identities);
        self.seeking(&path, kind, &identities);
    }

    fn verifying(&self, path: &Path, kind: &str, stored: f64, cores: usize) {
        let took = on_all(cores, || {
            let file = fs::File::open(path).unwrap();
            let from = std::io::BufReader::new(file);
            verify::recording(from, &id(1), &trusted()).unwrap();
        });
        let rate = stored * cores as f64 / took;
        self.row(
            &format!("ten hours, {kind}: verifying, of stored bytes"),
            "MB/s",
            rate,
            None,
            Goal::AtLeast(500.0),
        );
    }

    fn searching(
        &self,
        path: &Path,
        kind: &str,
        megabytes: f64,
        cores: usize,
        identities: &Identities,
    ) {
        for (name, pattern) in [
            ("a word", "segfault at 4711"),
            ("a pattern", r"(?i)out of [a-z]+ (at|by) \d{9}"),
        ] {
            let query = Query::new(&pattern.parse().unwrap(), 0).unwrap();
            let believing = query.clone().trusting(trusted());
            let fast = on_all(cores, || {
                let found = search(path, identities, &believing, |_| true)
                    .unwrap()
                    .unwrap();
                assert!(found.indexed);
            });
            let slow = seconds(|| {
                let found = search(path, identities, &query, |_| true).unwrap().unwrap();
                assert!(!found.indexed);
            });
            let rate = megabytes * cores as f64 / fast;
            let scan = megabytes * cores as f64 / slow;
            let work = format!("ten hours, {kind}: searching for {name}, of output");
            self.row(
                &work,
                "MB/s",
                rate,
                Some(("without the index", scan)),
                Goal::AtLeast(200.0),
            );
        }
    }

    /// Opens it, goes to a time, and looks at the screen there.
    fn seeking(&self, path: &Path, kind: &str, identities: &Identities) {
        let mut took = Vec::new();
        let mut random = Random(7);
        for _ in 0..40 {
            let at_us = random.below(LONG_US);
            let begin = Instant::now();
            let reader = Reader::open(path, identities).unwrap();
            let screen = screen_at(&reader, at_us);
            let shown: usize = (0..50).map(|row| screen.row(row).count()).sum();
            assert!(shown > 0);
            took.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        let work = format!("ten hours, {kind}: open, go anywhere, first screen");
        self.row(
            &format!("{work}, p50"),
            "ms",
            percentile(&mut took, 50),
            None,
            Goal::None,
        );
        self.row(
            &format!("{work}, worst of 40"),
            "ms",
            percentile(&mut took, 100),
            None,
            Goal::AtMost(100.0),
        );
    }

    fn long(&self, dir: &Path, recipients: &Recipients) -> PathBuf {
        let clock = HandClock::default();
        let store = store(dir, Arc::new(clock.clone()));
        let mut recorder = recorder(&store, 1, true, recipients);
        let text = busy(self.bytes);
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
}

/// The screen at a time, by the nearest one that the index holds.
fn screen_at(reader: &Reader, at_us: u64) -> Screen {
    let chunk = reader.chunk_at(at_us);
    let screens = Index::of(reader, &trusted()).unwrap().into_screens();
    let known = screens.before(chunk);
    let blank = || (0, Screen::new(Size::recorded(120, 50).unwrap(), false));
    let (from, mut screen) = known.map_or_else(blank, |(at, known)| (at, Screen::restore(&known)));
    for chunk in from..=chunk {
        for event in reader.events(chunk).unwrap() {
            if event.at_us > at_us {
                break;
            }
            if let Data::Bytes(Stream::Output, bytes) = event.data {
                screen.feed(&bytes);
            }
        }
    }
    screen
}

/// Terminal output as busy sessions have it: logs, listings, and a table that is drawn again and again.
fn busy(bytes: u64) -> Vec<u8> {
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
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        self.0.rotate_right(16) % most
    }
}

/// Seconds until the same work is done on all cores at once: the best of three.
fn on_all(cores: usize, work: impl Fn() + Sync) -> f64 {
    let once = || {
        seconds(|| {
            std::thread::scope(|scope| {
                for _ in 0..cores {
                    scope.spawn(&work);
                }
            });
        })
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn seconds(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64()
}

fn percentile(values: &mut [f64], per_cent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * per_cent).div_ceil(100).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// The resident memory of this process, in KiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .strip_suffix(" kB")
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn public() -> ssh_key::PublicKey {
    key(7).public_key().clone()
}

fn signer() -> Signer {
    Signer {
        name: "edge".parse().unwrap(),
        key: key(7),
    }
}

fn trusted() -> Trusted {
    Trusted::nobody().and(&signer().name, &public())
}

fn reviewer() -> Recipients {
    let line = key(3).public_key().to_openssh().unwrap();
    Recipients::any(vec![line.parse().unwrap()]).unwrap()
}

fn identity() -> Identities {
    let text = key(3).to_openssh(ssh_key::LineEnding::LF).unwrap();
    Identities::read(&text, &mut || None).unwrap()
}

fn id(n: u8) -> SessionId {
    SessionId::from_parts(1_795_312_324_000, [n; 10])
}

fn store(dir: &Path, clock: Arc<dyn Clock>) -> RecordingStore {
    let opened = RecordingStore::open(dir, signer(), clock, Box::new(OsDisk));
    opened.unwrap().0
}

fn recorder(store: &RecordingStore, n: u8, terminal: bool, recipients: &Recipients) -> Recorder {
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
    };
    store.create(&header, recipients).unwrap()
}
