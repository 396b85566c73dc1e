//! Why a recording cannot be read.

use std::io;
use std::path::PathBuf;

use super::super::crypt::LockedError;
use super::super::crypt::original::OriginalError;
use super::super::frame::FrameError;
use super::super::header::HeaderError;
use super::ReadState;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The caller's fault: the file is not named as a recording.
    #[error("{} is not named like a recording (SESSION.cast.zst)", .0.display())]
    Name(PathBuf),
    /// The file's fault.
    #[error("this is not a recording: {0}")]
    NotARecording(&'static str),
    /// Written by another version.
    #[error(
        "the recording was written by another version of hallpass (format {0}): read it with that one"
    )]
    Version(String),
    /// Its header is not one.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The recording is encrypted, and was not opened.
    #[error(transparent)]
    Locked(#[from] LockedError),
    /// What was masked is to be read, and cannot be.
    #[error(transparent)]
    Original(#[from] OriginalError),
    /// A frame holds something else than lines of a recording.
    #[error("the recording is damaged: {0}")]
    Damaged(String),
    /// What was read was sealed in the meantime.
    #[error("the recording has gone on: open it again")]
    Changed,
    /// The disk's fault.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<FrameError> for ReadError {
    fn from(e: FrameError) -> Self {
        match e {
            FrameError::Cut => Self::NotARecording("it is cut off at its beginning"),
            FrameError::Foreign(why) => Self::NotARecording(why),
            FrameError::Version(version) => Self::Version(version),
            FrameError::Io(e) => Self::Io(e),
        }
    }
}

/// Why a recording has nothing to show.
pub(super) fn nothing_to_read(state: ReadState) -> ReadError {
    match state {
        ReadState::Damaged => ReadError::Damaged(
            "it is cut off or altered in its first frame, so that nothing of it can be read".into(),
        ),
        ReadState::Finished | ReadState::Unfinished => {
            ReadError::NotARecording("nothing was recorded in it")
        }
    }
}
