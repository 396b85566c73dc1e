//! What is wrong with a configuration: where, what, and what to do.

use std::path::PathBuf;

/// Why a configuration was refused. Nothing of it is in force then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read: the caller's or the disk's fault.
    #[error("{}: cannot be read: {source}\n  hint: give the file with --config, or make one with `hallpass init DIR`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than [`crate::limits::CONFIG_BYTES`].
    #[error("{}: larger than {most} bytes\n  hint: this does not look like a hallpass.toml", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        most: u64,
    },
    /// One rule or word of it is wrong.
    #[error("{}:{line}: {what}\n  hint: {hint}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do about it.
        hint: String,
    },
}
