//! A machine that nobody has set up, and that joins with a token.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::keys::Certificate;
use crate::process::{self, Output};
use crate::target::Target;
use crate::world::Setup;
use crate::{Failure, Result, World, keys, programs};

/// `new1.prod`: in the inventory, and nobody has set it up.
pub struct Fresh {
    /// The world around it. Carol makes tokens and shuts out.
    pub world: World,
    /// The machine.
    pub target: Target,
    /// What it keeps beside its `sshd`.
    pub directory: tempfile::TempDir,
}

impl Fresh {
    /// The world and the machine.
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hp-").tempdir()?;
        let target = Target::new("new1.prod", &directory.path().join("new1"))?;
        let extra = format!(
            "[target.\"new1.prod\"]\naddress = \"127.0.0.1:{}\"\nhost = \"ca\"\n\n\
             [target.\"new2.prod\"]\naddress = \"127.0.0.1:1\"\nhost = \"ca\"\n\n\
             [role.new-look]\ngroups = [\"oncall\"]\nlogins = [\"LOGIN\"]\ntargets = [\"new1.prod\", \"new2.prod\"]\n\
             longest = \"30m\"\napprovals = {{ count = 0 }}\n",
            target.port
        );
        let ca = "revokers = [\"security\"]\nenrollers = [\"security\"]\n".to_owned();
        let world = World::with(&Setup {
            extra,
            ca,
            ..Setup::default()
        })?;
        Ok(Self {
            world,
            target,
            directory,
        })
    }

    /// And it has joined, with its `sshd` running.
    pub fn joined() -> Result<Self> {
        let mut fresh = Self::new()?;
        let token = fresh.token("new1.prod")?;
        fresh.join("new1.prod", Some(&token))?.ok()?;
        fresh.start()?;
        Ok(fresh)
    }

    /// The directory of its sshd configuration.
    pub fn etc(&self) -> PathBuf {
        self.directory.path().join("etc")
    }

    /// What its sshd refuses.
    pub fn revoked(&self) -> PathBuf {
        self.etc().join("hallpass/revoked")
    }

    /// Who may log in on it.
    pub fn at(&self) -> String {
        format!("{}@new1.prod", self.world.login)
    }

    /// A join token for this target.
    pub fn token(&self, target: &str) -> Result<String> {
        let made = self.world.carol.ssh(&["ca", "token", target])?.ok()?;
        Ok(made.out().trim().to_owned())
    }

    /// What joins as this target, with this key.
    pub fn join_command(&self, name: &str, token: Option<&str>, key: &Path) -> Result<Command> {
        let ca = format!("127.0.0.1:{}", self.world.ca_port);
        let pin = fingerprint(&self.world.public_of("identity")?)?;
        let mut command = Command::new(programs::hallpass()?);
        command
            .args(["target", "join", name, "--units", "", "--ca", &ca])
            .args(["--ca-key", &pin, "--etc"])
            .arg(self.etc())
            .arg("--host-key")
            .arg(key);
        if let Some(token) = token {
            command.args(["--token", token]);
        }
        Ok(command)
    }

    /// Joins with the machine's own key.
    pub fn join(&self, name: &str, token: Option<&str>) -> Result<Output> {
        process::run(&mut self.join_command(name, token, &self.target.host_key())?)
    }

    /// What its timer runs.
    pub fn sync_command(&self) -> Result<Command> {
        let mut command = Command::new(programs::hallpass()?);
        command.args(["target", "sync", "--etc"]).arg(self.etc());
        Ok(command)
    }

    /// Runs it.
    pub fn sync(&self) -> Result<Output> {
        process::run(&mut self.sync_command()?)
    }

    /// Starts `sshd` with what the join has written, and nothing else that lets anybody in.
    pub fn start(&mut self) -> Result<()> {
        let include = format!("Include {}/sshd_config.d/*.conf", self.etc().display());
        let nobody = self.world.public_of("door")?;
        self.target.start(&nobody, &self.world.login, &include)
    }

    /// Logs in at the target itself, with a certificate that is made by hand with the session CA's key.
    pub fn steal(&self, serial: u64) -> Result<Output> {
        let subject = self.directory.path().join("stolen");
        if !subject.exists() {
            keys::make(&subject, "stolen")?;
        }
        let principals = self.at();
        let fields = Certificate {
            serial,
            principals: &principals,
            ..Certificate::default()
        };
        keys::certify(&self.world.ca_key("session"), &subject, &fields)?;
        let mut command = Command::new(programs::find("ssh")?);
        command
            .args(["-F", "/dev/null", "-o", "IdentitiesOnly=yes"])
            .args(["-o", "BatchMode=yes", "-o", "IdentityAgent=none"])
            .args(["-o", "StrictHostKeyChecking=no"])
            .args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
            .arg(&subject)
            .args(["-l", &self.world.login, "-p"])
            .args([&self.target.port.to_string(), "127.0.0.1", "echo in"]);
        process::run(&mut command)
    }

    /// The certificate of the target, as `ssh-keygen -L` shows it.
    pub fn certificate(&self) -> Result<String> {
        keys::show(&keys::certificate(&self.target.host_key()))
    }
}

/// The fingerprint of a public key's one line.
pub fn fingerprint(line: &str) -> Result<String> {
    let mut command = Command::new(programs::find("ssh-keygen")?);
    let line = format!("{}\n", line.trim());
    let printed = process::run_with(command.args(["-l", "-f", "-"]), line.as_bytes())?
        .ok()?
        .out();
    let fingerprint = printed.split_whitespace().nth(1);
    let fingerprint = fingerprint.ok_or_else(|| Failure::new(printed.clone()))?;
    Ok(fingerprint.to_owned())
}
