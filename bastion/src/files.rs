//! File transfers, as they are followed on their way.
//!
//! Each kind is a machine without input or output that stands between client and target: it takes bytes of either side and says, in
//! order, what to record and what to hand on ([`Act`]). What the role does not give is answered there and never reaches the target.

pub(crate) mod transfer;

use bytes::Bytes;
use record::recording::FileEvent;

use crate::scp::Scp;
use crate::sftp::Sftp;

pub(crate) const NO_READS: &str = "the role gives no downloads";
pub(crate) const NO_WRITES: &str = "the role gives no changes";
pub(crate) const NO_PATH: &str = "the role does not give this path";
pub(crate) const TOO_LARGE: &str = "the role gives no files of this size";

/// What follows from some bytes, to be done in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Stands in the recording before anything that comes behind it is handed on.
    Record(FileEvent),
    /// Goes to the target.
    ToTarget(Bytes),
    /// Goes to the client.
    ToClient(Bytes),
}

/// Why a transfer cannot go on. The session ends by this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The client's fault.
    #[error("your side sent something that is not SFTP version 3")]
    Client,
    /// The target's fault.
    #[error(
        "the target sent something that is not SFTP version 3; if its shell prints something at login, that is it"
    )]
    Target,
    /// The client's fault: more requests or handles at once than a bastion keeps.
    #[error("your side has more requests or files open at once than this bastion keeps")]
    TooMany,
    /// The client's fault.
    #[error("your side sent something that is not the protocol of `scp -O`")]
    ScpClient,
    /// The target's fault.
    #[error(
        "the target sent something that is not the protocol of `scp -O`; if its shell prints something at login, that is it"
    )]
    ScpTarget,
}

impl Broken {
    /// The word that ends the recording.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Client | Self::Target | Self::TooMany => "not-sftp",
            Self::ScpClient | Self::ScpTarget => "not-scp",
        }
    }
}

/// A transfer of either kind.
#[derive(Debug)]
pub(crate) enum Files {
    /// The subsystem `sftp`.
    Sftp(Sftp),
    /// The command `scp`, which `scp -O` runs.
    Scp(Scp),
}

impl Files {
    /// Takes bytes of the client.
    pub(crate) fn client(&mut self, bytes: &Bytes) -> Result<Vec<Act>, Broken> {
        match self {
            Self::Sftp(sftp) => sftp.client(bytes),
            Self::Scp(scp) => scp.client(bytes),
        }
    }

    /// Takes bytes of the target.
    pub(crate) fn target(&mut self, bytes: &Bytes) -> Result<Vec<Act>, Broken> {
        match self {
            Self::Sftp(sftp) => sftp.target(bytes),
            Self::Scp(scp) => scp.target(bytes),
        }
    }

    /// What is still to be recorded when the session ends: what went through the files that are not whole.
    pub(crate) fn finish(&mut self) -> Vec<FileEvent> {
        match self {
            Self::Sftp(sftp) => sftp.finish(),
            Self::Scp(scp) => scp.finish(),
        }
    }
}
