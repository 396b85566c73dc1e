//! Why recordings are not where they should be, and what follows from that.

use std::io;

use crate::bucket::BucketError;

/// Why a recording is not in the bucket yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The bucket's fault.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// This disk's fault.
    #[error("the bastion's disk: {0}")]
    Disk(#[from] io::Error),
    /// The bucket's fault.
    #[error("the bucket has lost an upload that was under way")]
    Lost,
    /// The bucket's fault, or that of somebody who writes there.
    #[error(
        "the bucket gives back something else than it was given: see who else writes there, what stands before the store, and what its own log says"
    )]
    Other,
    /// It does not fit.
    #[error("a recording is too long for an object, and stays on this disk")]
    Long,
    /// The bucket's fault, or that of the credentials.
    #[error("a recording is in the bucket, and cannot be locked there: {0}")]
    Lock(BucketError),
    /// The bucket's fault, or that of the credentials.
    #[error("a recording that is to be removed from the bucket is there still: {0}")]
    Remove(BucketError),
    /// The bucket's fault, or that of the credentials.
    #[error("the index of a recording is refused: {0}")]
    Index(BucketError),
    /// Nobody's fault.
    #[error("a recording is removed or erased while it is uploaded")]
    Over,
}

impl Fault {
    /// Whether nothing else would do better by now.
    pub(super) fn is_away(&self) -> bool {
        use BucketError::{Credentials, Denied, Setup, Store};
        matches!(
            self,
            Self::Bucket(Store(_) | Denied(_) | Setup(_) | Credentials(_))
        )
    }

    /// Whether it is tried again soon. What fails for a reason of its own would go up again and again.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Bucket(_) | Self::Disk(_) | Self::Lost)
    }
}
