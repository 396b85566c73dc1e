//! The issuance log for those who watch it: published, read by other tools, and missed when it lies.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use hallpass_tests::process::{LIMIT, Service};
use hallpass_tests::watch::{copy, entries, monitor, out, path, peer, until, vkey};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, ports, programs};
use record::clock::{Clock as _, SystemClock};
use record::digest::Digest;
use record::entry::{Entry, Line};
use record::log::Log;
use ssh_key::PrivateKey;

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
