//! Work that is spread over all cores.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// How many threads help now, wherever in this process.
static HELPERS: AtomicUsize = AtomicUsize::new(0);

/// Does `work` for the numbers from zero to `count`, on all cores at once, and yields what came of each, in their order. Each core
/// takes the next number when it is done with one. Where all cores are taken, as by work that this is a part of, or the
/// system gives no threads, this one does all of it.
pub(crate) fn each<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return done;
            }
            done.push((n, work(n)));
        }
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(count))
            .map_while(|_| {
                let helper = Helper::take(cores - 1)?;
                let help = move || {
                    let _helper = helper;
                    share()
                };
                Builder::new().spawn_scoped(scope, help).ok()
            })
            .collect();
        let mut done = share();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// One of the [`HELPERS`], until it is dropped.
struct Helper;

impl Helper {
    /// One more, if there are fewer than `most`.
    fn take(most: usize) -> Option<Self> {
        let more = |taken: usize| (taken < most).then_some(taken + 1);
        let taken = HELPERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.ok().map(|_| Self)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        HELPERS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_is_done_once_and_in_its_place() {
        for count in [0, 1, 2, 1000] {
            let done = each(count, |n| n * n);
            assert_eq!(done, (0..count).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn work_within_work_takes_no_more_than_the_cores() {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        each(4 * cores, |_| {
            each(4 * cores, |_| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(1));
                running.fetch_sub(1, Ordering::SeqCst);
            })
        });
        assert!(most.into_inner() <= cores);
    }
}
