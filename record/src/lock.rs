//! One writer for each store, by a lock on a file (`flock(2)`).

use std::fs::{File, TryLockError};
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use config::limits;

/// How often the lock is tried.
const TICK: Duration = Duration::from_millis(10);

/// Locks a file for this process alone; says whether it could.
///
/// A lock that is taken is tried again for a moment. A writer that was killed lets go only when the
/// kernel has put it away, and a child that another thread is just starting holds a copy of every
/// file until it has become its program.
pub(crate) fn alone(file: &File) -> io::Result<bool> {
    let end = Instant::now() + limits::LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(TICK),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
