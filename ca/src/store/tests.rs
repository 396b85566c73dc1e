//! What is put is found at once, and stands where the log says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use record::tree::leaf_hash;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::places::{Place, Places, WAITING};
use super::*;

fn row(n: u64) -> (String, Vec<u8>) {
    // Keys that come at random, as those of requests do.
    let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (
        format!("request/{scattered:016x}"),
        format!("{{\"n\":{n}}}").into_bytes(),
    )
}

fn position(size: u64) -> Position {
    let root = leaf_hash(&size.to_be_bytes());
    Position { size, root }
}

/// Holds a store against rows up to `end`; says whether it is the same.
fn held(store: &Shelf, end: u64) -> bool {
    let mut rows = store.inventory().unwrap();
    for n in 0..end {
        let (key, value) = row(n);
        if !rows.next(&key, &value).unwrap() {
            return false;
        }
    }
    rows.whole().unwrap()
}

#[test]
fn rows_are_found_at_once_and_after_an_opening() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shelf::open(dir.path()).unwrap();
    assert_eq!(store.position().unwrap(), None);
    for part in 0..30 {
        let rows = (part * 1000..(part + 1) * 1000).map(row).collect();
        store.commit(position(part), rows).unwrap();
        for n in [part * 1000, part * 1000 + 999, part * 500] {
            let (key, value) = row(n);
            assert_eq!(
                store.row(&key).unwrap(),
                Some(value),
                "row {n} of part {part}"
            );
        }
    }
    assert_eq!(store.row("request/never").unwrap(), None);
    drop(store);
    let store = Shelf::open(dir.path()).unwrap();
    assert_eq!(store.position().unwrap(), Some(position(29)));
    assert!(held(&store, 30_000));
}

#[test]
fn the_last_rows_come_first_whether_they_are_written_or_wait() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shelf::open(dir.path()).unwrap();
    let name = |n: u64| format!("session/{n:04}");
    let commit = |numbers: &[u64]| {
        let rows = numbers.iter().map(|n| (name(*n), vec![b'1']));
        let others = [("request/0001", "2"), ("tail", "3")];
        let others = others.map(|(key, value)| (key.to_owned(), value.into()));
        store.commit(position(1), rows.chain(others).collect())
    };
    commit(&[1, 5, 9]).unwrap();
    store.places.flush().unwrap();
    commit(&[0, 4, 9, 10]).unwrap();
    let seen = |most: usize| {
        let mut seen = Vec::new();
        let told = store.last("session/", &mut |key, value| {
            assert_eq!(value, b"1");
            seen.push(key.to_owned());
            seen.len() < most
        });
        told.unwrap();
        seen
    };
    assert_eq!(seen(100), [10, 9, 5, 4, 1, 0].map(name));
    assert_eq!(seen(1), [10].map(name));
    assert_eq!(seen(3), [10, 9, 5].map(name));
    store.places.flush().unwrap();
    assert_eq!(seen(100), [10, 9, 5, 4, 1, 0].map(name));
}

#[test]
fn a_store_that_lost_its_end_is_mended_and_one_that_says_something_else_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let rows = dir.path().join("rows");
    let store = Shelf::open(dir.path()).unwrap();
    store
        .commit(position(1), (0..100).map(row).collect())
        .unwrap();
    drop(store);
    let whole = std::fs::read(&rows).unwrap();
    // Cut within a row, at its end, and to nothing.
    let end = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in [whole.len() - 7, end, end + 1, 0] {
        std::fs::write(&rows, &whole[..length]).unwrap();
        let store = Shelf::open(dir.path()).unwrap();
        assert!(held(&store, 100), "cut to {length}");
        let (key, value) = row(99);
        assert_eq!(store.row(&key).unwrap(), Some(value));
        drop(store);
        assert_eq!(std::fs::read(&rows).unwrap(), whole, "cut to {length}");
    }
    // One row more than the log has, and one byte that differs.
    let store = Shelf::open(dir.path()).unwrap();
    assert!(!held(&store, 99));
    drop(store);
    let mut other = whole.clone();
    other[end + 20] ^= 1;
    std::fs::write(&rows, &other).unwrap();
    let store = Shelf::open(dir.path()).unwrap();
    assert!(!held(&store, 100));
}

#[test]
fn an_index_that_was_altered_does_not_open_and_the_store_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Shelf::open(&path).unwrap();
    store
        .commit(position(1), (0..5000).map(row).collect())
        .unwrap();
    drop(store);
    let index = path.join("places");
    let mut bytes = std::fs::read(&index).unwrap();
    // Every page but the first, which has a header of its own.
    for byte in bytes.iter_mut().skip(5000).step_by(1000) {
        *byte ^= 1;
    }
    std::fs::write(&index, bytes).unwrap();
    let store = Shelf::open(&path).unwrap();
    assert_eq!(store.position().unwrap(), None);
    assert!(path.with_extension("broken").is_dir());
}

