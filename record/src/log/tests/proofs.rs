//! The log's notes, and what they prove to somebody who was not there.

use super::*;
use crate::tree::Hash;

/// A log with this many entries, published, in which entry `changed` is another one.
pub(super) fn published(dir: &Path, count: u64, changed: Option<u64>) {
    let mut log = Log::open(dir, key()).unwrap().log;
    log.publish_as("ca.example.com/hallpass".parse().unwrap())
        .unwrap();
    for n in 0..count {
        let other = if changed == Some(n) { 1000 } else { n };
        log.append(&line(other)).unwrap();
    }
}

pub(super) fn view(dir: &Path) -> Result<LogView, LogError> {
    LogView::read(dir, key().public_key(), |_, _| {})
}

fn kept(dir: &Path) -> String {
    view(dir).unwrap().checkpoint().unwrap().to_owned()
}

#[test]
fn the_note_says_what_the_checkpoint_says() {
    let dir = tempfile::tempdir().unwrap();
    published(dir.path(), 5, None);
    let name: note::KeyName = "ca.example.com/hallpass".parse().unwrap();
    let text = fs::read_to_string(dir.path().join(NOTE)).unwrap();
    let trusted = note::NoteKey::new(name, key().public_key()).unwrap();
    let said = Checkpoint::parse(trusted.open(&text).unwrap()).unwrap();
    let position = verify_log(dir.path(), key().public_key()).unwrap().position;
    assert_eq!(said.origin, "ca.example.com/hallpass");
    assert_eq!((said.size, said.root), (position.size, position.root));
}

#[test]
fn a_note_that_is_missing_or_behind_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(NOTE);
    published(dir.path(), 3, None);
    let old = fs::read(&file).unwrap();
    filled(dir.path(), 1);
    // The writer died before it had written the note.
    fs::write(&file, &old).unwrap();
    assert_eq!(
        verify_log(dir.path(), key().public_key()).unwrap().vouched,
        4
    );
    published(dir.path(), 0, None);
    let new = fs::read(&file).unwrap();
    assert_ne!(new, old);
    // An older version wrote none.
    fs::remove_file(&file).unwrap();
    assert_eq!(view(dir.path()).unwrap().prove(0), Err(ViewError::NoNote));
    published(dir.path(), 0, None);
    assert_eq!(fs::read(&file).unwrap(), new);
}

#[test]
fn promise_09_every_altered_byte_of_the_note_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(NOTE);
    published(dir.path(), 3, None);
    let whole = fs::read(&file).unwrap();
    let refused = |found: Result<(), LogError>| {
        matches!(found, Err(LogError::Checkpoint { path, .. }) if path == file)
            || matches!(view(dir.path()).map(drop), Err(LogError::Io { .. }))
    };
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(refused(view(dir.path()).map(drop)), "byte {at}");
    }
    // A good note of another log.
    let other = tempfile::tempdir().unwrap();
    published(other.path(), 3, Some(1));
    fs::copy(other.path().join(NOTE), &file).unwrap();
    assert!(refused(view(dir.path()).map(drop)));
    assert!(refused(Log::open(dir.path(), key()).map(drop)));
}

#[test]
fn each_entry_is_proven_and_none_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    published(dir.path(), 9, None);
    let view = view(dir.path()).unwrap();
    let note = fs::read_to_string(dir.path().join(NOTE)).unwrap();
    let signed = view.signed().unwrap();
    for n in 0..9 {
        let text = view.prove(n).unwrap();
        let (proof, found) = text.split_once("\n\n").unwrap();
        assert_eq!(found, note);
        let mut lines = proof.lines();
        assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
        assert_eq!(lines.next(), Some(format!("index {n}").as_str()));
        let path: Vec<Hash> = lines.map(|hash| hash.parse().unwrap()).collect();
        let leaf = leaf_hash(line(n).encode().unwrap().as_bytes());
        crate::tree::proof::verify_inclusion(leaf, n, signed.size, signed.root, &path).unwrap();
    }
    for index in [9, u64::MAX] {
        let late = ViewError::NotYet { index, size: 9 };
        assert_eq!(view.prove(index), Err(late));
    }
}

#[test]
fn promise_09_a_log_that_was_forked_or_shrank_is_named_by_whoever_saw_it_before() {
    let dir = tempfile::tempdir().unwrap();
    published(dir.path(), 6, None);
    let before = kept(dir.path());
    assert_eq!(view(dir.path()).unwrap().continues(&before), Ok(6));
    published(dir.path(), 5, None);
    assert_eq!(view(dir.path()).unwrap().continues(&before), Ok(6));
    // Each of these is whole by itself, with good signatures of the very key.
    for (count, changed, said) in [
        (5, None, ViewError::Shrunk { had: 6, has: 5 }),
        (6, Some(0), ViewError::Forked { had: 6 }),
        (11, Some(5), ViewError::Forked { had: 6 }),
    ] {
        let other = tempfile::tempdir().unwrap();
        published(other.path(), count, changed);
        let found = view(other.path()).unwrap();
        assert_eq!(found.continues(&before), Err(said));
    }
    // Whatever the older tree's shape is.
    for had in 1..=8 {
        let (first, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        published(first.path(), had, None);
        published(other.path(), 9, Some(had - 1));
        let found = view(other.path()).unwrap();
        let found = found.continues(&kept(first.path()));
        assert_eq!(found, Err(ViewError::Forked { had }));
    }
    // What was kept is not believed either.
    let altered = before.replace("\n6\n", "\n5\n");
    let found = view(dir.path()).unwrap().continues(&altered);
    assert!(matches!(found, Err(ViewError::Kept(_))), "{found:?}");
}
