//! Recordings that lie in a bucket, read there by their reviewers: played while they come, searched, written out and reviewed; and those
//! that a bastion still writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hallpass_tests::chaos::{Harm, Plan, Proxy};
use hallpass_tests::process::{self, LIMIT, Live, Output};
use hallpass_tests::s3::S3;
use hallpass_tests::watch::until;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, programs};

/// A world whose recordings leave for this store at once.
fn world(store: &S3, recordings: &str) -> Result<World> {
    let extra = format!(
        "[recordings]\n{recordings}\n[recordings.bucket]\nurl = \"s3://recordings/prod\"\nendpoint = \"{}\"\ncredentials = \"{}\"\nkeep-local = \"0s\"\n",
        store.endpoint(),
        store.credentials()?.display()
    );
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    Ok(world)
}

/// A store that serves, with its bucket.
fn store(dir: &Path) -> Result<S3> {
    let store = S3::start(dir)?;
    store.bucket("recordings", false)?;
    Ok(store)
}

/// A command of a reviewer's machine, where temporary files go to this directory.
fn command(world: &World, store: &S3, temporary: &Path, args: &[&str]) -> Result<Command> {
    let mut command = world.hallpass_command(args)?;
    command.envs(store.environment()).env("TMPDIR", temporary);
    Ok(command)
}

/// The same in a terminal of its own.
fn in_terminal(store: &S3, temporary: &Path, command: &Command) -> Result<Command> {
    let mut terminal = process::in_terminal(command)?;
    terminal.envs(store.environment()).env("TMPDIR", temporary);
    Ok(terminal)
}

/// Runs a command in a terminal until the recording and its index are in the bucket alone; gives the session.
fn recorded(world: &World, store: &S3, command: &str) -> Result<String> {
    let args = ["-tt", "-J", "bastion", &world.at_web1(), command];
    world.alice.ssh(&args)?.ok()?;
    let path = world.first_recording(LIMIT)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id: String = name.chars().take(26).collect();
    let status = |ending: &str| {
        let object = format!("recordings/prod/bastion/{id}.{ending}");
        Ok::<_, hallpass_tests::Failure>(store.curl(&["--head"], &object)?.out())
    };
    until("it and its index are in the bucket alone", || {
        Ok(!path.exists() && status("cast.zst")? == "200" && status("index.zst")? == "200")
    })?;
    Ok(id)
}

fn is_empty(dir: &Path) -> Result<bool> {
    Ok(fs::read_dir(dir)?.next().is_none())
}

#[test]
fn a_sealed_recording_is_read_from_the_bucket_with_its_index_and_leaves_nothing_here() -> Result<()>
{
    let dir = tempfile::tempdir()?;
    let store = store(&dir.path().join("store"))?;
    let (key, temporary) = (dir.path().join("reviewer"), dir.path().join("tmp"));
    fs::create_dir(&temporary)?;
    let mut keygen = Command::new(programs::find("ssh-keygen")?);
    keygen.args(["-q", "-t", "ed25519", "-C", "reviewer", "-N", "", "-f"]);
    process::run(keygen.arg(&key))?.ok()?;
    let public = fs::read_to_string(key.with_extension("pub"))?;
    let sealed = format!("recipients = [\"{}\"]", public.trim());
    let world = world(&store, &sealed)?;
    let id = recorded(&world, &store, "printf 'needle-%s\\n' 4711")?;

    let key = key.to_str().unwrap_or_default();
    let run = |args: &[&str]| -> Result<Output> {
        let output = process::run(&mut command(&world, &store, &temporary, args)?)?;
        assert!(is_empty(&temporary)?, "{args:?} has left something");
        Ok(output)
    };
    let (all, one) = ("s3://recordings/prod", format!("s3://recordings/prod/{id}"));
    let file = format!("s3://recordings/prod/bastion/{id}.cast.zst");
    let pattern = "needle-[0-9]+";
    for place in [all, "s3://recordings/prod/bastion", &one, &file] {
        run(&["search", pattern, place, "--identity", key])?
            .ok()?
            .prints("  needle-4711")?;
    }
    // A place names the same to whoever checks what lies there.
    let log = world.log();
    let log = log.to_str().unwrap_or_default();
    let good = format!("good  {id}.cast.zst");
    for place in [all, "s3://recordings/prod/bastion", &one, &file] {
        run(&["verify", log, place])?.ok()?.prints(&good)?;
    }
    let nowhere = "s3://recordings/prod/01JD0000000000000000000000";
    run(&["verify", log, nowhere])?
        .exits(1)?
        .prints("there is no recording of 01JD0000000000000000000000 in s3://recordings/prod")?;
    run(&["search", pattern, all, "--identity", key, "--person", "bob"])?
        .exits(1)?
        .says("nothing found in 0 recordings")?;
    run(&["search", pattern, all])?
        .exits(1)?
        .says("not searched: 1 recording is sealed to others")?;
    run(&["export", &one, "--format", "txt", "--identity", key])?
        .ok()?
        .prints("needle-4711")?;
    // Signed by none of the bastions that are trusted, it is neither shown nor written out.
    let others = dir.path().join("others");
    fs::write(&others, format!("bastion {public}"))?;
    let trust = others.to_str().unwrap_or_default();
    let keys = ["--identity", key, "--trust", trust];
    run(&[&["search", pattern, all], &keys[..]].concat())?
        .exits(1)?
        .says("the recording is damaged")?;
    let to = dir.path().to_str().unwrap_or_default();
    for write in [["export", "--format", "txt"], ["share", "--output", to]] {
        let mut args = [&write[..], &[&one], &keys[..]].concat();
        if write[0] == "share" {
            args.extend(["--to", public.trim()]);
        }
        run(&args)?.exits(1)?.says("the recording is damaged")?;
    }
    let play = command(&world, &store, &temporary, &["play", &one, "-i", key])?;
    let mut play = in_terminal(&store, &temporary, &play)?;
    let mut live = Live::start(&mut play)?;
    live.wait_out("needle-4711", LIMIT)?;
    live.send("q")?;
    live.finish(LIMIT)?.ok()?;
    assert!(is_empty(&temporary)?, "the player has left something");

    // An index that says something else hides nothing.
    let index = format!("recordings/prod/bastion/{id}.index.zst");
    let none = dir.path().join("none");
    fs::write(&none, "nothing here")?;
    let put = ["-T", none.to_str().unwrap_or_default()];
    store.curl(&put, &index)?.prints("200")?;
    run(&["search", pattern, all, "--identity", key])?
        .ok()?
        .prints("needle-4711")?;

    // What is not there, and what is no recording, is said; and nothing is done there that is done to files.
    let other = "s3://recordings/prod/01JD0000000000000000000000";
    run(&["export", other, "--format", "txt"])?
        .exits(1)?
        .says("there is no recording of 01JD0000000000000000000000 in s3://recordings/prod")?;
    run(&["erase", &one, "--yes"])?
        .exits(1)?
        .says("is not on this machine")?;
    play.env("AWS_SECRET_ACCESS_KEY", "wrong");
    process::run(&mut play)?
        .exits(1)?
        .prints("the bucket refused it")?;
    drop(world);
    Ok(())
}