#[test]
fn an_index_that_was_cut_off_is_set_aside() {
    for length in [1, 100, 5000, 50_000] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = Shelf::open(&path).unwrap();
        store
            .commit(position(1), (0..5000).map(row).collect())
            .unwrap();
        drop(store);
        let index = std::fs::OpenOptions::new()
            .write(true)
            .open(path.join("places"));
        index.unwrap().set_len(length).unwrap();
        let store = Shelf::open(&path).unwrap();
        assert_eq!(store.position().unwrap(), None, "cut to {length}");
        assert!(path.with_extension("broken").is_dir(), "cut to {length}");
    }
}

#[test]
fn a_store_that_cannot_be_opened_now_stays_and_keeps_what_it_has_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = Shelf::open(&path).unwrap();
    store.commit(position(1), vec![row(1)]).unwrap();
    let busy = Shelf::open(&path).map(drop).unwrap_err();
    assert!(matches!(&busy, StoreError::Busy(at) if *at == path.join("places")));
    assert!(busy.to_string().ends_with("start again when it has ended"));
    drop(store);
    // What the disk holds is there, and the system does not hand it over.
    let hidden = dir.path().join("hidden");
    std::fs::rename(path.join("rows"), &hidden).unwrap();
    std::fs::create_dir(path.join("rows")).unwrap();
    let refused = Shelf::open(&path).map(drop).unwrap_err();
    assert!(matches!(&refused, StoreError::Io { path: at, .. } if *at == path.join("rows")));
    std::fs::remove_dir(path.join("rows")).unwrap();
    std::fs::rename(&hidden, path.join("rows")).unwrap();
    assert!(!path.with_extension("broken").exists());
    let store = Shelf::open(&path).unwrap();
    assert_eq!(store.position().unwrap(), Some(position(1)));
}

/// A disk that fails once it is told to.
#[derive(Debug, Default)]
struct Disk {
    inner: InMemoryBackend,
    fails: Arc<AtomicBool>,
    panics: bool,
}

impl Disk {
    fn strike(&self) -> std::io::Result<()> {
        // Once only: a second panic while the first goes on would end the process.
        if !self.fails.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        assert!(!self.panics, "on purpose");
        Err(std::io::Error::from_raw_os_error(28))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.strike()?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.inner.write(offset, data)
    }
}

#[test]
fn after_a_failure_or_a_panic_nothing_is_put_or_found_and_nobody_waits() {
    for panics in [false, true] {
        let (told, heard) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let fails = Arc::new(AtomicBool::new(false));
            let disk = Disk {
                fails: fails.clone(),
                panics,
                ..Disk::default()
            };
            let index = redb::Builder::new().create_with_backend(disk).unwrap();
            let places = Places::over(index, Path::new("places")).unwrap();
            let place = Place { from: 0, length: 1 };
            let one = |key: &str| places.put(vec![(key.to_owned(), place)], None);
            one("request/1").unwrap();
            places.flush().unwrap();
            fails.store(true, Ordering::SeqCst);
            one("request/2").unwrap();
            let why = places.flush().unwrap_err();
            assert_eq!(matches!(why, StoreError::Failed), panics, "{why}");
            let failed = |what: Result<(), StoreError>| {
                assert!(matches!(what, Err(StoreError::Failed)), "{what:?}");
            };
            for n in 0..WAITING + 10 {
                failed(one(&format!("request/{n}")));
            }
            failed(places.flush());
            // That there is no such row is nothing that it could say; nor whether the first is the last.
            failed(places.of("request/2").map(drop));
            failed(places.of("request/1").map(drop));
            failed(places.last("request/", |_, _| Ok(true)));
            told.send(()).unwrap();
        });
        let done = heard.recv_timeout(Duration::from_secs(60));
        assert_eq!(done, Ok(()), "panics: {panics}");
        thread.join().unwrap();
    }
}

#[test]
fn whoever_writes_waits_while_too_much_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shelf::open(dir.path()).unwrap();
    for part in 0..200 {
        let rows = (part * 500..(part + 1) * 500).map(row).collect();
        store.commit(position(part), rows).unwrap();
        assert!(store.places.waits() <= places::WAITING + 500);
    }
    drop(store);
    let store = Shelf::open(dir.path()).unwrap();
    assert!(held(&store, 100_000));
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Rows until the cache is full, and many more.
#[test]
#[ignore = "the test below runs it, in a process of its own"]
fn many_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = Shelf::open(dir.path()).unwrap();
    let put = |from: u64, to: u64| {
        for part in (from..to).step_by(1000) {
            let rows = (part..part + 1000).map(row).collect();
            store.commit(position(part), rows).unwrap();
        }
        store.places.flush().unwrap();
        resident()
    };
    let before = put(0, 150_000);
    let after = put(150_000, 400_000);
    // Eight bytes for each row; an index that is kept in memory takes three times as much and more.
    let most = before + 250 * 8;
    assert!(
        after < most,
        "resident: {before} KiB, and {after} KiB in the end"
    );
}

#[test]
fn memory_does_not_grow_with_what_is_stored() {
    let own = std::env::current_exe().unwrap();
    let mut run = std::process::Command::new(own);
    run.args(["--exact", "store::tests::many_rows", "--ignored"]);
    let ran = run.env("MALLOC_ARENA_MAX", "1").output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && told.contains("1 passed"), "{told}");
}
