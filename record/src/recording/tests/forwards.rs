use config::recipients::Recipients;

use super::*;
use crate::digest::Digest;

fn finished(act: impl FnOnce(&Forwards)) -> Vec<Event> {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open_with(dir.path(), HandClock::default(), Box::new(OsDisk));
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
        digest: Digest::of(bytes),
    };
    let expected = [
        ForwardEvent::Asked {
            n: 1,
            channel: Forwarded::DirectTcp,
            to: "localhost:5432".to_owned(),
            from: "127.0.0.1:40000".to_owned(),
        },
        ForwardEvent::Opened { n: 1 },
        ForwardEvent::Closed {
            n: 1,
            up: passed(b"query"),
            down: passed(b"rows"),
            closed: true,
        },
    ];
    let kept: Vec<_> = events.iter().map(|event| &event.data).collect();
    let expected: Vec<_> = expected.into_iter().map(Data::Forward).collect();
    assert_eq!(kept[..3], expected.iter().collect::<Vec<_>>());
    assert_eq!(kept.len(), 4, "and the End");
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
