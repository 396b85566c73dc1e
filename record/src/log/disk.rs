//! The log's files, as a disk that a test can make fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Whether the bytes of a file are synced before it takes its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Synced {
    /// After a power cut the old file stands there, or the new one, whole.
    Yes,
    /// Or, on some file systems, an empty one.
    No,
}

/// Where the log is made durable.
pub(super) trait Disk: Send {
    /// Appends all of these bytes to the lines, or fails with any number of them appended.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns only when every appended byte survives a power loss.
    fn sync(&mut self) -> io::Result<()>;

    /// Puts a whole file in place of the one of this name: whoever reads sees the one or the other, and so does a start
    /// after this process was killed.
    fn replace(&mut self, name: &str, bytes: &[u8], synced: Synced) -> io::Result<()>;

    /// Returns only when every file that was replaced before survives a power loss under its name.
    fn sync_names(&mut self) -> io::Result<()>;
}

/// The files of a directory.
pub(super) struct Files {
    dir: PathBuf,
    lines: File,
}

impl Files {
    pub(super) fn new(dir: &Path, lines: File) -> Self {
        let dir = dir.to_owned();
        Self { dir, lines }
    }
}

impl Disk for Files {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.lines.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.lines.sync_data()
    }

    fn replace(&mut self, name: &str, bytes: &[u8], synced: Synced) -> io::Result<()> {
        let path = self.dir.join(name);
        let new = path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        if synced == Synced::Yes {
            file.sync_data()?;
        }
        fs::rename(&new, path)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}
