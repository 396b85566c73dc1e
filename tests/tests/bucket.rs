//! Recordings in a real store of objects: uploaded while their sessions run, verified, and read from there alone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::s3::S3;
use hallpass_tests::watch::{entries, until};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World};

/// Bob may read, hold and erase what Alice has done on `web1.prod`.
const KEEPER: &str = r#"
[role.web-keeper]
review = true
hold = true
erase = true
groups = ["sre"]
logins = ["LOGIN"]
targets = ["web1.prod"]
approvals = { count = 0 }
"#;

/// Somebody who opens sealed recordings, and does not in these tests.
const NOBODY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAjBMJGyhUdIjg4iZKCsWtQudMezoBbedBNSHZQGtc2f dpo";

/// A world with a bucket, and Alice and Bob let in.
fn world_with(store: &S3, more: &str, recordings: &str) -> Result<World> {
    let extra = format!(
        "[recordings]\n{recordings}\n[recordings.bucket]\nurl = \"s3://recordings/prod\"\nendpoint = \"{}\"\ncredentials = \"{}\"\n{more}\n{KEEPER}",
        store.endpoint(),
        store.credentials()?.display()
    );
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    world.take(&world.bob, "review@bastion", &[])?;
    Ok(world)
}

fn id_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.chars().take(26).collect()
}

/// The status of an object.
fn status(store: &S3, id: &str) -> Result<String> {
    let path = format!("recordings/prod/bastion/{id}.cast.zst");
    Ok(store.curl(&["--head"], &path)?.out())
}

fn is_there(store: &S3, id: &str) -> Result<bool> {
    Ok(status(store, id)? == "200")
}

#[test]
fn a_recording_leaves_for_the_bucket_and_is_read_held_and_removed_there() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = S3::start(dir.path())?;
    store.bucket("recordings", true)?;
    let mut world = world_with(
        &store,
        "keep-local = \"0s\"\nlock = \"1h\"",
        "retention = { size = \"1\" }",
    )?;
    world
        .jump(&[&world.at_web1(), "echo printed by the target"])?
        .ok()?;
    let path = world.first_recording(LIMIT)?;
    let (id, own) = (id_of(&path), fs::read(&path)?);
    until("it is in the bucket alone", || {
        Ok(is_there(&store, &id)? && !path.exists())
    })?;
    // It is locked, says the store itself.
    let retention = dir.path().join("retention");
    let object = format!("recordings/prod/bastion/{id}.cast.zst?retention=");
    let to = ["-o", retention.to_str().unwrap_or_default()];
    store.curl(&to, &object)?.prints("200")?;
    let locked = fs::read_to_string(&retention)?;
    assert!(locked.contains("COMPLIANCE"), "{locked}");

    let bob = |args: &[&str]| world.bob.ssh(&[&["review@bastion"], args].concat());
    bob(&["cat", &id])?.ok()?.prints("printed by the target")?;
    let stored = bob(&["cat", "--stored", &id])?.ok()?;
    assert!(stored.stdout == own, "other bytes than were recorded");
    // An auditor needs the log, the keys and the store, and no server of ours.
    let log = world.log();
    let log = log.to_str().unwrap_or_default();
    let verify = || {
        let mut verify = world.hallpass_command(&["verify", log, "s3://recordings/prod"])?;
        verify.envs(store.environment());
        process::run(&mut verify)
    };
    until("the log has its end", || {
        Ok(entries(&world)?.contains("\"session-end\""))
    })?;
    verify()?
        .ok()?
        .prints(&format!("good  {id}.cast.zst  alice"))?;
    // What cannot be erased does not come back to this disk for it.
    let erase = || bob(&["erase", &id, "--reason", "case 12"])?.exits(1);
    erase()?.says("the recording is not sealed")?;
    let altered = dir.path().join("altered");
    let mut bytes = own.clone();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    fs::write(&altered, &bytes)?;
    let at = format!("recordings/prod/bastion/{id}.cast.zst");
    let put = |file: &Path| store.curl(&["-T", file.to_str().unwrap_or_default()], &at);
    put(&altered)?.prints("200")?;
    verify()?
        .exits(1)?
        .prints(&format!("BAD   {id}.cast.zst"))?;
    // Nor is another shown, or brought back to be erased.
    let cat = bob(&["cat", &id])?.exits(1)?;
    for refused in [cat, erase()?] {
        refused.says("is not what was put there")?;
    }
    fs::write(&altered, &own)?;
    put(&altered)?.prints("200")?;
    verify()?.ok()?;

    // And what may not be erased is not even looked at.
    bob(&["hold", &id, "--reason", "case 12"])?.ok()?;
    erase()?.says("the recording is held")?;
    assert!(!path.exists(), "it is back on the disk");
    assert!(!entries(&world)?.contains("\"erase\""));
    let fetched = world.root().join("site/bastion/fetched");
    assert!(
        fs::read_dir(&fetched)?.next().is_none(),
        "what was brought to be read is left"
    );

    // Held, it stays; released, it is removed from the bucket, and verify says why.
    let restart = |world: &mut World| {
        world.kill_bastion();
        world.start_bastion()
    };
    restart(&mut world)?;
    std::thread::sleep(Duration::from_secs(2));
    assert!(is_there(&store, &id)?, "it is held");
    let released = ["review@bastion", "release", &id, "--reason", "case closed"];
    world.bob.ssh(&released)?.ok()?;
    restart(&mut world)?;
    until("it is removed", || Ok(!is_there(&store, &id)?))?;
    let mut verify = world.hallpass_command(&["verify", log, "s3://recordings/prod"])?;
    verify.envs(store.environment());
    process::run(&mut verify)?
        .ok()?
        .prints("expired: alice was let in")?;
    world.end()
}

