//! A real `sshd` that trusts the session CA.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::Context;
use crate::process::Service;
use crate::{Failure, Result, keys, ports, programs};

/// A machine that sessions end on.
pub struct Target {
    /// The name, as the inventory has it.
    pub name: String,
    /// The loopback port of its `sshd`.
    pub port: u16,
    directory: PathBuf,
    sshd: Option<Service>,
}

impl Target {
    /// Makes the directory and the host key, and chooses the port. Nothing runs yet.
    pub fn new(name: &str, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory.join("principals")).context(directory.display())?;
        keys::make(&directory.join("host_key"), name)?;
        Ok(Self {
            name: name.to_owned(),
            port: ports::free()?,
            directory: directory.to_owned(),
            sshd: None,
        })
    }

    /// The private host key.
    pub fn host_key(&self) -> PathBuf {
        self.directory.join("host_key")
    }

    /// Starts `sshd`. It lets `login` in with a certificate of `session_ca` (one public key line)
    /// whose principal is `LOGIN@TARGET`, and with nothing else. A host certificate beside the
    /// host key is shown.
    ///
    /// `lines` stand at the very top, where they win over all that follows.
    pub fn start(&mut self, session_ca: &str, login: &str, lines: &str) -> Result<()> {
        prepare_privilege_separation()?;
        let directory = self.directory.display();
        fs::write(
            self.directory.join("session_ca.pub"),
            format!("{session_ca}\n"),
        )?;
        fs::write(
            self.directory.join("principals").join(login),
            format!("{login}@{}\n", self.name),
        )?;
        let certificate = if keys::certificate(&self.host_key()).exists() {
            format!("HostCertificate {directory}/host_key-cert.pub\n")
        } else {
            String::new()
        };
        let config = format!(
            "{lines}\nListenAddress 127.0.0.1:{port}\nHostKey {directory}/host_key\n{certificate}\
             TrustedUserCAKeys {directory}/session_ca.pub\nAuthorizedPrincipalsFile {directory}/principals/%u\n\
             AuthorizedKeysFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nUsePAM no\nStrictModes no\nPidFile none\nPrintMotd no\n\
             PrintLastLog no\nAcceptEnv LANG LC_*\nMaxStartups 200\nMaxSessions 200\n\
             Subsystem sftp internal-sftp\nLogLevel VERBOSE\n",
            port = self.port
        );
        let path = self.directory.join("sshd_config");
        fs::write(&path, config).context(path.display())?;
        // `sshd` re-executes itself for each connection, hence the absolute path.
        let mut command = Command::new(programs::find("sshd")?);
        command
            .arg("-D")
            .arg("-e")
            .arg("-f")
            .arg(&path)
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        let mut sshd = Service::start(
            &format!("sshd of {}", self.name),
            &mut command,
            &self.log_file(),
        )?;
        sshd.wait_port(self.port, Duration::from_secs(10))?;
        self.sshd = Some(sshd);
        Ok(())
    }

    /// Ends `sshd`'s listener with `kill -9`; connections that are open stay open.
    pub fn stop(&mut self) {
        self.sshd = None;
    }

    /// The running `sshd`.
    pub fn sshd(&mut self) -> Result<&mut Service> {
        self.sshd
            .as_mut()
            .ok_or_else(|| Failure::new(format!("{} does not run", self.name)))
    }

    /// The id of the running `sshd`'s process.
    pub fn id(&self) -> Option<u32> {
        self.sshd.as_ref().map(Service::id)
    }

    /// Everything that `sshd` has logged.
    pub fn log(&self) -> String {
        fs::read(self.log_file())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// How many logins `sshd` has accepted so far.
    pub fn logins(&self) -> usize {
        self.log().matches("Accepted publickey for ").count()
    }

    /// Prints the end of the log on standard error.
    pub fn show_log(&self) {
        if let Some(sshd) = &self.sshd {
            sshd.show_log();
        }
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("sshd.log")
    }
}

/// `sshd` as root wants an empty directory for its unprivileged half; a container has none.
fn prepare_privilege_separation() -> Result<()> {
    let directory = Path::new("/run/sshd");
    if programs::login()? == "root" && !directory.exists() {
        fs::create_dir_all(directory).context(directory.display())?;
    }
    Ok(())
}
