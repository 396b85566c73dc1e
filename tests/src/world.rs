//! A certificate authority, a bastion, two targets and three people.

mod configuration;
mod recordings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::failure::Context;
use crate::process::{self, Output, Service};
use crate::target::Target;
use crate::{Person, Result, keys, ports, programs};

/// How long a program may take until it listens.
const START: Duration = process::LIMIT;

/// What a world has beside the usual, as TOML for the end of its configuration.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// More tables: people, targets, roles. `LOGIN` stands for the account that can log in.
    pub extra: String,
    /// Lines for the top of each target's `sshd_config`.
    pub sshd: String,
    /// Another account than the one that runs this; then nobody can go in.
    pub login: Option<String>,
    /// Lines for `[ca]`.
    pub ca: String,
    /// Lines for `[role.web-look]`, by which Alice goes to `web1.prod`.
    pub look: String,
}

/// The throw-away world. Everything in it ends when it is dropped; its directory goes too.
///
/// Alice is on call; Bob and Carol are in `sre`, and Carol in `security` as well. The target `db1.prod`
/// shows a host certificate, `web1.prod` a pinned key.
pub struct World {
    /// On call: may ask for both targets.
    pub alice: Person,
    /// Approves; and may look at the database's disk without being asked.
    pub bob: Person,
    /// Approves too.
    pub carol: Person,
    /// `db1.prod`, with a host certificate.
    pub db1: Target,
    /// `web1.prod`, with a pinned host key.
    pub web1: Target,
    /// The account that can log in on both: the one that runs the tests.
    pub login: String,
    /// Where the CA listens.
    pub ca_port: u16,
    /// Where the bastion listens.
    pub bastion_port: u16,
    ca: Option<Service>,
    bastion: Option<Service>,
    ended: bool,
    /// What our programs find in their environment.
    env: Vec<(String, String)>,
    directory: TempDir,
}

impl World {
    /// The usual world, running.
    pub fn new() -> Result<Self> {
        Self::with(&Setup::default())
    }

    /// A world with something more in its configuration, running.
    pub fn with(setup: &Setup) -> Result<Self> {
        let mut world = Self::lay_out(setup)?;
        world.start_ca()?;
        world.start_bastion()?;
        for person in [&world.alice, &world.bob, &world.carol] {
            world.introduce(person)?;
        }
        Ok(world)
    }

    /// The world's files, with the targets running, but neither the CA nor the bastion.
    pub fn lay_out(setup: &Setup) -> Result<Self> {
        // Short, because sockets of agents lie below it.
        let directory = tempfile::Builder::new().prefix("hp-").tempdir()?;
        let root = directory.path();
        process::run(
            Command::new(programs::hallpass()?)
                .arg("init")
                .arg(root.join("site")),
        )?
        .ok()?;
        let mut world = Self {
            alice: Person::new("alice", &root.join("alice"))?,
            bob: Person::new("bob", &root.join("bob"))?,
            carol: Person::new("carol", &root.join("carol"))?,
            db1: Target::new("db1.prod", &root.join("db1"))?,
            web1: Target::new("web1.prod", &root.join("web1"))?,
            login: setup.login.clone().map_or_else(programs::login, Ok)?,
            ca_port: ports::free()?,
            bastion_port: ports::free()?,
            ca: None,
            bastion: None,
            ended: false,
            env: Vec::new(),
            directory,
        };
        fs::write(world.config(), world.configuration(setup)?).context(world.config().display())?;
        world.hallpass(&["check"])?.ok()?;
        world.start_targets(&setup.sshd)?;
        for person in [&world.alice, &world.bob, &world.carol] {
            person.write_config(world.ca_port, &world.public_of("identity")?)?;
        }
        Ok(world)
    }

    /// The directory that everything lies in.
    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// The site's `hallpass.toml`.
    pub fn config(&self) -> PathBuf {
        self.root().join("site/hallpass.toml")
    }

    /// One of the CA's private keys: `user`, `session`, `host`, `door`, `log` or `identity`.
    pub fn ca_key(&self, name: &str) -> PathBuf {
        self.root().join("site/ca/keys").join(name)
    }

    /// The bastion's private identity key.
    pub fn bastion_key(&self) -> PathBuf {
        self.root().join("site/bastion/identity")
    }

    /// The directory of the bastion's recordings.
    pub fn recordings(&self) -> PathBuf {
        self.root().join("site/bastion/recordings")
    }

    /// The directory of the issuance log.
    pub fn log(&self) -> PathBuf {
        self.root().join("site/ca/log")
    }

    /// The public half of one of the CA's keys, as one line.
    pub fn public_of(&self, name: &str) -> Result<String> {
        public_half(&self.ca_key(name))
    }

    /// Starts `hallpass ca`, and waits until it listens.
    pub fn start_ca(&mut self) -> Result<()> {
        let mut service = self.service("ca", &[])?;
        service.wait_port(self.ca_port, START)?;
        self.ca = Some(service);
        Ok(())
    }

    /// Starts `hallpass bastion`, and waits until it listens.
    pub fn start_bastion(&mut self) -> Result<()> {
        let mut service = self.service("bastion", &[])?;
        service.wait_port(self.bastion_port, START)?;
        self.bastion = Some(service);
        Ok(())
    }

