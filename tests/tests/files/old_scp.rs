//! The old protocol, which the stock `scp -O` speaks.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::{Output, Result, World};
use serde_json::{Value, json};

use super::{moves, sha256, told, world_with};

/// What moved of files whose name ends so.
fn moved<'a>(told: &'a [Value], name: &str) -> &'a Value {
    let named = |path: &Value| {
        path["text"]
            .as_str()
            .is_some_and(|text| text.ends_with(name))
    };
    let asked = told.iter().find(|line| {
        line["asked"]["op"] == "open"
            && (named(&line["asked"]["path"]) || named(&line["asked"]["to"]))
    });
    let n = &asked.unwrap_or_else(|| panic!("no {name}: {told:#?}"))["asked"]["n"];
    let moved = told.iter().find(|line| line["moved"]["n"] == *n);
    &moved.unwrap_or_else(|| panic!("{name} did not move: {told:#?}"))["moved"]
}

fn copies(world: &World, args: &[&str]) -> Result<Output> {
    moves(world, "scp", &[&["-O"], args].concat(), "")
}

#[test]
fn promise_10_what_scp_o_moves_is_in_the_recording_by_name_size_and_digest() -> Result<()> {
    let (world, at) = world_with(&["exec", "sftp"], "")?;
    let (here, there) = (world.root().join("here"), world.root().join("there"));
    fs::create_dir_all(here.join("deep"))?;
    fs::create_dir(&there)?;
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    fs::write(here.join("large"), &bytes)?;
    fs::write(here.join("deep/small"), "small\n")?;
    fs::write(here.join("deep/empty"), "")?;
    let old = process::run(
        Command::new("touch")
            .args(["-d", "2001-02-03"])
            .arg(here.join("large")),
    )?;
    old.ok()?;

    let up = format!("{at}:{}", there.display());
    copies(&world, &["-r", "-p", &here.display().to_string(), &up])?.ok()?;
    let back = world.root().join("back");
    copies(
        &world,
        &["-r", &format!("{up}/here"), &back.display().to_string()],
    )?
    .ok()?;
    for dir in [there.join("here"), back] {
        assert!(fs::read(dir.join("large"))? == bytes, "{}", dir.display());
        assert_eq!(fs::read(dir.join("deep/small"))?, b"small\n");
        assert_eq!(fs::read(dir.join("deep/empty"))?, b"");
    }
    let mtime = |path: &Path| Ok::<_, hallpass_tests::Failure>(fs::metadata(path)?.mtime());
    assert_eq!(
        mtime(&there.join("here/large"))?,
        mtime(&here.join("large"))?
    );

    let told = told(&world, 2)?;
    let (first, second) = told.split_at(
        told.iter()
            .rposition(|line| line["asked"]["n"] == 1)
            .unwrap_or(0),
    );
    let base = there.display().to_string();
    let asked = |op: &str, path: &str, to: Option<&str>| {
        told.iter().any(|line| {
            let to = to.map_or(Value::Null, |to| json!({ "text": to }));
            line["asked"]["op"] == op
                && line["asked"]["path"]["text"] == path
                && line["asked"]["to"] == to
        })
    };
    // Where it went is known as far as the protocol says it, where it came from whole.
    assert!(asked("mkdir", &base, Some("here/deep")), "{told:#?}");
    assert!(asked("open", &base, Some("here/deep/small")), "{told:#?}");
    assert!(
        asked("list", &format!("{base}/here/deep"), None),
        "{told:#?}"
    );
    assert!(
        asked("open", &format!("{base}/here/large"), None),
        "{told:#?}"
    );
    for (told, way) in [(first, "written"), (second, "read")] {
        let large = moved(told, "here/large");
        assert_eq!(large["closed"], true);
        assert_eq!(large[way]["bytes"], bytes.len());
        assert_eq!(large[way]["digest"], sha256(&bytes)?.as_str());
        assert_eq!(
            moved(told, "deep/small")[way]["digest"],
            sha256(b"small\n")?.as_str()
        );
        assert_eq!(moved(told, "deep/empty")["closed"], true);
    }
    world.verify()?.ok()?;
    world.end()
}

#[test]
fn scp_o_needs_no_commands_beside_a_shell_and_brings_none() -> Result<()> {
    let (world, at) = world_with(&["shell", "sftp"], "")?;
    let here = world.root().join("here");
    fs::write(&here, "by scp\n")?;
    let there = world.root().join("there");
    let remote = format!("{at}:{}", there.display());
    copies(&world, &[&here.display().to_string(), &remote])?.ok()?;
    assert_eq!(fs::read_to_string(&there)?, "by scp\n");
    // One path is one path for every shell; anything else is the shell's business.
    let odd = format!("{at}:{}*", there.display());
    let output = copies(&world, &[&odd, &here.display().to_string()])?;
    output
        .exits(1)?
        .says("hallpass: the role gives no paths that only the target's shell knows")?;
    for command in [
        "id",
        "scp -f /etc/hostname; id",
        "/usr/bin/scp -f /etc/hostname",
    ] {
        let output = world.jump(&[&at, command])?;
        output.exits(255)?.says("does not allow a command")?;
    }
    // The file that is not there, in the target's words.
    let none = format!("{at}:/none/such");
    copies(&world, &[&none, &here.display().to_string()])?
        .exits(1)?
        .says("/none/such: No such file")?;
    let told = told(&world, 6)?;
    assert!(
        told.iter()
            .any(|line| line["done"]["outcome"] == "no-such-file"),
        "{told:#?}"
    );
    world.end()
}

