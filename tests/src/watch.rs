//! Those who watch a log: another program that reads it, a monitor that remembers it, and witnesses that cosign it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{self, LIMIT, Output, Service};
use crate::world::Setup;
use crate::{Failure, Result, World, keys, ports, programs};

/// Reads a published log with another program, and gives its entries.
pub fn peer(dir: &Path, vkeys: &[&str]) -> Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/tlog.py");
    let mut python = Command::new(programs::find("python3")?);
    process::run(python.arg(script).arg(dir).args(vkeys))
}

/// A path of a world, as an argument.
pub fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// The log's key, as the tools of transparency logs take it.
pub fn vkey(world: &World) -> Result<String> {
    Ok(vkeys(world)?.swap_remove(0))
}

/// The log's keys, the one that signs first.
pub fn vkeys(world: &World) -> Result<Vec<String>> {
    let out = world.hallpass(&["trust", "--note"])?.ok()?.out();
    let keys: Vec<String> = out.lines().map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Failure::new("the log has no key"));
    }
    Ok(keys)
}

/// The published directory of a world.
pub fn out(world: &World) -> PathBuf {
    world.root().join("site/published")
}

/// The lines of the log.
pub fn entries(world: &World) -> Result<String> {
    Ok(fs::read_to_string(world.log().join("entries"))?)
}

/// Copies what is in a directory.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut command = Command::new(programs::find("cp")?);
    process::run(command.arg("-a").arg(from.join(".")).arg(to))?.ok()?;
    Ok(())
}

/// A monitor from now on, and what it says in the end.
pub fn monitor(world: &World, log: &Path) -> Result<Output> {
    let state = world.root().join("seen");
    let trust = world.root().join("trust");
    if !trust.exists() {
        fs::write(&trust, world.hallpass(&["trust"])?.ok()?.stdout)?;
    }
    world.hallpass(&[
        "log",
        "monitor",
        path(log),
        "--state",
        path(&state),
        "--trust",
        path(&trust),
    ])
}

/// Waits until what is published satisfies somebody.
pub fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + LIMIT;
    while !is_so()? {
        if Instant::now() > end {
            return Err(Failure::new(format!("not in time: {what}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A witness of a world's log, and its vkey.
pub struct Witness {
    /// It, running.
    pub service: Service,
    port: u16,
    /// Its key, as others take it.
    pub vkey: String,
}

impl Witness {
    /// Starts one that watches the log of a world.
    pub fn start(world: &World, name: &str, port: u16, key: &Path) -> Result<Self> {
        let mut command = Command::new(programs::hallpass()?);
        command.args(["log", "witness", "--name", name]);
        for key in vkeys(world)? {
            command.args(["--log", &key]);
        }
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.arg("--key").arg(key);
        command
            .arg("--state")
            .arg(world.root().join(format!("{name}.state")));
        command.env("NO_COLOR", "1");
        let log = world.root().join(format!("{name}.log"));
        let mut service = Service::start(name, &mut command, &log)?;
        service.wait_port(port, LIMIT)?;
        let said = fs::read_to_string(&log)?;
        let vkey = said
            .lines()
            .find(|line| line.starts_with(&format!("{name}+")));
        let vkey = vkey.ok_or_else(|| Failure::new(format!("no vkey in {said}")))?;
        Ok(Self {
            service,
            port,
            vkey: vkey.to_owned(),
        })
    }

    /// Asks with curl; gives the body and, behind it, the status.
    pub fn ask(&self, body: &Path, path: &str) -> Result<String> {
        let mut curl = Command::new(programs::find("curl")?);
        curl.args([
            "-sS",
            "-w",
            " %{http_code} %{content_type}",
            "--data-binary",
        ]);
        curl.arg(format!("@{}", body.display()));
        curl.arg(format!("http://127.0.0.1:{}{path}", self.port));
        Ok(process::run(&mut curl)?.ok()?.out())
    }
}

/// The witnesses of a CA, by the names `w1` …; none of them runs yet.
pub struct Witnesses {
    dir: tempfile::TempDir,
    ports: Vec<u16>,
}

impl Witnesses {
    /// Keys and ports for so many.
    pub fn new(count: usize) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let ports = (0..count).map(|_| ports::free());
        let made = Self {
            ports: ports.collect::<Result<_>>()?,
            dir,
        };
        for name in made.names() {
            keys::make(&made.dir.path().join(&name), &name)?;
        }
        Ok(made)
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        (1..=self.ports.len()).map(|n| format!("w{n}")).collect()
    }

    /// A CA that publishes, and needs so many of them.
    pub fn setup(&self, need: usize) -> Result<Setup> {
        let mut extra = format!("[ca.witnesses]\nneed = {need}\n");
        for (name, port) in self.names().iter().zip(&self.ports) {
            let key = keys::public_line(&self.dir.path().join(name))?;
            let table =
                format!("[witness.{name}]\nkey = \"{key}\"\nurl = \"http://127.0.0.1:{port}\"\n");
            extra.push_str(&table);
        }
        Ok(Setup {
            extra,
            ca: "publish = \"published\"".to_owned(),
            ..Setup::default()
        })
    }

    /// Starts one of them.
    pub fn start(&self, world: &World, name: &str) -> Result<Witness> {
        let at = self.names().iter().position(|known| known == name);
        let port = at.and_then(|at| self.ports.get(at)).copied();
        let port = port.ok_or_else(|| Failure::new("no such witness"))?;
        Witness::start(world, name, port, &self.dir.path().join(name))
    }
}
