mod golden;

use super::*;
use crate::recording::index::Index;
use config::limits;
use proptest::prelude::*;
use std::process::Command;

/// Records what `act` does, and gives the events of the finished recording.
fn record(
    header: &Header,
    act: impl FnOnce(&mut Recorder, &HandClock),
) -> (tempfile::TempDir, Vec<Event>) {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let mut recorder = store.create(header, &Recipients::nobody()).unwrap();
    act(&mut recorder, &clock);
    recorder.finish(EndReason::Exit).unwrap();
    assert_finished(dir.path(), &header.session);
    let events = events(dir.path(), &header.session);
    (dir, events)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_come_back_exactly(writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let (_, events) = record(&header(id(1)), |recorder, _| {
            for bytes in &writes {
                recorder.output(bytes).unwrap().into_inner();
            }
        });
        prop_assert_eq!(stream(&events, Stream::Output), writes.concat());
    }

    #[test]
    fn pieces_are_the_bytes_again(text in "\\PC{0,300}", noise in prop::collection::vec(any::<u8>(), 0..300), at in 0..300_usize) {
        let mut bytes = text.into_bytes();
        let at = at.min(bytes.len());
        bytes.splice(at..at, noise);
        let pieces = crate::recording::event::pieces(&bytes);
        prop_assert_eq!(pieces.concat(), bytes.clone());
        prop_assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= limits::EVENT_BYTES));
    }
}

#[test]
fn a_character_split_over_two_writes_is_joined() {
    let (_, events) = record(&header(id(1)), |recorder, _| {
        recorder.output(b"caf\xc3").unwrap().into_inner();
        recorder.output(b"\xa9 $ ").unwrap().into_inner();
    });
    assert_eq!(stream(&events, Stream::Output), "café $ ".as_bytes());
    let texts: Vec<&[u8]> = events
        .iter()
        .filter_map(|event| match &event.data {
            Data::Bytes(_, bytes) => Some(bytes.as_slice()),
            _ => None,
        })
        .collect();
    // What is whole text stays text for players that know nothing of ours.
    assert_eq!(texts, [b"caf".as_slice(), b"\xc3", b"\xa9", b" $ "]);
}

#[test]
fn one_past_the_longest_event_becomes_two_at_a_character() {
    let text = "é".repeat(limits::EVENT_BYTES / 2) + "é";
    let (_, events) = record(&header(id(1)), |recorder, _| {
        recorder.output(&text).unwrap().into_inner();
    });
    let lengths: Vec<usize> = events
        .iter()
        .filter_map(|event| match &event.data {
            Data::Bytes(_, bytes) => Some(bytes.len()),
            _ => None,
        })
        .collect();
    assert_eq!(lengths, [limits::EVENT_BYTES, 2]);
}

#[test]
fn every_kind_of_event_comes_back() {
    let (_, events) = record(&header(id(1)), |recorder, clock| {
        recorder.output("out").unwrap().into_inner();
        clock.step(1);
        recorder.input("in").unwrap().into_inner();
        clock.step(999_999);
        assert_eq!(recorder.resize(100, 30).unwrap().into_inner(), (100, 30));
        recorder.resize(0, 65_535).unwrap().into_inner();
        recorder.marker("here").unwrap().into_inner();
        clock.step(3_600_000_000);
        recorder.exit(Exit::Status(3)).unwrap().into_inner();
    });
    let expected = [
        (0, Data::Bytes(Stream::Output, b"out".to_vec())),
        (1, Data::Bytes(Stream::Input, b"in".to_vec())),
        (1_000_000, Data::Resize(Size::recorded(100, 30).unwrap())),
        (
            1_000_000,
            Data::Resize(Size::recorded(80, limits::TERM_SIDE).unwrap()),
        ),
        (1_000_000, Data::Marker("here".into())),
        (3_601_000_000, Data::Exit(3)),
        (
            3_601_000_000,
            Data::End(End {
                reason: EndReason::Exit,
                exit: Some(Exit::Status(3)),
            }),
        ),
    ];
    let expected: Vec<Event> = expected
        .into_iter()
        .map(|(at_us, data)| Event { at_us, data })
        .collect();
    assert_eq!(events, expected);
}

#[test]
fn times_do_not_drift() {
    let (_, events) = record(&header(id(1)), |recorder, clock| {
        for _ in 0..10_000 {
            clock.step(333);
            recorder.output("x").unwrap().into_inner();
        }
    });
    assert_eq!(events.last().unwrap().at_us, 3_330_000);
}

