//! What the log is after its disk has failed, or its machine.

use std::sync::{Arc, Mutex};

use std::io;

use super::proofs::{published, view};
use super::*;
use crate::log::disk::{Disk, Files, Synced};

/// What was asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Append,
    Sync,
    Replace,
    Names,
}

type Calls = Arc<Mutex<Vec<Call>>>;

/// A disk whose nth call fails, before or after it has done its work.
struct Faulty {
    files: Files,
    calls: Calls,
    fails_at: usize,
    happened: bool,
}

impl Faulty {
    fn call(
        &mut self,
        call: Call,
        work: impl FnOnce(&mut Files) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        if calls.len() - 1 == self.fails_at {
            if self.happened {
                work(&mut self.files)?;
            }
            return Err(io::Error::from_raw_os_error(5));
        }
        work(&mut self.files)
    }
}

impl Disk for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.call(Call::Append, |files| files.append(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.call(Call::Sync, Files::sync)
    }

    fn replace(&mut self, name: &str, bytes: &[u8], synced: Synced) -> io::Result<()> {
        self.call(Call::Replace, |files| files.replace(name, bytes, synced))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.call(Call::Names, Files::sync_names)
    }
}

/// A log with a public name whose nth call to the disk fails.
fn faulty(dir: &Path, fails_at: usize, happened: bool) -> (Log, Calls, Box<dyn Disk>) {
    let mut log = Log::open(dir, key()).unwrap().log;
    log.publish_as("ca.example.com/hallpass".parse().unwrap())
        .unwrap();
    let lines = OpenOptions::new().append(true).open(dir.join("entries"));
    let calls = Calls::default();
    let disk = Faulty {
        files: Files::new(dir, lines.unwrap()),
        calls: calls.clone(),
        fails_at,
        happened,
    };
    // The file that goes out of use holds the lock.
    let real = std::mem::replace(&mut log.disk, Box::new(disk));
    (log, calls, real)
}

fn batch(from: u64, count: u64) -> Vec<Encoded> {
    let lines = from..from + count;
    lines.map(|n| Encoded::of(&line(n)).unwrap()).collect()
}

const BATCH: u64 = 5;

#[test]
fn promise_04_one_failed_call_poisons_the_log_until_a_restart() {
    let one = [Call::Append, Call::Sync, Call::Replace, Call::Replace];
    for fails_at in 0..3 * one.len() {
        for happened in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (mut log, calls, real) = faulty(dir.path(), fails_at, happened);
            let add = |log: &mut Log, n: u64| log.append_all(&batch(n * BATCH, BATCH));
            let taken = (0..3).take_while(|n| add(&mut log, *n).is_ok()).count();
            assert_eq!(taken, fails_at / one.len());
            assert!(matches!(add(&mut log, 9), Err(LogError::Poisoned)));
            let all: Vec<Call> = one.into_iter().cycle().take(fails_at + 1).collect();
            assert_eq!(*calls.lock().unwrap(), all, "nothing is tried again");
            drop((log, real));
            let taken = taken as u64 * BATCH;
            let report = verify_log(dir.path(), key().public_key()).unwrap();
            let lines = Log::open(dir.path(), key()).unwrap().lines.len() as u64;
            assert_eq!(report.position.size, lines);
            assert!(lines == taken || lines == taken + BATCH);
            assert!(report.vouched >= taken, "what was answered is vouched for");
        }
    }
}

#[test]
fn of_a_batch_that_was_torn_the_whole_lines_stay() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let path = dir.path().join("entries");
    let whole = fs::read(&path).unwrap();
    let next: String = batch(3, 3)
        .iter()
        .map(|line| line.text.clone() + "\n")
        .collect();
    for torn in 1..=next.len() {
        let mut bytes = whole.clone();
        bytes.extend_from_slice(&next.as_bytes()[..torn]);
        fs::write(&path, &bytes).unwrap();
        // Each time, the checkpoint is the one of before.
        let kept = fs::read(dir.path().join("checkpoint")).unwrap();
        let opened = Log::open(dir.path(), key()).unwrap();
        let ended = next[..torn].matches('\n').count();
        assert_eq!(opened.lines.len(), 3 + ended);
        drop(opened);
        fs::write(dir.path().join("checkpoint"), kept).unwrap();
    }
}

#[test]
fn promise_05_a_power_cut_never_leaves_more_lines_unvouched_than_a_start_takes() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = dir.path().join(CHECKPOINT);
    let (mut log, calls, real) = faulty(dir.path(), usize::MAX, false);
    let mut worst = fs::read(&checkpoint).unwrap();
    let (mut next, mut settled) = (0, 0);
    let sizes = [1, 3, 100, 256, 1, 255, 2, 200, 56, 1].into_iter();
    for (n, size) in sizes.chain(std::iter::repeat_n(3, 90)).enumerate() {
        let before = fs::read(&checkpoint).unwrap();
        calls.lock().unwrap().clear();
        log.append_all(&batch(next, size)).unwrap();
        if calls.lock().unwrap().first() == Some(&Call::Names) {
            // From here on a power cut brings back nothing older than this.
            (worst, settled) = (before, next);
        }
        next += size;
        assert!(next - settled <= limits::LOG_BATCH_LINES as u64);
        if size == 3 && n % 9 > 0 {
            continue;
        }
        let real = fs::read(&checkpoint).unwrap();
        fs::write(&checkpoint, &worst).unwrap();
        fs::write(dir.path().join(NOTE), "").unwrap();
        let found = verify_log(dir.path(), key().public_key()).unwrap();
        assert_eq!((found.position.size, found.vouched), (next, settled));
        fs::write(&checkpoint, real).unwrap();
    }
    assert!(settled > 0);
    drop((log, real));
    published(dir.path(), 0, None);
    assert!(view(dir.path()).unwrap().prove(next - 1).is_ok());
}

#[test]
fn a_batch_of_one_line_too_many_is_not_taken_and_poisons_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), key()).unwrap().log;
    let most = limits::LOG_BATCH_LINES as u64;
    let refused = log.append_all(&batch(0, most + 1));
    assert!(matches!(refused, Err(LogError::Unwritable(_))));
    log.append_all(&batch(0, most)).unwrap();
    assert_eq!(log.append_all(&[]).unwrap().size, most);
}
