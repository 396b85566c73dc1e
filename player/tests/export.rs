//! What is exported, judged by other programs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use asciicast_rs::v3::EventPayload;
use asciicast_rs::{Asciicast, V2, V3};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{header, recording};
use player::{Format, export};
use record::age::Identities;
use record::recording::{Data, Event, Exit, ReadState, Reader, Recorder, Stream};

/// A session with everything in it that a format can get wrong.
fn varied(recorder: &mut Recorder, clock: &common::HandClock) {
    recorder
        .output("$ caf\u{e9} \u{1f600}\r\n")
        .unwrap()
        .into_inner();
    clock.step(1_234_567);
    recorder.input("ls\r").unwrap().into_inner();
    recorder.output(b"split \xe8\xa4").unwrap().into_inner();
    clock.step(1);
    recorder
        .output(b"\x87 over two writes\r\n")
        .unwrap()
        .into_inner();
    recorder
        .output(b"latin-1: \xe9t\xe9 \xff\xfe\x00\x01\r\n")
        .unwrap()
        .into_inner();
    recorder.resize(100, 30).unwrap().into_inner();
    recorder.marker("here").unwrap().into_inner();
    clock.step(59_000_000);
    recorder
        .output("\x1b[31mred\x1b[0m \\ \" \u{2028} \x1b]0;title\x07 end")
        .unwrap()
        .into_inner();
    recorder.error_output("error").unwrap().into_inner();
    recorder.exit(Exit::Status(3)).unwrap().into_inner();
}

fn exported(path: &std::path::Path, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    export(path, &Identities::default(), format, &mut out).unwrap();
    out
}

fn events(path: &std::path::Path) -> Vec<Event> {
    Reader::open(path, &Identities::default())
        .unwrap()
        .all_events()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn stream(events: &[Event], wanted: &[Stream]) -> Vec<u8> {
    let bytes = events.iter().filter_map(|event| match &event.data {
        Data::Bytes(stream, bytes) if wanted.contains(stream) => Some(bytes.as_slice()),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

#[test]
fn promise_39_version_2_plays_in_asciinema() {
    let (dir, path) = recording(&header(80, 24), varied);
    let cast = dir.path().join("out.cast");
    std::fs::write(&cast, exported(&path, Format::V2)).unwrap();
    // It opens /dev/tty whatever it is asked to do, hence `script`.
    let shown = dir.path().join("shown");
    let command = format!("asciinema cat {} > {}", cast.display(), shown.display());
    let ran = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("HOME", dir.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
    let shown = std::fs::read_to_string(shown).unwrap();
    let output = stream(&events(&path), &[Stream::Output, Stream::ErrorOutput]);
    assert_eq!(shown, String::from_utf8_lossy(&output));
}

#[test]
fn promise_39_version_2_says_when_each_thing_happened() {
    let (_dir, path) = recording(&header(80, 24), varied);
    let cast = Asciicast::<V2>::from_slice(&exported(&path, Format::V2)).unwrap();
    assert_eq!((cast.header.width, cast.header.height), (80, 24));
    let times: Vec<f64> = cast.absolute_times().map(|(at, _)| at).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(times.first(), Some(&0.0));
    assert_eq!(times.last(), Some(&60.234_568));
}

#[test]
fn promise_39_version_3_reads_back_as_the_same_events() {
    let (_dir, path) = recording(&header(80, 24), varied);
    let cast = Asciicast::<V3>::from_slice(&exported(&path, Format::V3)).unwrap();
    assert_eq!(
        cast.header.title.as_deref(),
        Some("alice: postgres@db1.prod")
    );
    let ours = events(&path);
    assert_eq!(cast.events.len(), ours.len());
    for ((at, theirs), ours) in cast.absolute_times().zip(&ours) {
        let at_us = (at * 1e6).round();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a minute of microseconds is exact"
        )]
        let ours_us = ours.at_us as f64;
        assert!((at_us - ours_us).abs() < 0.5, "{at_us} {ours_us}");
        match (&theirs.payload, &ours.data) {
            (EventPayload::Output(text), Data::Bytes(Stream::Output, bytes))
            | (EventPayload::Input(text), Data::Bytes(Stream::Input, bytes)) => {
                assert_eq!(text.as_bytes(), bytes);
            }
            (EventPayload::Resize(theirs), Data::Resize(ours)) => {
                assert_eq!((theirs.cols, theirs.rows), (ours.cols(), ours.rows()));
            }
            (EventPayload::Marker(theirs), Data::Marker(ours)) => assert_eq!(theirs, ours),
            (EventPayload::Exit(theirs), Data::Exit(ours)) => {
                assert_eq!(theirs.code(), i32::try_from(*ours).unwrap());
            }
            (EventPayload::Unknown { code, data }, Data::Bytes(Stream::Output, bytes)) => {
                assert_eq!(code, "B");
                assert_eq!(
                    STANDARD.decode(data.strip_prefix("o:").unwrap()).unwrap(),
                    *bytes
                );
            }
            (EventPayload::Unknown { code, data }, Data::Bytes(Stream::ErrorOutput, bytes)) => {
                assert_eq!((code.as_str(), data.as_bytes()), ("e", bytes.as_slice()));
            }
            (EventPayload::Unknown { code, .. }, Data::End(_)) => assert_eq!(code, "z"),
            (theirs, ours) => panic!("{theirs:?} is not {ours:?}"),
        }
    }
}

#[test]
fn promise_39_bytes_that_are_not_utf8_survive_version_3() {
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        for piece in bytes.chunks(777) {
            recorder.output(piece).unwrap().into_inner();
        }
    });
    let cast = Asciicast::<V3>::from_slice(&exported(&path, Format::V3)).unwrap();
    let back: Vec<u8> = cast
        .events
        .iter()
        .flat_map(|event| match &event.payload {
            EventPayload::Output(text) => text.clone().into_bytes(),
            EventPayload::Unknown { code, data } if code == "B" => {
                STANDARD.decode(data.strip_prefix("o:").unwrap()).unwrap()
            }
            _ => Vec::new(),
        })
        .collect();
    assert!(back == bytes);
}

#[test]
fn promise_39_an_exit_status_that_other_readers_cannot_hold_does_not_spoil_the_file() {
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        recorder.exit(Exit::Status(u32::MAX)).unwrap().into_inner();
    });
    assert!(Asciicast::<V3>::from_slice(&exported(&path, Format::V3)).is_ok());
    let events = events(&path);
    let Some(Event {
        data: Data::End(end),
        ..
    }) = events.last()
    else {
        panic!("no End")
    };
    assert_eq!(end.exit, Some(Exit::Status(u32::MAX)));
}