#[test]
fn a_command_without_a_terminal_keeps_a_part_and_the_digest_of_the_rest() {
    let mut exec = header(id(1));
    (exec.kind, exec.term, exec.command) = (Kind::Exec, None, Some("tar c /".into()));
    exec.record_input = false;
    let cap = usize::try_from(limits::EXEC_STREAM_BYTES).unwrap();
    let (big, exact) = (vec![b'o'; cap + 1], vec![b'e'; cap]);
    let (_, events) = record(&exec, |recorder, _| {
        for chunk in big.chunks(30_000) {
            recorder.output(chunk).unwrap().into_inner();
        }
        recorder.error_output(&exact).unwrap().into_inner();
        recorder.input("few").unwrap().into_inner();
        recorder
            .exit(Exit::Signal("KILL".into()))
            .unwrap()
            .into_inner();
    });
    assert_eq!(stream(&events, Stream::Output), big[..cap]);
    assert_eq!(stream(&events, Stream::ErrorOutput), exact);
    assert_eq!(stream(&events, Stream::Input), b"few");
    let tallies: Vec<&Data> = events
        .iter()
        .map(|e| &e.data)
        .filter(|data| matches!(data, Data::Tally(_)))
        .collect();
    let digest = Some(crate::digest::StreamDigest::of(&big));
    assert_eq!(
        tallies,
        [&Data::Tally(Tally {
            stream: Stream::Output,
            bytes: cap as u64 + 1,
            digest
        })]
    );
    assert_eq!(the_end(&events).exit, Some(Exit::Signal("KILL".into())));
}

#[test]
fn what_is_typed_is_kept_only_if_the_role_says_so() {
    let mut quiet = header(id(1));
    quiet.record_input = false;
    let (dir, events) = record(&quiet, |recorder, _| {
        assert_eq!(recorder.input("secret").unwrap().into_inner(), "secret");
        recorder.output("shown").unwrap().into_inner();
    });
    assert_eq!(stream(&events, Stream::Input), b"");
    let tally = Tally {
        stream: Stream::Input,
        bytes: 6,
        digest: None,
    };
    assert!(events.iter().any(|event| event.data == Data::Tally(tally)));
    let file = fs::read(dir.path().join(format!("{}.cast.zst", id(1)))).unwrap();
    let plain = zstd::decode_all(file.as_slice()).unwrap();
    assert!(!String::from_utf8_lossy(&plain).contains("secret"));
}

#[test]
fn stock_zstd_gives_the_lines() {
    let (dir, _) = record(&header(id(1)), |recorder, _| {
        for n in 0..2_000 {
            recorder
                .output(format!("\u{1b}[3{}m{}", n % 8, "text ".repeat(100)))
                .unwrap()
                .into_inner();
        }
    });
    let path = dir.path().join(format!("{}.cast.zst", id(1)));
    let out = Command::new("zstd")
        .args(["-dc"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let reader = Reader::open(&path, &Identities::default()).unwrap();
    assert!(reader.chunks() > 3, "{} chunks", reader.chunks());
    let ours: Vec<u8> = (0..reader.chunks())
        .flat_map(|chunk| reader.lines(chunk).unwrap())
        .collect();
    assert!(out.stdout == ours);
    assert_eq!(
        Command::new("zstd")
            .arg("-tq")
            .arg(&path)
            .status()
            .unwrap()
            .code(),
        Some(0)
    );
}

#[test]
fn the_environment_stands_in_the_header() {
    let sent = ("LANG".to_owned(), "C\n\u{1b}[2J".to_owned());
    let with = Header {
        environment: vec![sent],
        ..header(id(1))
    };
    let line = String::from_utf8(with.to_line()).unwrap();
    assert!(!line.trim_end().contains(char::is_control), "{line}");
    assert_eq!(Header::from_line(&line).unwrap(), with);
}

#[test]
fn a_recording_can_be_read_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    recorder.output("so far").unwrap().into_inner();
    let reader = Reader::open_in(dir.path(), &id(1), &Identities::default()).unwrap();
    assert_eq!(reader.state(), ReadState::Unfinished);
    let so_far: Vec<Event> = reader.all_events().collect::<Result<_, _>>().unwrap();
    assert_eq!(stream(&so_far, Stream::Output), b"so far");
    assert!(matches!(
        verify::directory(dir.path(), &trusted(), None)
            .unwrap()
            .as_slice(),
        [(_, Verdict::Unfinished(_))]
    ));

    for n in 0..20 {
        recorder
            .output(vec![b'a' + n; 50_000])
            .unwrap()
            .into_inner();
    }
    // What is sealed between two looks of the reader is told, and nothing worse is.
    let more = Reader::open_in(dir.path(), &id(1), &Identities::default())
        .and_then(|reader| reader.all_events().collect::<Result<Vec<Event>, _>>());
    match more {
        Ok(events) => assert_eq!(stream(&events, Stream::Output).len(), 6 + 20 * 50_000),
        Err(ReadError::Changed) => {}
        Err(e) => panic!("{e}"),
    }
    recorder.finish(EndReason::Exit).unwrap();
    assert_eq!(
        Reader::open_in(dir.path(), &id(1), &Identities::default())
            .unwrap()
            .state(),
        ReadState::Finished
    );
    assert_finished(dir.path(), &id(1));
}

/// A reader that comes between the sealing of a tail and its removal is not told that anything is damaged.
#[test]
fn a_recording_that_runs_is_never_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..400 {
            recorder.output(vec![b'x'; 50_000]).unwrap().into_inner();
        }
        recorder.finish(EndReason::Exit).unwrap();
    });
    while !writer.is_finished() {
        let state = Reader::open_in(dir.path(), &id(1), &Identities::default())
            .map(|reader| reader.state());
        assert!(
            matches!(
                state,
                Ok(ReadState::Unfinished | ReadState::Finished) | Err(ReadError::Changed)
            ),
            "{state:?}"
        );
    }
    writer.join().unwrap();
}

