//! What only a recording that is sealed to its recipients comes to.

use super::super::crypt::reissue::{self, ReissueError, Shared};
use super::*;

const MARKER: &str = "marker-5f3a";

pub(super) fn cast(dir: &Path) -> std::path::PathBuf {
    dir.join(format!("{}.cast.zst", id(1)))
}

fn auditor() -> Recipients {
    Recipients::any(vec![recipient(4)]).unwrap()
}

/// A finished recording of a marker, and its root.
fn finished() -> (tempfile::TempDir, Sealed) {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &reviewer()).unwrap();
    recorder.output(MARKER).unwrap().into_inner();
    let sealed = recorder.finish(EndReason::Exit).unwrap();
    (dir, sealed)
}

pub(super) fn output(path: &Path, identities: &Identities) -> Vec<u8> {
    let reader = Reader::open(path, identities).unwrap();
    let events: Vec<Event> = reader.all_events().map(Result::unwrap).collect();
    stream(&events, Stream::Output)
}

pub(super) fn locked(path: &Path, identities: &Identities) -> LockedError {
    match Reader::open(path, identities) {
        Err(ReadError::Locked(e)) => e,
        other => panic!("{other:?}"),
    }
}

pub(super) fn checked(path: &Path, trusted: &Trusted) -> verify::Checked {
    let file = fs::File::open(path).unwrap();
    verify::recording(file, &id(1), trusted).unwrap()
}

/// Everything that lies in a directory, one after the other.
fn all_bytes(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(path.to_string_lossy().as_bytes());
        if path.is_file() {
            bytes.extend(fs::read(path).unwrap_or_default());
        }
    }
    bytes
}

fn holds(bytes: &[u8], needle: &str) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

#[test]
fn promise_43_nothing_readable_of_a_sealed_session_stands_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let mut told = header(id(1));
    told.command = Some(MARKER.to_owned());
    let mut recorder = store.create(&told, &reviewer()).unwrap();
    // The name, the account and the client stand in the header, as the marker does.
    let secrets = [MARKER, "alice", "postgres", "OpenSSH", "xterm", "7F3K"];
    for n in 0..12 {
        clock.step(300_000_000);
        let bytes = format!("{MARKER} {n}").repeat(1 << (n + 2));
        recorder.output(bytes).unwrap().into_inner();
        for secret in secrets {
            assert!(!holds(&all_bytes(dir.path()), secret), "{secret} at {n}");
        }
    }
    let killed = snapshot(dir.path());
    recorder.finish(EndReason::Exit).unwrap();
    let (_, recovered) = open(killed.path());
    assert_eq!(recovered.sealed.len(), 1);
    for dir in [dir.path(), killed.path()] {
        for secret in secrets {
            assert!(!holds(&all_bytes(dir), secret), "{secret}");
        }
        let reader = Reader::open(&cast(dir), &identity(3)).unwrap();
        assert_eq!(*reader.header(), told);
        assert!(holds(&output(&cast(dir), &identity(3)), "marker-5f3a 11"));
        assert_finished(dir, &id(1));
    }
}

#[test]
fn a_recording_that_runs_is_read_with_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let mut recorder = store.create(&header(id(1)), &reviewer()).unwrap();
    recorder.output("first").unwrap().into_inner();
    assert_eq!(output(&cast(dir.path()), &identity(3)), b"first");
    recorder.output(vec![b'x'; 300_000]).unwrap().into_inner();
    recorder.output("last").unwrap().into_inner();
    // Once the first tail is sealed, what is read does not change under the reader.
    let tail = dir.path().join(format!("{}.000000.tail", id(1)));
    while tail.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let whole = output(&cast(dir.path()), &identity(3));
    assert_eq!(whole.len(), 300_009);
    let reader = Reader::open(&cast(dir.path()), &identity(3)).unwrap();
    assert_eq!(reader.state(), ReadState::Unfinished);
}

