//! Where somebody may go, and nowhere else.

use std::net::IpAddr;

use config::Config;
use config::words::{Principal, TargetName, shown};

use crate::visitor::{Passage, Visitor};

/// The way of one connection: every session on it goes to this login on this target, under this certificate.
#[derive(Debug)]
pub struct Route {
    access: Principal,
    certificate: String,
    serial: u64,
    source: IpAddr,
    command: Option<String>,
}

impl Route {
    /// Uses up a visitor.
    pub fn of(visitor: Visitor) -> Self {
        let Visitor {
            access,
            certificate,
            serial,
            source,
            command,
        } = visitor;
        Self {
            access,
            certificate,
            serial,
            source,
            command,
        }
    }

    /// Login and target.
    pub fn access(&self) -> &Principal {
        &self.access
    }

    /// The access certificate, in OpenSSH's one-line form.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its serial.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Where the person's connection comes from.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// The command that the certificate forces.
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }
}

/// Why a forwarding on the outer connection leads nowhere. It may be shown to the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The certificate is for other targets.
    #[error("hallpass: the certificate opens no way to {}", shown(.0))]
    NotYours(String),
    /// Something else than the target's ssh.
    #[error("hallpass: only ssh to {target} is carried, not port {port}")]
    Port {
        /// The target.
        target: TargetName,
        /// The port that was asked for.
        port: u32,
    },
}

/// The target that a forwarding on the outer connection leads to, if it is one of the certificate's.
pub fn way(passage: &Passage, host: &str, port: u32, config: &Config) -> Result<TargetName, NoWay> {
    let not_yours = || NoWay::NotYours(host.to_owned());
    let target = passage
        .targets
        .iter()
        .find(|one| one.as_str() == host)
        .ok_or_else(not_yours)?;
    let known = config.targets.get(target).ok_or_else(not_yours)?;
    if port == 22 || port == u32::from(known.address.port) {
        Ok(target.clone())
    } else {
        Err(NoWay::Port {
            target: target.clone(),
            port,
        })
    }
}
