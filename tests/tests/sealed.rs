//! Recordings that only their recipients can open, in the whole system.

#[path = "sealed/given.rs"]
mod given;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, programs};

/// What the session prints, and nobody else may find. The shell puts it together, so that the command does not hold it.
const MARKER: &str = "quux-4711-zyzzy";

const SAY: &str = "printf 'quux-%s-zyzzy\n' 4711";

/// A pair of keys that opens recordings, made by `ssh-keygen`; its private half.
fn keypair(dir: &Path, name: &str, passphrase: &str) -> Result<PathBuf> {
    let key = dir.join(name);
    let mut keygen = Command::new(programs::find("ssh-keygen")?);
    keygen.args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"]);
    process::run(keygen.arg(&key))?.ok()?;
    Ok(key)
}

fn public(key: &Path) -> Result<String> {
    let file = key.with_extension("pub");
    Ok(fs::read_to_string(file)?.trim().to_owned())
}

/// A world whose recordings `reviewer` opens, with Alice let in; the private key, and how Alice names the target.
fn sealed_world() -> Result<(World, PathBuf, String)> {
    sealed_world_with("")
}

/// The same with more in its configuration.
fn sealed_world_with(more: &str) -> Result<(World, PathBuf, String)> {
    let keys = tempfile::tempdir()?;
    let key = keypair(keys.path(), "reviewer", "")?;
    let world = World::with(&Setup {
        extra: format!("[recordings]\nrecipients = [\"{}\"]\n{more}", public(&key)?),
        ..Setup::default()
    })?;
    let kept = world.root().join("reviewer");
    fs::rename(&key, &kept)?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    Ok((world, kept, at))
}

/// The first file below `dir`, by name or content, in which the text stands.
fn found_in(dir: &Path, text: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(dir).ok()?.flatten() {
        let path = entry.path();
        let named = entry.file_name().to_string_lossy().contains(text);
        let bytes = fs::read(&path).unwrap_or_default();
        if named
            || bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        {
            return Some(path);
        }
        if let (true, Some(found)) = (path.is_dir(), found_in(&path, text)) {
            return Some(found);
        }
    }
    None
}

fn bastion_dir(world: &World) -> PathBuf {
    world.root().join("site/bastion")
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// What the recording shows as text, with a private key.
fn text(world: &World, recording: &Path, key: &Path) -> Result<process::Output> {
    world.hallpass(&[
        "export",
        path(recording),
        "--format",
        "txt",
        "--identity",
        path(key),
    ])
}

#[test]
fn promise_43_a_sealed_session_is_readable_by_its_recipient_alone() -> Result<()> {
    let (world, key, at) = sealed_world()?;
    world
        .jump(&[&at, SAY])?
        .ok()?
        .prints(&format!("{MARKER}\n"))?;
    let recording = world.first_recording(LIMIT)?;
    assert_eq!(found_in(&bastion_dir(&world), MARKER), None);

    text(&world, &recording, &key)?.ok()?.prints(MARKER)?;
    world
        .hallpass(&["export", path(&recording), "--format", "txt"])?
        .exits(1)?
        .says("the recording is sealed: give --identity with the private key of one of SHA256:")?;
    let wrong = keypair(world.root(), "wrong", "")?;
    text(&world, &recording, &wrong)?
        .exits(1)?
        .says("not sealed to this key, but to SHA256:")?;

    // The player opens it too.
    let mut play = world.hallpass_command(&["play"])?;
    play.arg("--identity").arg(&key).arg(&recording);
    let mut live = Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out(MARKER, LIMIT)?;
    live.send("q")?;
    live.finish(LIMIT)?.ok()?;

    // Without a key it is checked all the same, and says so.
    let checked = world.hallpass(&["verify", path(&recording)])?.ok()?;
    let checked = checked.prints("sealed to SHA256:")?;
    assert!(!checked.out().contains("alice"), "{checked}");
    world
        .hallpass(&["verify", "--identity", path(&key), path(&recording)])?
        .ok()?
        .prints("opened and read through")?
        .prints("alice")?;
    world.verify()?.ok()?;
    world.end()
}

#[test]
fn promise_43_nothing_readable_touches_the_disk_before_or_after_a_kill() -> Result<()> {
    let (mut world, key, at) = sealed_world()?;
    let command = format!("echo begin; while :; do {SAY}; sleep 0.05; done");
    let mut live = world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &at, &command])?;
    live.wait_out(MARKER, LIMIT)?;
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(found_in(&bastion_dir(&world), MARKER), None);
        // Nor the command, which stands in the recording's header.
        assert_eq!(found_in(&bastion_dir(&world), "quux"), None);
        sleep(Duration::from_millis(10));
    }
    world.bastion()?.kill()?;
    let seen = live.finish(LIMIT)?.out();
    assert_eq!(found_in(&bastion_dir(&world), "quux"), None);

    world.start_bastion()?;
    let recording = world.first_recording(LIMIT)?;
    assert_eq!(found_in(&bastion_dir(&world), "quux"), None);
    let shown = text(&world, &recording, &key)?.ok()?;
    let count = |text: &str| text.matches(MARKER).count();
    assert!(
        count(&shown.out()) >= count(&seen),
        "{} seen, {} recorded",
        count(&seen),
        count(&shown.out())
    );
    world
        .hallpass(&["verify", path(&recording)])?
        .ok()?
        .prints("crash")?
        .prints("sealed to")?;
    world
        .hallpass(&["verify", "--identity", path(&key), path(&recording)])?
        .ok()?
        .prints("opened and read through")?;
    world.end()
}

