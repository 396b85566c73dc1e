//! `hallpass review`: from the recording that was looked at to a signed note in the issuance log.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hallpass_tests::access::request_id;
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::{Failure, Output, Person, Result, World, programs};
use serde_json::Value;

/// `hallpass` as this person runs it, with an agent. `ssh` takes its configuration from the home that the account has, not
/// from `$HOME`: hence a program of this name that says which.
fn hallpass_command(world: &World, person: &Person, args: &[&str]) -> Result<Command> {
    let bin = person.config().with_file_name("bin");
    fs::create_dir_all(&bin).map_err(|e| Failure::new(e.to_string()))?;
    let ssh = bin.join("ssh");
    let real = programs::find("ssh")?;
    let text = format!(
        "#!/bin/sh\nexec {} -F {} \"$@\"\n",
        real.display(),
        person.config().display()
    );
    fs::write(&ssh, text).map_err(|e| Failure::new(e.to_string()))?;
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755))
        .map_err(|e| Failure::new(e.to_string()))?;
    let mut command = world.hallpass_command(args)?;
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("SSH_AUTH_SOCK", person.agent_socket())
        .env("PATH", format!("{}:{path}", bin.display()));
    Ok(command)
}

fn reviews(world: &World, person: &Person, args: &[&str]) -> Result<Output> {
    process::run(&mut hallpass_command(
        world,
        person,
        &[&["review"], args].concat(),
    )?)
}

#[test]
fn a_recording_is_reviewed_with_a_signed_note_in_the_log() -> Result<()> {
    let world = World::new()?;
    let at = world.at_db1();
    let given = world
        .alice
        .ssh(&[
            "ca",
            "request",
            &at,
            "--break-glass",
            "--reason",
            "INC-42 disk full",
        ])?
        .ok()?;
    world.alice.save_certificate(&given.stdout)?;
    let id = request_id(&given.err())?;
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    let recording = world.first_recording(LIMIT)?;
    let recording = recording.to_str().unwrap_or_default();
    world.alice.ssh(&["ca", "return", &id])?.ok()?;
    let end = Instant::now() + LIMIT;
    while world
        .bob
        .ssh(&["ca", "sessions"])?
        .ok()?
        .out()
        .contains("running")
    {
        assert!(Instant::now() < end, "the session ends");
        std::thread::sleep(Duration::from_millis(50));
    }

    let remark = "the disk was full; it's \"fine\" now";
    // Whoever made the file could have named any request in it.
    let strangers = world.root().join("strangers");
    fs::write(&strangers, "").map_err(|e| Failure::new(e.to_string()))?;
    let strangers = strangers.to_str().unwrap_or_default();
    let refused = reviews(
        &world,
        &world.bob,
        &[recording, "--trust", strangers, "--accept", remark],
    )?;
    let refused = refused
        .exits(1)?
        .says("what this recording says of itself is not believed")?;
    assert!(!refused.err().contains("let in by request"), "{refused}");
    // Nor is a note signed over another recording than the one that was looked at: cut off at its end, or another session's.
    let cut = world.root().join("cut");
    fs::create_dir(&cut).map_err(|e| Failure::new(e.to_string()))?;
    let cut = cut.join(Path::new(recording).file_name().unwrap_or_default());
    let whole = fs::read(recording).map_err(|e| Failure::new(e.to_string()))?;
    // Its last frame says where the others are.
    let kept = whole.get(..whole.len() - 41).unwrap_or_default();
    fs::write(&cut, kept).map_err(|e| Failure::new(e.to_string()))?;
    let cut = cut.to_str().unwrap_or_default();
    reviews(&world, &world.bob, &[cut, "--accept", remark])?
        .exits(1)?
        .says("is cut off")?;
    reviews(&world, &world.alice, &[recording, "--accept", remark])?
        .exits(1)?
        .says("nobody reviews what they did themselves")?;
    reviews(&world, &world.bob, &[recording, "--accept", remark])?
        .ok()?
        .says(&format!("was let in by request {id}"))?
        .says("nothing more is owed")?;
    let shown = world.alice.ssh(&["ca", "show", &id, "--json"])?.ok()?.out();
    let shown: Value = serde_json::from_str(&shown).map_err(|e| Failure::new(e.to_string()))?;
    let note = &shown["debt"]["reviews"][0];
    assert_eq!(
        (&note["person"], &note["remark"]),
        (&Value::from("bob"), &Value::from(remark))
    );
    // The request's own name does as well, whatever file is called so.
    fs::write(world.root().join(&id), "").map_err(|e| Failure::new(e.to_string()))?;
    reviews(&world, &world.bob, &[&id, "--reject", "no"])?
        .exits(1)?
        .says("you have reviewed this already")?;
    reviews(
        &world,
        &world.bob,
        &[&id, "--ca=-oProxyCommand=touch owned", "--reject", "no"],
    )?
    .exits(255)?;
    assert!(!world.root().join("owned").exists());
    world.end()
}
