//! Where a recording is wrong, and how.

use super::super::crypt::LockedError;
use crate::sshsig::SigError;

/// Where a recording is wrong first, and how.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", self.place())]
pub struct Problem {
    /// The number of bytes before the frame that is wrong.
    pub offset: u64,
    /// The number of good sealed frames before it.
    pub frame: u64,
    /// The time of the last event that is still good, in microseconds since the session began.
    pub at_us: u64,
    /// How it is wrong.
    pub fault: Fault,
}

/// How a recording is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file ends too early.
    #[error("the recording is cut off: {0}")]
    Cut(&'static str),
    /// Bytes are not what was sealed.
    #[error("the recording was altered: {0}")]
    Altered(&'static str),
    /// A frame stands where another one belongs.
    #[error("the frames are out of order: frame {found} stands here")]
    Reordered {
        /// The number of the frame that stands there, from 0.
        found: u64,
    },
    /// One or more frames are not there.
    #[error("frames are missing: frame {found} follows")]
    FramesMissing {
        /// The number of the frame that stands there, from 0.
        found: u64,
    },
    /// A frame with its checkpoint that belongs to another recording.
    #[error("the frame was taken from {origin}")]
    Foreign {
        /// What its checkpoint says it belongs to.
        origin: String,
    },
    /// A whole frame that its checkpoint does not know.
    #[error("the frame was not sealed at this place: it was put in from elsewhere")]
    NotSealedHere,
    /// A checkpoint by a key that is not one of the bastion's.
    #[error("{0}")]
    WrongSigner(SigError),
    /// A trusted key has signed what no recorder writes.
    #[error("the recording is not well formed: {0}")]
    Content(String),
    /// Its wrapped content key is not the one that it was sealed with.
    #[error("{0}")]
    Keys(LockedError),
    /// The recording is one of another version of the format.
    #[error("the recording was written by another version of hallpass (format {0})")]
    Version(String),
    /// The disk's fault.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
}

impl Problem {
    fn place(&self) -> String {
        format!(
            "at byte {}, after {}.{:03} s",
            self.offset,
            self.at_us / 1_000_000,
            self.at_us / 1000 % 1000
        )
    }
}
