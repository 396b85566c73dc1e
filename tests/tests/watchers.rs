//! Those who look on: one who takes nothing, terminals of other sizes, and sessions whose recordings nobody here can open.

use std::fs;
use std::path::Path;
use std::process::Command;

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::{Output, Result, World, keys, programs};

/// A reviewer and a session by paramiko, which has a window as small as it is told and takes nothing from it.
fn looks_on(world: &World, what: &str) -> Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/watch.py");
    let mut python = Command::new(programs::find("/usr/bin/python3")?);
    python
        .arg(script)
        .arg(world.bastion_port.to_string())
        .arg(format!("{}%web1.prod", world.login))
        .args([world.alice.key(), world.bob.key()])
        .arg(what);
    Live::start(&mut python)?.finish(LIMIT * 2)?.ok()
}

#[test]
fn who_does_not_take_what_is_shown_is_let_go_and_costs_the_session_nothing() -> Result<()> {
    let world = World::reviewed("")?;
    let said = looks_on(&world, "slow")?;
    eprintln!("{}", said.out());
    said.prints("dropped after")?;
    world.first_recording(LIMIT)?;
    world.end()
}

#[test]
fn another_size_of_either_terminal_is_seen_at_once() -> Result<()> {
    let world = World::reviewed("")?;
    looks_on(&world, "resized")?.prints("as it is")?;
    world.first_recording(LIMIT)?;
    world.end()
}

#[test]
fn a_sealed_session_is_watched_while_it_runs_and_read_by_its_recipients_alone() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let key = dir.path().join("auditor");
    keys::make(&key, "auditor")?;
    let recipient = keys::public_line(&key)?;
    let world = World::reviewed(&format!("[recordings]\nrecipients = [\"{recipient}\"]\n"))?;
    let say = "stty -echo; echo started; read x; printf 'quux-%s-zyzzy\\n' 4711; read x";
    let (mut session, id) = world.running(&["-tt"], say)?;
    let mut watcher = world
        .bob
        .ssh_live(&["-tt", "review@bastion", "watch", &id])?;
    watcher.wait_out("q leaves", LIMIT)?;
    session.send("go\n")?;
    watcher.wait_out("quux-4711-zyzzy", LIMIT)?;
    // What is on the disk meanwhile nobody reads, not even who watches it.
    let cat = world.bob.ssh(&["review@bastion", "cat", &id])?;
    assert!(!cat.out().contains("zyzzy"), "{cat}");
    assert_ne!(cat.status, 0, "{cat}");
    session.send("end\n")?;
    session.finish(LIMIT)?.ok()?;
    watcher.finish(LIMIT)?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    let raw = fs::read(&recording)?;
    let stands = |bytes: &[u8]| bytes.windows(5).any(|part| part == b"zyzzy");
    assert!(!stands(&raw));
    let cat = world.bob.ssh(&["review@bastion", "cat", &id])?;
    assert_ne!(cat.status, 0, "{cat}");
    assert!(!stands(&cat.stdout), "{cat}");
    // The stored bytes are for those who have the key.
    let stored = world.bob.ssh(&["review@bastion", "cat", "--stored", &id])?;
    let copy = dir.path().join(recording.file_name().unwrap_or_default());
    fs::write(&copy, stored.ok()?.stdout)?;
    let mut export = world.hallpass_command(&["export", "--format", "txt"])?;
    export.arg("--identity").arg(&key).arg(&copy);
    process::run(&mut export)?.ok()?.prints("quux-4711-zyzzy")?;
    world.end()
}
