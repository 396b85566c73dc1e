//! What a session runs in the end, and whether the role gives that.

use config::limits;
use config::rules::Channel;
use record::api::SessionGiven;
use record::recording::Kind;

use super::fault::Fault;
use super::reach::Asked;
use crate::prelude::Runs;
use crate::route::Route;

/// The subsystem of file transfers, as it stands in the recording's header.
const SFTP: &str = "sftp";

/// What runs in the end: what was asked for, or what is forced.
pub(super) struct Running {
    pub(super) asked: Option<String>,
    pub(super) forced: Option<String>,
    /// The subsystem `sftp`, and no command.
    pub(super) files: bool,
}

impl Running {
    /// What the target is asked to run.
    pub(super) fn target_runs(&self) -> Asked {
        match self.command() {
            _ if self.files => Asked::Sftp,
            Some(command) => Asked::Command(command.to_owned()),
            None => Asked::Shell,
        }
    }

    /// The command to run; none for a shell.
    pub(super) fn command(&self) -> Option<&str> {
        self.forced.as_deref().or(self.asked.as_deref())
    }

    /// What the recording's header calls it.
    pub(super) fn kind(&self) -> Kind {
        if self.files {
            Kind::Subsystem
        } else if self.command().is_some() {
            Kind::Exec
        } else {
            Kind::Shell
        }
    }
}

/// The command that was asked for, as it will stand in the recording's header.
pub(super) fn text(runs: &Runs) -> Result<Option<String>, Fault> {
    match runs {
        Runs::Shell => Ok(None),
        Runs::Sftp => Ok(Some(SFTP.to_owned())),
        Runs::Command(bytes) if bytes.len() > limits::EVENT_BYTES => Err(Fault::Command),
        Runs::Command(bytes) => String::from_utf8(bytes.clone())
            .map(Some)
            .map_err(|_| Fault::Command),
    }
}

/// Whether the role gives it.
pub(super) fn allowed(route: &Route, given: &SessionGiven, runs: &Running) -> Result<(), Fault> {
    if route.command().is_some_and(|own| {
        given
            .command
            .as_deref()
            .is_some_and(|granted| granted != own)
    }) {
        return Err(Fault::Forced);
    }
    // sshd would run the forced command in the subsystem's place, and nobody would follow what it does.
    if runs.files && runs.forced.is_some() {
        return Err(Fault::FilesForced);
    }
    let channel = if runs.files {
        Channel::Sftp
    } else if runs.command().is_some() {
        Channel::Exec
    } else {
        Channel::Shell
    };
    if given.channels.contains(&channel) {
        Ok(())
    } else {
        Err(Fault::Channel {
            role: given.role.clone(),
            channel,
        })
    }
}
