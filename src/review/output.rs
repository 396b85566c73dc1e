//! Where an export goes to.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use player::Format;

use crate::failure::{Failure, Result};

/// Refuses what would make a terminal do something.
pub(super) fn not_to_a_terminal(is_terminal: bool, format: Format) -> Result<()> {
    if is_terminal && !matches!(format, Format::Txt) {
        return Err(Failure::new(
            "these bytes are for programs, and would speak to this terminal: say --output FILE, or --format txt to read",
        ));
    }
    Ok(())
}

/// What is written to.
pub(super) struct Output {
    pub(super) file: File,
    /// Whether it was not there before.
    pub(super) is_new: bool,
}

impl Output {
    /// A new file, or what is no file: a pipe or a device, such as `/dev/null`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |e: &io::Error| Failure::file("written", path, e);
        // What a session showed concerns its reader alone, like the recording.
        let new = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match new {
            Ok(file) => Ok(Self { file, is_new: true }),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let kind = fs::metadata(path).map_err(|e| failed(&e))?.file_type();
                if kind.is_dir() {
                    return Err(Failure::new(format!(
                        "{} is a directory: name a file in it",
                        path.display()
                    )));
                }
                if kind.is_file() {
                    return Err(Failure::new(format!(
                        "{} is there already, and is not written over: remove it, or name another file",
                        path.display()
                    )));
                }
                let file = OpenOptions::new().write(true).open(path);
                file.map(|file| Self {
                    file,
                    is_new: false,
                })
                .map_err(|e| failed(&e))
            }
            Err(e) => Err(failed(&e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        let refused = Output::open(path).err();
        refused.map_or_else(|| "it opened".to_owned(), |e| e.to_string())
    }

    #[test]
    fn what_is_there_is_not_written_over_and_a_device_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        assert!(Output::open(&file).unwrap().is_new);
        let there = "is there already, and is not written over: remove it, or name another file";
        assert_eq!(refused(&file), format!("{} {there}", file.display()));
        let dir = dir.path();
        assert_eq!(
            refused(dir),
            format!("{} is a directory: name a file in it", dir.display())
        );
        assert!(!Output::open(Path::new("/dev/null")).unwrap().is_new);
    }
}
