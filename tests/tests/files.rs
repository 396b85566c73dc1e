//! File transfers through the bastion, by the stock `sftp` and `scp`.

#[path = "files/old_scp.rs"]
mod old_scp;

use std::fs;
use std::process::Command;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, programs};

/// A world in which Alice may move files on `web1.prod`, with these words in her role.
fn world(files: &str) -> Result<(World, String)> {
    world_with(&["shell", "exec", "sftp"], files)
}

/// The same, with these channels alone.
fn world_with(channels: &[&str], files: &str) -> Result<(World, String)> {
    World::on_web1_as(&Setup {
        look: format!("channels = {channels:?}\n{files}"),
        ..Setup::default()
    })
}

/// Runs `sftp` or `scp` as Alice, through the bastion.
fn moves(world: &World, program: &str, args: &[&str], batch: &str) -> Result<Output> {
    let mut command: Command = world.alice.command(program)?;
    command.arg("-F").arg(world.alice.config());
    command
        .args(["-o", "BatchMode=yes", "-J", "bastion"])
        .args(args);
    process::run_with(&mut command, batch.as_bytes())
}

/// What the recordings say of files, a line each, in the order of the recordings.
fn told(world: &World, count: usize) -> Result<Vec<serde_json::Value>> {
    let mut told = Vec::new();
    for path in world.wait_finished(count, LIMIT)? {
        let text =
            process::run(Command::new(programs::find("zstd")?).arg("-dcq").arg(path))?.ok()?;
        for line in text.out().lines().skip(1) {
            let (_, code, data): (f64, String, String) = json(line)?;
            if code == "f" {
                told.push(json(&data)?);
            }
        }
    }
    Ok(told)
}

fn json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Failure::new(e.to_string()))
}

fn sha256(bytes: &[u8]) -> Result<String> {
    let mut command = Command::new(programs::find("sha256sum")?);
    let sum = process::run_with(&mut command, bytes)?.ok()?;
    Ok(format!(
        "sha256:{}",
        sum.out().split(' ').next().unwrap_or_default()
    ))
}

#[test]
fn promise_10_each_file_that_goes_either_way_is_in_the_recording_by_name_size_and_digest()
-> Result<()> {
    let (world, at) = world("")?;
    let there = world.root().join("there");
    fs::create_dir(&there)?;
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let here = world.root().join("here");
    fs::write(&here, &bytes)?;
    let batch = format!(
        "cd {0}\nput {1} up\nget up {1}.back\nrename up kept\nln -s kept link\nchmod 600 kept\nmkdir dir\nrmdir dir\nrm link\nls -l\nget none\n",
        there.display(),
        here.display(),
    );
    let output = moves(&world, "sftp", &["-b", "-", &at], &batch)?;
    output.exits(1)?.says("not found")?;
    assert!(
        fs::read(there.join("kept"))? == bytes,
        "what went up is not what arrived"
    );
    assert!(
        fs::read(world.root().join("here.back"))? == bytes,
        "what came down is not what went up"
    );

    let told = told(&world, 1)?;
    let up = there.join("up").display().to_string();
    let opened = |mode: &str| {
        let found = told.iter().find(|line| {
            line["asked"]["path"]["text"] == up.as_str() && line["asked"]["open"][mode] == true
        });
        found.map(|line| line["asked"]["n"].clone())
    };
    let digest = sha256(&bytes)?;
    for (mode, way) in [("write", "written"), ("read", "read")] {
        let n = opened(mode).unwrap_or_else(|| panic!("no open to {mode}: {told:#?}"));
        let moved = told.iter().find(|line| line["moved"]["n"] == n);
        let moved = moved.unwrap_or_else(|| panic!("nothing was {way}: {told:#?}"));
        assert_eq!(moved["moved"]["closed"], true);
        assert_eq!(moved["moved"][way]["bytes"], bytes.len());
        assert_eq!(moved["moved"][way]["digest"], digest.as_str());
    }
    for op in [
        "rename", "symlink", "setstat", "mkdir", "rmdir", "remove", "list",
    ] {
        let found = told.iter().find(|line| line["asked"]["op"] == op);
        let n = found.map(|line| line["asked"]["n"].clone());
        let n = n.unwrap_or_else(|| panic!("no {op}: {told:#?}"));
        assert!(
            told.iter()
                .any(|line| line["done"]["n"] == n && line["done"]["outcome"] == "ok"),
            "{op} has no outcome: {told:#?}"
        );
    }
    assert!(
        told.iter()
            .any(|line| line["done"]["outcome"] == "no-such-file"),
        "the missing file's outcome: {told:#?}"
    );
    world.verify()?.ok()?;
    world.end()
}

