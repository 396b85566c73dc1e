//! A throw-away CA in this process, and people with real keys, agents and `ssh`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use record::clock::{Clock, SystemClock};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything may take that should take no time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    pub(crate) alice: Person,
    pub(crate) bob: Person,
    pub(crate) carol: Person,
    pub(crate) bastion: PathBuf,
    pub(crate) port: u16,
    pub(crate) clock: Arc<Stepped>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<Result<(), ca::CaError>>>,
    runtime: Runtime,
    directory: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("hp-").tempdir().unwrap();
        let root = directory.path();
        let port = free_port();
        ca::init_keys(&root.join("ca")).unwrap();
        let identity = fs::read_to_string(root.join("ca/keys/identity.pub")).unwrap();
        let known = format!("[127.0.0.1]:{port} {identity}");
        fs::write(root.join("known_hosts"), known).unwrap();
        let person = |name: &str| Person::new(name, root, port);
        let bastion = root.join("identity");
        keygen(&[
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-f",
            bastion.to_str().unwrap(),
        ]);
        let mut site = Self {
            alice: person("alice"),
            bob: person("bob"),
            carol: person("carol"),
            bastion,
            port,
            clock: Arc::default(),
            stop: None,
            serving: None,
            runtime: Runtime::new().unwrap(),
            directory,
        };
        fs::write(site.config(), site.text()).unwrap();
        site.start();
        site
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("hallpass.toml")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn start(&mut self) {
        let config = config::Config::load(&self.config()).unwrap();
        let (stop, stopped) = oneshot::channel();
        let path = self.config();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let serving = ca::serve_by(clock, path, config, async {
            let _ = stopped.await;
        });
        self.serving = Some(self.runtime.spawn(serving));
        self.stop = Some(stop);
        let end = Instant::now() + SOON;
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.serving.as_ref().unwrap().is_finished() {
                let ended = self.runtime.block_on(self.serving.take().unwrap());
                panic!(
                    "the CA did not start: {:?}",
                    ended.map(|r| r.map_err(|e| e.to_string()))
                );
            }
            assert!(Instant::now() < end, "the CA does not listen");
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            self.runtime.block_on(serving).unwrap().unwrap();
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "[ca]\nrevokers = [\"security\"]\nlisten = \"127.0.0.1:{port}\"\naddress = \"127.0.0.1:{port}\"\ndata = \"ca\"\n\n\
             [bastion.bastion]\nlisten = \"127.0.0.1:2\"\naddress = \"127.0.0.1:2\"\nidentity = \"{bastion}\"\n\n\
             [target.\"db1.prod\"]\naddress = \"127.0.0.1:3\"\nhost = \"ca\"\n\n\
             [target.\"web1.prod\"]\naddress = \"127.0.0.1:4\"\nhost = \"ca\"\n\n",
            port = self.port,
            bastion = public(&self.bastion),
        );
        for (person, groups) in [
            (&self.alice, "\"oncall\""),
            (&self.bob, "\"sre\""),
            (&self.carol, "\"sre\", \"security\""),
        ] {
            let key = public(&person.key());
            let name = &person.name;
            let _ = writeln!(
                text,
                "[person.{name}]\ngroups = [{groups}]\nkeys = [\"{key}\"]\n"
            );
        }
        text + ROLES
    }
}

/// The clocks of the machine, with a time of day that a test can step.
#[derive(Default)]
pub(crate) struct Stepped {
    real: SystemClock,
    ahead_ms: AtomicU64,
}

impl Stepped {
    pub(crate) fn step(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.ahead_ms.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for Stepped {
    fn wall_ms(&self) -> u64 {
        self.real.wall_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic() + Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}

const ROLES: &str = r#"
[role.db-oncall]
groups = ["oncall"]
logins = ["postgres"]
targets = ["db1.prod"]
longest = "30m"
approvals = { count = 1, from = "sre" }
break-glass = true

[role.db-two]
groups = ["oncall"]
logins = ["backup"]
targets = ["db1.prod"]
approvals = { count = 2, from = "sre" }

[role.web-look]
groups = ["oncall"]
logins = ["www"]
targets = ["web1.prod"]
longest = "30m"
approvals = { count = 0 }

[role.web-fix]
groups = ["oncall"]
logins = ["root"]
targets = ["web1.prod"]
approvals = { count = 1, from = "sre" }

[role.web-all]
groups = ["oncall"]
logins = ["root"]
targets = ["web1.prod"]
command = "systemctl restart www"
approvals = { count = 1, from = "sre" }
"#;

pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    agent: Child,
}

impl Person {
    fn new(name: &str, root: &Path, port: u16) -> Self {
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

#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn said(output: Output) -> Said {
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) struct Live {
    pub(crate) child: Child,
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Live {
    pub(crate) fn new(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().unwrap(), &out),
            collect(child.stderr.take().unwrap(), &err),
        ];
        Self {
            child,
            out,
            err,
            readers,
        }
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().unwrap()).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn wait_err(&self, text: &str) {
        until(text, || self.err().contains(text));
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn finish(mut self) -> Said {
        let end = Instant::now() + SOON;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < end, "does not end: {}", self.err());
            thread::sleep(Duration::from_millis(10));
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Said {
            status,
            out: self.out(),
            err: self.err(),
        }
    }
}

fn collect(
    mut from: impl std::io::Read + Send + 'static,
    into: &Arc<Mutex<Vec<u8>>>,
) -> thread::JoinHandle<()> {
    let into = Arc::clone(into);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    })
}

/// Adds a key to an agent that may not listen yet.
pub(crate) fn add_to(add: &mut Command) {
    let end = Instant::now() + SOON;
    while !add.stderr(Stdio::null()).status().unwrap().success() {
        assert!(Instant::now() < end, "no agent");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn keygen(args: &[&str]) -> String {
    let output = Command::new("ssh-keygen")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The public half of a key, without its comment.
pub(crate) fn public(key: &Path) -> String {
    let mut path = key.as_os_str().to_owned();
    path.push(".pub");
    let text = fs::read_to_string(path).unwrap();
    text.split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
