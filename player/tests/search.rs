//! What is found in a recording, and where.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{header, recording, signer};
use player::lines::From;
use player::search::{Found, HITS, Query, search};
use record::age::Identities;
use record::recording::verify::Trusted;
use record::recording::{Reader, index};

fn found(path: &Path, pattern: &str, around: usize) -> Found {
    found_by(path, pattern, around, Trusted::nobody())
}

/// What is found when the bastions' indexes are believed.
fn found_by(path: &Path, pattern: &str, around: usize, trusted: Trusted) -> Found {
    let query = Query::new(&pattern.parse().unwrap(), around).unwrap();
    let query = query.trusting(trusted);
    let found = search(path, &Identities::default(), &query, |_| true);
    found.unwrap().unwrap()
}

fn texts(found: &Found) -> Vec<(u64, bool, &str)> {
    let hits = found.hits.iter();
    hits.map(|hit| (hit.line.at_us / 1000, hit.has_it, hit.line.text.as_str()))
        .collect()
}

#[test]
fn a_word_that_came_in_colours_and_in_pieces_is_found_where_it_stood() {
    let (_dir, path) = recording(&header(80, 24), |recorder, clock| {
        recorder.output("postgres=# ").unwrap().into_inner();
        for piece in ["DR", "OP \x1b[1;31mTA", "BLE\x1b[0m us", "ers;\r\n"] {
            clock.step(100_000);
            recorder.output(piece).unwrap().into_inner();
        }
        clock.step(1_000_000);
        recorder.output("\x1b[2J\x1b[Hempty").unwrap().into_inner();
    });
    let found = found(&path, "(?i)drop table", 0);
    assert_eq!(texts(&found), [(400, true, "postgres=# DROP TABLE users;")]);
    assert_eq!(found.header.person.as_str(), "alice");
    assert!(!found.more);
}

#[test]
fn the_command_is_looked_through_and_what_was_typed_is_not() {
    let mut of = header(80, 24);
    of.command = Some("psql -c 'drop table users'".to_owned());
    let (_dir, path) = recording(&of, |recorder, _| {
        recorder.input("drop table password").unwrap().into_inner();
    });
    let found = found(&path, "drop table", 0);
    assert_eq!(texts(&found), [(0, true, "psql -c 'drop table users'")]);
    assert!(found.hits.iter().all(|hit| hit.line.from == From::Command));
}

#[test]
fn lines_around_are_shown_once() {
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        let rows: Vec<String> = (0..60).map(|n| format!("row {n}\r\n")).collect();
        let text = rows.concat();
        recorder.output(text).unwrap().into_inner();
    });
    let rows = |found: &Found| -> Vec<(String, bool)> {
        let hits = found.hits.iter();
        hits.map(|hit| (hit.line.text.clone(), hit.has_it))
            .collect()
    };
    let row = |n: u32, has_it: bool| (format!("row {n}"), has_it);
    assert_eq!(
        rows(&found(&path, "row 1[13]$", 1)),
        [
            row(10, false),
            row(11, true),
            row(12, false),
            row(13, true),
            row(14, false)
        ]
    );
}

#[test]
fn one_that_has_too_much_of_it_says_so() {
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        for n in 0..=HITS {
            recorder
                .output(format!("row {n}\r\n"))
                .unwrap()
                .into_inner();
        }
    });
    let found = found(&path, "row", 0);
    assert_eq!((found.hits.len(), found.more), (HITS, true));
}

#[test]
fn who_is_not_asked_for_is_not_looked_through() {
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        recorder.output("here").unwrap().into_inner();
    });
    let query = Query::new(&"here".parse().unwrap(), 0).unwrap();
    let none = search(&path, &Identities::default(), &query, |of| {
        of.person.as_str() == "bob"
    });
    assert!(none.unwrap().is_none());
}

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Something that a session prints: words, line ends, and moves about the screen.
fn printed(random: &mut Random) -> String {
    match random.below(12) {
        0 => "\r\n".to_owned(),
        1 => "caf\u{e9} \u{8907}".to_owned(),
        2 => format!("\x1b[{};{}H", random.below(12), random.below(60)),
        3 => "\x1b[2J\x1b[H".to_owned(),
        4 => "\x1b[?1049h".to_owned(),
        5 => "\x1b[?1049l".to_owned(),
        6 => format!("\x1b[{}M\x1b[K", random.below(4)),
        7 => format!("{}\r\n", random.below(1000)),
        _ => {
            let letters = "ab cab  bca c".chars().cycle();
            let from = usize::try_from(random.below(13)).unwrap();
            let count = usize::try_from(random.below(30)).unwrap();
            letters.skip(from).take(count).collect()
        }
    }
}

const PATTERNS: &[&str] = &[
    "a",
    "^b",
    "c$",
    "a.*c",
    "(?i)B C",
    "[ab]{2} ",
    "caf\u{e9}",
    ".",
    r"\d{2}",
    r"\bca\b",
    "x",
    "b  b|ca",
];

#[test]
fn an_index_finds_what_reading_finds_whatever_was_drawn_and_whatever_is_looked_for() {
    let trusted = || Trusted::nobody().and(&signer().name, signer().key.public_key());
    for seed in 0..24 {
        let mut random = Random(seed);
        let (_dir, path) = recording(&header(60, 12), |recorder, clock| {
            for _ in 0..300 {
                clock.step(random.below(50_000));
                let text = printed(&mut random);
                recorder.output(text).unwrap().into_inner();
            }
        });
        let reader = Reader::open(&path, &Identities::default()).unwrap();
        index::build(&reader, &signer(), &|| true).unwrap();
        let mut hits = 0;
        for pattern in PATTERNS {
            for around in [0, 2] {
                let read = found(&path, pattern, around);
                let indexed = found_by(&path, pattern, around, trusted());
                assert!(indexed.indexed && !read.indexed);
                assert_eq!(indexed.hits, read.hits, "{pattern} in {seed}");
                assert_eq!((indexed.more, indexed.state), (read.more, read.state));
                hits += read.hits.len();
            }
        }
        assert!(hits > 100, "{hits} in {seed}");
    }
}

#[test]
fn an_index_says_as_well_that_there_is_too_much_of_it() {
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        let rows: Vec<String> = (0..=HITS).map(|n| format!("row {n}\r\n")).collect();
        recorder.output(rows.concat()).unwrap().into_inner();
    });
    let reader = Reader::open(&path, &Identities::default()).unwrap();
    index::build(&reader, &signer(), &|| true).unwrap();
    let trusted = Trusted::nobody().and(&signer().name, signer().key.public_key());
    let found = found_by(&path, "row", 0, trusted);
    assert_eq!(
        (found.hits.len(), found.more, found.indexed),
        (HITS, true, true)
    );
}
