//! More is written than anybody reads: how its tails are compressed, and that many are made durable at once.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::recording::frame::{self, Effort, Stored};

/// A tail's worth of lines that compress, different in each tail.
fn text(n: u64) -> Vec<u8> {
    let mut random = n;
    let mut lines = String::new();
    while lines.len() < 270_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let (id, worker) = (random >> 32, random >> 57);
        let minute = n % 60;
        write!(
            lines,
            "10:{minute:02} connection {id:08x} of worker {worker} accepted\r\n"
        )
        .unwrap();
    }
    lines.into_bytes()
}

/// How hard each frame of a recording that everybody can read was compressed.
fn efforts(dir: &Path) -> Vec<Effort> {
    let mut file = File::open(dir.join(format!("{}.cast.zst", id(1)))).unwrap();
    let mut found = Vec::new();
    while let Some(stored) = frame::read_frame(&mut file).unwrap() {
        let Stored::Lines(stored) = stored else {
            continue;
        };
        let lines = frame::decompress(&stored).unwrap();
        let made = |effort: &Effort| frame::compress(&lines, *effort).unwrap() == stored;
        // A short frame is the same either way.
        found.push(
            [Effort::Small, Effort::Fast]
                .into_iter()
                .find(made)
                .unwrap(),
        );
    }
    found
}

/// Writes so many tails, each in so many microseconds, and the End.
fn written(tails: u64, each_us: u64, dir: &Path) -> Vec<Effort> {
    let clock = HandClock::default();
    let (store, _) = open_with(dir, clock.clone(), Box::new(OsDisk));
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let mut sent = Vec::new();
    for n in 0..tails {
        // Never so many that catching up comes first.
        while recorder.live().waits() > 4 {
            std::thread::yield_now();
        }
        clock.step(each_us);
        sent.extend(recorder.output(text(n)).unwrap().into_inner());
    }
    recorder.finish(EndReason::Exit).unwrap();
    assert_eq!(stream(&events(dir, &id(1)), Stream::Output), sent);
    assert_finished(dir, &id(1));
    efforts(dir)
}

#[test]
fn a_flood_is_compressed_fast_and_nothing_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let efforts = written(13, 100_000, dir.path());
    let (burst, flood) = efforts.split_at(8);
    assert!(
        burst.iter().all(|effort| *effort == Effort::Small),
        "{burst:?}"
    );
    let (_last, flood) = flood.split_last().unwrap();
    assert!(
        flood.len() >= 4 && flood.iter().all(|effort| *effort == Effort::Fast),
        "{flood:?}"
    );
}

#[test]
fn output_that_somebody_might_read_is_compressed_small() {
    let dir = tempfile::tempdir().unwrap();
    let efforts = written(13, 300_000, dir.path());
    assert!(
        efforts.iter().all(|effort| *effort == Effort::Small),
        "{efforts:?}"
    );
}

#[test]
fn while_too_many_tails_wait_they_are_compressed_fast() {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let live = Arc::clone(recorder.live());
    let sealing = live.sealing();
    for n in 0..25 {
        clock.step(1_000_000);
        recorder.output(text(n)).unwrap().into_inner();
    }
    drop(sealing);
    recorder.finish(EndReason::Exit).unwrap();
    let efforts = efforts(dir.path());
    assert_eq!(efforts.first(), Some(&Effort::Fast), "{efforts:?}");
    // The last eight are what is left when the others are done.
    assert_eq!(
        efforts.iter().rev().nth(1),
        Some(&Effort::Small),
        "{efforts:?}"
    );
}

/// Counts how often the file of a recording is made durable.
#[derive(Default)]
struct Counting {
    file: Arc<AtomicU64>,
    syncs: Arc<AtomicU64>,
}

impl Disk for Counting {
    fn create(&self, path: &Path) -> io::Result<File> {
        let file = OsDisk.create(path)?;
        if path.extension().is_some_and(|end| end == "zst") {
            self.file.store(file.metadata()?.ino(), Ordering::Relaxed);
        }
        Ok(file)
    }
    fn reserve(&self, file: &File, at: u64, bytes: u64) -> io::Result<()> {
        OsDisk.reserve(file, at, bytes)
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        OsDisk.write(file, bytes, at)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        if file.metadata()?.ino() == self.file.load(Ordering::Relaxed) {
            self.syncs.fetch_add(1, Ordering::Relaxed);
        }
        OsDisk.sync(file)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn free(&self, file: &File) -> io::Result<u64> {
        OsDisk.free(file)
    }
}

/// Makes durable so many tails that wait together: by how many syncs?
fn batches(tails: u64) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let disk = Counting::default();
    let syncs = Arc::clone(&disk.syncs);
    let (store, _) = open_with(dir.path(), HandClock::default(), Box::new(disk));
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let live = Arc::clone(recorder.live());
    let sealing = live.sealing();
    for n in 0..tails {
        recorder.output(text(n)).unwrap().into_inner();
    }
    let before = syncs.load(Ordering::Relaxed);
    drop(sealing);
    let sealed = recorder.finish(EndReason::Exit).unwrap();
    assert_eq!(sealed.frames, tails + 1);
    syncs.load(Ordering::Relaxed) - before
}

#[test]
fn tails_that_wait_together_are_made_durable_together() {
    // Five, where nothing keeps it from sealing eight in the time of a batch; a busy machine may, for a while.
    let found: Vec<u64> = (0..20)
        .map(|_| batches(32))
        .take_while(|batches| *batches > 12)
        .collect();
    assert!(found.len() < 20, "{found:?}");
}
