//! The recordings of a world, once they are finished.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::World;
use crate::Result;

impl World {
    /// The finished recordings, oldest first.
    pub fn finished(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        collect(&self.recordings(), &mut found)?;
        found.retain(|path| {
            path.to_string_lossy().ends_with(".cast.zst") && has_seek_table(path).unwrap_or(false)
        });
        found.sort();
        Ok(found)
    }

    /// Waits until this many recordings are finished.
    pub fn wait_finished(&self, count: usize, limit: Duration) -> Result<Vec<PathBuf>> {
        let end = std::time::Instant::now() + limit;
        loop {
            let found = self.finished()?;
            if found.len() >= count {
                return Ok(found);
            }
            if std::time::Instant::now() >= end {
                let text = format!("{count} recordings expected after {limit:?}, found {found:?}");
                return Err(crate::Failure::new(text));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first recording, once it is finished.
    pub fn first_recording(&self, limit: Duration) -> Result<PathBuf> {
        let first = self.wait_finished(1, limit)?.into_iter().next();
        first.ok_or_else(|| crate::Failure::new("no recording"))
    }
}

fn collect(directory: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}

/// Whether a recording ends with its seek table, which is written last: until then its session may run.
fn has_seek_table(path: &Path) -> Result<bool> {
    const FOOTER: [u8; 4] = 0x8F92_EAB1_u32.to_le_bytes();
    Ok(fs::read(path)?.ends_with(&FOOTER))
}
