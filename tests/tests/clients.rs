//! Other people's programs through the bastion: each finds its way in by a certificate, and does what it does elsewhere.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Output, Result, World, keys, programs, watch};

/// A world in which Alice may move files and run commands on `web1.prod`.
fn world() -> Result<(World, String)> {
    World::on_web1_as(&Setup {
        look: "channels = [\"shell\", \"exec\", \"sftp\"]".to_owned(),
        ..Setup::default()
    })
}

/// The user name of the bastion's door.
fn door(world: &World) -> String {
    format!("{}%web1.prod", world.login)
}

/// The key that the bastion shows to who asks for no certificate, as `ssh-keyscan` prints it.
fn shown_key(world: &World) -> Result<String> {
    let mut scan = Command::new(programs::find("ssh-keyscan")?);
    let port = world.bastion_port.to_string();
    scan.args(["-t", "ed25519", "-p", &port, "127.0.0.1"]);
    let line = process::run(&mut scan)?.ok()?.out();
    let words: Vec<&str> = line.split_whitespace().skip(1).take(2).collect();
    Ok(words.join(" "))
}

/// The same as a fingerprint.
fn fingerprint(world: &World) -> Result<String> {
    let file = world.root().join("shown.pub");
    fs::write(&file, shown_key(world)? + "\n")?;
    let mut keygen = Command::new(programs::find("ssh-keygen")?);
    let printed = process::run(keygen.arg("-lf").arg(&file))?.ok()?.out();
    let second = printed.split_whitespace().nth(1);
    Ok(second.unwrap_or_default().to_owned())
}

/// What `rsync` and `git` speak through.
fn shell(world: &World) -> String {
    let config = world.alice.config();
    format!("ssh -F {} -J bastion", config.display())
}

/// Runs a program as Alice.
fn run(world: &World, program: &str, args: &[&str]) -> Result<Output> {
    let mut command = world.alice.command(program)?;
    Live::start(command.args(args).env("GIT_SSH_COMMAND", shell(world)))?.finish(LIMIT)
}

/// A file of noise.
fn noise(world: &World, name: &str) -> Result<PathBuf> {
    let path = world.root().join(name);
    let mut random = std::io::Read::take(fs::File::open("/dev/urandom")?, 3 << 20);
    std::io::copy(&mut random, &mut fs::File::create(&path)?)?;
    Ok(path)
}

#[test]
fn rsync_brings_a_tree_there_and_back() -> Result<()> {
    let (world, at) = world()?;
    let from = world.root().join("tree");
    fs::create_dir_all(from.join("deep"))?;
    fs::rename(noise(&world, "noise")?, from.join("deep/noise"))?;
    fs::write(from.join("small"), "small\n")?;
    let (from, far) = (format!("{}/", from.display()), world.root().join("far"));
    let there = format!("{at}:{}/", far.display());
    let back = format!("{}/", world.root().join("back").display());
    let shell = shell(&world);
    run(&world, "rsync", &["-a", "-e", &shell, &from, &there])?.ok()?;
    run(&world, "rsync", &["-a", "-e", &shell, &there, &back])?.ok()?;
    run(&world, "diff", &["-r", &from, &back])?.ok()?;
    world.end()
}

#[test]
fn git_clones_and_pushes() -> Result<()> {
    let (world, at) = world()?;
    let bare = world.root().join("far.git");
    let bare = bare.to_str().unwrap_or_default();
    let here = world.root().join("here");
    let here = here.to_str().unwrap_or_default();
    let far = format!("ssh://{at}{bare}");
    run(&world, "git", &["init", "-q", "--bare", "-b", "main", bare])?.ok()?;
    run(&world, "git", &["clone", "-q", &far, here])?.ok()?;
    fs::rename(noise(&world, "noise")?, world.root().join("here/noise"))?;
    run(&world, "git", &["-C", here, "add", "noise"])?.ok()?;
    let commit = [
        "-C",
        here,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "commit",
        "-qm",
        "noise",
    ];
    run(&world, "git", &commit)?.ok()?;
    run(
        &world,
        "git",
        &["-C", here, "push", "-q", "origin", "HEAD:main"],
    )?
    .ok()?;
    let again = world.root().join("again");
    run(
        &world,
        "git",
        &["clone", "-q", &far, again.to_str().unwrap_or_default()],
    )?
    .ok()?;
    assert_eq!(
        fs::read(world.root().join("here/noise"))?,
        fs::read(again.join("noise"))?
    );
    world.end()
}

#[test]
fn a_script_on_standard_input_runs_as_ansible_s_pipelining_has_it() -> Result<()> {
    let (world, at) = world()?;
    let script = "import sys; print('pong', len(sys.stdin.read()))\n";
    let control = world.root().join("control");
    let control = format!("ControlPath={}", control.display());
    let options = [
        "-o",
        "ControlMaster=auto",
        "-o",
        "ControlPersist=5s",
        "-o",
        &control,
    ];
    let command = "/bin/sh -c '/usr/bin/python3 && sleep 0'";
    for _ in 0..3 {
        let args = [&options[..], &["-J", "bastion", &at, command]].concat();
        let answered = world.alice.ssh_with(&args, script.as_bytes())?;
        answered.ok()?.prints("pong 0")?;
    }
    world
        .alice
        .ssh(&["-o", &control, "-O", "exit", &at])?
        .ok()?;
    assert_eq!(world.web1.logins(), 3, "each session is one of its own");
    world.end()
}