#[test]
fn only_a_recipient_opens_it() {
    let (dir, _) = finished();
    let path = cast(dir.path());
    assert_eq!(output(&path, &identity(3)), MARKER.as_bytes());
    assert!(matches!(
        locked(&path, &Identities::default()),
        LockedError::NoIdentity(who) if who.len() == 1 && who[0].starts_with("SHA256:")
    ));
    assert!(matches!(
        locked(&path, &identity(5)),
        LockedError::NotForYou(_)
    ));
}

#[test]
fn a_check_needs_no_key_and_looks_inside_with_one() {
    let (dir, sealed) = finished();
    let without = checked(&cast(dir.path()), &trusted());
    assert_eq!(without.root, sealed.root);
    assert_eq!(without.header, None);
    assert_eq!(without.end, Some(sealed.end.clone()));
    let closed = without.closed.unwrap();
    assert!(!closed.erased && closed.original && !closed.opened);

    let with = trusted().opening(Arc::new(identity(3)));
    let with = checked(&cast(dir.path()), &with);
    assert_eq!(with.header, Some(header(id(1))));
    assert!(with.closed.unwrap().opened);
    let other = trusted().opening(Arc::new(identity(5)));
    assert!(!checked(&cast(dir.path()), &other).closed.unwrap().opened);
}

#[test]
fn an_erased_recording_is_whole_and_nobody_reads_it() {
    let (dir, sealed) = finished();
    let path = cast(dir.path());
    let before = fs::metadata(&path).unwrap().len();
    reissue::erase(&path).unwrap();
    reissue::erase(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), before);
    assert_eq!(locked(&path, &identity(3)), LockedError::Erased);
    for trusted in [trusted(), trusted().opening(Arc::new(identity(3)))] {
        let found = checked(&path, &trusted);
        assert_eq!(found.root, sealed.root);
        assert!(found.closed.unwrap().erased);
    }
    let (_, recovered) = open(dir.path());
    assert!(recovered.sealed.is_empty() && recovered.set_aside.is_empty());
    let logged = BTreeMap::from([(id(1), sealed.root)]);
    let verdicts = verify::directory(dir.path(), &trusted(), Some(&logged)).unwrap();
    assert!(matches!(verdicts.as_slice(), [(_, Verdict::Good(_))]));
}

#[test]
fn a_shared_copy_is_for_its_new_recipient_alone_and_has_the_same_root() {
    let (dir, sealed) = finished();
    let other = tempfile::tempdir().unwrap();
    let to = cast(other.path());
    let share =
        |identities: &Identities| reissue::share(&cast(dir.path()), identities, &auditor(), &to);
    assert!(matches!(
        share(&identity(5)),
        Err(ReissueError::Locked(LockedError::NotForYou(_)))
    ));
    assert!(!to.exists());
    assert_eq!(share(&identity(3)).unwrap(), Shared::Whole);
    assert!(matches!(share(&identity(3)), Err(ReissueError::Io(_))));
    assert_eq!(output(&to, &identity(4)), MARKER.as_bytes());
    assert!(matches!(
        locked(&to, &identity(3)),
        LockedError::NotForYou(_)
    ));
    let found = checked(&to, &trusted());
    assert_eq!(found.root, sealed.root);
    assert!(!found.closed.unwrap().original);
    // Erasing one does nothing to the other.
    reissue::erase(&cast(dir.path())).unwrap();
    assert_eq!(output(&to, &identity(4)), MARKER.as_bytes());
}

