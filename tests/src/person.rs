//! Somebody with a key, an agent, and an ssh configuration of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::Context;
use crate::process::{self, Live, Output, Service};
use crate::{Result, keys, programs};

/// A person of the throw-away world. The account that runs the test is nobody's: the ssh
/// configuration, known hosts and keys are all in this person's own directory.
pub struct Person {
    /// The name, as the configuration has it.
    pub name: String,
    home: PathBuf,
    agent: Service,
}

impl Person {
    /// Makes a directory, a key and an agent that holds the key. The agent's socket lies in the
    /// directory, which has to be short: a socket's path holds 107 bytes.
    pub fn new(name: &str, home: &Path) -> Result<Self> {
        let ssh = home.join(".ssh");
        fs::create_dir_all(&ssh).context(ssh.display())?;
        let key = ssh.join("id_ed25519");
        keys::make(&key, &format!("{name}@laptop"))?;
        let mut command = Command::new(programs::find("ssh-agent")?);
        command.arg("-D").arg("-a").arg(home.join("agent"));
        let agent = Service::start("ssh-agent", &mut command, &home.join("agent.log"))?;
        let person = Self {
            name: name.to_owned(),
            home: home.to_owned(),
            agent,
        };
        person.wait_for_agent(&key)?;
        Ok(person)
    }

    /// The person's private key.
    pub fn key(&self) -> PathBuf {
        self.home.join(".ssh/id_ed25519")
    }

    /// The file that `ssh` reads the person's certificate from.
    pub fn certificate(&self) -> PathBuf {
        keys::certificate(&self.key())
    }

    /// The person's own directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The person's ssh configuration.
    pub fn config(&self) -> PathBuf {
        self.home.join(".ssh/config")
    }

    /// The person's known hosts.
    pub fn known_hosts(&self) -> PathBuf {
        self.home.join(".ssh/known_hosts")
    }

    /// The socket of the person's agent.
    pub fn agent_socket(&self) -> PathBuf {
        self.home.join("agent")
    }

    /// The id of the agent's process.
    pub fn agent_id(&self) -> u32 {
        self.agent.id()
    }

    /// Puts one more key into the person's agent.
    pub fn add_to_agent(&self, key: &Path) -> Result<()> {
        process::run(self.command("ssh-add")?.arg("-q").arg(key))?
            .ok()
            .map(drop)
    }

    /// Writes what `ssh` needs before anything else: the key, the known hosts, and where the CA is.
    pub fn write_config(&self, ca_port: u16, ca_host_key: &str) -> Result<()> {
        let ssh = self.home.join(".ssh");
        let text = format!(
            "Host ca\n    HostName 127.0.0.1\n    Port {ca_port}\n\n\
             Host *\n    IdentityFile {ssh}/id_ed25519\n    IdentitiesOnly yes\n    \
             UserKnownHostsFile {ssh}/known_hosts\n    GlobalKnownHostsFile /dev/null\n    \
             StrictHostKeyChecking yes\n    ConnectTimeout 20\n\n",
            ssh = ssh.display()
        );
        fs::write(self.config(), text).context(self.config().display())?;
        let line = format!("[127.0.0.1]:{ca_port} {ca_host_key}\n");
        fs::write(self.known_hosts(), line).context(self.known_hosts().display())
    }

    /// A program with this person's environment and nothing of ours.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(programs::find(program)?);
        command
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("SSH_AUTH_SOCK", self.agent_socket())
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .current_dir(&self.home);
        Ok(command)
    }

    /// `ssh` with this person's configuration.
    pub fn ssh_command(&self, args: &[&str]) -> Result<Command> {
        let mut command = self.command("ssh")?;
        command.arg("-F").arg(self.config()).args(args);
        Ok(command)
    }

    /// Runs `ssh` to its end, with nothing on standard input.
    pub fn ssh(&self, args: &[&str]) -> Result<Output> {
        process::run(&mut self.ssh_command(args)?)
    }

    /// Runs `ssh` to its end with these bytes on standard input.
    pub fn ssh_with(&self, args: &[&str], input: &[u8]) -> Result<Output> {
        process::run_with(&mut self.ssh_command(args)?, input)
    }

    /// Starts `ssh` and leaves it running.
    pub fn ssh_live(&self, args: &[&str]) -> Result<Live> {
        Live::start(&mut self.ssh_command(args)?)
    }

    /// Saves a certificate where `ssh` looks for it, as `> ~/.ssh/id_ed25519-cert.pub` does.
    pub fn save_certificate(&self, certificate: &[u8]) -> Result<()> {
        let path = self.certificate();
        fs::write(&path, certificate).context(path.display())
    }

    /// The socket appears a moment before the agent listens on it, so that trying is what tells.
    fn wait_for_agent(&self, key: &Path) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            match self.add_to_agent(key) {
                Err(failure) if Instant::now() > end => return Err(failure),
                Err(_) => sleep(Duration::from_millis(10)),
                Ok(()) => return Ok(()),
            }
        }
    }
}
