//! One writer for a recording, one recording for a session.

use super::*;

#[test]
fn promise_08_a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let again = RecordingStore::open(
        dir.path(),
        signer(),
        Arc::new(HandClock::default()),
        Box::new(OsDisk),
    );
    assert!(matches!(again, Err(StoreError::InUse(_))));
    // A recorder that outlives its store still writes: the directory stays taken.
    let recorder = store.create(&header(id(1)), &recipients()).unwrap();
    drop(store);
    let again = RecordingStore::open(
        dir.path(),
        signer(),
        Arc::new(HandClock::default()),
        Box::new(OsDisk),
    );
    assert!(matches!(again, Err(StoreError::InUse(_))));
    recorder.finish(EndReason::Exit).unwrap();
    let (_, _) = open(dir.path());
    assert_finished(dir.path(), &id(1));
}

#[test]
fn promise_08_a_session_identifier_is_used_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut first = store.create(&header(id(1)), &recipients()).unwrap();
    first.output("first").unwrap().into_inner();
    assert!(matches!(
        store.create(&header(id(1)), &recipients()),
        Err(StoreError::Exists(_))
    ));
    first.finish(EndReason::Exit).unwrap();
    assert!(matches!(
        store.create(&header(id(1)), &recipients()),
        Err(StoreError::Exists(_))
    ));
    assert_eq!(
        stream(&events(dir.path(), &id(1)), Stream::Output),
        b"first"
    );
    assert_finished(dir.path(), &id(1));
}

#[test]
fn promise_34_only_identifiers_name_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let sub = dir.path().join("recordings");
    let (store, _) = open(&sub);
    let mut hostile = header(id(1));
    hostile.client = "../../x\0\n\u{202e}".repeat(100);
    hostile.command = Some("../".repeat(1000));
    let mut recorder = store.create(&hostile, &recipients()).unwrap();
    recorder.marker("../../etc/passwd").unwrap().into_inner();
    recorder.output(vec![b'x'; 300_000]).unwrap().into_inner();
    // A tail that is sealed meanwhile is gone.
    let mode = |path: &Path| {
        let of = |meta: fs::Metadata| meta.permissions().mode() & 0o777;
        fs::metadata(path).map_or(if path == sub { 0o700 } else { 0o600 }, of)
    };
    assert_eq!(mode(&sub), 0o700);
    for entry in fs::read_dir(&sub).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name == ".lock" || crate::recording::recover::file_of(&name).is_some(),
            "{name}"
        );
        assert!(name == ".lock" || mode(&sub.join(&name)) == 0o600, "{name}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    recorder.finish(EndReason::Exit).unwrap();
    drop(store);

    // What no store has written is not touched.
    for name in [
        "x.cast.zst",
        "01JD.000000.tail",
        &format!("{}.0.tail", id(9)),
        &format!("{}.cast", id(9)),
    ] {
        fs::File::create(sub.join(name))
            .unwrap()
            .write_all(b"mine")
            .unwrap();
    }
    let (_, recovered) = open(&sub);
    assert!(
        recovered.sealed.is_empty() && recovered.set_aside.is_empty(),
        "{recovered:?}"
    );
    assert_eq!(fs::read(sub.join("x.cast.zst")).unwrap(), b"mine");
    assert_eq!(
        Reader::open_in(&sub, &id(1), &identity(3))
            .unwrap()
            .header(),
        &hostile
    );
    assert_finished(&sub, &id(1));
}
