//! Group commit: the writer's thread takes what waits, lets each operation decide, syncs once, and then lets all be
//! answered.
//!
//! While one batch is being synced, the next one gathers in the queue: nobody waits for company. Signatures are made on
//! other threads, a few on each, while the writer is at the next batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use config::limits;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::Refused;
use super::hall::Hall;
use super::writer::{Answer, Decided, Press, Writer, stopped, unavailable};
use crate::journal::Durable;

/// How many answers of a batch are opened one after the other on one thread, so that waking threads is not most of the
/// work. Where a signer is a device that may not answer, each has a thread of its own.
const TOGETHER: usize = 8;

/// An operation in the queue.
trait Job: Send {
    /// Lets it decide.
    fn decide(&mut self, writer: &mut Writer);
    /// The batch is durable, or has failed: opens the answer, which may sign, and gives it.
    fn tell(self: Box<Self>, outcome: Result<Arc<Durable>, Refused>, hall: Arc<Hall>);
    /// Where whoever asked runs.
    fn runtime(&self) -> &Handle;
}

struct Operation<T, W> {
    work: Option<W>,
    decided: Option<Decided<T>>,
    asker: oneshot::Sender<Result<T, Refused>>,
    runtime: Handle,
}

impl<T, W> Job for Operation<T, W>
where
    T: Send + 'static,
    W: FnOnce(&mut Writer) -> Decided<T> + Send,
{
    fn decide(&mut self, writer: &mut Writer) {
        self.decided = self.work.take().map(|work| work(writer));
    }

    fn tell(self: Box<Self>, outcome: Result<Arc<Durable>, Refused>, hall: Arc<Hall>) {
        let Self { decided, asker, .. } = *self;
        let given = catch_unwind(AssertUnwindSafe(|| {
            let durable = outcome?;
            open(decided.ok_or_else(stopped)??, &durable, &hall)
        }));
        // Whoever has every answer may open the store again.
        drop(hall);
        // Whoever has hung up needs no answer: what was written stands.
        let _ = asker.send(given.unwrap_or_else(|_| Err(defect())));
    }

    fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// The way to the writer's thread, which ends when this is dropped.
pub(super) struct Queue {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    /// Starts the writer's thread.
    pub(super) fn start(writer: Writer) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(limits::DESK_QUEUE);
        let thread = Builder::new().name("desk".to_owned());
        let thread = thread.spawn(move || serve(writer, waiting))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Runs one operation to its end, even if whoever asked has hung up, and gives its answer when it is durable.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Decided<T> + Send + 'static,
    ) -> Result<T, Refused> {
        let (asker, told) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Operation {
            work: Some(work),
            decided: None,
            asker,
            runtime: Handle::current(),
        });
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).await.map_err(|_| stopped())?;
        told.await.unwrap_or_else(|_| Err(defect()))
    }
}

impl Drop for Queue {
    /// Waits for the writer to finish, so that the log's lock is free afterwards.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Runs one operation alone, without a thread.
pub(super) fn alone<T: 'static>(
    writer: &mut Writer,
    work: impl FnOnce(&mut Writer) -> Decided<T>,
) -> Result<T, Refused> {
    writer.begin();
    let decided = work(writer);
    let durable = writer.sync()?;
    open(decided?, &durable, &writer.hall)
}

fn open<T: 'static>(answer: Answer<T>, durable: &Durable, hall: &Hall) -> Result<T, Refused> {
    let now = hall.now();
    answer.give(&Press { durable, hall, now })
}

fn serve(mut writer: Writer, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![decided(&mut writer, first)];
        while writer.has_room()
            && let Ok(next) = queue.try_recv()
        {
            batch.push(decided(&mut writer, next));
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| writer.sync()));
        let outcome = outcome.unwrap_or_else(|_| Err(defect()));
        let quick = writer.hall.signers().are_quick();
        let together = if quick { TOGETHER } else { 1 };
        let mut jobs = batch.into_iter();
        while let Some(first) = jobs.next() {
            let runtime = first.runtime().clone();
            let mut few = vec![(first, writer.hall.clone())];
            let more = jobs.by_ref().take(together - 1);
            few.extend(more.map(|job| (job, writer.hall.clone())));
            let outcome = outcome.clone();
            // A runtime that has ended has nobody left who waits.
            drop(runtime.spawn_blocking(move || {
                for (job, hall) in few {
                    job.tell(outcome.clone(), hall);
                }
            }));
        }
    }
}

/// Lets an operation decide, unless nothing is taken any more. If it panics, nothing is: memory and log may differ.
fn decided(writer: &mut Writer, mut job: Box<dyn Job>) -> Box<dyn Job> {
    if !writer.is_broken() {
        writer.begin();
        let whole = catch_unwind(AssertUnwindSafe(|| job.decide(writer)));
        if whole.is_err() {
            writer.stop();
        }
    }
    job
}

fn defect() -> Refused {
    unavailable("a defect stopped the desk")
}
