use super::*;
use crate::tape::Step;
use record::recording::{Header, Kind, Size, Term};

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
        record_input: false,
        started_ms: 1_795_312_324_000,
    }
}

pub(crate) fn tape(steps: Vec<(u64, Change)>) -> Tape {
    let duration_us = steps.last().map_or(0, |(at, _)| *at);
    let steps = steps
        .into_iter()
        .map(|(at_us, change)| Step { at_us, change })
        .collect();
    Tape {
        header: header(80, 24),
        steps,
        end: None,
        duration_us,
    }
}

fn counting() -> Tape {
    let output =
        |n: u64| Change::Output(format!("\x1b[H{n:03}{}", "\r".repeat(64 << 10)).into_bytes());
    tape((0..100).map(|n| (n * 1_000_000, output(n))).collect())
}

fn settle(deck: &mut Deck) -> String {
    while deck.work() {}
    deck.screen().row(0).take(3).map(|cell| cell.char).collect()
}

#[test]
fn a_seek_shows_what_playing_would_have_shown() {
    let mut deck = Deck::new(counting(), None);
    for to in [50, 10, 99, 0, 98, 3, 64] {
        deck.seek(to * 1_000_000);
        assert_eq!(settle(&mut deck), format!("{to:03}"));
    }
    assert!(
        deck.snapshots.len() > 2,
        "a step back does not begin at the beginning"
    );
    deck.seek_by(Duration::from_secs(5), false);
    assert_eq!(settle(&mut deck), "059");
    deck.seek(u64::MAX);
    assert_eq!(settle(&mut deck), "099");
    assert!(deck.ended());
}

#[test]
fn time_runs_at_its_speed_and_waits_for_the_screen() {
    let mut deck = Deck::new(counting(), None);
    settle(&mut deck);
    deck.faster(true);
    deck.advance(Duration::from_secs(2));
    assert_eq!(deck.position_us(), 4_000_000);
    deck.advance(Duration::from_secs(2));
    assert_eq!(deck.position_us(), 4_000_000, "the screen is behind");
    settle(&mut deck);
    deck.toggle();
    deck.advance(Duration::from_secs(2));
    assert_eq!(deck.position_us(), 4_000_000, "held");
    deck.step();
    assert_eq!(settle(&mut deck), "005");
}

#[test]
fn long_waits_are_cut_and_short_ones_are_not() {
    let waits = tape(vec![
        (0, Change::Output(b"a".to_vec())),
        (3_600_000_000, Change::Output(b"b".to_vec())),
    ]);
    let mut deck = Deck::new(waits, Some(Duration::from_secs(2)));
    settle(&mut deck);
    deck.advance(Duration::from_secs(1));
    assert_eq!(deck.position_us(), 1_000_000);
    deck.advance(Duration::from_secs(1));
    assert_eq!(deck.position_us(), 3_600_000_000);
    assert_eq!(settle(&mut deck), "ab ");
}

#[test]
fn markers_are_found_in_both_directions() {
    let marks = tape(vec![
        (5, Change::Marker("a".into())),
        (9, Change::Marker("b".into())),
    ]);
    let mut deck = Deck::new(marks, None);
    deck.to_marker(true);
    assert_eq!(deck.position_us(), 5);
    deck.to_marker(true);
    deck.to_marker(false);
    assert_eq!(deck.position_us(), 5);
}
