//! Why a session does not begin, in words for the person.

use config::limits;
use config::rules::Channel;
use config::words::{AlertName, RoleName};
use record::recording::{EndReason, RecordError, StoreError};

use super::ending::ALERT;
use crate::ca_link::CaError;
use crate::target::TargetError;

/// Why a session does not begin. Nothing of the person's has reached the target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The CA refused, or is away.
    #[error("{}", gone(.0))]
    Ca(#[from] CaError),
    /// What the CA gave cannot be used: its fault or a defect.
    #[error("the CA gave something that cannot be used ({0}); nothing was opened")]
    Given(&'static str),
    /// There is no recorder.
    #[error("nothing was opened, because the recorder does not begin: {0}")]
    Store(#[from] StoreError),
    /// The recorder has failed.
    #[error("nothing was opened, because the recorder failed: {0}")]
    Recorder(#[from] RecordError),
    /// The role does not allow it.
    #[error("role {role} does not allow {}", in_words(*.channel))]
    Channel {
        /// The role.
        role: RoleName,
        /// What was asked for.
        channel: Channel,
    },
    /// A command that is not UTF-8 cannot stand in the recording's header.
    #[error(
        "the command is not UTF-8, or longer than {} bytes",
        limits::EVENT_BYTES
    )]
    Command,
    /// The certificate forces another command than the CA says.
    #[error("the certificate's command is not the one that the CA granted; nothing was opened")]
    Forced,
    /// The role gives other places to connect to.
    #[error("role {role} gives no connection to {place}: see its forward-to")]
    NotTo {
        /// The role.
        role: RoleName,
        /// Where to.
        place: String,
    },
    /// The role gives other places to listen on.
    #[error("role {role} lets the target listen on other places than {place}: see its listen-on")]
    NotFrom {
        /// The role.
        role: RoleName,
        /// Where.
        place: String,
    },
    /// A host or a path that no recording holds whole.
    #[error("the name is longer than {} bytes", limits::FORWARD_NAME_BYTES)]
    LongName,
    /// Mosh leaves the connection that it was started on.
    #[error("mosh is not carried: its UDP would pass this bastion by, unrecorded; use ssh")]
    Mosh,
    /// The target did not do what a forwarding needs.
    #[error("{0}")]
    Refused(String),
    /// The target was asked to forward, and says nothing.
    #[error("the target does not answer: {0} was asked, and has said nothing")]
    Silent(String),
    /// The role does not give what the old `scp` asks for.
    #[error("{0}")]
    Copy(&'static str),
    /// The role has rules for files, and the command could go around them.
    #[error(
        "role {0} has rules for files, which this command cannot be held to: use sftp, or scp with one path"
    )]
    Hidden(RoleName),
    /// The old `scp` is a command, which the login's shell would run.
    #[error("role {0} gives files and no commands: use sftp, or scp without -O")]
    OldScp(RoleName),
    /// Files are not given where one command is forced.
    #[error("the grant is for one command, and gives no file transfers")]
    FilesForced,
    /// The command is one that the role is alerted of, and that ends sessions.
    #[error("nothing was run: the command is what its role is alerted of as {0}")]
    Alert(AlertName),
    /// The target is not reached.
    #[error("{0}")]
    Target(#[from] TargetError),
    /// The target refused the shell or the command itself.
    #[error("{0} refused to run it")]
    Request(String),
    /// The system gave no random numbers.
    #[error("nothing was opened, because the system gives no random numbers")]
    Random,
    /// A task of ours failed: a defect.
    #[error("nothing was opened, because a part of the bastion failed")]
    Defect,
}

impl Fault {
    /// The word that ends the recording.
    pub(crate) fn reason(&self) -> EndReason {
        match self {
            Self::Target(_) | Self::Request(_) | Self::Refused(_) | Self::Silent(_) => {
                EndReason::TargetRefused
            }
            Self::Recorder(_) | Self::Store(_) => EndReason::Recorder,
            Self::Alert(_) => EndReason::Other(ALERT.to_owned()),
            _ => EndReason::Other("refused".to_owned()),
        }
    }
}

/// What the person hears when the CA gives nothing. Why it is away is for the log.
pub(crate) fn gone(e: &CaError) -> String {
    match e {
        CaError::Refused(why) => why.clone(),
        CaError::Gone(why) => {
            tracing::warn!("the CA is away: {why}");
            "the CA cannot be reached; nothing was opened; try again, or ask on call to look at `hallpass ca`".to_owned()
        }
    }
}

/// A channel, as what a role does not allow.
pub(super) fn in_words(channel: Channel) -> &'static str {
    match channel {
        Channel::Shell => "a shell: give a command to run",
        Channel::Exec => "a command: ask for a shell",
        Channel::Sftp => "file transfers",
        Channel::Forward => "connections to what its targets reach (ssh -L, -W, -D)",
        Channel::RemoteForward => "connections from its targets (ssh -R)",
        Channel::Agent => "agent forwarding",
        Channel::X11 => "X11",
    }
}
