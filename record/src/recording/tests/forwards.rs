use config::recipients::Recipients;

use super::*;
use crate::digest::StreamDigest;

fn finished(act: impl FnOnce(&Forwards)) -> Vec<Event> {
    finished_at(&HandClock::default(), act)
}

fn finished_at(clock: &HandClock, act: impl FnOnce(&Forwards)) -> Vec<Event> {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let header = header(id(1));
    let recorder = store.create(&header, &Recipients::nobody()).unwrap();
    let forwards = recorder.forwards();
    act(&forwards);
    recorder.finish(EndReason::Exit).unwrap();
    let late = forwards.asked(Forwarded::Agent, "", "");
    assert!(
        matches!(late, Err(RecordError::Failed)),
        "nothing comes behind the End"
    );
    events(dir.path(), &header.session)
}

#[test]
fn of_a_forwarded_connection_places_sizes_and_digests_are_kept() {
    let events = finished(|forwards| {
        let mut link = forwards
            .asked(Forwarded::DirectTcp, "localhost:5432", "127.0.0.1:40000")
            .unwrap();
        link.opened().unwrap().into_inner();
        link.pass(Stream::Input, b"que").unwrap().into_inner();
        link.pass(Stream::Input, b"ry").unwrap().into_inner();
        link.pass(Stream::Output, b"rows").unwrap().into_inner();
        link.close().unwrap();
    });
    let passed = |bytes: &[u8]| Passed {
        bytes: bytes.len() as u64,
        digest: StreamDigest::of(bytes),
    };
    let expected = [
        ForwardEvent::Asked {
            n: 1,
            channel: Forwarded::DirectTcp,
            to: "localhost:5432".to_owned(),
            from: "127.0.0.1:40000".to_owned(),
        },
        ForwardEvent::Opened { n: 1 },
        ForwardEvent::Passed {
            n: 1,
            up: passed(b"que"),
            down: passed(b""),
        },
        ForwardEvent::Passed {
            n: 1,
            up: passed(b"query"),
            down: passed(b"rows"),
        },
        ForwardEvent::Closed {
            n: 1,
            up: passed(b"query"),
            down: passed(b"rows"),
            closed: true,
        },
    ];
    let kept: Vec<_> = events.iter().map(|event| &event.data).collect();
    let expected: Vec<_> = expected.into_iter().map(Data::Forward).collect();
    assert_eq!(kept[..5], expected.iter().collect::<Vec<_>>());
    assert_eq!(kept.len(), 6, "and the End");
}

#[test]
fn a_connection_that_nobody_closed_was_cut_off_and_one_that_was_not_opened_has_no_end() {
    let events = finished(|forwards| {
        let mut cut = forwards
            .asked(Forwarded::X11, "", "127.0.0.1:6010")
            .unwrap();
        cut.opened().unwrap().into_inner();
        drop(cut);
        let refused = forwards.asked(Forwarded::Tcp, "localhost:80", "").unwrap();
        refused.refused("no").unwrap();
    });
    let told = events.iter().filter_map(|event| match &event.data {
        Data::Forward(forward) => Some(forward.to_string()),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let expected = [
        "[1] display from \"127.0.0.1:6010\"",
        "[1] opened",
        "[1] cut off, sent nothing, received nothing",
        "[2] connection from outside to \"localhost:80\"",
        "[2] refused: \"no\"",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_has_passed_is_told_at_each_mebibyte_and_after_ten_seconds() {
    let (clock, piece) = (HandClock::default(), vec![0; 32 << 10]);
    let events = finished_at(&clock, |forwards| {
        let mut link = forwards.asked(Forwarded::Tcp, "", "").unwrap();
        link.opened().unwrap().into_inner();
        let mut pass = || _ = link.pass(Stream::Output, &piece).unwrap().into_inner();
        // The first of all, then 1 MiB, and a piece that waits for the next line.
        (0..34).for_each(|_| pass());
        clock.step(9_999_999);
        pass();
        clock.step(1);
        pass();
        link.close().unwrap();
    });
    let told = events.iter().filter_map(|event| match &event.data {
        Data::Forward(ForwardEvent::Passed { down, .. }) => Some(down.bytes >> 10),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [32, 33 * 32, 36 * 32]);
}

#[test]
fn promise_01_what_had_passed_is_still_told_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open_with(dir.path(), HandClock::default(), Box::new(OsDisk));
    let header = header(id(1));
    let recorder = store.create(&header, &Recipients::nobody()).unwrap();
    let mut link = recorder
        .forwards()
        .asked(Forwarded::DirectTcp, "localhost:80", "")
        .unwrap();
    link.opened().unwrap().into_inner();
    link.pass(Stream::Input, b"secret").unwrap().into_inner();
    let crashed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, crashed.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    drop(open_with(
        crashed.path(),
        HandClock::default(),
        Box::new(OsDisk),
    ));
    let passed = Data::Forward(ForwardEvent::Passed {
        n: 1,
        up: Passed {
            bytes: 6,
            digest: StreamDigest::of(b"secret"),
        },
        down: Passed {
            bytes: 0,
            digest: StreamDigest::of(b""),
        },
    });
    let events = events(crashed.path(), &header.session);
    assert!(
        events.iter().any(|event| event.data == passed),
        "{events:?}"
    );
}
