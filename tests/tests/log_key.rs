//! The log's key follows another one, while people are inside, a target sleeps, and a witness and a monitor watch who know
//! the old key only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::watch::{Witness, Witnesses, out, path, peer, until, vkeys};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, keys, programs};
use serde_json::Value;

/// Tells the CA to read its keys again, and waits until the log says so.
fn reload(world: &mut World, standings: &[&str]) -> Result<()> {
    world.ca()?.signal("HUP")?;
    let end = Instant::now() + LIMIT;
    loop {
        let out = world.hallpass(&["keys", "list", "--json"])?.ok()?.out();
        let rows = out
            .lines()
            .filter_map(|row| serde_json::from_str::<Value>(row).ok());
        let own = rows.filter(|row| row.get("name").is_some_and(|name| name == "log"));
        let now: Vec<Value> = own.filter_map(|row| row.get("standing").cloned()).collect();
        if now == standings {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(Failure::new(format!(
                "log stands {now:?}, not {standings:?}"
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Somebody who was given the log's key once, and remembers what they saw.
struct Watcher {
    trust: PathBuf,
    state: PathBuf,
}

impl Watcher {
    fn new(world: &World, name: &str) -> Result<Self> {
        let at = |end: &str| world.root().join(format!("{name}.{end}"));
        let (trust, state) = (at("trust"), at("seen"));
        fs::write(&trust, world.hallpass(&["trust"])?.ok()?.stdout)?;
        Ok(Self { trust, state })
    }

    fn monitor(&self, world: &World, log: &Path) -> Result<Output> {
        let (state, trust) = (path(&self.state), path(&self.trust));
        world.hallpass(&[
            "log",
            "monitor",
            path(log),
            "--state",
            state,
            "--trust",
            trust,
        ])
    }

    fn verify(&self, world: &World) -> Result<Output> {
        let (log, recordings) = (world.log(), world.recordings());
        let paths = [path(&log), path(&recordings)];
        world.hallpass(&["verify", paths[0], paths[1], "--trust", path(&self.trust)])
    }

    /// Everything that it can check, it believes; and says what key there is now, if it is another one.
    fn believes(&self, world: &World, says_new: bool) -> Result<()> {
        self.monitor(world, &world.log())?.ok()?;
        self.monitor(world, &out(world))?.ok()?;
        self.verify(world)?.ok()?;
        let (log, trust) = (world.log(), path(&self.trust));
        let said = world.hallpass(&["log", "verify", path(&log), "--trust", trust])?;
        let said = said.ok()?.out();
        assert_eq!(
            said.contains("the log's key is SHA256:"),
            says_new,
            "{said}"
        );
        Ok(())
    }
}

/// The target `web1.prod` as it keeps itself up to date.
struct Synced(PathBuf);

impl Synced {
    /// Sets it up as an administrator does, with the script that `hallpass target setup` prints.
    fn new(world: &World) -> Result<Self> {
        let etc = world.root().join("etc");
        fs::create_dir(&etc)?;
        let key = world.web1.host_key();
        for (from, to) in [
            (key.clone(), "ssh_host_ed25519_key"),
            (keys::public(&key), "ssh_host_ed25519_key.pub"),
        ] {
            fs::copy(from, etc.join(to))?;
        }
        let args = ["target", "setup", "web1.prod", "--etc", path(&etc)];
        let script = world.hallpass(&args)?.ok()?.stdout;
        process::run_with(&mut Command::new(programs::find("sh")?), &script)?.ok()?;
        Ok(Self(etc))
    }

    fn sync(&self) -> Result<Output> {
        let mut command = Command::new(programs::hallpass()?);
        process::run(command.args(["target", "sync", "--etc"]).arg(&self.0))
    }
}

/// The list of what targets refuse, and the CA's signature over it, by the keys that `hallpass trust` lists.
fn krl_is_signed(world: &World) -> Result<()> {
    let at = |name: &str| world.root().join(name);
    fs::write(at("signers"), world.hallpass(&["trust"])?.ok()?.stdout)?;
    let signature = world.bob.ssh(&["ca", "krl", "--signature"])?.ok()?.stdout;
    fs::write(at("krl.sig"), signature)?;
    let mut command = Command::new(programs::find("ssh-keygen")?);
    command.args(["-Y", "verify", "-I", "log", "-n", "krl@hallpass", "-f"]);
    command.arg(at("signers")).arg("-s").arg(at("krl.sig"));
    let list = world.bob.ssh(&["ca", "krl"])?.ok()?.stdout;
    process::run_with(&mut command, &list)?.ok().map(drop)
}

/// Waits until what is published is what the log has, and another program reads it by these keys.
fn published(world: &World, args: &[&str]) -> Result<()> {
    until("the newest entries are published", || {
        let read = peer(&out(world), args)?;
        Ok(read.status == 0 && read.out() == fs::read_to_string(world.log().join("entries"))?)
    })
}

#[test]
fn the_log_s_key_follows_another_one_and_nobody_takes_it_on_trust() -> Result<()> {
    let mut world = World::with(&Setup {
        ca: "publish = \"published\"".to_owned(),
        extra: "[report]\nauditors = [\"security\"]\n".to_owned(),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    world.jump(&[&at, "echo before"])?.ok()?;
    let old = Watcher::new(&world, "old")?;
    let (awake, asleep) = (Synced::new(&world)?, world.root().join("asleep"));
    awake.sync()?.ok()?;
    hallpass_tests::watch::copy(&awake.0, &asleep)?;
    let asleep = Synced(asleep);
    let first = vkeys(&world)?.remove(0);
    published(&world, &[&first])?;
    old.believes(&world, false)?;
    let mut inside = world.alice.ssh_live(&["-tt", "-J", "bastion", &at])?;
    inside.send("echo \"be$((1))fore\"\n")?;
    inside.wait_out("be1fore", LIMIT)?;

    // Announced, and listed everywhere; it signs nothing yet.
    world.hallpass(&["keys", "switch", "log"])?.exits(1)?;
    world
        .hallpass(&["keys", "rotate", "log"])?
        .ok()?
        .prints("hallpass trust --note")?;
    reload(&mut world, &["current", "announced"])?;
    let both = vkeys(&world)?;
    assert_eq!((both.len(), &both[0]), (2, &first));
    published(&world, &[&first])?;
    peer(&out(&world), &[&both[1]])?.exits(1)?;
    old.believes(&world, false)?;
    awake.sync()?.ok()?;

    // The new one signs, and the old one vouches for it. Between the two steps everything goes on.
    world.hallpass(&["keys", "switch", "log"])?.ok()?;
    old.believes(&world, false)?;
    reload(&mut world, &["old", "current"])?;
    let shown = world
        .hallpass(&["log", "show", path(&world.log())])?
        .ok()?
        .out();
    let vouched = "current, vouched for by the one before";
    assert_eq!(shown.matches(vouched).count(), 1, "{shown}");
    let second = vkeys(&world)?.remove(0);
    assert_eq!(second, both[1]);
    let new = Watcher::new(&world, "new")?;
    world.take(&world.alice, &at, &[])?;
    inside.send("echo \"af$((1))ter\"\n")?;
    inside.wait_out("af1ter", LIMIT)?;
    inside.send("exit 0\n")?;
    inside.finish(LIMIT)?.ok()?;
    world.jump(&[&at, "echo after"])?.ok()?.prints("after\n")?;
    world.wait_finished(3, LIMIT)?;
    published(&world, &[&first, &second])?;
    published(&world, &["--follow", &first])?;
    old.believes(&world, true)?;
    new.believes(&world, false)?;
    krl_is_signed(&world)?;
    world.carol.ssh(&["ca", "report"])?.ok()?;
    awake.sync()?.ok()?;

    // Retired, it signs nothing more, and still leads to the new one.
    world.hallpass(&["keys", "retire", "log"])?.ok()?;
    reload(&mut world, &["retired", "current"])?;
    world.kill_ca();
    world.start_ca()?;
    world.take(&world.alice, &at, &[])?;
    assert_eq!(vkeys(&world)?, std::slice::from_ref(&second));
    published(&world, &[&second])?;
    peer(&out(&world), &[&first])?.exits(1)?;
    published(&world, &["--follow", &first])?;
    old.believes(&world, true)?;
    krl_is_signed(&world)?;
    awake.sync()?.ok()?;
    asleep.sync()?.ok()?;
    world.end()
}

#[test]
fn a_log_key_that_the_old_one_did_not_sign_is_refused_and_named() -> Result<()> {
    let mut world = World::new()?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    let old = Watcher::new(&world, "old")?;
    let (key, kept) = (world.ca_key("log"), world.root().join("kept"));
    fs::copy(&key, &kept)?;
    let strange = world.root().join("strange");
    keys::make(&strange, "strange")?;
    // Exchanged by hand while the CA runs, and at its next start.
    fs::copy(&strange, &key)?;
    world.ca()?.signal("HUP")?;
    world
        .ca()?
        .wait_log("it was not announced before it signs", LIMIT)?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    world.kill_ca();
    let refused = world.hallpass(&["ca"])?.exits(1)?;
    assert!(
        refused.err().contains("to which none of those leads"),
        "{refused}"
    );
    fs::copy(&kept, &key)?;
    world.start_ca()?;
    old.monitor(&world, &world.log())?.ok()?;
    world.end()
}

#[test]
fn a_witness_goes_on_while_notes_are_signed_by_both_keys() -> Result<()> {
    let witnesses = Witnesses::new(1)?;
    let mut world = World::lay_out(&witnesses.setup(1)?)?;
    let first = vkeys(&world)?.remove(0);
    let mut witness = witnesses.start(&world, "w1")?;
    world.start_ca()?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    for (step, standings) in [
        ("rotate", ["current", "announced"]),
        ("switch", ["old", "current"]),
    ] {
        world.hallpass(&["keys", step, "log"])?.ok()?;
        reload(&mut world, &standings)?;
        // It knows the first key only.
        world.take(&world.alice, &at, &[])?;
    }
    // Given the new one as well, it goes on when the old one signs no more; without it, nothing would be released.
    let known = vkeys(&world)?;
    assert_eq!((known.len(), &known[1]), (2, &first));
    world.hallpass(&["keys", "retire", "log"])?.ok()?;
    reload(&mut world, &["retired", "current"])?;
    let ask = ["ca", "request", &at, "--reason", "INC-42"];
    let refused = world.alice.ssh(&ask)?.exits(5)?;
    assert!(refused.err().contains("witnesses"), "{refused}");
    witness.service.kill()?;
    drop(witness);
    let _again: Witness = witnesses.start(&world, "w1")?;
    until("the witness cosigns under the new key", || {
        Ok(world.alice.ssh(&ask)?.status == 0)
    })?;
    world.end()
}
