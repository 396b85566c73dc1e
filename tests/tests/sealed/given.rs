//! Recordings given to somebody else: shared, erased, opened by several together.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::watch::entries;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Person, Result, World, programs};

use super::{MARKER, SAY, keypair, path, public, sealed_world, sealed_world_with, text};

#[test]
fn a_shared_copy_opens_for_the_auditor_and_an_erased_one_for_nobody() -> Result<()> {
    let (world, key, at) = sealed_world()?;
    world.jump(&[&at, SAY])?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    let auditor = keypair(world.root(), "auditor", "")?;
    let out = world.root().join("out");
    fs::create_dir(&out)?;
    let to = auditor.with_extension("pub");
    world
        .hallpass(&[
            "share",
            path(&recording),
            "--to",
            path(&to),
            "--identity",
            path(&key),
            "--output",
            path(&out),
        ])?
        .ok()?;
    let copy = out.join(recording.file_name().unwrap_or_default());
    text(&world, &copy, &auditor)?.ok()?.prints(MARKER)?;
    text(&world, &copy, &key)?
        .exits(1)?
        .says("not sealed to this key")?;
    let site = world.root().join("site");
    let trust = world.hallpass(&["trust"])?.ok()?;
    let signers = site.join("signers");
    fs::write(&signers, &trust.stdout)?;
    world
        .hallpass(&["verify", "--trust", path(&signers), path(&copy)])?
        .ok()?
        .prints("a copy for others than it began with")?;

    world
        .hallpass(&["erase", path(&recording)])?
        .exits(1)?
        .says("say --yes")?;
    text(&world, &recording, &key)?.ok()?.prints(MARKER)?;
    world
        .hallpass(&["erase", "--yes", path(&recording)])?
        .ok()?;
    text(&world, &recording, &key)?
        .exits(1)?
        .says("was erased")?;
    world
        .hallpass(&["verify", path(&recording)])?
        .ok()?
        .prints("erased: its key was destroyed")?;
    text(&world, &copy, &auditor)?.ok()?.prints(MARKER)?;
    // The root is still the log's. But whoever did this had the disk, and asked nobody.
    world
        .verify()?
        .exits(1)?
        .prints("the log knows of nobody who was let erase it")?;
    world.end_damaged();
    Ok(())
}

#[test]
fn erasing_is_asked_of_the_ca_and_stands_in_its_log() -> Result<()> {
    let reviewers = r#"
[role.web-review]
review = true
groups = ["sre"]
logins = ["LOGIN"]
targets = ["web1.prod"]
approvals = { count = 0 }

[role.web-erase]
review = true
erase = true
groups = ["security", "oncall"]
logins = ["LOGIN"]
targets = ["web1.prod"]
approvals = { count = 0 }
"#;
    let (world, key, at) = sealed_world_with(reviewers)?;
    world.jump(&[&at, SAY])?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    let id = recording.file_name().unwrap_or_default();
    let id = id.to_string_lossy().replace(".cast.zst", "");
    text(&world, &recording, &key)?.ok()?.prints(MARKER)?;
    let because = ["--reason", "erasure request 12 of the person concerned"];
    let erase = |person: &Person| {
        let words = [&["review@bastion", "erase", id.as_str()], &because[..]].concat();
        person.ssh(&words)
    };

    world.take(&world.bob, "review@bastion", &[])?;
    erase(&world.bob)?
        .exits(1)?
        .says("that takes one with erase = true")?;
    text(&world, &recording, &key)?.ok()?.prints(MARKER)?;

    // A key that was replaced, or damaged by somebody with the disk, is not passed over.
    let whole = fs::read(&recording)?;
    let mut damaged = whole.clone();
    let age = damaged.windows(6).position(|part| part == b"\"age\":");
    let byte = age.and_then(|at| damaged.get_mut(at + 60));
    *byte.ok_or_else(|| Failure::new("no wrapped key"))? ^= 1;
    fs::write(&recording, &damaged)?;
    world
        .verify()?
        .exits(1)?
        .prints("whether that key opens it, only --identity")?;
    fs::write(&recording, &whole)?;
    world.verify()?.ok()?;

    let own = ["--role", "web-erase"];
    world.take(&world.alice, "review@bastion", &own)?;
    erase(&world.alice)?
        .exits(1)?
        .says("nobody erases the recording of their own session")?;
    world.take(&world.carol, "review@bastion", &own)?;
    erase(&world.carol)?
        .ok()?
        .prints("is erased: nobody reads it here any more")?;
    text(&world, &recording, &key)?
        .exits(1)?
        .says("was erased")?;
    world
        .verify()?
        .ok()?
        .prints("erased: its key was destroyed")?;
    let log = entries(&world)?;
    let line = log.lines().find(|line| line.contains("\"erase\""));
    let line = line.unwrap_or_default();
    assert!(line.contains(&id) && line.contains("request 12"), "{log}");
    erase(&world.carol)?.exits(1)?.says("was erased")?;
    world.end()
}

#[test]
fn promise_44_two_of_three_open_it_by_us_and_by_the_specification_alone() -> Result<()> {
    let keys = tempfile::tempdir()?;
    let names = ["dpo", "auditor", "council"];
    let held: Vec<PathBuf> = names
        .iter()
        .map(|name| keypair(keys.path(), name, ""))
        .collect::<Result<_>>()?;
    let of: Vec<String> = held
        .iter()
        .map(|key| Ok(format!("\"{}\"", public(key)?)))
        .collect::<Result<_>>()?;
    let world = World::with(&Setup {
        extra: format!(
            "[recordings]\nrecipients = {{ threshold = 2, of = [{}] }}\n",
            of.join(", ")
        ),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    world.jump(&[&at, SAY])?.ok()?;
    let recording = world.first_recording(LIMIT)?;
    let [dpo, auditor, council] = held.as_slice() else {
        return Err(Failure::new("three keys"));
    };
    text(&world, &recording, dpo)?
        .exits(1)?
        .says("opened by 2 of these together, and the keys given belong to 1")?;
    let two = [
        "export",
        path(&recording),
        "--format",
        "txt",
        "-i",
        path(auditor),
    ];
    let two = [&two[..], &["-i", path(council)]].concat();
    world.hallpass(&two)?.ok()?.prints(MARKER)?;
    world
        .hallpass(&["verify", path(&recording)])?
        .ok()?
        .prints("sealed to 2 of 3 recipients together")?;

    // Somebody else's arithmetic.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/join.py");
    let mut join = Command::new(programs::find("python3")?);
    let join = join.arg(script).arg(&recording);
    process::run(join.arg(dpo).arg(council))?
        .ok()?
        .prints("True")?;
    let mut alone = Command::new(programs::find("python3")?);
    let alone = alone.arg(script).arg(&recording);
    process::run(alone.arg(dpo))?
        .exits(1)?
        .says("1 of 2 shares")?;

    // One after the other, they hand it to somebody else.
    let outside = keypair(world.root(), "outside", "")?;
    let to = outside.with_extension("pub");
    let (mut from, name) = (recording.clone(), recording.file_name().unwrap_or_default());
    for (holder, dir) in [(dpo, "first"), (auditor, "second")] {
        let out = world.root().join(dir);
        fs::create_dir(&out)?;
        let share = ["share", path(&from), "--to", path(&to), "-i", path(holder)];
        let share = [&share[..], &["-o", path(&out)]].concat();
        world
            .hallpass(&share)?
            .ok()?
            .says("opens with 2 of its shares")?;
        from = out.join(name);
    }
    text(&world, &from, &outside)?.ok()?.prints(MARKER)?;
    world.end()
}