#[test]
fn promise_36_plain_text_holds_nothing_invisible() {
    let hostile = "a\x1b]52;c;aGk=\x07b\x1b]0;title\x07c\x1b[c\x1b[6n\x1bP$qm\x1b\\d\u{202e}e\u{200f}\u{2066}f\u{9b}31mg\x1b[?2004hh\x05\x07i\u{feff}\u{e0001}\u{85}j";
    let (_dir, path) = recording(&header(80, 24), |recorder, _| {
        recorder.output(hostile).unwrap().into_inner();
        recorder
            .output(b"\x9b6n\xff\r\nlast\r\n")
            .unwrap()
            .into_inner();
    });
    let text = String::from_utf8(exported(&path, Format::Txt)).unwrap();
    for c in text.chars() {
        assert!(
            c == '\n' || (!c.is_control() && !is_format(c)),
            "{c:?} in {text:?}"
        );
    }
    assert!(text.starts_with("abc"), "{text:?}");
    assert!(text.ends_with("last\n"), "{text:?}");
}

/// The characters of general category Cf that turn, hide or tag text.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[test]
fn plain_text_keeps_what_scrolled_away() {
    let (_dir, path) = recording(&header(20, 3), |recorder, _| {
        for n in 0..50 {
            recorder
                .output(format!("line {n}\r\n"))
                .unwrap()
                .into_inner();
        }
    });
    let text = String::from_utf8(exported(&path, Format::Txt)).unwrap();
    let lines: Vec<String> = (0..50).map(|n| format!("line {n}")).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn what_is_missing_at_the_end_is_said() {
    let (_dir, path) = recording(&header(80, 24), varied);
    let mut out = Vec::new();
    assert_eq!(
        export(&path, &Identities::default(), Format::V3, &mut out).unwrap(),
        ReadState::Finished
    );
    let whole = std::fs::read(&path).unwrap();
    let mut longer = whole.clone();
    let seek = whole.len() - 41;
    longer.splice(seek.., *b"no frame of a recording");
    std::fs::write(&path, longer).unwrap();
    let mut again = Vec::new();
    assert_eq!(
        export(&path, &Identities::default(), Format::V3, &mut again).unwrap(),
        ReadState::Damaged
    );
    assert_eq!(out, again);
    std::fs::write(&path, &whole[..seek]).unwrap();
    assert_eq!(
        export(&path, &Identities::default(), Format::V2, &mut Vec::new()).unwrap(),
        ReadState::Damaged
    );
}
