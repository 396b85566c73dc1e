//! The issuance log for those who watch it: published, read by other tools, cosigned, and missed when it lies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT, Output, Service};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, keys, ports, programs};
use record::clock::{Clock as _, SystemClock};
use record::digest::Digest;
use record::entry::{Entry, Line};
use record::log::Log;
use ssh_key::PrivateKey;

/// Reads a published log with another program, and gives its entries.
fn peer(dir: &Path, vkeys: &[&str]) -> Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/tlog.py");
    let mut python = Command::new(programs::find("python3")?);
    process::run(python.arg(script).arg(dir).args(vkeys))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

fn vkey(world: &World) -> Result<String> {
    let out = world.hallpass(&["trust", "--note"])?.ok()?;
    Ok(out.out().trim().to_owned())
}

/// The published directory of a world.
fn out(world: &World) -> PathBuf {
    world.root().join("site/published")
}

fn entries(world: &World) -> Result<String> {
    Ok(fs::read_to_string(world.log().join("entries"))?)
}

#[test]
fn another_program_reads_what_is_published_and_finds_the_same() -> Result<()> {
    let mut world = World::new()?;
    let at = world.at_web1();
    for _ in 0..3 {
        world.take(&world.alice, &at, &[])?;
    }
    let (dir, key) = (out(&world), vkey(&world)?);
    // Beside the CA, which goes on.
    world.hallpass(&["log", "publish", path(&dir)])?.ok()?;
    let read = peer(&dir, &[&key])?.ok()?.out();
    assert!(read.lines().count() > 5 && entries(&world)?.starts_with(&read));
    // Further, over the first tiles that are full, with the CA stopped in between.
    world.kill_ca();
    many(&world, 260)?;
    world.hallpass(&["log", "publish", path(&dir)])?.ok()?;
    world.hallpass(&["log", "publish", path(&dir)])?.ok()?;
    assert!(peer(&dir, &[&key])?.ok()?.out() == entries(&world)?);
    // What it would not believe.
    let tile = dir.join("tile/0/000");
    let mut bytes = fs::read(&tile)?;
    if let Some(byte) = bytes.get_mut(40) {
        *byte ^= 1;
    }
    fs::write(&tile, bytes)?;
    let found = peer(&dir, &[&key])?.exits(1)?;
    assert!(found.err().contains("a tile of level 0 is not"), "{found}");
    let ours = world.hallpass(&["log", "verify", path(&dir)])?.exits(1)?;
    assert!(
        ours.err().contains("has other hashes than its entries"),
        "{ours}"
    );
    world.end()
}

/// Entries that need nobody: host certificates, by a CA that does not run.
fn more(world: &World, count: usize) -> Result<()> {
    let key = keys::public(&world.db1.host_key());
    for _ in 0..count.div_ceil(2) {
        world
            .hallpass(&["target", "certify", "db1.prod", path(&key)])?
            .ok()?;
    }
    Ok(())
}

/// Entries by the hundred, as starts of a CA that does not run write them.
fn many(world: &World, count: usize) -> Result<()> {
    let wrong = |e: &dyn std::fmt::Display| Failure::new(e.to_string());
    let key = PrivateKey::read_openssh_file(world.ca_key("log")).map_err(|e| wrong(&e))?;
    let mut log = Log::open(&world.log(), key).map_err(|e| wrong(&e))?.log;
    let name = record::log::public_name("127.0.0.1").map_err(|e| wrong(&e))?;
    log.publish_as(name).map_err(|e| wrong(&e))?;
    for n in 0..count {
        let policy = Digest::of(&n.to_be_bytes());
        let line = Line::new(SystemClock::new().wall(), Entry::Start { policy });
        log.append(&line).map_err(|e| wrong(&e))?;
    }
    Ok(())
}

/// A witness of a world's log, and its vkey.
struct Witness {
    service: Service,
    port: u16,
    vkey: String,
}

