//! A disk that stands still.

use std::fs::File;
use std::io;
use std::sync::{Condvar, Mutex};

use config::limits;

use super::*;

/// Holds whoever comes, from the moment that it is shut.
#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<(bool, usize)>,
    change: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        self.shut.lock().unwrap().0 = shut;
        self.change.notify_all();
    }

    fn pass(&self) {
        let mut shut = self.shut.lock().unwrap();
        shut.1 += 1;
        self.change.notify_all();
        while shut.0 {
            shut = self.change.wait(shut).unwrap();
        }
        shut.1 -= 1;
    }

    /// Returns when somebody is held.
    fn holds(&self) {
        let mut shut = self.shut.lock().unwrap();
        while shut.1 == 0 {
            shut = self.change.wait(shut).unwrap();
        }
    }
}

/// A disk with a gate before each write and one before each sync.
#[derive(Clone, Default)]
struct Slow {
    write: Arc<Gate>,
    sync: Arc<Gate>,
}

impl Disk for Slow {
    fn create(&self, path: &Path) -> io::Result<File> {
        OsDisk.create(path)
    }
    fn reserve(&self, file: &File, at: u64, bytes: u64) -> io::Result<()> {
        OsDisk.reserve(file, at, bytes)
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write.pass();
        OsDisk.write(file, bytes, at)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        self.sync.pass();
        OsDisk.sync(file)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn free(&self, file: &File) -> io::Result<u64> {
        OsDisk.free(file)
    }
}

/// Shorter than the real one: four looks.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks for as long as one operation may take.
fn be_patient(store: &RecordingStore) {
    for _ in 0..=4 {
        store.look();
    }
}

fn open_on(disk: &Slow, dir: &Path) -> RecordingStore {
    let (clock, disk) = (Arc::new(HandClock::default()), Box::new(disk.clone()));
    let opened = RecordingStore::open_patient(dir, signer(), clock, disk, PATIENCE);
    opened.unwrap().0
}

#[test]
fn promise_06_a_disk_that_makes_nothing_durable_ends_sessions_once_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Slow::default();
    let store = open_on(&disk, dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    disk.sync.set(true);
    recorder.output("before").unwrap().into_inner();
    disk.sync.holds();
    recorder.output("in time").unwrap().into_inner();
    assert!(!store.holds_a_thread());
    be_patient(&store);
    let late = recorder.output("late").unwrap_err();
    assert!(matches!(late, RecordError::Stalled), "{late}");
    let refused = store
        .create(&header(id(2)), &Recipients::nobody())
        .unwrap_err();
    assert!(matches!(refused, StoreError::Stalled), "{refused}");

    // It goes on: the session that is over is sealed, and others begin.
    disk.sync.set(false);
    let sealed = recorder.finish(EndReason::Recorder).unwrap();
    assert_eq!(sealed.end.reason, EndReason::Recorder);
    while store.create(&header(id(2)), &Recipients::nobody()).is_err() {
        std::thread::yield_now();
    }
    drop(store);
    let kept = stream(&events(dir.path(), &id(1)), Stream::Output);
    assert_eq!(kept, b"beforein time");
}

#[test]
fn promise_06_a_write_that_does_not_return_is_noticed_once_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Slow::default();
    let store = open_on(&disk, dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    disk.write.set(true);
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| recorder.output("held").map(Recorded::into_inner));
        disk.write.holds();
        assert!(!store.holds_a_thread());
        be_patient(&store);
        assert!(store.holds_a_thread());
        disk.write.set(false);
        assert_eq!(writes.join().unwrap().unwrap(), "held");
    });
    assert!(!store.holds_a_thread());
    recorder.finish(EndReason::Exit).unwrap();
}

#[test]
fn time_in_which_the_whole_process_is_frozen_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Slow::default();
    let store = open_on(&disk, dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    disk.sync.set(true);
    recorder.output("before").unwrap().into_inner();
    disk.sync.holds();
    // Frozen, nobody looks: once before, and once after.
    store.look();
    std::thread::sleep(PATIENCE + PATIENCE / 2);
    store.look();
    recorder.output("after").unwrap().into_inner();
    assert!(!store.holds_a_thread());
    disk.sync.set(false);
    recorder.finish(EndReason::Exit).unwrap();
}

#[test]
fn a_recording_that_is_being_sealed_keeps_no_other_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Slow::default();
    let store = open_on(&disk, dir.path());
    let ends = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let mut other = store.create(&header(id(2)), &Recipients::nobody()).unwrap();
    let sealing = ends.live().sealing();
    for _ in 0..=8 {
        store.look();
        std::thread::sleep(limits::SYNC_EVERY * 2);
    }
    other.output("goes on").unwrap().into_inner();
    // And is made durable.
    disk.sync.set(true);
    disk.sync.holds();
    disk.sync.set(false);
    drop(sealing);
    ends.finish(EndReason::Exit).unwrap();
    other.finish(EndReason::Exit).unwrap();
}