#[test]
fn scp_goes_both_ways_in_both_its_forms() -> Result<()> {
    let (world, at) = world("")?;
    let there = world.root().join("there");
    fs::create_dir(&there)?;
    let here = world.root().join("here");
    fs::write(&here, "by scp\n")?;
    let here = here.display().to_string();
    for (n, form) in ["-s", "-O"].into_iter().enumerate() {
        let remote = format!("{at}:{}/{n}", there.display());
        let back = format!("{here}.{n}");
        moves(&world, "scp", &[form, &here, &remote], "")?.ok()?;
        moves(&world, "scp", &[form, &remote, &back], "")?.ok()?;
        assert_eq!(fs::read_to_string(back)?, "by scp\n", "{form}");
    }
    let told = told(&world, 4)?;
    let moved = told.iter().filter(|line| line["moved"]["closed"] == true);
    assert_eq!(moved.count(), 4, "one file each way by each: {told:#?}");
    world.verify()?.ok()?;
    world.end()
}

#[test]
fn a_role_without_downloads_gives_none_and_says_so() -> Result<()> {
    let there = tempfile::tempdir()?;
    let given = there.path().join("given");
    fs::create_dir(&given)?;
    fs::write(given.join("secret"), "secret\n")?;
    let files = format!(
        "files = {{ read = false, paths = [\"{}\"], largest = \"1K\" }}",
        given.display()
    );
    let (world, at) = world(&files)?;
    let here = world.root().join("here");
    fs::write(&here, [b'x'; 1000])?;
    let large = world.root().join("large");
    fs::write(&large, [b'x'; 1025])?;
    let put = |file: &std::path::Path, to: &str| format!("put {} {to}\n", file.display());
    let dir = given.display();
    for (batch, says) in [
        (put(&here, &format!("{dir}/up")), None),
        (
            format!("get {dir}/secret {}\n", world.root().join("got").display()),
            Some("Permission denied"),
        ),
        (
            put(&here, &format!("{dir}/../beside")),
            Some("Permission denied"),
        ),
        (
            put(&here, "/tmp/hallpass-beside"),
            Some("Permission denied"),
        ),
        (
            put(&large, &format!("{dir}/large")),
            Some("Permission denied"),
        ),
        (format!("ln -s /etc {dir}/etc\n"), Some("Permission denied")),
    ] {
        let output = moves(&world, "sftp", &["-b", "-", &at], &batch)?;
        match says {
            None => drop(output.ok()?),
            Some(says) => drop(output.exits(1)?.says(says)?),
        }
    }
    assert!(!world.root().join("got").exists() && !there.path().join("beside").exists());
    assert_eq!(fs::read(given.join("up"))?.len(), 1000);
    assert!(fs::metadata(given.join("large")).map_or(true, |file| file.len() <= 1024));
    let told = told(&world, 6)?;
    for why in [
        "the role gives no downloads",
        "the role does not give this path",
        "the role gives no files of this size",
    ] {
        assert!(
            told.iter().any(|line| line["refused"]["why"] == why),
            "{why}: {told:#?}"
        );
    }
    world.verify()?.ok()?;
    world.end()
}

#[test]
fn a_role_that_does_not_name_sftp_gives_none() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let output = moves(&world, "sftp", &["-b", "-", &at], "pwd\n")?;
    output
        .exits(255)?
        .says("role web-look does not allow file transfers")?;
    assert_eq!(world.web1.logins(), 0, "the target was reached");
    world.end()
}

#[test]
fn a_transfer_that_is_cut_off_says_how_far_it_went() -> Result<()> {
    let (mut world, at) = world("")?;
    let there = world.root().join("there");
    let here = world.root().join("here");
    fs::write(&here, vec![b'x'; 4 << 20])?;
    let batch = format!("put {} {}\n", here.display(), there.display());
    let mut command: Command = world.alice.command("sftp")?;
    command.arg("-F").arg(world.alice.config());
    command.args([
        "-o",
        "BatchMode=yes",
        "-l",
        "2000",
        "-J",
        "bastion",
        "-b",
        "-",
        &at,
    ]);
    let mut live = process::Live::start(&mut command)?;
    live.send(batch)?;
    let begin = std::time::Instant::now();
    while fs::metadata(&there).map_or(true, |file| file.len() < 200_000) {
        assert!(begin.elapsed() < LIMIT, "nothing arrives");
        std::thread::sleep(Duration::from_millis(50));
    }
    live.signal("KILL")?;
    let told = told(&world, 1)?;
    let moved = told.iter().find(|line| line["moved"]["closed"] == false);
    let moved = moved.unwrap_or_else(|| panic!("nothing says how far it went: {told:#?}"));
    let bytes = moved["moved"]["written"]["bytes"]
        .as_u64()
        .unwrap_or_default();
    assert!((200_000..4 << 20).contains(&bytes), "{bytes}");
    world.bastion()?;
    world.verify()?.ok()?;
    world.end()
}
