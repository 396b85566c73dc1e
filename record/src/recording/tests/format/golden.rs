//! Recordings of version 1, which are read for good.

use super::*;

/// A recording as version 1 wrote it. It is never written anew: a version that cannot read it has broken the format.
const GOLDEN: &[u8] = include_bytes!("../golden/1.cast.zst");

fn golden_session(recorder: &mut Recorder, clock: &HandClock) {
    recorder.output("$ caf\u{e9}\r\n").unwrap().into_inner();
    clock.step(1_500_000);
    recorder.input("ls\r").unwrap().into_inner();
    recorder.output(b"\xff\xfe").unwrap().into_inner();
    recorder.error_output("no such file").unwrap().into_inner();
    recorder.resize(100, 30).unwrap().into_inner();
    recorder.marker("here").unwrap().into_inner();
    clock.step(59_000_001);
    recorder.exit(Exit::Status(2)).unwrap().into_inner();
}

#[test]
fn promise_45_a_recording_of_version_1_is_read_for_good() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(format!("{}.cast.zst", id(1))), GOLDEN).unwrap();
    let checked = assert_finished(dir.path(), &id(1));
    let root = "sha256:f359db31654411e8c45e78bf608100b7ef2312e7de0ecbde963bdeb3f859b872";
    assert_eq!(checked.root.to_string(), root);
    assert_eq!(checked.header, Some(header(id(1))));
    let (_now, events_now) = record(&header(id(1)), golden_session);
    assert_eq!(events(dir.path(), &id(1)), events_now);
}

/// One that is sealed to its recipient, as version 1 wrote it; a crash has ended it, so that its last frame is a sealed tail.
const SEALED_GOLDEN: &[u8] = include_bytes!("../golden/2.cast.zst");

/// The indexes of both.
const GOLDEN_INDEXES: [&[u8]; 2] = [
    include_bytes!("../golden/1.index.zst"),
    include_bytes!("../golden/2.index.zst"),
];

#[test]
fn promise_45_a_sealed_recording_of_version_1_is_read_for_good() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join(format!("{}.cast.zst", id(1))),
        SEALED_GOLDEN,
    )
    .unwrap();
    let checked = assert_finished(dir.path(), &id(1));
    assert_eq!(
        checked.root.to_string(),
        "sha256:6d8ef5a9c271ed97b9f160801493ac4328496cb196e7f81f4e722cf12bd43908"
    );
    assert_eq!((checked.frames, checked.header), (2, None));
    let opening = trusted().opening(Arc::new(identity(3)));
    let opened = verify::recording(SEALED_GOLDEN, &id(1), &opening).unwrap();
    assert_eq!(opened.header, Some(header(id(1))));
    let (_now, mut events_now) = record(&header(id(1)), |recorder, clock| {
        golden_session(recorder, clock);
        clock.step(600_000_000);
        recorder.output("after\r\n").unwrap().into_inner();
    });
    if let Some(Event {
        data: Data::End(end),
        ..
    }) = events_now.last_mut()
    {
        *end = End {
            reason: EndReason::Crash,
            exit: None,
        };
    }
    assert_eq!(events(dir.path(), &id(1)), events_now);
}

#[test]
fn promise_45_an_index_of_version_1_is_believed_for_good() {
    let last = [
        (1_500_000, "\u{fffd}\u{fffd}no such file"),
        (660_500_001, "\u{fffd}\u{fffd}no such fileafter"),
    ];
    let recordings = [GOLDEN, SEALED_GOLDEN].into_iter().zip(GOLDEN_INDEXES);
    for ((recording, index), last) in recordings.zip(last) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{}.cast.zst", id(1)));
        fs::write(&path, recording).unwrap();
        fs::write(dir.path().join(format!("{}.index.zst", id(1))), index).unwrap();
        let reader = Reader::open(&path, &identity(3)).unwrap();
        let mut told = Vec::new();
        let found = Index::of(&reader, &trusted()).unwrap();
        let heard = found.lines(&mut |line| {
            told.push((line.at_us, line.text.clone()));
            std::ops::ControlFlow::Continue(())
        });
        heard.unwrap();
        let lines = told.iter().map(|(at, text)| (*at, text.as_str()));
        let expected = [(1_500_000, "here"), (0, "$ caf\u{e9}"), last];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }
}
