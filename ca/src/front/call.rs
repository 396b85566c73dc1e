//! One command of one person: what it has at hand, and how it can end.

use std::sync::Arc;

use config::Config;
use config::words::Principal;
use record::clock::{Clock, UnixTime};
use russh::server::Handle;
use ssh_key::Algorithm;
use tokio::sync::watch;

use super::agent::NoSignature;
use super::peer::{Gone, Peer};
use crate::desk::{Caller, Desk, Refused, Status};

/// What a command has at hand.
pub(super) struct Call {
    /// The desk that decides.
    pub(super) desk: Arc<Desk>,
    /// The person, by the key that this connection proved.
    pub(super) caller: Caller,
    /// The other end of the channel.
    pub(super) peer: Arc<Peer>,
    /// The connection, when the person forwarded an agent (`ssh -A`).
    pub(super) agent: Option<Handle>,
    /// The clocks.
    pub(super) clock: Arc<dyn Clock>,
    /// Becomes true when the CA stops.
    pub(super) stopping: watch::Receiver<bool>,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Stop {
    /// The client has gone.
    Gone,
    /// The desk said no.
    Refused(Refused),
    /// It was typed wrong; how to type it.
    Usage(String),
    /// No signature could be had.
    Unsigned(NoSignature),
    /// What was wrong has been said; the status is left.
    Said(Status),
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Stop {
    /// Its exit status.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Gone => Status::Unavailable,
            Self::Refused(refused) => refused.status(),
            Self::Usage(_) => Status::Usage,
            Self::Unsigned(_) => Status::Policy,
            Self::Said(status) => *status,
        }
    }

    /// What the person is told; nothing if it was said before.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Gone | Self::Said(_) => String::new(),
            Self::Refused(refused) if refused.status() == Status::Policy => {
                format!("refused: {refused}\n")
            }
            Self::Refused(refused) => format!("{refused}\n"),
            Self::Usage(text) => text.clone(),
            Self::Unsigned(why) => format!("not signed: {why}\n"),
        }
    }
}

impl Call {
    /// The time of day.
    pub(super) fn now(&self) -> UnixTime {
        self.clock.wall()
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        self.desk.config()
    }

    /// Returns when the CA stops.
    pub(super) async fn ca_stops(&self) {
        // A sender that is gone means that the CA has stopped.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }

    /// The file beside the person's key where `ssh` looks for a certificate, if the key has the
    /// usual name (`ssh_config(5)`, `CertificateFile`).
    pub(super) fn certificate_file(&self) -> &'static str {
        match self.caller.key.algorithm() {
            Algorithm::Ecdsa { .. } => "~/.ssh/id_ecdsa-cert.pub",
            Algorithm::SkEd25519 => "~/.ssh/id_ed25519_sk-cert.pub",
            Algorithm::SkEcdsaSha2NistP256 => "~/.ssh/id_ecdsa_sk-cert.pub",
            _ => "~/.ssh/id_ed25519-cert.pub",
        }
    }

    /// How the granted access is used: to read at a bastion, or through one.
    pub(super) fn way_in(&self, access: &Principal) -> String {
        let config = self.config();
        let place = access.target.as_str();
        let is_bastion = config.bastions.keys().any(|name| name.as_str() == place);
        if is_bastion && !config.targets.contains_key(&access.target) {
            return format!("ssh -t {access} ls");
        }
        format!("ssh -J {} {access}", self.bastion())
    }

    /// The bastion that examples name: the first one.
    pub(super) fn bastion(&self) -> String {
        let config = self.config();
        let first = config.bastions.keys().next();
        first.map_or_else(|| "bastion".to_owned(), ToString::to_string)
    }
}