#[test]
fn what_lies_in_the_bucket_alone_is_erased_there() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = S3::start(dir.path())?;
    store.bucket("recordings", false)?;
    let sealed = format!("recipients = [\"{NOBODY}\"]");
    let world = world_with(&store, "keep-local = \"0s\"", &sealed)?;
    world.jump(&[&world.at_web1(), "echo one"])?.ok()?;
    let path = world.first_recording(LIMIT)?;
    let id = id_of(&path);
    let alone = || Ok(is_there(&store, &id)? && !path.exists());
    until("it is in the bucket alone", alone)?;
    until("the log has its end", || {
        Ok(entries(&world)?.contains("\"session-end\""))
    })?;
    let erase = ["review@bastion", "erase", &id, "--reason", "case 12"];
    let erased = world.bob.ssh(&erase)?.ok()?;
    erased.prints("is erased: nobody reads it here any more")?;
    let log = world.log();
    let log = log.to_str().unwrap_or_default();
    until("the erased one is in the bucket alone", || {
        let mut verify = world.hallpass_command(&["verify", log, "s3://recordings/prod"])?;
        verify.envs(store.environment());
        let verified = process::run(&mut verify)?;
        Ok(alone()? && verified.status == 0 && verified.out().contains("its key was destroyed"))
    })?;
    world.bob.ssh(&erase)?.exits(1)?.says("was erased")?;
    assert!(!path.exists(), "it is back on the disk");
    // The check of what lies on the disk would miss it.
    drop(world);
    Ok(())
}

#[test]
fn promise_06_a_bucket_that_is_away_delays_nothing_and_what_waits_goes_up_in_parts() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut store = S3::start(dir.path())?;
    store.bucket("recordings", false)?;
    let mut world = world_with(&store, "lock = \"1h\"", "")?;
    let checked = world.hallpass(&["check", "--try"])?.ok()?;
    checked.prints("[recordings.bucket] answers, and cannot lock objects")?;
    store.kill();
    world
        .jump(&[&world.at_web1(), "echo while it is away"])?
        .ok()?;
    world
        .bastion()?
        .wait_log("recordings wait on this disk for the bucket", LIMIT)?;

    // What does not compress: parts of it go up while the session runs, once the bucket is back.
    let noise = "head -c 30000000 /dev/urandom; echo; echo all; sleep 600";
    let args = ["-tt", "-J", "bastion", &world.at_web1(), noise];
    let live = world.alice.ssh_live(&args)?;
    let journal = world.root().join("site/bastion/uploads");
    store.serve()?;
    until("two parts are up while it runs", || {
        Ok(parts(&journal)? >= 2)
    })?;
    world
        .bastion()?
        .wait_log("the bucket takes recordings again", LIMIT)?;
    world
        .bastion()?
        .wait_log("the bucket cannot lock objects", LIMIT)?;

    // It dies with the upload half-way, and goes on where it was.
    world.kill_bastion();
    drop(live);
    world.start_bastion()?;
    let all = world.wait_finished(2, LIMIT)?;
    let ids: Vec<String> = all.iter().map(|path| id_of(path)).collect();
    until("both are there", || {
        Ok(is_there(&store, &ids[0])? && is_there(&store, &ids[1])? && parts(&journal)? == 0)
    })?;
    for (path, id) in all.iter().zip(&ids) {
        let copy = dir.path().join(id);
        let to = ["-o", copy.to_str().unwrap_or_default()];
        let object = format!("recordings/prod/bastion/{id}.cast.zst");
        store.curl(&to, &object)?.prints("200")?;
        assert!(fs::read(&copy)? == fs::read(path)?, "{id} is another there");
    }
    world.end()
}