impl Witness {
    fn start(world: &World, name: &str, port: u16, key: &Path) -> Result<Self> {
        let mut command = Command::new(programs::hallpass()?);
        command.args(["log", "witness", "--name", name, "--log", &vkey(world)?]);
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
    fn ask(&self, body: &Path, path: &str) -> Result<String> {
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

    /// Asks it for the newest note of a log, as one whose last one had `old` entries.
    fn add(&self, world: &World, log: &Path, old: u64) -> Result<String> {
        let note = fs::read_to_string(log.join("checkpoint.note"))?;
        let text = fs::read_to_string(log.join("entries"))?;
        let leaves: Vec<_> = text
            .lines()
            .map(|line| record::tree::leaf_hash(line.as_bytes()))
            .collect();
        let size = usize::try_from(old).unwrap_or(usize::MAX);
        let proof = record::tree::proof::consistency(&leaves, size).unwrap_or_default();
        let body = world.root().join("body");
        fs::write(&body, record::witness::Ask { old, proof, note }.body())?;
        self.ask(&body, "/add-checkpoint")
    }
}

#[test]
fn promise_09_a_witness_speaks_the_protocol_and_cosigns_no_fork() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    world.start_ca()?;
    world.kill_ca();
    let (port, key) = (ports::free()?, world.root().join("w1"));
    keys::make(&key, "w1")?;
    let witness = Witness::start(&world, "w1", port, &key)?;
    let log = world.log();
    let size = |log: &Path| -> Result<u64> {
        let text = fs::read_to_string(log.join("entries"))?;
        Ok(text.lines().count() as u64)
    };
    let first = size(&log)?;
    let line = witness.add(&world, &log, 0)?;
    assert!(
        line.starts_with("\u{2014} w1 ") && line.contains(" 200 "),
        "{line}"
    );

    // A copy of the whole directory, as a backup would be; then the log goes on.
    let backup = world.root().join("backup");
    copy(&log, &backup)?;
    more(&world, 4)?;
    let second = size(&log)?;
    let conflict = witness.add(&world, &log, 0)?;
    assert_eq!(conflict, format!("{first}\n 409 text/x.tlog.size"));
    witness.add(&world, &log, first)?;

    // The backup is put back, and goes another way: an honest-looking log, with its own key.
    let kept = world.root().join("kept");
    copy(&log, &kept)?;
    copy(&backup, &log)?;
    fs::remove_dir_all(world.root().join("site/ca/store"))?;
    let rolled_back = witness.add(&world, &log, first)?;
    assert_eq!(rolled_back, format!("{second}\n 409 text/x.tlog.size"));
    more(&world, 4)?;
    let fork = witness.add(&world, &log, second)?;
    assert!(
        fork.contains("ALARM: the log has signed two trees"),
        "{fork}"
    );
    assert!(fork.contains(" 409 "), "{fork}");
    more(&world, 2)?;
    let fork = witness.add(&world, &log, second)?;
    assert!(
        fork.contains("the proof does not") && fork.contains(" 422 "),
        "{fork}"
    );
    // Killed and started again it has forgotten nothing.
    drop(witness);
    let witness = Witness::start(&world, "w1", port, &key)?;
    let fork = witness.add(&world, &log, second)?;
    assert!(fork.contains(" 422 "), "{fork}");
    witness.service.show_log();
    // What is not a call at all.
    let body = world.root().join("body");
    for (text, path, status) in [
        ("old 0\n", "/add-checkpoint", " 400 "),
        (
            "old 0\n\nother\n1\nAAAA\n\n\u{2014} other AAAAAAAA\n",
            "/add-checkpoint",
            " 404 ",
        ),
        ("old 0\n", "/other", " 404 "),
    ] {
        fs::write(&body, text)?;
        let said = witness.ask(&body, path)?;
        assert!(said.contains(status), "{said}");
    }
    copy(&kept, &log)?;
    fs::remove_dir_all(world.root().join("site/ca/store"))?;
    let again = witness.add(&world, &log, second)?;
    assert!(again.contains(" 200 "), "{again}");
    assert!(witness.vkey.starts_with("w1+"));
    world.end()
}

/// A monitor from now on, and what it says in the end.
fn monitor(world: &World, log: &Path) -> Result<Output> {
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

#[test]
fn promise_09_a_log_from_a_backup_is_found_by_a_monitor_and_not_published() -> Result<()> {
    let mut world = World::new()?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    let (log, dir) = (world.log(), out(&world));
    let site = world.root().join("site/ca");
    let backup = world.root().join("backup");
    world.kill_ca();
    copy(&site, &backup)?;
    world.start_ca()?;
    world.take(&world.alice, &at, &[])?;
    world.hallpass(&["log", "publish", path(&dir)])?.ok()?;
    // By its own directory, or by the published one: it is the same log.
    monitor(&world, &log)?.ok()?.prints("from now on")?;
    monitor(&world, &dir)?.ok()?.prints("nothing new")?;

    // The whole data directory comes from a backup: each file of it agrees with each other.
    world.kill_ca();
    fs::remove_dir_all(&site)?;
    copy(&backup, &site)?;
    let shrunk = monitor(&world, &log)?.exits(1)?;
    assert!(shrunk.err().contains("ALARM: the log shrank"), "{shrunk}");
    let refused = world.hallpass(&["log", "publish", path(&dir)])?.exits(1)?;
    assert!(refused.err().contains("it was rolled back"), "{refused}");
    // It goes on from there, until it is longer than what was seen.
    world.start_ca()?;
    for _ in 0..3 {
        world.take(&world.alice, &at, &[])?;
    }
    let forked = monitor(&world, &log)?.exits(1)?;
    assert!(
        forked.err().contains("ALARM: the log was forked"),
        "{forked}"
    );
    let refused = world.hallpass(&["log", "publish", path(&dir)])?.exits(1)?;
    assert!(refused.err().contains("ALARM"), "{refused}");
    // What was published before is whole.
    peer(&dir, &[&vkey(&world)?])?.ok()?;
    world.end()
}

#[test]
fn a_published_log_is_read_from_a_web_server() -> Result<()> {
    let world = World::new()?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    let dir = out(&world);
    world.hallpass(&["log", "publish", path(&dir)])?.ok()?;
    let port = ports::free()?;
    let mut python = Command::new(programs::find("python3")?);
    python.args([
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        &port.to_string(),
    ]);
    python.current_dir(&dir);
    let mut server = Service::start("web", &mut python, &world.root().join("web.log"))?;
    server.wait_port(port, Duration::from_secs(20))?;
    let url = PathBuf::from(format!("http://127.0.0.1:{port}/"));
    monitor(&world, &url)?.ok()?.prints("from now on")?;
    monitor(&world, &world.log())?.ok()?.prints("nothing new")?;
    let proof = |log: &str| -> Result<String> {
        let trust = world.root().join("trust");
        let args = [
            "log",
            "prove",
            log,
            "--serial",
            "2",
            "--trust",
            path(&trust),
        ];
        Ok(world.hallpass(&args)?.ok()?.out())
    };
    assert_eq!(proof(path(&url))?, proof(path(&world.log()))?);
    let unkept = world.hallpass(&["log", "verify", path(&url)])?.exits(1)?;
    assert!(unkept.err().contains("give --trust FILE"), "{unkept}");
    drop(server);
    let gone = monitor(&world, &url)?.exits(1)?;
    assert!(gone.err().contains("the log cannot be checked"), "{gone}");
    world.end()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut command = Command::new(programs::find("cp")?);
    process::run(command.arg("-a").arg(from.join(".")).arg(to))?.ok()?;
    Ok(())
}

/// The witnesses of a CA, by the names `w1` …; none of them runs yet.
struct Witnesses {
    dir: tempfile::TempDir,
    ports: Vec<u16>,
}

impl Witnesses {
    fn new(count: usize) -> Result<Self> {
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

    fn names(&self) -> Vec<String> {
        (1..=self.ports.len()).map(|n| format!("w{n}")).collect()
    }

    /// A CA that publishes, and needs so many of them.
    fn setup(&self, need: usize) -> Result<Setup> {
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

    fn start(&self, world: &World, name: &str) -> Result<Witness> {
        let at = self.names().iter().position(|known| known == name);
        let port = at.and_then(|at| self.ports.get(at)).copied();
        let port = port.ok_or_else(|| Failure::new("no such witness"))?;
        Witness::start(world, name, port, &self.dir.path().join(name))
    }
}

/// Waits until what is published satisfies somebody.
fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = std::time::Instant::now() + LIMIT;
    while !is_so()? {
        if std::time::Instant::now() > end {
            return Err(Failure::new(format!("not in time: {what}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[test]
fn promise_09_the_ca_publishes_each_batch_by_itself() -> Result<()> {
    let setup = Setup {
        ca: "publish = \"published\"".to_owned(),
        ..Setup::default()
    };
    let mut world = World::with(&setup)?;
    let (dir, key) = (out(&world), vkey(&world)?);
    for _ in 0..3 {
        world.take(&world.alice, &world.at_web1(), &[])?;
    }
    until("everything is published", || {
        let read = peer(&dir, &[&key])?;
        Ok(read.status == 0 && read.out() == entries(&world)?)
    })?;
    // It goes on after a kill, and a directory that cannot be written stops nothing but itself.
    world.kill_ca();
    world.start_ca()?;
    until("it is published after a kill", || {
        let read = peer(&dir, &[&key])?;
        Ok(read.status == 0 && read.out() == entries(&world)?)
    })?;
    world.kill_ca();
    fs::write(dir.join("tile/0/000.p/255"), "x")?;
    fs::remove_dir_all(&dir)?;
    fs::write(&dir, "not a directory")?;
    world.start_ca()?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    world.ca()?.wait_log("the log is not published", LIMIT)?;
    world.end()
}

#[test]
fn promise_09_an_access_certificate_waits_for_its_witnesses() -> Result<()> {
    let witnesses = Witnesses::new(3)?;
    let mut world = World::lay_out(&witnesses.setup(2)?)?;
    let (site, dir) = (world.root().join("site"), out(&world));
    let at = world.at_web1();
    let first = witnesses.start(&world, "w1")?;
    world.start_ca()?;
    let ask = ["ca", "request", &at, "--reason", "INC-42"];
    let mut live = world.alice.ssh_live(&ask)?;
    live.wait_err("waiting for witnesses", LIMIT)?;
    assert!(live.out().is_empty(), "released without witnesses");
    let mut second = witnesses.start(&world, "w2")?;
    let certificate = "ssh-ed25519-cert-v01@openssh.com ";
    live.finish(LIMIT)?.ok()?.prints(certificate)?;
    // What is published carries both cosignatures, for us and for another program.
    let (log, one, two) = (vkey(&world)?, &first.vkey, second.vkey.clone());
    peer(&dir, &[&log, one, &two])?.ok()?;
    let args = [
        "log",
        "verify",
        path(&dir),
        "--witness",
        one,
        "--witness",
        &two,
    ];
    world.hallpass(&args)?.ok()?.prints("cosigned by w1, w2")?;
    let backup = world.root().join("backup");
    copy(&site, &backup)?;

    // One of the two that answer is gone: nothing is released but break-glass.
    second.service.kill()?;
    let db = world.at_db1();
    let glass = ["ca", "request", &db, "--break-glass", "--reason", "INC-42"];
    world.alice.ssh(&glass)?.ok()?.prints(certificate)?;
    let refused = world.alice.ssh(&ask)?.exits(5)?;
    assert!(
        refused.out().is_empty() && refused.err().contains("witnesses"),
        "{refused}"
    );
    let kept = refused.err();
    let (_, id) = kept.rsplit_once("ssh ca collect ").unwrap_or_default();
    let id = id.trim().to_owned();
    let second = witnesses.start(&world, "w2")?;
    until("they cosign again", || {
        let collected = world.alice.ssh(&["ca", "collect", &id])?;
        Ok(collected.status == 0 && collected.out().starts_with(certificate))
    })?;
    world.verify()?.ok()?;

    // The CA's whole directory, what is published included, comes from a backup: the witnesses remember.
    world.kill_ca();
    fs::remove_dir_all(&site)?;
    copy(&backup, &site)?;
    world.start_ca()?;
    let refused = world.alice.ssh(&ask)?.exits(5)?;
    assert!(refused.out().is_empty(), "{refused}");
    world.ca()?.wait_log("ALARM", LIMIT)?;
    drop((first, second));
    world.end()
}

#[test]
fn promise_25_a_stolen_user_ca_key_opens_nothing_and_is_told_once() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let stolen = keys::Certificate {
        id: "hallpass:0000-0000:alice\u{7}",
        principals: &at,
        serial: 2,
        ..keys::Certificate::default()
    };
    keys::certify(&world.ca_key("user"), &world.alice.key(), &stolen)?;
    for _ in 0..3 {
        let refused = world.jump(&[&at, "echo never"])?;
        assert_ne!(refused.status, 0, "{refused}");
        assert!(refused.out().is_empty(), "{refused}");
    }
    assert_eq!(world.web1.logins(), 0, "the target has seen nobody");
    world
        .ca()?
        .wait_log("ALARM: the user CA's key has signed", LIMIT)?;
    // The attempt is an entry, once, for everybody who watches.
    let log = world.log();
    let shown = world.hallpass(&["log", "show", path(&log)])?.ok()?.out();
    let told: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("ALARM"))
        .collect();
    assert_eq!(told.len(), 1, "{shown}");
    let said = told.concat();
    assert!(
        said.contains("serial 2,") && !said.contains('\u{7}'),
        "{said}"
    );
    let json = world
        .hallpass(&["log", "show", "--json", path(&log)])?
        .ok()?
        .out();
    assert_eq!(json.matches("\"stray\":").count(), 1, "{json}");
    world.end()
}

#[test]
fn promise_25_a_stolen_session_ca_key_is_seen_in_the_target_s_log() -> Result<()> {
    let (world, at) = World::on_web1()?;
    world.jump(&[&at, "echo honest"])?.ok()?;
    let sshd = world.root().join("sshd.log");
    let state = world.root().join("seen");
    let log = world.log();
    let watch = || {
        fs::write(&sshd, world.web1.log())?;
        let args = ["log", "monitor", path(&log), "--state", path(&state)];
        world.hallpass(&[&args[..], &["--sshd-log", path(&sshd)]].concat())
    };
    assert_eq!(world.web1.logins(), 1);
    watch()?.ok()?;
    // Whoever has this key enters the target directly: nothing there asks the CA.
    let key = world.root().join("thief");
    keys::make(&key, "thief")?;
    let stolen = keys::Certificate {
        id: "hallpass:forged",
        principals: &at,
        serial: 4,
        ..keys::Certificate::default()
    };
    keys::certify(&world.ca_key("session"), &key, &stolen)?;
    let mut ssh = Command::new(programs::find("ssh")?);
    ssh.args([
        "-F",
        "/dev/null",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "BatchMode=yes",
    ]);
    ssh.args(["-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(&key);
    ssh.args([
        "-l",
        &world.login,
        "-p",
        &world.web1.port.to_string(),
        "127.0.0.1",
        "echo in",
    ]);
    process::run(&mut ssh)?.ok()?.prints("in")?;
    // The monitor finds that login, and only that one.
    let found = watch()?.exits(1)?;
    assert!(
        found.err().contains("ALARM: a target was entered"),
        "{found}"
    );
    assert!(found.err().contains("hallpass:forged"), "{found}");
    assert_eq!(
        found.err().matches("Accepted publickey").count(),
        1,
        "{found}"
    );
    world.end()
}