#[test]
fn a_role_that_gives_files_alone_starts_no_shell_by_scp_o() -> Result<()> {
    let (world, at) = world_with(&["sftp"], "")?;
    let (here, there) = (world.root().join("here"), world.root().join("there"));
    fs::write(&here, "by scp\n")?;
    let (here, remote) = (
        here.display().to_string(),
        format!("{at}:{}", there.display()),
    );
    for pair in [[&here, &remote], [&remote, &here]] {
        copies(&world, &pair.map(String::as_str))?
            .exits(1)?
            .says("gives files and no commands: use sftp, or scp without -O")?;
    }
    assert!(!there.exists());
    assert_eq!(world.web1.logins(), 0, "the target heard of it");
    moves(&world, "scp", &[&here, &remote], "")?.ok()?;
    assert_eq!(fs::read_to_string(there)?, "by scp\n");
    world.end()
}

#[test]
fn a_role_s_rules_for_files_hold_for_scp_o() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let given = dir.path().join("given");
    fs::create_dir(&given)?;
    fs::write(given.join("secret"), "secret\n")?;
    let files = format!(
        "files = {{ read = false, paths = [\"{}\"], largest = \"1K\" }}",
        given.display()
    );
    let (world, at) = world_with(&["shell", "exec", "sftp"], &files)?;
    let write = |name: &str, size: usize| {
        let path = world.root().join(name);
        fs::write(&path, vec![b'x'; size]).map(|()| path.display().to_string())
    };
    let (small, large) = (write("small", 1024)?, write("large", 1025)?);
    let remote = |path: &str| format!("{at}:{path}");
    let inside = given.display().to_string();
    copies(&world, &[&small, &remote(&format!("{inside}/up"))])?.ok()?;
    let logins = world.web1.logins();
    for (from, to, why, reached) in [
        (
            remote(&format!("{inside}/secret")),
            "/dev/null".to_owned(),
            "the role gives no downloads",
            false,
        ),
        (
            small.clone(),
            remote(&format!("{inside}/../beside")),
            "the role does not give this path",
            false,
        ),
        (
            small.clone(),
            remote("/tmp/hallpass-beside"),
            "the role does not give this path",
            false,
        ),
        (
            small.clone(),
            remote(&format!("{inside}/*")),
            "the role gives no paths that only",
            false,
        ),
        (
            large.clone(),
            remote(&inside),
            "the role gives no files of this size",
            true,
        ),
    ] {
        let before = world.web1.logins();
        let output = copies(&world, &[&from, &to])?;
        output.exits(1)?.says(&format!("hallpass: {why}"))?;
        assert_eq!(world.web1.logins() > before, reached, "{why}");
    }
    assert!(logins > 0 && !dir.path().join("beside").exists());
    assert!(fs::metadata(given.join("large")).map_or(true, |file| file.len() == 0));
    // What names it otherwise is no way around them; what does not name it is a command like any other.
    for command in [
        format!("/usr/bin/scp -f {inside}/secret"),
        format!("sh -c 'scp -f {inside}/secret'"),
        "exec /usr/lib/openssh/sftp-server".to_owned(),
    ] {
        let output = world.jump(&[&at, &command])?;
        output
            .exits(255)?
            .says("has rules for files, which this command cannot be held to")?;
    }
    assert_eq!(world.jump(&[&at, "echo fine"])?.ok()?.out(), "fine\n");
    let told = told(&world, 10)?;
    let refused = told
        .iter()
        .filter(|line| line["refused"]["why"].is_string());
    assert_eq!(refused.count(), 5, "{told:#?}");
    world.verify()?.ok()?;
    world.end()
}

#[test]
fn a_copy_by_scp_o_that_is_cut_off_says_how_far_it_went() -> Result<()> {
    let (world, at) = world_with(&["exec", "sftp"], "")?;
    let (here, there) = (world.root().join("here"), world.root().join("there"));
    fs::write(&here, vec![b'x'; 4 << 20])?;
    let mut command: Command = world.alice.command("scp")?;
    command.arg("-F").arg(world.alice.config());
    command.args(["-O", "-o", "BatchMode=yes", "-l", "2000", "-J", "bastion"]);
    command.arg(&here).arg(format!("{at}:{}", there.display()));
    let live = process::Live::start(&mut command)?;
    let begin = Instant::now();
    while fs::metadata(&there).map_or(true, |file| file.len() < 200_000) {
        assert!(begin.elapsed() < LIMIT, "nothing arrives");
        std::thread::sleep(Duration::from_millis(50));
    }
    live.signal("KILL")?;
    let told = told(&world, 1)?;
    let moved = moved(&told, "here");
    assert_eq!(moved["closed"], false);
    let bytes = moved["written"]["bytes"].as_u64().unwrap_or_default();
    assert!((200_000..4 << 20).contains(&bytes), "{bytes}");
    world.verify()?.ok()?;
    world.end()
}

#[test]
fn where_a_role_masks_and_gives_commands_alone_scp_o_is_one_of_them() -> Result<()> {
    let (world, at) = world_with(&["exec"], "mask = [\"cards\"]")?;
    let (here, back) = (world.root().join("here"), world.root().join("back"));
    fs::write(&here, "4111 1111 1111 1111\n")?;
    let remote = format!("{at}:{}", here.display());
    copies(&world, &[&remote, &back.display().to_string()])?.ok()?;
    assert_eq!(fs::read_to_string(back)?, "**** **** **** ****\n");
    assert_eq!(told(&world, 1)?, Vec::<Value>::new());
    world.end()
}