/// The CA closes each command's channel first, and has to give its place back nevertheless.
#[test]
fn thirty_commands_share_one_connection_to_the_ca() -> Result<()> {
    let (world, _) = world()?;
    let control = world.root().join("ca");
    let path = format!("ControlPath={}", control.display());
    let mut master = world.alice.ssh_live(&["-o", &path, "-M", "-N", "ca"])?;
    watch::until("the connection is shared", || {
        Ok(control.exists() || !master.runs())
    })?;
    // One that is not taken would come over a connection of its own.
    let alone = "ProxyCommand=false";
    for _ in 0..30 {
        let shared = ["-o", &path, "-o", alone, "ca", "whoami"];
        world.alice.ssh(&shared)?.ok()?.prints("alice")?;
    }
    drop(master);
    world.end()
}

/// A script of ours that uses one of Python's libraries.
fn python(world: &World, script: &str, at: &str) -> Result<Output> {
    let script = format!("{}/clients/{script}", env!("CARGO_MANIFEST_DIR"));
    let key = world.alice.key();
    let noise = noise(world, "noise")?;
    let mut command = world.alice.command("/usr/bin/python3")?;
    command
        .arg(script)
        .arg(world.bastion_port.to_string())
        .arg(at)
        .arg(key)
        .arg(noise)
        .arg(shown_key(world)?);
    Live::start(&mut command)?.finish(LIMIT)
}

#[test]
fn paramiko_runs_a_command_and_moves_a_file() -> Result<()> {
    let (world, _) = world()?;
    python(&world, "paramiko_client.py", &door(&world))?
        .ok()?
        .prints("all as expected")?;
    world.end()
}

#[test]
fn asyncssh_runs_a_command_and_moves_a_file() -> Result<()> {
    let (world, _) = world()?;
    python(&world, "asyncssh_client.py", &door(&world))?
        .ok()?
        .prints("all as expected")?;
    // An sshd that root logs in to delivers no signals, so what tells is the recording.
    let mut lines = String::new();
    for recording in world.finished()? {
        let mut zstd = Command::new(programs::find("zstd")?);
        lines += &process::run(zstd.arg("-dcq").arg(recording))?.out();
    }
    assert!(lines.contains("signal USR1"), "{lines}");
    world.end()
}

/// Alice's key and certificate in one file of `PuTTY`'s own.
fn putty_key(world: &World) -> Result<PathBuf> {
    let (key, both) = (
        world.root().join("alice.ppk"),
        world.root().join("both.ppk"),
    );
    let mut puttygen = world.alice.command("puttygen")?;
    puttygen
        .arg(world.alice.key())
        .args(["-O", "private", "-o"]);
    process::run(puttygen.arg(&key))?.ok()?;
    let mut puttygen = world.alice.command("puttygen")?;
    puttygen
        .arg(&key)
        .arg("--certificate")
        .arg(keys::certificate(&world.alice.key()));
    process::run(puttygen.args(["-O", "private", "-o"]).arg(&both))?.ok()?;
    Ok(both)
}

#[test]
fn plink_and_pscp_go_in_and_move_a_file() -> Result<()> {
    let (world, _) = world()?;
    let key = putty_key(&world)?;
    let (host, port) = (fingerprint(&world)?, world.bastion_port.to_string());
    let key = key.to_str().unwrap_or_default();
    let common = [
        "-batch", "-noagent", "-P", &port, "-i", key, "-hostkey", &host,
    ];
    let at = format!("{}@127.0.0.1", door(&world));
    let plink = [&common[..], &[&at, "echo in; exit 5"]].concat();
    run(&world, "plink", &plink)?.exits(5)?.prints("in\n")?;

    let noise = noise(&world, "noise")?;
    let far = world.root().join("far");
    let to = format!("{at}:{}", far.display());
    let back = world.root().join("back");
    let noise_name = noise.to_str().unwrap_or_default();
    for form in ["-sftp", "-scp"] {
        let there = [&common[..], &[form, noise_name, &to]].concat();
        run(&world, "pscp", &there)?.ok()?;
        let back_name = back.to_str().unwrap_or_default();
        let here = [&common[..], &[form, &to, back_name]].concat();
        run(&world, "pscp", &here)?.ok()?;
        assert_eq!(fs::read(&noise)?, fs::read(&back)?, "{form}");
        fs::remove_file(&far)?;
    }
    world.end()
}

#[test]
fn what_knows_no_certificates_is_told_that_its_key_alone_opens_nothing() -> Result<()> {
    let (world, _) = world()?;
    let key = world.root().join("alice.dropbear");
    let mut convert = world.alice.command("dropbearconvert")?;
    convert.args(["openssh", "dropbear"]).arg(world.alice.key());
    process::run(convert.arg(&key))?.ok()?;
    let (port, user) = (world.bastion_port.to_string(), door(&world));
    let at = format!("{user}@127.0.0.1");
    let args = [
        "-y",
        "-y",
        "-p",
        &port,
        "-i",
        key.to_str().unwrap_or_default(),
        &at,
        "true",
    ];
    let refused = run(&world, "dbclient", &args)?.exits(1)?;
    refused
        .says("hallpass: no access certificate that is valid now was shown: ask for one with")?;
    assert_eq!(world.web1.logins(), 0);
    world.end()
}
