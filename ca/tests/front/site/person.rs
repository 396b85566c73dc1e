//! Somebody with a key, an agent and an ssh configuration.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::live::{Live, Said, said};
use super::{SOON, keygen};

pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    agent: Child,
}

impl Person {
    pub(super) fn new(name: &str, root: &Path, port: u16) -> Self {
        let home = root.join(name);
        fs::create_dir(&home).unwrap();
        let key = home.join("id_ed25519");
        keygen(&[
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            name,
            "-f",
            key.to_str().unwrap(),
        ]);
        let config = format!(
            "Host ca\n  HostName 127.0.0.1\n  Port {port}\nHost *\n  User anything\n  IdentityFile {}\n  \
             IdentitiesOnly yes\n  BatchMode yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n  LogLevel ERROR\n",
            key.display(),
            root.join("known_hosts").display(),
        );
        fs::write(home.join("config"), config).unwrap();
        let agent = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(home.join("agent"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let person = Self {
            name: name.to_owned(),
            home,
            agent,
        };
        person.add(&key);
        person
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.home.join("id_ed25519")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.home.join("id_ed25519-cert.pub")
    }

    pub(crate) fn add(&self, key: &Path) {
        add_to(
            self.program("ssh-add")
                .env("SSH_AUTH_SOCK", self.home.join("agent"))
                .arg("-q")
                .arg(key),
        );
    }

    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("TERM", "xterm")
            .env("SSH_AUTH_SOCK", self.home.join("agent"))
            .current_dir(&self.home);
        command
    }

    pub(crate) fn ssh(&self, args: &[&str]) -> Command {
        let mut command = self.program("ssh");
        command.arg("-F").arg(self.home.join("config")).args(args);
        command
    }

    /// Runs `ssh ca …` to its end.
    pub(crate) fn ca(&self, args: &[&str]) -> Said {
        let mut all = vec!["ca"];
        all.extend(args);
        said(self.ssh(&all).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs `ssh ARGS…` to its end with something on standard input.
    pub(crate) fn with(&self, args: &[&str], input: &[u8]) -> Said {
        let mut child = self
            .ssh(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        said(output)
    }

    /// Starts `ssh ARGS…` and leaves it running.
    pub(crate) fn live(&self, args: &[&str]) -> Live {
        Live::new(&mut self.ssh(args))
    }

    /// Asks for access without waiting; the request's identifier.
    pub(crate) fn ask(&self, access: &str) -> String {
        let said = self.ca(&["request", access, "--reason", "INC-42 stuck", "--no-wait"]);
        assert_eq!(said.status, 0, "{said:?}");
        said.out.trim().to_owned()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

/// Adds a key to an agent that may not listen yet.
pub(crate) fn add_to(add: &mut Command) {
    let end = Instant::now() + SOON;
    while !add.stderr(Stdio::null()).status().unwrap().success() {
        assert!(Instant::now() < end, "no agent");
        thread::sleep(Duration::from_millis(10));
    }
}
