//! The ways to one target that are compared, each as somebody would type it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hallpass_tests::failure::Context;
use hallpass_tests::target::Target;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, keys};
use tempfile::TempDir;

use super::delay;

/// A way to `web1.prod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Straight to its `sshd`.
    Direct,
    /// `ssh -J` through an `sshd`.
    Jump,
    /// `LOGIN%TARGET@bastion`.
    Door,
    /// `ssh -J bastion`.
    Inside,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Direct, Self::Jump, Self::Door, Self::Inside];

    /// As it stands in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct sshd",
            Self::Jump => "ssh -J sshd",
            Self::Door => "LOGIN%TARGET@bastion",
            Self::Inside => "ssh -J bastion",
        }
    }
}

/// How a measurement speaks SSH.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// A cipher for all that the client encrypts; none for the client's own choice.
    pub(super) cipher: Option<&'a str>,
    /// How much later everything arrives between the client and what it enters.
    pub(super) late: Duration,
}

/// The client's own cipher, on loopback as it is.
pub(super) const PLAIN: Line<'_> = Line {
    cipher: None,
    late: Duration::ZERO,
};

/// A world, a jump host, and a client who may use all four ways.
pub(super) struct Ways {
    pub(super) world: World,
    jump: Target,
    peer: TempDir,
}

impl Ways {
    /// A world that runs, with Alice's certificate for `web1.prod`.
    pub(super) fn new() -> Result<Self> {
        Self::with("")
    }

    /// The same, whose configuration has these lines too.
    pub(super) fn with(extra: &str) -> Result<Self> {
        let peer = tempfile::Builder::new().prefix("hp-peer-").tempdir()?;
        let key = peer.path().join("key");
        keys::make(&key, "peer")?;
        let own = format!(
            "AuthorizedKeysFile {}\nMaxStartups 5000\nMaxSessions 5000",
            keys::public(&key).display()
        );
        let world = World::with(&Setup {
            sshd: own.clone(),
            extra: extra.to_owned(),
            ..Setup::default()
        })?;
        let mut jump = Target::new("jump.prod", &peer.path().join("jump"))?;
        jump.start(&world.public_of("session")?, &world.login, &own)?;
        let at = world.at_web1();
        world.take(&world.alice, &at, &["--for", "30m"])?;
        Ok(Self { world, jump, peer })
    }

    /// `ssh` this way, with these options and this command.
    pub(super) fn ssh(&self, way: Way, line: Line<'_>, more: &[&str]) -> Result<Command> {
        let config = self.config(way, line)?;
        let at = self.world.at_web1();
        let door = format!("{}%web1.prod@bastion", self.world.login);
        let to: &[&str] = match way {
            Way::Direct => &["target"],
            Way::Jump => &["-J", "jump", "target"],
            Way::Door => &[&door],
            Way::Inside => &["-J", "bastion", &at],
        };
        let mut command = self.world.alice.command("ssh")?;
        // Options stand before the destination, and the command after it.
        let (options, rest): (Vec<&str>, Vec<&str>) =
            more.iter().partition(|word| word.starts_with("-t"));
        command
            .arg("-F")
            .arg(config)
            .args(options)
            .args(to)
            .args(rest);
        Ok(command)
    }

    /// Another configuration for each line, because `-J` hands nothing but its file to the `ssh` of the jump.
    fn config(&self, way: Way, line: Line<'_>) -> Result<PathBuf> {
        let name = format!(
            "{way:?}-{}-{}",
            line.cipher.unwrap_or("any"),
            line.late.as_millis()
        );
        let path = self.peer.path().join(name);
        if path.exists() {
            return Ok(path);
        }
        let cipher = line
            .cipher
            .map_or_else(String::new, |cipher| format!("Ciphers {cipher}\n"));
        let late = |port| match line.late {
            Duration::ZERO => Ok(port),
            late => delay::before(port, late),
        };
        let ways = match way {
            Way::Direct => self.stock(late(self.world.web1.port)?, self.jump.port),
            Way::Jump => self.stock(self.world.web1.port, late(self.jump.port)?),
            Way::Door | Way::Inside => self.ours(late(self.world.bastion_port)?)?,
        };
        fs::write(&path, cipher + &ways).context(path.display())?;
        Ok(path)
    }

    /// OpenSSH alone, with a key of its own and no question about hosts.
    fn stock(&self, target: u16, jump: u16) -> String {
        format!(
            "Host target\n    HostName 127.0.0.1\n    Port {target}\nHost jump\n    HostName 127.0.0.1\n    Port {jump}\n\
             Host *\n    User {}\n    IdentityFile {}\n    IdentitiesOnly yes\n    StrictHostKeyChecking no\n    \
             UserKnownHostsFile /dev/null\n    LogLevel ERROR\n",
            self.world.login,
            self.peer.path().join("key").display()
        )
    }

    /// Alice's own configuration, with another port for the bastion.
    fn ours(&self, port: u16) -> Result<String> {
        let alice = &self.world.alice;
        let own = fs::read_to_string(alice.config()).context(alice.config().display())?;
        let before = self.world.bastion_port;
        if port != before {
            let known = fs::read_to_string(alice.known_hosts())?;
            let too = known.replace(
                &format!("[127.0.0.1]:{before}"),
                &format!("[127.0.0.1]:{port}"),
            );
            fs::write(alice.known_hosts(), known + &too)?;
        }
        Ok(own.replace(&format!("Port {before}"), &format!("Port {port}")))
    }
}