/// The wrapped key's file of age, out of the recording by its specification alone.
fn wrapped(recording: &Path) -> Result<serde_json::Value> {
    let bytes = fs::read(recording)?;
    let size = |at: usize| -> Option<usize> {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(four)).ok()
    };
    let payload = size(4)
        .map(|preamble| 8 + preamble)
        .and_then(|at| bytes.get(at + 8..at + 8 + size(at + 4)?));
    let payload = payload.ok_or_else(|| Failure::new("there is no wrapped key"))?;
    serde_json::from_slice(payload).map_err(|e| Failure::new(e.to_string()))
}

#[test]
fn stock_age_opens_the_wrapped_key() -> Result<()> {
    let (world, key, at) = sealed_world()?;
    world.jump(&[&at, "true"])?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    let wrapped = wrapped(&recording)?;
    let age = wrapped.get("age").and_then(|age| age.as_str());
    let file = world.root().join("key.age");
    let mut base64 = Command::new(programs::find("base64")?);
    let decoded = process::run_with(base64.arg("-d"), age.unwrap_or_default().as_bytes())?.ok()?;
    fs::File::create(&file)?.write_all(&decoded.stdout)?;
    let mut age = Command::new(programs::find("age")?);
    let opened = process::run(age.args(["-d", "-i"]).arg(&key).arg(&file))?.ok()?;
    assert_eq!(opened.stdout.len(), 32, "the content key");
    world.end()
}

#[test]
fn a_passphrase_of_the_identity_is_asked_for() -> Result<()> {
    let (world, key, at) = sealed_world()?;
    world.jump(&[&at, SAY])?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    let mut keygen = Command::new(programs::find("ssh-keygen")?);
    keygen.args(["-q", "-p", "-N", "open sesame", "-f"]);
    process::run(keygen.arg(&key))?.ok()?;
    let mut export = world.hallpass_command(&["export", "--format", "txt"])?;
    export.arg("--identity").arg(&key).arg(&recording);
    let mut live = Live::start(&mut process::in_terminal(&export)?)?;
    live.wait_out("passphrase of", LIMIT)?;
    live.send("open sesame\n")?;
    live.wait_out(MARKER, LIMIT)?;
    live.finish(LIMIT)?.ok()?;
    world.end()
}
