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
fn plain_text_keeps_what_was_wiped_and_what_a_program_showed_on_a_screen_of_its_own() {
    let (_dir, path) = recording(&header(20, 4), |recorder, clock| {
        let mut show = |text: &str| {
            recorder.output(text).unwrap().into_inner();
            clock.step(2_000_000);
        };
        show("$ cat key\r\nsecret\r\n$ clear\r\n");
        show("\x1b[H\x1b[J$ vi hosts\r\n");
        show("\x1b[?1049h\x1b[Hpage one");
        show("\x1b[Hpage two");
        show("\x1b[?1049l$ exit");
    });
    let text = String::from_utf8(exported(&path, Format::Txt)).unwrap();
    assert_eq!(
        text,
        "$ cat key\nsecret\n$ clear\npage one\npage two\n$ vi hosts\n$ exit\n"
    );
}

#[test]
fn what_is_missing_at_the_end_is_said() {
    let (_dir, path) = recording(&header(80, 24), varied);
    let mut out = Vec::new();
    assert_eq!(
        export(&path, &Identities::default(), Format::V3, &mut out)
            .unwrap()
            .0,
        ReadState::Finished
    );
    let whole = std::fs::read(&path).unwrap();
    let mut longer = whole.clone();
    let seek = whole.len() - 41;
    longer.splice(seek.., *b"no frame of a recording");
    std::fs::write(&path, longer).unwrap();
    let mut again = Vec::new();
    assert_eq!(
        export(&path, &Identities::default(), Format::V3, &mut again)
            .unwrap()
            .0,
        ReadState::Damaged
    );
    assert_eq!(out, again);
    std::fs::write(&path, &whole[..seek]).unwrap();
    assert_eq!(
        export(&path, &Identities::default(), Format::V2, &mut Vec::new())
            .unwrap()
            .0,
        ReadState::Damaged
    );
}

/// A recording of several frames: lines that no compression makes small.
fn long() -> (tempfile::TempDir, std::path::PathBuf) {
    recording(&header(80, 24), |recorder, clock| {
        let mut seed = 1_u64;
        for n in 0..4000 {
            let mut line = format!("line {n} ");
            for _ in 0..20 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                line += &(seed >> 32).to_string();
            }
            recorder.output(line + "\r\n").unwrap().into_inner();
            clock.step(10_000);
        }
    })
}

#[test]
fn what_is_damaged_in_the_middle_is_written_up_to_there() {
    let (_dir, path) = long();
    let reader = Reader::open(&path, &Identities::default()).unwrap();
    assert!(reader.chunks() > 2 && reader.state() == ReadState::Finished);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].fill(0x55);
    std::fs::write(&path, &bytes).unwrap();
    let at = std::time::Duration::from_secs(35);
    let html = Format::Html {
        at,
        idle: None,
        from: std::time::Duration::ZERO,
        to: None,
    };
    let formats = [
        (Format::V2, "line 0 ", "\n"),
        (Format::V3, "line 0 ", "\n"),
        (Format::Txt, "line 0 ", "\n"),
        (Format::Svg { at }, "line ", "</svg>\n"),
        (html, "this is what comes before the damage", "</html>\n"),
    ];
    for (format, holds, end) in formats {
        let mut out = Vec::new();
        let (state, whole) = export(&path, &Identities::default(), format, &mut out).unwrap();
        assert_eq!(state, ReadState::Damaged, "{format:?}");
        assert_eq!(whole, reader.duration());
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(holds) && text.ends_with(end), "{format:?}");
        assert!(!text.contains("line 3999 "), "{format:?}");
        if matches!(format, Format::Svg { .. }) {
            assert_eq!(title(&text), last_before_damage(&path));
        }
    }
    let before = Format::Svg {
        at: std::time::Duration::from_secs(1),
    };
    let state = export(&path, &Identities::default(), before, &mut Vec::new());
    assert_eq!(state.unwrap().0, ReadState::Finished);
}

fn title(svg: &str) -> &str {
    let (_, rest) = svg.split_once("<title>").unwrap();
    rest.split_once("</title>").unwrap().0
}

/// What is said of the last screen that can be read.
fn last_before_damage(path: &std::path::Path) -> String {
    let reader = Reader::open(path, &Identities::default()).unwrap();
    let last = reader.all_events().map_while(Result::ok).last().unwrap();
    let (person, access) = (&reader.header().person, &reader.header().access);
    let at = player::view::time(last.at_us);
    format!("{person} {access} at {at}, damaged from there on")
}

#[test]
fn a_stump_is_called_what_it_is() {
    let (_dir, path) = long();
    let whole = std::fs::read(&path).unwrap();
    for (length, why) in [
        (0, "this is not a recording: it is empty"),
        (5, "this is not a recording: it is cut off at its beginning"),
        (
            1000,
            "the recording is damaged: it is cut off or altered in its first frame, so that nothing of it can be read",
        ),
    ] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = Reader::open(&path, &Identities::default()).unwrap_err();
        assert_eq!(error.to_string(), why, "{length}");
    }
}

#[test]
fn a_still_has_its_cursor_behind_what_combines() {
    let (_dir, path) = recording(&header(20, 2), |recorder, _| {
        recorder.output("e\u{301}x").unwrap().into_inner();
    });
    let at = std::time::Duration::ZERO;
    let svg = String::from_utf8(exported(&path, Format::Svg { at })).unwrap();
    // Two cells of text, then the cursor's block, ten units each behind an edge of ten.
    assert!(svg.contains(">e\u{301}x</text>"), "{svg}");
    assert!(
        svg.contains("<rect x=\"30\" y=\"10\" width=\"10\""),
        "{svg}"
    );
}
