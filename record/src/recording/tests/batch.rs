//! Frames that were written at once and never made durable.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::AtomicBool;

use super::*;

/// Four full tails that wait, and the last one; how the file of the recording stood then; and what was forwarded.
fn waiting(dir: &Path) -> (tempfile::TempDir, Vec<u8>, Vec<u8>) {
    let (store, _) = open(dir);
    let mut recorder = store.create(&header(id(1)), &recipients()).unwrap();
    let live = Arc::clone(recorder.live());
    let sealing = live.sealing();
    let mut forwarded = Vec::new();
    for n in 0..5_u32 {
        let mut text = Vec::new();
        for line in 0..12_000_u32 {
            write!(text, "{n} {:x}\r\n", line.pow(2)).unwrap();
        }
        for piece in text.chunks(60_000) {
            forwarded.extend(recorder.output(piece.to_vec()).unwrap().into_inner());
        }
    }
    assert!(live.waits() >= 2);
    let before = snapshot(dir);
    drop(sealing);
    recorder.finish(EndReason::Exit).unwrap();
    drop(store);
    let sealed = fs::read(dir.join(format!("{}.cast.zst", id(1)))).unwrap();
    (before, sealed, forwarded)
}

/// The power goes while a batch is written: any part of it is there, and blocks of it may be nothing but zeros. Its tails
/// are all there, because none is removed before the batch is durable.
#[test]
fn promise_05_a_batch_of_frames_may_be_torn_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let (before, sealed, forwarded) = waiting(dir.path());
    let cast = format!("{}.cast.zst", id(1));
    let begins = fs::read(before.path().join(&cast)).unwrap().len();
    let blocks = begins.div_ceil(512)..sealed.len().div_ceil(512);
    let step = blocks.len() / 24;
    for block in blocks.step_by(step.max(1)) {
        let (from, to) = (block * 512, (block * 512 + 512).min(sealed.len()));
        let mut dropped = sealed.clone();
        dropped[from..to].fill(0);
        let cut = sealed[..from + 7].to_vec();
        for torn in [dropped, cut] {
            let copy = snapshot(before.path());
            fs::write(copy.path().join(&cast), torn).unwrap();
            let (_, recovered) = open(copy.path());
            assert!(recovered.set_aside.is_empty(), "{from}: {recovered:?}");
            assert_eq!(recovered.sealed.len(), 1, "{from}");
            let kept = stream(&events(copy.path(), &id(1)), Stream::Output);
            assert_eq!(kept.len(), forwarded.len(), "{from}");
            assert!(kept == forwarded, "{from}");
            assert_finished(copy.path(), &id(1));
        }
    }
}

/// Removes no tail whose frame is not durable: counts those tails, and of them the ones that go too early.
struct Careful {
    cast: u64,
    durable: AtomicBool,
    removed: Arc<AtomicU64>,
    early: Arc<AtomicU64>,
}

impl Disk for Careful {
    fn create(&self, path: &Path) -> io::Result<File> {
        OsDisk.create(path)
    }
    fn reserve(&self, file: &File, at: u64, bytes: u64) -> io::Result<()> {
        OsDisk.reserve(file, at, bytes)
    }
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        if file.metadata()?.ino() == self.cast {
            self.durable.store(false, Ordering::Relaxed);
        }
        OsDisk.write(file, bytes, at)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        if file.metadata()?.ino() == self.cast {
            self.durable.store(true, Ordering::Relaxed);
        }
        OsDisk.sync(file)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let early = !self.durable.load(Ordering::Relaxed);
        self.removed.fetch_add(1, Ordering::Relaxed);
        self.early.fetch_add(u64::from(early), Ordering::Relaxed);
        OsDisk.remove(path)
    }
    fn free(&self, file: &File) -> io::Result<u64> {
        OsDisk.free(file)
    }
}

/// The process is killed when a batch is written and not durable; the next one finds its frames whole, and then the power
/// goes: only what that one has made durable may be without its tails.
#[test]
fn promise_05_recovery_removes_no_tail_before_its_frame_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (before, sealed, forwarded) = waiting(dir.path());
    let name = format!("{}.cast.zst", id(1));
    let begins = fs::read(before.path().join(&name)).unwrap().len();
    // All of it, its End without the seek table, and some of its frames.
    for cut in [
        sealed.len(),
        sealed.len() - 1,
        begins + (sealed.len() - begins) / 2,
    ] {
        let copy = snapshot(before.path());
        let cast = copy.path().join(&name);
        fs::write(&cast, &sealed[..cut]).unwrap();
        let disk = Careful {
            cast: fs::metadata(&cast).unwrap().ino(),
            durable: AtomicBool::new(false),
            removed: Arc::default(),
            early: Arc::default(),
        };
        let (removed, early) = (Arc::clone(&disk.removed), Arc::clone(&disk.early));
        let (_, recovered) = open_with(copy.path(), HandClock::default(), Box::new(disk));
        assert_eq!(recovered.sealed.len(), 1, "{cut}: {recovered:?}");
        assert!(removed.load(Ordering::Relaxed) >= 3, "{cut}");
        assert_eq!(early.load(Ordering::Relaxed), 0, "{cut}");
        assert!(stream(&events(copy.path(), &id(1)), Stream::Output) == forwarded);
    }
}

/// Whoever reads while a batch is written finds the end of the file within a frame, and the lines of that frame in its tail.
#[test]
fn a_batch_that_is_being_written_is_read_from_its_tails() {
    let dir = tempfile::tempdir().unwrap();
    let (before, sealed, forwarded) = waiting(dir.path());
    let cast = before.path().join(format!("{}.cast.zst", id(1)));
    let begins = fs::read(&cast).unwrap().len();
    // Up to the last trailer: the table behind it follows no tail.
    let ends = sealed.len() - 512;
    for cut in (begins..ends).step_by((ends - begins) / 24) {
        fs::write(&cast, &sealed[..cut]).unwrap();
        let reader = Reader::open_in(before.path(), &id(1), &identity(3)).unwrap();
        assert_eq!(reader.state(), ReadState::Unfinished, "cut at {cut}");
        let read: Vec<_> = reader.all_events().collect::<Result<_, _>>().unwrap();
        assert!(stream(&read, Stream::Output) == forwarded, "cut at {cut}");
    }
}
