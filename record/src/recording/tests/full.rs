//! A disk that is full while many tails wait.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Mutex;
use std::time::Duration;

use config::limits;

use super::*;

/// A disk of so many bytes: each file takes what was reserved or written of it, until it is removed.
#[derive(Clone)]
struct Small(Arc<Mutex<Room>>);

struct Room {
    free: u64,
    taken: BTreeMap<u64, u64>,
}

impl Small {
    fn take(&self, file: &File, until: u64) -> io::Result<()> {
        let mut room = self.0.lock().unwrap();
        let inode = file.metadata()?.ino();
        let has = room.taken.get(&inode).copied().unwrap_or(0);
        let wants = until.saturating_sub(has);
        let left = room.free.checked_sub(wants);
        room.free = left.ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
        room.taken.insert(inode, has.max(until));
        Ok(())
    }
}

impl Disk for Small {
    fn create(&self, path: &Path) -> io::Result<File> {
        OsDisk.create(path)
    }
    fn reserve(&self, file: &File, at: u64, bytes: u64) -> io::Result<()> {
        self.take(file, at + bytes)
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.take(file, at + bytes.len() as u64)?;
        OsDisk.write(file, bytes, at)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        OsDisk.sync(file)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let inode = fs::metadata(path)?.ino();
        OsDisk.remove(path)?;
        let mut room = self.0.lock().unwrap();
        room.free += room.taken.remove(&inode).unwrap_or(0);
        Ok(())
    }
    fn free(&self, _: &File) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

/// What `base64 /dev/urandom` prints: it compresses by a quarter.
fn noise(bytes: usize, random: &mut u64) -> Vec<u8> {
    let letter = |_| {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        b'0' + u8::try_from(*random >> 58).unwrap()
    };
    let letters = (0..bytes).map(letter);
    letters
        .map(|byte| if byte == b'\\' { b'x' } else { byte })
        .collect()
}

#[test]
fn promise_03_tails_that_wait_on_a_full_disk_are_sealed_with_their_end() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Small(Arc::new(Mutex::new(Room {
        free: u64::MAX >> 1,
        taken: BTreeMap::new(),
    })));
    let (store, _) = open_with(dir.path(), HandClock::default(), Box::new(disk.clone()));
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let live = Arc::clone(recorder.live());
    let sealing = live.sealing();
    let (mut sent, mut random) = (Vec::new(), 1);
    // So many that they are compressed fast: then most of them are sealed within the time of one batch.
    while live.waits() < 20 {
        let bytes = noise(32 << 10, &mut random);
        sent.extend(recorder.output(bytes).unwrap().into_inner());
    }
    disk.0.lock().unwrap().free = 0;
    drop(sealing);
    let sealed = recorder.finish(EndReason::Exit).unwrap();
    assert_eq!(sealed.end.reason, EndReason::Exit);
    drop(store);
    assert_finished(dir.path(), &id(1));
    assert!(stream(&events(dir.path(), &id(1)), Stream::Output) == sent);
}

#[test]
fn promise_03_the_longest_recording_ends_with_its_seek_table_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Small(Arc::new(Mutex::new(Room {
        free: u64::MAX >> 1,
        taken: BTreeMap::new(),
    })));
    let (store, _) = open_with(dir.path(), HandClock::default(), Box::new(disk.clone()));
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let live = Arc::clone(recorder.live());
    // A few are sealed yet, so that room is kept as it is in a recording of that length.
    let few = 4;
    let before = u32::try_from(limits::RECORDING_FRAMES).unwrap() - few;
    live.pretend_sealed(before);
    let mut random = 1;
    let mut write = |recorder: &mut Recorder| {
        let bytes = noise(32 << 10, &mut random);
        recorder.output(bytes).map(|taken| drop(taken.into_inner()))
    };
    while live.sealing().next() <= before || live.waits() > 0 {
        if live.waits() == 0 && live.sealing().next() == before {
            write(&mut recorder).unwrap();
        } else {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    // Room was kept behind the last frame that was sealed; from now on there is none else.
    drop(live.sealing());
    disk.0.lock().unwrap().free = 0;
    while write(&mut recorder).is_ok() {}
    let sealed = recorder.finish(EndReason::Recorder).unwrap();
    assert!(sealed.frames > u64::from(before) + 1, "{}", sealed.frames);
    let stored = fs::metadata(dir.path().join(format!("{}.cast.zst", id(1)))).unwrap();
    assert_eq!(stored.len(), sealed.bytes);
    assert!(
        sealed.bytes > 16 * limits::RECORDING_FRAMES,
        "{}",
        sealed.bytes
    );
}

#[test]
fn a_tail_that_cannot_be_read_costs_those_before_it_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let live = Arc::clone(recorder.live());
    let sealing = live.sealing();
    let mut random = 1;
    while live.waits() < 4 {
        let bytes = noise(32 << 10, &mut random);
        recorder.output(bytes).unwrap().into_inner();
    }
    let tail = |n: u32| dir.path().join(format!("{}.{n:06}.tail", id(1)));
    File::options()
        .write(true)
        .open(tail(2))
        .and_then(|file| file.set_len(1))
        .unwrap();
    drop(sealing);
    let failed = recorder.finish(EndReason::Exit).unwrap_err();
    assert!(matches!(failed, RecordError::Write(_)), "{failed}");
    let left: Vec<bool> = (0..4).map(|n| tail(n).exists()).collect();
    assert_eq!(left, [false, false, true, true]);
}
