//! Why a bastion does not start, or stops.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use config::words::BastionName;
use record::recording::StoreError;

use crate::bucket::BucketError;
use crate::identity::IdentityError;

/// Why a bastion does not serve. Recordings and reports to the CA are safe on disk in each case.
#[derive(Debug, thiserror::Error)]
pub enum BastionError {
    /// The caller's fault: the configuration has no such bastion.
    #[error(
        "the configuration has no bastion {0}\n  hint: add [bastion.{0}], or name one that is there"
    )]
    Unknown(BastionName),
    /// The identity key, or the CA's public host key, is missing, open to others or not the one that is configured.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store of recordings does not open.
    #[error("recordings: {0}")]
    Store(#[from] StoreError),
    /// The bastion's own directory cannot be written.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bucket for recordings cannot be used as it is configured. Whether it answers is another question.
    #[error("recordings.bucket: {0}")]
    Bucket(#[from] BucketError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A task of ours panicked: a defect.
    #[error("a part of the bastion failed: {0}")]
    Defect(#[from] tokio::task::JoinError),
}
