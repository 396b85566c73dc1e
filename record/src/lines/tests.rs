use super::*;
use crate::recording::{Kind, Term};

fn header(cols: u32, rows: u32) -> Header {
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
        original: None,
    }
}

fn output(at_ms: u64, text: &str) -> Event {
    Event {
        at_us: at_ms * 1000,
        data: Data::Bytes(Stream::Output, text.as_bytes().to_vec()),
    }
}

fn lines_of(header: &Header, events: &[Event]) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    let mut tell = |line: Line| told.push((line.at_us / 1000, line.text));
    let mut lines = Lines::new(header, &mut tell);
    for event in events {
        lines.take(event, &mut tell);
    }
    lines.finish(&mut tell);
    told
}

fn lines(cols: u32, rows: u32, events: &[(u64, &str)]) -> Vec<(u64, String)> {
    let events: Vec<Event> = events.iter().map(|(at, text)| output(*at, text)).collect();
    lines_of(&header(cols, rows), &events)
}

fn told(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    let told = expected.iter().map(|(at, text)| (*at, (*text).to_owned()));
    told.collect()
}

#[test]
fn a_command_that_is_typed_is_one_line_at_the_time_of_its_last_key() {
    let typed = [
        (0, "$ "),
        (1000, "l"),
        (1200, "s"),
        (1400, "\r\n"),
        (1401, "a  b\r\n$ "),
    ];
    assert_eq!(
        lines(20, 5, &typed),
        told(&[(1200, "$ ls"), (1401, "a  b"), (1401, "$")])
    );
}

#[test]
fn what_was_wiped_away_is_found_where_it_stood() {
    let wiped = [(0, "secret"), (500, "\x1b[2K\rdone"), (900, "!")];
    assert_eq!(lines(20, 5, &wiped), told(&[(0, "secret"), (900, "done!")]));
    let full_screen = [
        (0, "\x1b[?1049h\x1b[Hone"),
        (30, "\x1b[H\x1b[Jtwo"),
        (60, "\x1b[?1049l"),
    ];
    assert_eq!(lines(20, 5, &full_screen), told(&[(0, "one"), (30, "two")]));
}

#[test]
fn output_that_nobody_could_read_is_found_as_it_scrolls_by() {
    let rows: Vec<String> = (0..100).map(|n| format!("line {n}\r\n")).collect();
    let flood = rows.concat();
    let found = lines(20, 5, &[(7, &flood)]);
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    for n in 0..100 {
        let line = format!("line {n}");
        assert_eq!(
            texts.iter().filter(|text| **text == line).count(),
            1,
            "{line}"
        );
    }
    assert!(found.iter().all(|(at, _)| *at == 7));
}

#[test]
fn what_scrolls_by_on_another_screen_or_within_margins_is_found_too() {
    let rows: Vec<String> = (0..100).map(|n| format!("line {n}\r\n")).collect();
    for before in ["\x1b[?1049h", "\x1b[2;5r\x1b[2;1H"] {
        let found = lines(20, 5, &[(7, &format!("{before}{}", rows.concat()))]);
        for n in 0..100 {
            let line = format!("line {n}");
            assert!(
                found.iter().any(|(_, text)| *text == line),
                "{before:?} {line}"
            );
        }
    }
}

#[test]
fn a_line_without_end_is_told_in_parts() {
    let endless = "a".repeat(1 << 20);
    let found = lines(80, 24, &[(0, &endless)]);
    assert!(found.iter().all(|(_, text)| text.len() <= 65 << 10));
    assert!(found.iter().map(|(_, text)| text.len()).sum::<usize>() >= 1 << 20);
}

#[test]
fn rows_that_were_wrapped_are_one_line_on_the_screen_and_past_it() {
    let long = "abcdefghijklmnopqrstuvwxyz";
    assert_eq!(lines(10, 5, &[(0, long)]), told(&[(0, long)]));
    let scrolled = format!("{long}\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n");
    assert!(lines(10, 5, &[(0, &scrolled)]).contains(&(0, long.to_owned())));
}

#[test]
fn promise_38_an_event_that_costs_screens_is_stopped_within() {
    let of = header(1000, 1000);
    let mut lines = Lines::new(&of, &mut |_| ());
    let wiping = output(0, &"x\x1b[2J".repeat(10_000));
    let (asked, told) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let go_on = || asked.replace(asked.get() + 1) == 0;
    assert!(!lines.take_while(&wiping, &go_on, &mut |_| told.set(told.get() + 1)));
    assert_eq!(asked.get(), 2);
    assert!(told.get() < 100, "{}", told.get());
}

#[test]
fn commands_files_and_marks_are_lines_too() {
    let mut of = header(20, 5);
    of.command = Some("rm -rf /tmp/x".to_owned());
    let marker = Event {
        at_us: 5_000,
        data: Data::Marker("signal INT".to_owned()),
    };
    assert_eq!(
        lines_of(&of, &[marker]),
        told(&[(0, "rm -rf /tmp/x"), (5, "signal INT")])
    );
}

#[test]
fn promise_36_no_line_holds_what_a_terminal_would_obey() {
    let found = lines(40, 3, &[(0, "a\u{202e}b\u{9b}31mc\x1b]0;t\x07d\u{feff}e")]);
    for (_, text) in found {
        assert!(text.chars().all(is_visible), "{text:?}");
    }
}