    /// Starts a program of the site under `wrapper` (such as `strace`), without waiting for it.
    pub fn service(&self, program: &str, wrapper: &[&str]) -> Result<Service> {
        let hallpass = programs::hallpass()?;
        let mut command = match wrapper {
            [] => Command::new(hallpass),
            [first, rest @ ..] => {
                let mut command = Command::new(programs::find(first)?);
                command.args(rest).arg(hallpass);
                command
            }
        };
        command
            .arg(program)
            .arg("--config")
            .arg(self.config())
            .env("NO_COLOR", "1")
            .envs(self.env.iter().cloned());
        Service::start(
            program,
            &mut command,
            &self.root().join(format!("{program}.log")),
        )
    }

    /// From now on our programs find this in their environment.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// The running CA.
    pub fn ca(&mut self) -> Result<&mut Service> {
        self.ca
            .as_mut()
            .ok_or_else(|| crate::Failure::new("the CA does not run"))
    }

    /// The running bastion.
    pub fn bastion(&mut self) -> Result<&mut Service> {
        self.bastion
            .as_mut()
            .ok_or_else(|| crate::Failure::new("the bastion does not run"))
    }

    /// Ends the CA with `kill -9`.
    pub fn kill_ca(&mut self) {
        self.ca = None;
    }

    /// Ends the bastion with `kill -9`.
    pub fn kill_bastion(&mut self) {
        self.bastion = None;
    }

    /// Runs `hallpass` with this site's configuration: the subcommand first, then its arguments.
    pub fn hallpass(&self, args: &[&str]) -> Result<Output> {
        process::run(&mut self.hallpass_command(args)?)
    }

    /// `hallpass` with this site's configuration, not yet run.
    pub fn hallpass_command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(programs::hallpass()?);
        command
            .args(args)
            .arg("--config")
            .arg(self.config())
            .env("NO_COLOR", "1")
            .envs(self.env.iter().cloned())
            .current_dir(self.root());
        Ok(command)
    }

    /// Gives a person the lines that `ssh ca ssh-config` prints: those of known hosts go there, the
    /// rest into the ssh configuration.
    pub fn introduce(&self, person: &Person) -> Result<()> {
        let printed = person.ssh(&["ca", "ssh-config"])?.ok()?.out();
        let known = |line: &&str| line.starts_with("@cert-authority ") || line.starts_with('[');
        let (hosts, config): (Vec<&str>, Vec<&str>) = printed.lines().partition(known);
        append(&person.known_hosts(), &hosts)?;
        append(&person.config(), &config)
    }

    /// `LOGIN@db1.prod` for the account that can log in.
    pub fn at_db1(&self) -> String {
        format!("{}@db1.prod", self.login)
    }

    /// `LOGIN@web1.prod` for the account that can log in.
    pub fn at_web1(&self) -> String {
        format!("{}@web1.prod", self.login)
    }

    /// The whole check over everything that was written: the issuance log and all recordings.
    pub fn verify(&self) -> Result<Output> {
        let recordings = self.recordings();
        let log = self.log();
        let mut paths: Vec<&str> = Vec::new();
        for path in [&log, &recordings] {
            if path.exists() {
                paths.push(path.to_str().unwrap_or_default());
            }
        }
        let args: Vec<&str> = std::iter::once("verify").chain(paths).collect();
        self.hallpass(&args)
    }

    /// The end of a test: the whole check must pass, and the logs hold nothing but printable lines. A
    /// world that is dropped without this shows its logs.
    pub fn end(mut self) -> Result<()> {
        self.verify()?.ok()?;
        for program in ["ca.log", "bastion.log"] {
            let log = fs::read_to_string(self.root().join(program)).unwrap_or_default();
            let raw =
                |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
            if let Some(line) = log.lines().find(|line| line.contains(raw)) {
                return Err(crate::Failure::new(format!(
                    "unescaped in {program}: {line:?}"
                )));
            }
        }
        self.ended = true;
        Ok(())
    }

    /// The end of a test that damaged what the check reads.
    pub fn end_damaged(mut self) {
        self.ended = true;
    }

    /// The ids of everything that runs in this world.
    pub fn process_ids(&self) -> Vec<u32> {
        let services = [&self.ca, &self.bastion]
            .into_iter()
            .flatten()
            .map(Service::id);
        let agents = [&self.alice, &self.bob, &self.carol].map(Person::agent_id);
        let targets = [&self.db1, &self.web1].into_iter().filter_map(Target::id);
        services.chain(agents).chain(targets).collect()
    }

    /// Leaves the directory in place when this is dropped.
    pub fn keep(&mut self) {
        self.directory.disable_cleanup(true);
        self.ended = true;
    }

    fn start_targets(&mut self, lines: &str) -> Result<()> {
        let session_ca = self.public_of("session")?;
        let host_key = keys::public(&self.db1.host_key());
        let host_key = host_key.to_str().unwrap_or_default();
        let certified = self
            .hallpass(&["target", "certify", "db1.prod", host_key])?
            .ok()?;
        fs::write(keys::certificate(&self.db1.host_key()), certified.stdout)?;
        self.db1.start(&session_ca, &self.login, lines)?;
        self.web1.start(&session_ca, &self.login, lines)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.ended && !thread::panicking() {
            return;
        }
        for service in [&self.ca, &self.bastion].into_iter().flatten() {
            service.show_log();
        }
        self.db1.show_log();
        self.web1.show_log();
    }
}

fn public_half(private: &Path) -> Result<String> {
    let mut command = Command::new(programs::find("ssh-keygen")?);
    Ok(process::run(command.arg("-y").arg("-f").arg(private))?
        .ok()?
        .out()
        .trim()
        .to_owned())
}

fn append(path: &Path, lines: &[&str]) -> Result<()> {
    let mut text = fs::read_to_string(path).context(path.display())?;
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    fs::write(path, text).context(path.display())
}
