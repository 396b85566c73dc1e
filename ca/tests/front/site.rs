//! A throw-away CA in this process, and people with real keys, agents and `ssh`.

mod live;
mod person;

use std::fmt::Write as _;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use record::clock::{Clock, SystemClock};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use live::Live;
pub(crate) use person::{Person, add_to};

/// How long anything may take that should take no time.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Where its ports are looked for.
const PORTS: Range<u16> = 30_100..32_700;

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
        new_key(&bastion);
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

/// Waits until something is so.
pub(crate) fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Makes a key of its own, without a passphrase.
pub(crate) fn new_key(path: &Path) {
    keygen(&[
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        path.to_str().unwrap(),
    ]);
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

/// A port on which nothing listens: above those that the tests of the whole system use, and below those that Linux gives to
/// connections, one of which might take it while the CA starts again.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    (0..PORTS.len())
        .map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}
