//! Recordings leave as their role says, the log knows of it, and what is held stays.

use std::path::PathBuf;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::s3::S3;
use hallpass_tests::watch::{entries, until};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, ahead};

/// Whatever its age, nothing has room.
const SMALL: &str = r#"
[recordings]
retention = { age = "36500d", size = "1" }
"#;

/// Bob may hold what Alice has done on `web1.prod`.
const KEEPER: &str = r#"
[role.web-keeper]
review = true
hold = true
groups = ["sre"]
logins = ["LOGIN"]
targets = ["web1.prod"]
approvals = { count = 0 }
"#;

#[test]
fn what_is_due_goes_what_is_held_stays_and_verify_tells_it_from_what_is_missing() -> Result<()> {
    let mut world = World::with(&Setup {
        extra: format!("{SMALL}{KEEPER}"),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    world.take(&world.bob, "review@bastion", &[])?;
    world.jump(&[&at, "echo one"])?.ok()?;
    world.jump(&[&at, "echo two"])?.ok()?;
    let recordings = world.wait_finished(2, LIMIT)?;
    let ids: Vec<String> = recordings
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.get(..26)?.to_owned()))
        .collect();
    let because = ["--reason", "case 12"];
    let say = |word: &str, id: &str| {
        let words = [&["review@bastion", word, id], &because[..]].concat();
        world.bob.ssh(&words)
    };
    say("hold", &ids[1])?.ok()?.prints("is held: it stays")?;
    let listed = world.bob.ssh(&["review@bastion", "ls"])?.ok()?;
    listed.prints(", held")?;
    until("the log has both ends", || {
        Ok(entries(&world)?.matches("\"session-end\"").count() == 2)
    })?;

    // It looks when it starts.
    world.kill_bastion();
    world.start_bastion()?;
    until("the first is removed", || Ok(!recordings[0].exists()))?;
    assert!(recordings[1].exists(), "it is held");
    let verified = world.verify()?.ok()?;
    verified.prints("expired: alice was let in")?;
    let log = world.log();
    let log = log.to_str().unwrap_or_default();
    let shown = world.hallpass(&["log", "verify", "--entries", log])?.ok()?;
    shown
        .prints("bob holds (case 12) session")?
        .prints("its role's recordings are kept up to 1 bytes")?;

    // What is not here cannot be held, and what is gone without a word is missing.
    let say = |word: &str, id: &str| {
        let words = [&["review@bastion", word, id], &because[..]].concat();
        world.bob.ssh(&words)
    };
    say("hold", &ids[0])?
        .exits(1)?
        .says("there is no recording")?;
    let kept = std::fs::read(&recordings[1])?;
    std::fs::remove_file(&recordings[1])?;
    world
        .verify()?
        .exits(1)?
        .prints("missing: alice was let in")?;
    std::fs::write(&recordings[1], kept)?;

    say("release", &ids[1])?.ok()?.prints("is held no longer")?;
    world.kill_bastion();
    world.start_bastion()?;
    until("the second is removed", || Ok(!recordings[1].exists()))?;
    world.end()
}

/// Two recordings of Alice's, oldest first, and their sessions.
fn two(world: &World) -> Result<(Vec<PathBuf>, Vec<String>)> {
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    world.take(&world.bob, "review@bastion", &[])?;
    world.jump(&[&at, "echo one"])?.ok()?;
    world.jump(&[&at, "echo two"])?.ok()?;
    let recordings = world.wait_finished(2, LIMIT)?;
    let ids = recordings
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.get(..26)?.to_owned()))
        .collect();
    Ok((recordings, ids))
}

#[test]
fn what_is_old_goes_here_and_in_the_bucket_and_what_is_held_stays() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = S3::start(dir.path())?;
    store.bucket("recordings", false)?;
    let bucket = format!(
        "[recordings]\nretention = \"1h\"\n[recordings.bucket]\nurl = \"s3://recordings/prod\"\nendpoint = \"{}\"\ncredentials = \"{}\"\n{KEEPER}",
        store.endpoint(),
        store.credentials()?.display()
    );
    let mut world = World::with(&Setup {
        extra: bucket,
        ..Setup::default()
    })?;
    let (recordings, ids) = two(&world)?;
    let object = |id: &str| format!("recordings/prod/bastion/{id}.cast.zst");
    let is_there =
        |id: &str| Ok::<_, Failure>(store.curl(&["--head"], &object(id))?.out() == "200");
    until("both are in the bucket", || {
        Ok(is_there(&ids[0])? && is_there(&ids[1])?)
    })?;
    let hold = ["review@bastion", "hold", &ids[1], "--reason", "case 12"];
    world.bob.ssh(&hold)?.ok()?;
    until("the log has both ends", || {
        Ok(entries(&world)?.matches("\"session-end\"").count() == 2)
    })?;

    // An hour later, by the CA's clock, which is the one that counts. The bastion looks when it starts.
    world.kill_bastion();
    world.kill_ca();
    let clock = ahead::of(dir.path(), Duration::from_secs(3700))?;
    let clock: Vec<&str> = clock.iter().map(String::as_str).collect();
    let mut ca = world.service("ca", &clock)?;
    ca.wait_port(world.ca_port, LIMIT)?;
    world.start_bastion()?;
    until("the first is removed from both", || {
        Ok(!recordings[0].exists() && !is_there(&ids[0])?)
    })?;
    assert!(recordings[1].exists() && is_there(&ids[1])?, "it is held");

    // The log says why, under its key; and it speaks of the one that was removed alone.
    let log = world.log();
    let log = log.to_str().unwrap_or_default();
    let shown = world.hallpass(&["log", "verify", "--entries", log])?.ok()?;
    shown.prints("its role's recordings are kept for 1h")?;
    assert_eq!(entries(&world)?.matches("\"expiry\"").count(), 1);
    let verify = |place: &str| {
        let mut verify = world.hallpass_command(&["verify", log, place])?;
        verify.envs(store.environment());
        process::run(&mut verify)
    };
    let here = world.recordings();
    for place in [here.to_str().unwrap_or_default(), "s3://recordings/prod"] {
        let verified = verify(place)?.ok()?;
        verified
            .prints("expired: alice was let in")?
            .prints(&format!("good  {}.cast.zst", ids[1]))?;
    }
    let one = verify(&format!("s3://recordings/prod/{}", ids[0]))?.ok()?;
    one.prints("expired: alice was let in")?;
    // What goes without a word is missing.
    let gone = store.curl(&["-X", "DELETE"], &object(&ids[1]))?;
    gone.prints("204")?;
    verify("s3://recordings/prod")?
        .exits(1)?
        .prints("missing: alice was let in")?;
    world.end()
}