#[test]
fn a_key_that_was_put_in_the_place_of_the_wrapped_one_is_found() {
    let (dir, _) = finished();
    // The same session of another store, with a key of its own.
    let (other, _) = finished();
    let (mine, theirs) = (
        fs::read(cast(dir.path())).unwrap(),
        fs::read(cast(other.path())).unwrap(),
    );
    let place = |bytes: &[u8]| {
        let at = 8 + super::super::frame::ENCRYPTED_PREAMBLE.len();
        let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap());
        at + 8..at + 8 + usize::try_from(length).unwrap()
    };
    let mut forged = mine.clone();
    forged[place(&mine)].copy_from_slice(&theirs[place(&theirs)]);
    let path = cast(dir.path());
    fs::write(&path, forged).unwrap();
    assert_eq!(locked(&path, &identity(3)), LockedError::Replaced);
    let trusted = trusted().opening(Arc::new(identity(3)));
    let problem = verify::recording(fs::File::open(&path).unwrap(), &id(1), &trusted).unwrap_err();
    assert!(
        matches!(problem.fault, Fault::Keys(LockedError::Replaced)),
        "{problem}"
    );
}

#[test]
fn what_is_not_sealed_or_not_finished_is_neither_erased_nor_shared() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store
        .create(&header(id(1)), &Recipients::nobody())
        .unwrap()
        .finish(EndReason::Exit)
        .unwrap();
    assert!(matches!(
        reissue::erase(&cast(dir.path())),
        Err(ReissueError::Clear)
    ));
    let _running = store.create(&header(id(2)), &reviewer()).unwrap();
    let running = dir.path().join(format!("{}.cast.zst", id(2)));
    assert!(matches!(
        reissue::erase(&running),
        Err(ReissueError::Unfinished)
    ));
}

/// The bastion's disk lies: what it gives back is not what was written. Then nothing is sealed, and the tail stays.
#[test]
fn an_altered_batch_is_not_sealed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &reviewer()).unwrap();
    recorder.output("bytes").unwrap().into_inner();
    let tail = dir.path().join(format!("{}.000000.tail", id(1)));
    let mut bytes = fs::read(&tail).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&tail, bytes).unwrap();
    assert!(matches!(
        recorder.finish(EndReason::Exit),
        Err(RecordError::Write(_))
    ));
    assert!(tail.exists());
}

#[test]
fn batches_put_elsewhere_do_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &reviewer()).unwrap();
    let tail = dir.path().join(format!("{}.000000.tail", id(1)));
    let mut ends = vec![fs::metadata(&tail).unwrap().len()];
    for n in 0..3 {
        recorder.output(format!("batch {n}")).unwrap().into_inner();
        ends.push(fs::metadata(&tail).unwrap().len());
    }
    let killed = snapshot(dir.path());
    let bytes = fs::read(&tail).unwrap();
    let part = |n: usize| {
        let at = |n: usize| usize::try_from(ends[n]).unwrap();
        bytes[at(n)..at(n + 1)].to_vec()
    };
    let head = bytes[..usize::try_from(ends[0]).unwrap()].to_vec();
    for order in [[1, 0, 2], [0, 2, 1], [0, 0, 1], [1, 2, 2]] {
        let copy = snapshot(killed.path());
        let parts: Vec<u8> = order.into_iter().flat_map(part).collect();
        let tail = copy.path().join(format!("{}.000000.tail", id(1)));
        fs::write(tail, [head.clone(), parts].concat()).unwrap();
        // Whoever has no key sees whole batches; the times of swapped ones may be equal.
        let (_, _) = open(copy.path());
        let with = trusted().opening(Arc::new(identity(3)));
        let found = verify::recording(fs::File::open(cast(copy.path())).unwrap(), &id(1), &with);
        let problem = found.unwrap_err();
        assert!(
            matches!(&problem.fault, Fault::Content(why) if why == "a sealed frame does not open"),
            "{order:?}: {problem}"
        );
    }
}

#[test]
fn promise_43_the_key_is_locked_in_memory_and_overwritten() {
    use super::super::crypt::Vault;
    let name = signer().name;
    let (vault, _) = Vault::create(&id(1), &name, &reviewer()).unwrap();
    assert!(vault.key().is_locked());
    assert!(
        format!("{vault:?}").contains("key: ContentKey,"),
        "{vault:?}"
    );
}
