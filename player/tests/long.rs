//! A recording of ten hours with 250 MB of output: how long its first screen takes, and going anywhere in it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{header, recording};
use player::deck::Deck;
use player::survey::Survey;
use player::tape::Tape;
use player::view::{Look, Over, draw};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use record::age::Identities;
use record::recording::{Reader, Recorder};

/// Where the recording is kept, if it is: making it takes longer than anything that is measured.
const KEPT: &str = "HALLPASS_LONG_RECORDING";

/// One event each 600 ms: mostly a log that runs, sometimes somebody who types.
fn ten_hours(recorder: &mut Recorder, clock: &common::HandClock) {
    for n in 0..60_000_u32 {
        while recorder.behind() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut text = String::new();
        for line in 0..42_u32 {
            let id = n.wrapping_mul(2_654_435_761).wrapping_add(line);
            let _ = write!(
                text,
                "\x1b[32m{:02}:{:02}:{:02}\x1b[0m db1 postgres[{id:08x}]: duration: {}.{:03} ms  statement: select {line}\r\n",
                n / 6000,
                n / 100 % 60,
                n % 60,
                id % 977,
                id % 1000
            );
        }
        if n % 50 == 0 {
            text.push_str("\x1b[2J\x1b[Halice@db1:~$ ");
            recorder
                .output(std::mem::take(&mut text))
                .unwrap()
                .into_inner();
            clock.step(300_000);
            recorder.input("x").unwrap().into_inner();
            let _ = write!(text, "tail -n 42 log.{n}\r\n");
            clock.step(300_000);
        } else {
            clock.step(600_000);
        }
        recorder.output(text).unwrap().into_inner();
    }
}

/// Draws what stands now, as the player does.
fn shown(deck: &mut Deck) -> String {
    while deck.work() {}
    let area = Rect::new(0, 0, 300, 80);
    let mut buffer = Buffer::empty(area);
    let look = Look {
        colour: true,
        timeline: true,
        typed: true,
    };
    draw(deck, look, Over::Nothing, None, area, &mut buffer);
    buffer
        .content
        .iter()
        .map(ratatui::buffer::Cell::symbol)
        .collect()
}

fn measured(path: &Path) {
    let begun = Instant::now();
    let reader = Reader::open(path, &Identities::default()).unwrap();
    let tape = Tape::new(Arc::new(reader));
    let mut deck = Deck::new(tape.clone(), None);
    shown(&mut deck);
    eprintln!("first screen: {:?}", begun.elapsed());

    let begun = Instant::now();
    let mut survey = Survey::new(tape.clone(), &mut |news| deck.learn(news));
    let mut skimmed = None;
    while survey.work(&mut |news| deck.learn(news)).unwrap() {
        if skimmed.is_none() && !deck.marks().all().is_empty() && deck.keyframes() > 1 {
            skimmed = Some(begun.elapsed());
        }
    }
    eprintln!(
        "timeline: {skimmed:?}, all screens to come back to: {:?}",
        begun.elapsed()
    );
    eprintln!(
        "{} screens, {} marks",
        deck.keyframes(),
        deck.marks().all().len()
    );

    let mut slowest = Duration::ZERO;
    for n in 0..100_u64 {
        let to = tape.duration_us() / 100 * (n * 37 % 100);
        let begun = Instant::now();
        deck.seek(to);
        shown(&mut deck);
        slowest = slowest.max(begun.elapsed());
    }
    eprintln!("slowest of 100 seeks: {slowest:?}");
    let begun = Instant::now();
    for _ in 0..10 {
        deck.step_back();
        shown(&mut deck);
    }
    eprintln!("a step back: {:?}", begun.elapsed() / 10);
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");

    let begun = Instant::now();
    let mut cold = Deck::new(tape.clone(), None);
    cold.seek(u64::MAX);
    shown(&mut cold);
    eprintln!(
        "to the end before anything was looked through: {:?}",
        begun.elapsed()
    );
}

#[test]
#[ignore = "makes 250 MB and measures: run it with --release, alone"]
fn ten_hours_open_and_are_gone_through_in_a_tenth_of_a_second() {
    if let Some(kept) = std::env::var_os(KEPT) {
        return measured(Path::new(&kept));
    }
    let (dir, path) = recording(&header(120, 40), ten_hours);
    eprintln!(
        "{} bytes stored in {}",
        std::fs::metadata(&path).unwrap().len(),
        path.display()
    );
    measured(&path);
    if std::env::var_os("HALLPASS_KEEP_RECORDING").is_some() {
        let _ = dir.keep();
    }
}
