//! Recordings that are made to hurt. One test, so that the memory that is measured is its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{header, recording, signer};
use player::deck::Deck;
use player::export::{Format, export};
use player::survey::Survey;
use player::tape::Tape;
use record::age::Identities;
use record::recording::{Reader, Recorder, index};

/// The most memory that this process has ever held, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap()
        << 10
}

fn reset_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Opens and plays for three seconds, or to the end, and looks through it for as long; gives the longest that the keys had
/// to wait.
fn play(path: &std::path::Path) -> Duration {
    let reader = Reader::open(path, &Identities::default()).unwrap();
    let tape = Tape::new(Arc::new(reader));
    let mut deck = Deck::new(tape.clone(), None);
    let mut survey = Survey::new(tape, &mut |news| deck.learn(news));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        if !survey.work(&mut |news| deck.learn(news)).unwrap() {
            break;
        }
    }
    deck.seek(u64::MAX);
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    loop {
        let piece = Instant::now();
        let more = deck.work();
        longest = longest.max(piece.elapsed());
        if !more || begun.elapsed() > Duration::from_secs(3) {
            return longest;
        }
    }
}

/// Takes what is written for a second.
struct Sink(Instant);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.elapsed() > Duration::from_secs(1) {
            return Err(io::Error::other("long enough"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes its index and its transcript, for a second each, or to the end; gives how long it took to stop.
fn tell(path: &Path) -> Duration {
    let reader = Reader::open(path, &Identities::default()).unwrap();
    let begun = Instant::now();
    let go_on = || begun.elapsed() < Duration::from_secs(1);
    let _ = index::build(&reader, &signer(), &go_on);
    let indexed = begun.elapsed();
    let sink = &mut Sink(Instant::now());
    let begun = sink.0;
    let _ = export(path, &Identities::default(), Format::Txt, sink);
    indexed.max(begun.elapsed())
}

/// Waits until sealing has caught up.
fn slowly(recorder: &mut Recorder) -> &mut Recorder {
    while recorder.behind() {
        std::thread::sleep(Duration::from_millis(10));
    }
    recorder
}

#[test]
fn promise_38_bombs_are_played_within_256_mib() {
    type Bomb = (&'static str, u32, fn(&mut Recorder));
    let bombs: [Bomb; 8] = [
        ("prompts and marks", 200, |recorder| {
            for n in 0..30_000 {
                recorder.marker(&format!("m{n}")).unwrap().into_inner();
                slowly(recorder)
                    .output("\x1b]133;A\x07$ x\r\n# ".repeat(10))
                    .unwrap()
                    .into_inner();
            }
        }),
        ("repetitions on the largest screen", 1000, |recorder| {
            for _ in 0..100 {
                recorder
                    .output("x\x1b[65535b".repeat(1000))
                    .unwrap()
                    .into_inner();
            }
        }),
        ("wiped by a few bytes", 1000, |recorder| {
            for _ in 0..100 {
                recorder
                    .output("\x1b#8\x1b[Jx\x1b#8\x1b[2J".repeat(500))
                    .unwrap()
                    .into_inner();
            }
        }),
        ("wiped and drawn by repetitions", 1000, |recorder| {
            for _ in 0..100 {
                recorder
                    .output("\x1b[Hx\x1b[65535b\x1b[H\x1b[J".repeat(300))
                    .unwrap()
                    .into_inner();
            }
        }),
        ("resizes", 1000, |recorder| {
            for n in 0..2_000_u32 {
                recorder
                    .resize(1 + n % 2 * 5000, 5000 - n % 2 * 4999)
                    .unwrap()
                    .into_inner();
                recorder.output("x".repeat(100)).unwrap().into_inner();
            }
        }),
        ("a great many small events", 80, |recorder| {
            // Text and bytes in turn, each an event of its own.
            let pairs = [b"x".repeat(32).as_slice(), b"\xff"]
                .concat()
                .repeat(20_000);
            for _ in 0..20 {
                slowly(recorder).output(&pairs).unwrap().into_inner();
            }
        }),
        ("a great many bytes", 80, |recorder| {
            let blanks = vec![b' '; 1 << 20];
            for _ in 0..70 {
                slowly(recorder).output(&blanks).unwrap().into_inner();
            }
        }),
        ("many bytes on a screen of many colours", 1000, |recorder| {
            let cell = |n: u32| format!("\x1b[38;5;{};48;5;{}mx", n % 256, n % 255);
            let cells: String = (0..40_000).map(cell).collect();
            for _ in 0..(64 << 20) / cells.len() {
                slowly(recorder).output(&cells).unwrap().into_inner();
            }
        }),
    ];
    for (name, side, bomb) in bombs {
        let (_dir, path) = recording(&header(side, side), |recorder, clock| {
            bomb(recorder);
            clock.step(1);
        });
        reset_peak();
        let longest = play(&path);
        let told = tell(&path);
        let peak = peak() >> 20;
        assert!(peak < 256, "{name}: {peak} MiB");
        assert!(longest < Duration::from_secs(1), "{name}: {longest:?}");
        assert!(
            told < Duration::from_secs(60),
            "{name}: {told:?} until it stopped"
        );
    }
}
