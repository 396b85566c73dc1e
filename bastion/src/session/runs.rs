//! What a session runs in the end, and whether the role gives that.

use config::files::FileRules;
use config::limits;
use config::rules::Channel;
use config::terms::{Alert, Trigger};
use config::words::shown;
use record::api::SessionGiven;
use record::recording::Kind;

use super::fault::Fault;
use super::reach::Asked;
use crate::destination::{Destination, Listening};
use crate::prelude::Runs;
use crate::route::Route;
use crate::scp::head::Head;

/// The subsystem of file transfers, as it stands in the recording's header.
const SFTP: &str = "sftp";

/// What runs in the end: what was asked for, or what is forced.
pub(super) struct Running {
    pub(super) asked: Option<String>,
    pub(super) forced: Option<String>,
    pub(super) what: What,
    /// The command is a copy by the old `scp`, which is followed.
    copy: Option<Copy>,
}

/// Such a copy.
struct Copy {
    head: Head,
    /// By which channel the role gives it.
    by: Channel,
}

/// What kind of session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A shell or a command.
    Runs,
    /// The subsystem `sftp`, and no command.
    Files,
    /// A connection to what the target reaches.
    Forward(Destination),
    /// Connections out of where the target listens.
    Listen(Listening),
}

impl Running {
    /// What runs where this was asked for, or is forced. `pty`: the person has a terminal.
    pub(super) fn new(
        (asked, forced): (Option<String>, Option<String>),
        what: What,
        given: &SessionGiven,
        pty: bool,
    ) -> Self {
        let mut runs = Self {
            asked,
            forced,
            what,
            copy: None,
        };
        // What a terminal would do to the bytes, nobody could follow.
        let command = runs.command().filter(|_| runs.what == What::Runs && !pty);
        runs.copy = command
            .and_then(Head::parse)
            .and_then(|head| copy(head, given));
        runs
    }

    /// The copy by the old `scp` that is to be followed.
    pub(super) fn copy(&self) -> Option<&Head> {
        self.copy.as_ref().map(|copy| &copy.head)
    }

    /// What the target is asked to run.
    pub(super) fn target_runs(&self) -> Asked {
        match self.command() {
            _ if self.what == What::Files => Asked::Sftp,
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
        match self.channel() {
            _ if self.copy.is_some() => Kind::Exec,
            Channel::Sftp => Kind::Subsystem,
            Channel::Forward | Channel::RemoteForward => Kind::Forward,
            Channel::Shell => Kind::Shell,
            _ => Kind::Exec,
        }
    }

    /// The channel that the role has to give.
    fn channel(&self) -> Channel {
        if let Some(copy) = &self.copy {
            return copy.by;
        }
        match self.what {
            What::Files => Channel::Sftp,
            What::Forward(_) => Channel::Forward,
            What::Listen(_) => Channel::RemoteForward,
            What::Runs if self.command().is_some() => Channel::Exec,
            What::Runs => Channel::Shell,
        }
    }
}

/// Follows a copy where the role gives transfers. Where it gives commands alone, it is one of them; what they show may be
/// masked or looked at, and then so is it.
fn copy(head: Head, given: &SessionGiven) -> Option<Copy> {
    let (by, followed) = if given.channels.contains(&Channel::Sftp) {
        (Channel::Sftp, !only_files(given))
    } else {
        let seen = |alert: &Alert| matches!(alert.on, Trigger::Screen(_) | Trigger::Command(_));
        let plain = given.terms.mask.is_empty() && !given.terms.alerts.iter().any(seen);
        (Channel::Exec, plain)
    };
    followed.then_some(Copy { head, by })
}

/// Whether the role gives files, and nothing that the login's shell runs: a shell reads files of its own when it starts, which
/// whoever may write files could have written before.
fn only_files(given: &SessionGiven) -> bool {
    let has = |channel| given.channels.contains(&channel);
    has(Channel::Sftp) && !has(Channel::Exec) && !has(Channel::Shell)
}

impl What {
    /// Of what a client asked for.
    pub(super) fn of(runs: &Runs) -> Self {
        match runs {
            Runs::Shell | Runs::Command(_) => Self::Runs,
            Runs::Sftp => Self::Files,
            Runs::Forward(to) => Self::Forward(to.clone()),
            Runs::Listen(at) => Self::Listen(at.clone()),
        }
    }
}

/// The command that was asked for, as it will stand in the recording's header.
pub(super) fn text(runs: &Runs) -> Result<Option<String>, Fault> {
    match runs {
        Runs::Shell => Ok(None),
        Runs::Sftp => Ok(Some(SFTP.to_owned())),
        Runs::Command(bytes) if bytes.len() > limits::EVENT_BYTES => Err(Fault::Command),
        Runs::Command(bytes) => {
            let command = String::from_utf8(bytes.clone()).map_err(|_| Fault::Command)?;
            if is_mosh(&command) {
                return Err(Fault::Mosh);
            }
            Ok(Some(command))
        }
        Runs::Forward(to) if to.fits() => Ok(Some(to.place())),
        Runs::Listen(at) if at.fits() => Ok(Some(at.place())),
        Runs::Forward(_) | Runs::Listen(_) => Err(Fault::LongName),
    }
}

/// Whether this starts Mosh's server: what it carries by UDP would pass the bastion by. The client could not connect anyway;
/// the refusal says why.
fn is_mosh(command: &str) -> bool {
    let program = command.split_ascii_whitespace().next();
    program.and_then(|path| path.rsplit('/').next()) == Some("mosh-server")
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
    if runs.what == What::Files && runs.forced.is_some() {
        return Err(Fault::FilesForced);
    }
    let (role, channel) = (given.role.clone(), runs.channel());
    if only_files(given) && runs.command().and_then(Head::parse).is_some() {
        return Err(Fault::OldScp(role));
    }
    if !given.channels.contains(&channel) {
        return Err(Fault::Channel { role, channel });
    }
    let ruled = given.channels.contains(&Channel::Sftp) && given.files != FileRules::default();
    let named = runs.command().is_some_and(Head::is_named);
    if ruled && named && runs.what == What::Runs && runs.copy.is_none() {
        return Err(Fault::Hidden(role));
    }
    let (there, place) = match &runs.what {
        What::Runs | What::Files => return Ok(()),
        What::Forward(to) => (to.given(&given.forwards), to.place()),
        What::Listen(at) => (at.given(&given.forwards), at.place()),
    };
    let place = shown(&place);
    match channel {
        _ if there => Ok(()),
        Channel::RemoteForward => Err(Fault::NotFrom { role, place }),
        _ => Err(Fault::NotTo { role, place }),
    }
}