#[test]
fn a_recording_plays_while_it_comes() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let store = store(&dir.path().join("store"))?;
    let temporary = dir.path().join("tmp");
    fs::create_dir(&temporary)?;
    let world = world(&store, "")?;
    // Megabytes that do not compress: more than one piece of it has to come.
    let noise = "head -c 9000000 /dev/urandom | base64";
    let id = recorded(
        &world,
        &store,
        &format!("echo first-line; sleep 2; {noise}; echo '#(!)#(!)#'"),
    )?;
    let port = store.endpoint();
    let port = port.rsplit(':').next().and_then(|port| port.parse().ok());
    let slow = Proxy::to(port.unwrap_or_default())?;
    // Each piece stands still in its middle.
    slow.plan(Plan {
        down: Harm::Stall(600_000, Duration::from_secs(1)),
        ..Plan::FAIR
    });
    let one = format!("s3://recordings/prod/{id}");
    let play = ["play", &one, "--speed", "16"];
    let play = command(&world, &store, &temporary, &play)?;
    let mut play = in_terminal(&store, &temporary, &play)?;
    let endpoint = format!("http://127.0.0.1:{}", slow.port);
    play.env("AWS_ENDPOINT_URL", endpoint);
    let mut live = Live::start(&mut play)?;
    live.wait_out("first-line", LIMIT)?;
    live.wait_out("% is here", LIMIT)?;
    // It is followed to its end, as one that a bastion still writes.
    // None of these stands in the noise, so that all of them are drawn.
    live.wait_out("#(!)#(!)#", LIMIT)?;
    live.wait_out("exit", LIMIT)?;
    live.send("q")?;
    live.finish(LIMIT)?.ok()?;
    assert!(is_empty(&temporary)?, "the player has left something");

    // And one whose rest does not come says so, and what is here can be looked at.
    slow.plan(Plan {
        down: Harm::Stall(600_000, Duration::from_secs(5)),
        ..Plan::FAIR
    });
    let mut live = Live::start(&mut play)?;
    live.wait_out("% is here", LIMIT)?;
    slow.plan(Plan {
        down: Harm::Cut(1),
        ..Plan::FAIR
    });
    slow.cut();
    // The last line says why; only what differs from before is drawn anew.
    live.wait_out("rest", LIMIT)?;
    live.send("q")?;
    live.finish(LIMIT)?
        .exits(1)?
        .prints("not all of it was brought")?;
    assert!(is_empty(&temporary)?, "the player has left something");
    drop(world);
    Ok(())
}

#[test]
fn a_session_that_still_runs_is_followed_to_its_end() -> Result<()> {
    let world = World::with(&Setup::default())?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    let at = world.at_web1();
    let command = "echo begun; read one; echo heard-$one; read two; echo heard-$two";
    let mut session = world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &at, command])?;
    session.wait_out("begun", LIMIT)?;
    let recordings = world.root().join("site/bastion/recordings");
    let mut file: Option<PathBuf> = None;
    until("its file is there", || {
        for entry in fs::read_dir(&recordings)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(".cast.zst") {
                file = Some(path);
            }
        }
        Ok(file.is_some())
    })?;
    let file = file.unwrap_or_default();
    let mut play = world.hallpass_command(&["play"])?;
    play.arg(&file);
    let mut live = Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out("begun", LIMIT)?;
    live.wait_out("no end yet", LIMIT)?;
    for word in ["4711", "4712"] {
        session.send(format!("{word}\n"))?;
        live.wait_out(&format!("heard-{word}"), LIMIT)?;
    }
    session.finish(LIMIT)?.ok()?;
    live.wait_out("exit", LIMIT)?;
    live.send("q")?;
    live.finish(LIMIT)?.ok()?;
    world.end()
}