#[test]
fn a_frame_that_is_being_written_is_no_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    recorder.output("so far").unwrap().into_inner();
    let running = snapshot(dir.path());
    recorder.finish(EndReason::Exit).unwrap();
    let name = format!("{}.cast.zst", id(1));
    let whole = fs::read(dir.path().join(&name)).unwrap();
    let preamble = fs::metadata(running.path().join(&name)).unwrap().len();
    for cut in usize::try_from(preamble).unwrap()..whole.len() {
        fs::write(running.path().join(&name), &whole[..cut]).unwrap();
        let verdicts = verify::directory(running.path(), &trusted(), None).unwrap();
        assert!(
            matches!(verdicts.as_slice(), [(_, Verdict::Unfinished(_))]),
            "cut at {cut}: {verdicts:?}"
        );
    }
}

#[test]
fn unknown_events_survive_and_are_passed_over() {
    use crate::recording::event::{read_line, write_line};
    let mut at_us = 0;
    let event = read_line("[1.5, \"Q\", \"later\"]", &mut at_us)
        .unwrap()
        .unwrap();
    let data = Data::Unknown {
        code: "Q".into(),
        data: "later".into(),
    };
    assert_eq!(
        event,
        Event {
            at_us: 1_500_000,
            data
        }
    );
    let (mut out, mut last) = (Vec::new(), 0);
    write_line(&mut out, &mut last, &event);
    assert_eq!(out, b"[1.500000, \"Q\", \"later\"]\n");
    assert_eq!(read_line("# a comment", &mut at_us), Ok(None));
    for bad in [
        "",
        "[]",
        "[-1, \"o\", \"\"]",
        "[1e10, \"o\", \"\"]",
        "[0, \"o\"]",
        "[0, \"r\", \"0x0\"]",
        "[0, \"r\", \"4000x4000\"]",
        "[0, \"B\", \"o:!\"]",
        "[0,\"z\",\"{}\"]",
    ] {
        assert!(read_line(bad, &mut at_us).is_err(), "{bad}");
    }
}

#[test]
fn seeking_finds_the_chunk() {
    let (dir, _) = record(&header(id(1)), |recorder, clock| {
        for n in 0..40 {
            clock.step(1_000_000);
            recorder
                .output(vec![b'a' + n % 26; 30_000])
                .unwrap()
                .into_inner();
        }
    });
    let reader = Reader::open_in(dir.path(), &id(1), &Identities::default()).unwrap();
    assert!(reader.chunks() > 2);
    assert_eq!(reader.duration(), Duration::from_secs(40));
    for at in [0, 1, 1_000_000, 20_500_000, 40_000_000, 99_000_000] {
        let chunk = reader.chunk_at(at);
        let before = reader.chunk_start(chunk);
        assert!(before <= at, "{at}");
        let events = reader.events(chunk).unwrap();
        assert!(events.iter().all(|event| event.at_us >= before));
        assert!(
            chunk + 1 == reader.chunks() || events.last().unwrap().at_us >= at,
            "{at}"
        );
    }
}