#[test]
fn promise_06_a_bucket_that_dies_in_the_middle_of_an_upload_costs_the_session_nothing() -> Result<()>
{
    let dir = tempfile::tempdir()?;
    let mut store = S3::start(dir.path())?;
    store.bucket("recordings", false)?;
    let mut world = world_with(&store, "keep-local = \"0s\"", "")?;
    let noise = |bytes: u64| format!("head -c {bytes} /dev/urandom | base64");
    let command = format!(
        "{}; echo '#(1)#'; read word; echo heard $word; {}; echo '#(2)#'; read word; echo last $word",
        noise(10_000_000),
        noise(8_000_000)
    );
    let args = ["-tt", "-J", "bastion", &world.at_web1(), &command];
    let mut live = world.alice.ssh_live(&args)?;
    live.wait_out("#(1)#", LIMIT)?;
    let journal = world.root().join("site/bastion/uploads");
    until("a part is up while it runs", || Ok(parts(&journal)? >= 1))?;
    store.kill();

    // The session goes on, and ends, as if nothing had happened.
    live.send("4711\n")?;
    live.wait_out("#(2)#", LIMIT)?;
    world.bastion()?.wait_log("bucket did not do it", LIMIT)?;
    live.send("4712\n")?;
    let said = live.finish(LIMIT)?.ok()?;
    let path = world.first_recording(LIMIT)?;
    let (id, own) = (id_of(&path), fs::read(&path)?);
    until("the log has its end", || {
        Ok(entries(&world)?.contains("\"session-end\""))
    })?;
    world.verify()?.ok()?.prints("good")?;
    assert!(own.len() > 16 << 20, "two parts and more: {}", own.len());

    // It leaves this disk only when the bucket has it, byte for byte.
    store.serve()?;
    let copy = dir.path().join("copy");
    until("it is in the bucket alone", || {
        if path.exists() {
            return Ok(false);
        }
        let to = ["-o", copy.to_str().unwrap_or_default()];
        let object = format!("recordings/prod/bastion/{id}.cast.zst");
        store.curl(&to, &object)?.prints("200")?;
        assert!(fs::read(&copy)? == own, "it is another there");
        Ok(true)
    })?;
    let log = world.log();
    let log = log.to_str().unwrap_or_default();
    let mut verify = world.hallpass_command(&["verify", log, "s3://recordings/prod"])?;
    verify.envs(store.environment());
    process::run(&mut verify)?
        .ok()?
        .prints(&format!("good  {id}.cast.zst  alice"))?;
    // And it holds what Alice has seen.
    let shown = world.bob.ssh(&["review@bastion", "cat", &id])?.ok()?;
    for line in ["heard 4711", "last 4712"] {
        said.clone().prints(line)?;
        shown.clone().prints(line)?;
    }
    // Here it is missing now.
    world.end_damaged();
    Ok(())
}

#[test]
fn what_the_bucket_has_otherwise_or_has_lost_goes_up_again_and_keeps_nothing_back() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = S3::start(dir.path())?;
    store.bucket("recordings", false)?;
    let mut world = world_with(&store, "keep-local = \"10s\"", "")?;
    for _ in 0..2 {
        world.jump(&[&world.at_web1(), "echo a line"])?.ok()?;
    }
    let all = world.wait_finished(2, LIMIT)?;
    let ids: Vec<String> = all.iter().map(|path| id_of(path)).collect();
    let own: Vec<Vec<u8>> = all.iter().map(fs::read).collect::<std::io::Result<_>>()?;
    until("both are there", || {
        Ok(is_there(&store, &ids[0])? && is_there(&store, &ids[1])?)
    })?;
    // Somebody overwrites one, at the same size, and removes the other.
    let object = |id: &str| format!("recordings/prod/bastion/{id}.cast.zst");
    let altered = dir.path().join("altered");
    fs::write(&altered, vec![7; own[0].len()])?;
    let put = ["-T", altered.to_str().unwrap_or_default()];
    store.curl(&put, &object(&ids[0]))?.prints("200")?;
    store
        .curl(&["-X", "DELETE"], &object(&ids[1]))?
        .prints("204")?;
    std::thread::sleep(Duration::from_secs(11));
    world.jump(&[&world.at_web1(), "echo a third"])?.ok()?;
    world
        .bastion()?
        .wait_log("does not have a recording as it was given", LIMIT)?;
    for (id, own) in ids.iter().zip(&own) {
        until("it is there as it was", || {
            let copy = dir.path().join("copy");
            let to = ["-o", copy.to_str().unwrap_or_default()];
            let found = store.curl(&to, &object(id))?.out();
            Ok(found == "200" && fs::read(&copy)? == *own)
        })?;
    }
    std::thread::sleep(Duration::from_secs(11));
    world.jump(&[&world.at_web1(), "echo a fourth"])?.ok()?;
    until("they have left this disk", || {
        Ok(all.iter().all(|path| !path.exists()))
    })?;
    // Here they are missing now.
    world.end_damaged();
    Ok(())
}

/// How many parts are noted of uploads that are under way.
fn parts(journal: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(journal)? {
        let text = fs::read_to_string(entry?.path()).unwrap_or_default();
        let noted: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let parts = noted.pointer("/parts/parts").and_then(|it| it.as_array());
        count += parts.map_or(0, Vec::len);
    }
    Ok(count)
}
