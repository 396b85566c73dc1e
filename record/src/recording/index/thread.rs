//! The thread that makes the index of each session that has ended. Nobody waits for it, and whatever fails in it only leaves
//! a recording without an index.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use config::limits;
use config::words::SessionId;
use rustix::process::setpriority_process;

use super::super::crypt::Vault;
use super::super::disk::{Disk as _, OsDisk};
use super::super::reader::Reader;
use super::super::seal::{self, Signer};
use super::{PART, build, is_index};

/// Behind everything else that runs on the machine (`setpriority(2)`).
const LAST: i32 = 19;

/// A finished recording that is to get its index.
#[derive(Debug)]
struct Job {
    session: SessionId,
    /// Of an encrypted recording. It stays in locked memory until its turn has come.
    vault: Option<Arc<Vault>>,
}

/// What waits for the thread.
#[derive(Debug)]
pub(in crate::recording) struct Indexer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Whose index is being made.
    now: Option<SessionId>,
    stop: bool,
}

impl Indexer {
    /// Starts the thread, for recordings in this directory.
    pub(in crate::recording) fn start(dir: &Path, signer: Signer) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (dir, own) = (dir.to_owned(), Arc::clone(&queue));
        let thread = std::thread::Builder::new()
            .name("indexes".into())
            .spawn(move || {
                // The kernel counts threads here. Where it is not allowed, the thread is one like the others.
                let _ = setpriority_process(None, LAST);
                remove_parts(&dir);
                run(&own, &dir, &signer);
            })?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Asks for the index of a finished recording. Where too many wait already, it gets none.
    pub(in crate::recording) fn ask(&self, session: &SessionId, vault: Option<Arc<Vault>>) {
        let session = session.clone();
        self.queue.ask(Job { session, vault });
    }

    /// Whether the index of this recording is being made, or waits for that.
    pub(in crate::recording) fn owes(&self, session: &SessionId) -> bool {
        let waiting = self.queue.waiting();
        waiting.now.as_ref() == Some(session)
            || waiting.jobs.iter().any(|job| job.session == *session)
    }

    /// Gives up what waits and what is being made, and waits for the thread.
    pub(in crate::recording) fn stop(&self) {
        {
            let mut waiting = self.queue.waiting();
            waiting.stop = true;
            waiting.jobs.clear();
        }
        self.queue.wake.notify_all();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, job: Job) {
        let mut waiting = self.waiting();
        if waiting.jobs.len() < limits::INDEXES_WAITING && !waiting.stop {
            waiting.jobs.push_back(job);
            self.wake.notify_one();
        }
    }

    /// The next one, when there is one; none when it is over.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting();
        // The one before is done.
        waiting.now = None;
        let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.stop;
        let mut waiting = self
            .wake
            .wait_while(waiting, idle)
            .unwrap_or_else(PoisonError::into_inner);
        let job = waiting.jobs.pop_front();
        waiting.now = job.as_ref().map(|job| job.session.clone());
        job
    }

    fn stopped(&self) -> bool {
        self.waiting().stop
    }
}

fn run(queue: &Queue, dir: &Path, signer: &Signer) {
    while let Some(job) = queue.next() {
        // Whatever a session has drawn that the emulator fails on, the next one has its index.
        let _ = catch_unwind(AssertUnwindSafe(|| one(queue, dir, signer, job)));
    }
}

/// Makes one index, where the disk has room and the recording is what it should be.
fn one(queue: &Queue, dir: &Path, signer: &Signer, job: Job) -> Option<()> {
    let free = OsDisk.free(&File::open(dir).ok()?).ok()?;
    if free < limits::DISK_RESERVE + limits::INDEX_BYTES {
        return None;
    }
    let path: PathBuf = seal::cast_path(dir, &job.session);
    let reader = Reader::with_vault(&path, job.vault).ok()?;
    let began = Instant::now();
    let go_on = || !queue.stopped() && began.elapsed() < limits::INDEX_PATIENCE;
    build(&reader, signer, &go_on).ok().map(drop)
}

/// Removes what an earlier process has not finished.
fn remove_parts(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let part = |name: &str| is_index(name) && name.ends_with(PART);
        if name.to_str().is_some_and(part) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(n: usize) -> Job {
        let session = SessionId::from_parts(u64::try_from(n).unwrap(), [0; 10]);
        Job {
            session,
            vault: None,
        }
    }

    #[test]
    fn one_past_the_bound_gets_no_index_and_the_others_keep_their_turn() {
        let queue = Queue::default();
        for n in 0..=limits::INDEXES_WAITING {
            queue.ask(job(n));
        }
        assert_eq!(queue.waiting().jobs.len(), limits::INDEXES_WAITING);
        let first = queue.next().unwrap();
        assert_eq!(first.session, job(0).session);
        // There is room again, behind those that wait.
        queue.ask(job(1000));
        let last = queue.waiting().jobs.back().unwrap().session.clone();
        assert_eq!(last, job(1000).session);
        let before = queue
            .waiting()
            .jobs
            .iter()
            .nth_back(1)
            .unwrap()
            .session
            .clone();
        assert_eq!(before, job(limits::INDEXES_WAITING - 1).session);
    }
}
