//! Recordings leave as their role says, the log knows of it, and what is held stays.

use hallpass_tests::process::LIMIT;
use hallpass_tests::watch::{entries, until};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World};

/// Bob may hold what Alice has done on `web1.prod`.
const KEEPER: &str = r#"
[recordings]
retention = { age = "36500d", size = "1" }

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
        extra: KEEPER.to_owned(),
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
