//! What a store asks of the disk, as a parameter: a test puts one that fails in its place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};

/// The operations on files of a [`RecordingStore`](super::RecordingStore).
///
/// Each call may come from any thread. What `write` has returned from survives the death of this process; what
/// `sync` has returned from survives the loss of power. After `sync` has failed, nobody knows what
/// the file holds, and it is not asked again.
pub trait Disk: Send + Sync {
    /// Makes a file that did not exist, readable by its owner alone.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Sets room aside at `at`, without changing the file's length, so that a later `write` there does not find
    /// the disk full. A file system that cannot do that succeeds all the same.
    fn reserve(&self, file: &File, at: u64, bytes: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `at`. After an error any part of them may have been written.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes contents durable (`fdatasync`); of a directory, its entries.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// How many bytes may still be written on the file system of `dir`.
    fn free(&self, dir: &File) -> io::Result<u64>;
}

/// The disks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    }

    fn reserve(&self, file: &File, at: u64, bytes: u64) -> io::Result<()> {
        match fallocate(file, FallocateFlags::KEEP_SIZE, at, bytes) {
            Err(rustix::io::Errno::NOTSUP | rustix::io::Errno::NOSYS) => Ok(()),
            other => Ok(other?),
        }
    }

    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn free(&self, dir: &File) -> io::Result<u64> {
        let stat = fstatvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
