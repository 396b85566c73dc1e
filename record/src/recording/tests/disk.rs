use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use config::limits;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Create,
    Reserve,
    Write,
    Sync,
    Remove,
}

/// A disk whose n-th operation fails; it may have happened all the same, wholly or by half.
struct Faulty {
    fails: usize,
    happens: bool,
    count: Arc<AtomicUsize>,
    failed: Arc<std::sync::Mutex<Option<Op>>>,
    free: Arc<AtomicU64>,
    no_sync: Arc<AtomicBool>,
}

impl Faulty {
    fn new(fails: usize, happens: bool) -> Self {
        Self {
            fails,
            happens,
            count: Arc::default(),
            failed: Arc::default(),
            free: Arc::new(AtomicU64::new(u64::MAX)),
            no_sync: Arc::default(),
        }
    }

    fn op<T>(&self, op: Op, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.count.fetch_add(1, Ordering::SeqCst) != self.fails {
            return act();
        }
        *self.failed.lock().unwrap() = Some(op);
        if self.happens {
            act()?;
        }
        Err(io::Error::from_raw_os_error(5))
    }
}

impl Disk for Faulty {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.op(Op::Create, || OsDisk.create(path))
    }
    fn reserve(&self, file: &File, at: u64, bytes: u64) -> io::Result<()> {
        self.op(Op::Reserve, || OsDisk.reserve(file, at, bytes))
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let part = if self.happens {
            bytes
        } else {
            &bytes[..bytes.len() / 2]
        };
        if self.count.load(Ordering::SeqCst) == self.fails {
            let _ = OsDisk.write(file, part, at);
        }
        self.op(Op::Write, || OsDisk.write(file, bytes, at))
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        if self.no_sync.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.op(Op::Sync, || OsDisk.sync(file))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.op(Op::Remove, || OsDisk.remove(path))
    }
    fn free(&self, _: &File) -> io::Result<u64> {
        Ok(self.free.load(Ordering::Relaxed))
    }
}

/// Two sessions, one after the other; says what of the first was forwarded.
fn play(store: &RecordingStore) -> (Option<Vec<u8>>, bool) {
    let mut forwarded = Vec::new();
    let Ok(mut recorder) = store.create(&header(id(1)), &recipients()) else {
        return (None, false);
    };
    let mut failed = false;
    for n in 0..6_u8 {
        match recorder.output(vec![b'a' + n; 90_000]) {
            Ok(bytes) => {
                assert!(!failed, "nothing is recorded after an error");
                forwarded.extend(bytes.into_inner());
            }
            Err(_) => failed = true,
        }
    }
    let finished = recorder.finish(EndReason::Exit).is_ok();
    (Some(forwarded), finished)
}

/// Promise 2 at the level of one disk operation: it fails, or fails although it happened.
#[test]
fn promise_02_one_failure_at_any_operation_loses_no_forwarded_byte() {
    for happens in [false, true] {
        for n in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let disk = Faulty::new(n, happens);
            let failed = Arc::clone(&disk.failed);
            let opened = RecordingStore::open(
                dir.path(),
                signer(),
                Arc::new(HandClock::default()),
                Box::new(disk),
            );
            let Ok((store, _)) = opened else { continue };
            let (forwarded, finished) = play(&store);
            let op = *failed.lock().unwrap();
            // The thread that has seen a failed sync says so a moment later.
            let soon = std::time::Instant::now() + Duration::from_secs(10);
            while op == Some(Op::Sync) && !store.poisoned() && std::time::Instant::now() < soon {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(store.poisoned(), op == Some(Op::Sync), "operation {n}");
            if op.is_some() && op != Some(Op::Sync) {
                let mut other = store.create(&header(id(2)), &recipients()).unwrap();
                other.output("other sessions go on").unwrap().into_inner();
                other.finish(EndReason::Exit).unwrap();
            }
            drop(store);

            let (_, recovered) = open(dir.path());
            assert!(
                recovered.set_aside.is_empty(),
                "operation {n} {op:?}: {recovered:?}"
            );
            if let Some(forwarded) = forwarded {
                let events = events(dir.path(), &id(1));
                let kept = stream(&events, Stream::Output);
                assert!(kept.starts_with(&forwarded), "operation {n} {op:?}");
                assert_finished(dir.path(), &id(1));
                if finished {
                    assert_eq!(the_end(&events).reason, EndReason::Exit);
                }
            }
            assert_all_good(dir.path());
            if op.is_none() {
                assert!(n > 20, "only {n} operations were tried");
                break;
            }
        }
    }
}

#[test]
fn promise_04_after_a_failed_sync_nothing_is_recorded_until_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(usize::MAX, false);
    let no_sync = Arc::clone(&disk.no_sync);
    let (store, _) = open_with(dir.path(), HandClock::default(), Box::new(disk));
    let mut one = store.create(&header(id(1)), &recipients()).unwrap();
    let mut two = store.create(&header(id(2)), &recipients()).unwrap();
    one.output("before").unwrap().into_inner();
    std::thread::sleep(limits::SYNC_EVERY * 3);
    no_sync.store(true, Ordering::SeqCst);
    let mut forwarded = b"before".to_vec();
    while !store.poisoned() {
        if let Ok(recorded) = one.output("x") {
            forwarded.extend_from_slice(recorded.into_inner().as_bytes());
        }
        std::thread::sleep(Duration::from_millis(1));
        assert!(forwarded.len() < 10_000, "a group is synced every 100 ms");
    }
    no_sync.store(false, Ordering::SeqCst);
    assert!(matches!(one.output("late"), Err(RecordError::Poisoned)));
    assert!(matches!(two.output("late"), Err(RecordError::Poisoned)));
    assert!(matches!(
        store.create(&header(id(3)), &recipients()),
        Err(StoreError::Poisoned)
    ));
    assert!(matches!(
        one.finish(EndReason::Exit),
        Err(RecordError::Poisoned)
    ));
    drop((two, store));

    let (store, recovered) = open(dir.path());
    assert_eq!(recovered.sealed.len(), 2, "{recovered:?}");
    assert!(!store.poisoned());
    assert_eq!(
        stream(&events(dir.path(), &id(1)), Stream::Output),
        forwarded
    );
    assert_eq!(
        the_end(&events(dir.path(), &id(1))).reason,
        EndReason::Crash
    );
    assert_all_good(dir.path());
}

#[test]
fn promise_03_a_full_disk_refuses_a_new_session() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(usize::MAX, false);
    disk.free.store(limits::DISK_RESERVE - 1, Ordering::Relaxed);
    let free = Arc::clone(&disk.free);
    let (store, _) = open_with(dir.path(), HandClock::default(), Box::new(disk));
    assert!(matches!(
        store.create(&header(id(1)), &recipients()),
        Err(StoreError::Full { .. })
    ));
    free.store(limits::DISK_RESERVE, Ordering::Relaxed);
    store
        .create(&header(id(1)), &recipients())
        .unwrap()
        .finish(EndReason::Exit)
        .unwrap();
    assert_finished(dir.path(), &id(1));
}
