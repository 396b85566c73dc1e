//! What lies in the directory, and how it leaves.

use super::*;

#[test]
fn what_runs_is_not_removed_and_what_is_goes_with_its_index() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let (runs, over) = (header(id(1)), header(id(2)));
    let recorder = store.create(&runs, &Recipients::nobody()).unwrap();
    let other = store.create(&over, &Recipients::nobody()).unwrap();
    let sealed = other.finish(EndReason::Exit).unwrap();
    assert_eq!(
        store.finished().unwrap(),
        [(over.session.clone(), sealed.bytes)]
    );
    let refused = store.remove(&runs.session).unwrap_err();
    assert_eq!(refused.to_string(), "its session runs");

    let index = |header: &Header| dir.path().join(format!("{}.index.zst", header.session));
    fs::write(index(&over), "x").unwrap();
    store.remove(&over.session).unwrap();
    assert!(!store.has(&over.session) && !index(&over).exists());
    store.remove(&over.session).unwrap();
    // One that was being made meanwhile.
    fs::write(index(&over), "x").unwrap();
    fs::write(index(&runs), "x").unwrap();
    store.tidy().unwrap();
    assert!(!index(&over).exists() && index(&runs).exists());
    drop(recorder);
}
