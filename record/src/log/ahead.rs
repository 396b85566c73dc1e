//! The lines of a log's file, each parsed and hashed on another thread while those before it are taken, in their order.
//!
//! So many parts are under way as keep each thread busy: memory does not grow with the log.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::LINE_BYTES;
use super::read::spelled;
use crate::entry::Line;
use crate::tree::{Hash, leaf_hash};

/// About as many bytes as one thread takes at once.
const PART_BYTES: usize = 1 << 16;

/// More threads than this would wait for the one that takes the lines.
const THREADS: usize = 8;

/// A line that is spelled as the log spells its lines. Whether it may follow those before it is another question.
pub(super) struct Ahead<T> {
    pub(super) line: Line,
    pub(super) leaf: Hash,
    /// How long it is, with its line feed.
    pub(super) bytes: u64,
    /// What else was made of it.
    pub(super) more: T,
}

/// Why there are no more lines.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
    /// What is wrong with the next one.
    #[error("{0}")]
    Line(String),
    /// The disk's fault.
    #[error("{0}")]
    Io(io::Error),
}

/// What is wrong with a line that may be good.
const PANICKED: &str =
    "reading it failed within this program: a fault of the program, not of the line";

/// Whole lines.
struct Part<T> {
    bytes: Vec<u8>,
    told: SyncSender<Vec<Result<Ahead<T>, String>>>,
}

/// Hands over each line until one is refused or there are no more; says how many bytes a last line has that is not ended.
pub(super) fn each<T: Send>(
    file: File,
    more: impl Fn(&Line) -> T + Sync,
    mut take: impl FnMut(Ahead<T>) -> Result<(), Stop>,
) -> Result<u64, Stop> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(THREADS);
    let (parts, waiting) = mpsc::channel();
    let (waiting, more) = (Mutex::new(waiting), &more);
    thread::scope(|scope| {
        // Dropped with this closure, and then the threads end.
        let parts: Sender<Part<T>> = parts;
        for _ in 0..threads {
            let work = || work(&waiting, more);
            let thread = thread::Builder::new().spawn_scoped(scope, work);
            thread.map_err(Stop::Io)?;
        }
        let (mut file, mut under_way, mut end) = (BufReader::new(file), VecDeque::new(), None);
        loop {
            while end.is_none() && under_way.len() < 2 * threads {
                let (bytes, stop) = part(&mut file);
                let (told, heard) = mpsc::sync_channel(1);
                end = stop;
                under_way.push_back(heard);
                // If nobody takes it, nobody tells of it either, and this fails below.
                drop(parts.send(Part { bytes, told }));
            }
            let Some(heard) = under_way.pop_front() else {
                break;
            };
            let lines = heard.recv().map_err(|_| ended())?;
            for line in lines {
                take(line.map_err(Stop::Line)?)?;
            }
        }
        end.unwrap_or(Ok(0))
    })
}

fn work<T>(waiting: &Mutex<Receiver<Part<T>>>, more: &impl Fn(&Line) -> T) {
    let next = || {
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.recv().ok()
    };
    while let Some(part) = next() {
        let mut lines = Vec::new();
        for bytes in part.bytes.split_inclusive(|byte| *byte == b'\n') {
            // Whoever waits for this thread would wait for ever.
            let line = panic::catch_unwind(AssertUnwindSafe(|| ahead(bytes, more)));
            let line = line.unwrap_or_else(|_| Err(PANICKED.to_owned()));
            let good = line.is_ok();
            lines.push(line);
            if !good {
                break;
            }
        }
        // Nobody hears it if a line before was refused.
        drop(part.told.send(lines));
    }
}

/// No thread reads any more.
fn ended() -> Stop {
    Stop::Io(io::Error::other("the thread that read it has ended"))
}

fn ahead<T>(bytes: &[u8], more: &impl Fn(&Line) -> T) -> Result<Ahead<T>, String> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = spelled(text)?;
    Ok(Ahead {
        leaf: leaf_hash(text),
        bytes: bytes.len() as u64,
        more: more(&line),
        line,
    })
}

/// Reads some whole lines; says why there are no more behind them, if so, or how many bytes follow without an end.
fn part(file: &mut BufReader<File>) -> (Vec<u8>, Option<Result<u64, Stop>>) {
    let mut bytes = Vec::with_capacity(PART_BYTES + LINE_BYTES / 8);
    while bytes.len() < PART_BYTES {
        let (before, most) = (bytes.len(), LINE_BYTES + 1);
        let read = file.take(most as u64).read_until(b'\n', &mut bytes);
        let stop = match read {
            Err(why) => Some(Err(Stop::Io(why))),
            Ok(_) if bytes.ends_with(b"\n") && bytes.len() > before => None,
            Ok(count) if count == most => {
                Some(Err(Stop::Line("is longer than any line".to_owned())))
            }
            Ok(count) => Some(Ok(count as u64)),
        };
        if stop.is_some() {
            bytes.truncate(before);
            return (bytes, stop);
        }
    }
    (bytes, None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;
    use crate::clock::UnixTime;
    use crate::digest::Digest;
    use crate::entry::Entry;

    #[test]
    fn a_panic_in_every_thread_ends_the_reading_with_an_error() {
        let entry = Entry::Start {
            policy: Digest::of(b"policy"),
        };
        let line = Line::new(UnixTime::from_secs(1), entry).encode().unwrap();
        // More parts than threads have at hand, so that some wait when the last thread panics.
        let line = format!("{line}\n");
        let lines = line.repeat(4 * THREADS * PART_BYTES / line.len());
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let (told, heard) = mpsc::channel();
        let reading = thread::spawn(move || {
            let read = each(file, |_| panic!("on purpose"), |_: Ahead<()>| Ok(()));
            told.send(read).unwrap();
        });
        let read = heard.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(matches!(read, Err(Stop::Line(what)) if what == PANICKED));
        reading.join().unwrap();
    }
}
