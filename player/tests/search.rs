//! What is found in a recording, and where.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{header, recording};
use player::lines::From;
use player::search::{Found, HITS, Query, search};
use record::age::Identities;

fn found(path: &Path, pattern: &str, around: usize) -> Found {
    let query = Query::new(&pattern.parse().unwrap(), around).unwrap();
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
