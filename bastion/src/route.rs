//! Where somebody may go, and nowhere else.

use std::net::IpAddr;

use config::Config;
use config::words::{Principal, TargetName, shown};

use crate::permits::Permits;
use crate::visitor::{Passage, Visitor};

/// The way of one connection: every session on it goes to this login on this target, under this certificate.
#[derive(Debug)]
pub struct Route {
    access: Principal,
    certificate: String,
    serial: u64,
    source: IpAddr,
    command: Option<String>,
    permits: Permits,
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
            permits,
        } = visitor;
        Self {
            access,
            certificate,
            serial,
            source,
            command,
            permits,
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

    /// What the certificate gives beside sessions.
    pub(crate) fn permits(&self) -> Permits {
        self.permits
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
    // A target that is newer than this process's configuration is reached by the usual port.
    let own = config
        .targets
        .get(target)
        .map(|known| u32::from(known.address.port));
    if port == 22 || own == Some(port) {
        Ok(target.clone())
    } else {
        Err(NoWay::Port {
            target: target.clone(),
            port,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage() -> Passage {
        let targets = vec!["db1.prod".parse().unwrap(), "new.prod".parse().unwrap()];
        Passage {
            targets,
            source: "192.0.2.7".parse().unwrap(),
            certificate: String::new(),
            access: "root@db1.prod".parse().unwrap(),
            until: record::clock::UnixTime::from_secs(0),
            key: crate::identity::fresh()
                .unwrap()
                .public_key()
                .key_data()
                .clone(),
        }
    }

    fn config() -> Config {
        let name = "bastion".parse().unwrap();
        let key = crate::identity::fresh()
            .unwrap()
            .public_key()
            .to_openssh()
            .unwrap();
        let sample = config::sample::Sample {
            bastion: &name,
            identity: &key,
        }
        .text();
        let text = format!(
            "{sample}\n[target.\"db1.prod\"]\naddress = \"10.0.0.1:2200\"\nhost = \"ca\"\n"
        );
        Config::parse(std::path::Path::new("hallpass.toml"), text).unwrap()
    }

    #[test]
    fn the_way_leads_to_the_certificate_s_targets_and_their_ssh_alone() {
        let (passage, config) = (passage(), config());
        for (host, port) in [("db1.prod", 22), ("db1.prod", 2200), ("new.prod", 22)] {
            assert_eq!(way(&passage, host, port, &config).unwrap().as_str(), host);
        }
        for host in [
            "db2.prod",
            "DB1.prod",
            "db1.prod.",
            "10.0.0.1",
            "localhost",
            "",
            "db1.prod\0",
        ] {
            let refused = way(&passage, host, 22, &config);
            assert_eq!(refused, Err(NoWay::NotYours(host.to_owned())), "{host:?}");
        }
        for (host, port) in [
            ("db1.prod", 80),
            ("db1.prod", 0),
            ("db1.prod", 65_536 + 22),
            ("new.prod", 2200),
        ] {
            let target = host.parse().unwrap();
            assert_eq!(
                way(&passage, host, port, &config),
                Err(NoWay::Port { target, port })
            );
        }
    }
}
