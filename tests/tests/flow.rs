//! Who waits: bytes in both directions at once, sides that stand still and go on, and channels beside them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::inject::Trace;
use hallpass_tests::process::{self, LIMIT, Live, Output};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, programs};

/// How long a side stands still: far longer than the three seconds after which this client gives up a connection whose
/// other side does not answer any more.
const STALL: Duration = Duration::from_secs(10);

/// When the bastion's memory is looked at, before the stall is over.
const LOOK: Duration = Duration::from_secs(8);

/// The client asks each second whether the bastion is there, and leaves when three questions stay open.
const WATCHFUL: [&str; 4] = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3"];

/// What the bastion may grow by while a side stands still, beyond what a transfer needs that does not, in KiB.
const GROWTH: u64 = 8 << 10;

/// A file of so many MiB that no two parts of are alike.
fn noise(world: &World, mebibytes: u64) -> Result<PathBuf> {
    let path = world.root().join("noise");
    let mut random = std::io::Read::take(File::open("/dev/urandom")?, mebibytes << 20);
    std::io::copy(&mut random, &mut File::create(&path)?)?;
    Ok(path)
}

fn digest(path: &Path) -> Result<String> {
    let mut command = Command::new(programs::find("sha256sum")?);
    let output = process::run(command.arg(path))?.ok()?.out();
    Ok(output
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned())
}

/// `ssh` as Alice, as a word for a shell.
fn spell(world: &World, args: &[&str]) -> Result<String> {
    Ok(process::spell(&world.alice.ssh_command(args)?))
}

/// A line of shell that runs.
fn shell(line: &str) -> Result<Live> {
    let mut command = Command::new("bash");
    Live::start(command.arg("-c").arg(line))
}

fn sh(line: &str, limit: Duration) -> Result<Output> {
    shell(line)?.finish(limit)
}

/// Resident memory of the bastion in KiB, after a transfer in both directions.
fn used(world: &mut World, at: &str, noise: &Path) -> Result<u64> {
    let ssh = spell(world, &["-J", "bastion", at, "cat"])?;
    sh(&format!("{ssh} < {} > /dev/null", noise.display()), LIMIT)?.ok()?;
    resident(world)
}

/// Resident memory of the bastion in KiB, without the pages of its program and its files, which come and go with what else
/// the machine does.
fn resident(world: &mut World) -> Result<u64> {
    let id = world.bastion()?.id();
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib = |line: &str| {
        line.strip_prefix("RssAnon:")?
            .trim()
            .strip_suffix(" kB")?
            .trim()
            .parse()
            .ok()
    };
    status
        .lines()
        .find_map(kib)
        .ok_or_else(|| Failure::new("no RssAnon"))
}

/// How Alice goes to the target: by its own name inside of `ssh -J`, and through the bastion's door.
fn ways(world: &World, at: &str) -> [Vec<String>; 2] {
    let door = format!("{}%web1.prod@bastion", world.login);
    [
        vec!["-J".to_owned(), "bastion".to_owned(), at.to_owned()],
        vec![door],
    ]
}

#[test]
fn promise_15_a_cat_in_both_directions_gives_back_all_of_it() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let noise = noise(&world, 64)?;
    let whole = digest(&noise)?;
    for way in ways(&world, &at) {
        let mut args: Vec<&str> = way.iter().map(String::as_str).collect();
        args.push("cat");
        let ssh = spell(&world, &args)?;
        let begin = Instant::now();
        let back = sh(
            &format!("{ssh} < {} | sha256sum", noise.display()),
            LIMIT * 2,
        )?;
        back.ok()?.prints(&whole)?;
        eprintln!("{way:?}: 64 MiB there and back in {:?}", begin.elapsed());
    }
    world.end()
}

#[test]
fn promise_13_a_reader_that_stands_still_and_goes_on_gets_every_byte() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let noise = noise(&world, 64)?;
    let whole = digest(&noise)?;
    let before = used(&mut world, &at, &noise)?;
    let cat = format!("cat {}", noise.display());
    let ssh = spell(
        &world,
        &[&WATCHFUL[..], &["-J", "bastion", &at, &cat]].concat(),
    )?;
    let live = shell(&format!(
        "set -o pipefail; {ssh} | (sleep {}; cat) | sha256sum",
        STALL.as_secs()
    ))?;
    sleep(LOOK);
    let more = resident(&mut world)?.saturating_sub(before);
    live.finish(LIMIT)?.ok()?.prints(&whole)?;
    eprintln!("{more} KiB more");
    assert!(more < GROWTH, "promise 14: {more} KiB more");
    world.end()
}

#[test]
fn promise_13_a_target_that_stands_still_and_goes_on_gets_every_byte() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let noise = noise(&world, 64)?;
    let whole = digest(&noise)?;
    let before = used(&mut world, &at, &noise)?;
    let slow = format!("sleep {}; sha256sum", STALL.as_secs());
    let ssh = spell(
        &world,
        &[&WATCHFUL[..], &["-J", "bastion", &at, &slow]].concat(),
    )?;
    let live = shell(&format!("{ssh} < {}", noise.display()))?;
    sleep(LOOK);
    let more = resident(&mut world)?.saturating_sub(before);
    live.finish(LIMIT)?.ok()?.prints(&whole)?;
    eprintln!("{more} KiB more");
    assert!(more < GROWTH, "promise 14: {more} KiB more");
    world.end()
}

#[test]
fn promise_14_a_reader_of_a_byte_a_second_costs_little() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let noise = noise(&world, 16)?;
    let before = used(&mut world, &at, &noise)?;
    let ssh = spell(&world, &["-J", "bastion", &at, "head -c 1G /dev/zero"])?;
    // Ends by itself, whatever is left for it to read.
    let live = shell(&format!(
        "{ssh} | for _ in {{1..20}}; do sleep 1; head -c 1 | wc -c; done"
    ))?;
    sleep(STALL);
    let more = resident(&mut world)?.saturating_sub(before);
    assert!(more < GROWTH, "{more} KiB more");
    assert!(live.out().lines().count() > 3, "{}", live.out());
    drop(live);
    world.end_damaged();
    Ok(())
}

#[test]
fn promise_15_a_channel_that_stands_still_stops_no_other_of_its_connection() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let noise = noise(&world, 16)?;
    let whole = digest(&noise)?;
    let socket = world.root().join("master");
    let socket = socket.to_str().unwrap_or_default();
    let mut master =
        world
            .alice
            .ssh_live(&["-M", "-S", socket, "-J", "bastion", &at, "echo up; cat"])?;
    master.wait_out("up\n", LIMIT)?;
    let before = used(&mut world, &at, &noise)?;
    let flag = world.root().join("go");
    let slow = format!(
        "until [ -e {} ]; do sleep 0.1; done; cat | wc -c",
        flag.display()
    );
    let stalled = spell(&world, &["-S", socket, &at, &slow])?;
    let stalled = shell(&format!("head -c 32M /dev/zero | {stalled}"))?;
    sleep(Duration::from_secs(1));
    let cat = spell(&world, &["-S", socket, &at, "cat"])?;
    sh(&format!("{cat} < {} | sha256sum", noise.display()), LIMIT)?
        .ok()?
        .prints(&whole)?;
    let more = resident(&mut world)?.saturating_sub(before);
    // One size of the window for all channels: beside one that lives, the other one gets some too.
    assert!(more < (64 << 10), "{more} KiB more");
    fs::write(&flag, "")?;
    stalled.finish(LIMIT)?.ok()?.prints("33554432")?;
    master.close();
    master.finish(LIMIT)?.ok()?;
    world.end()
}

#[test]
fn who_still_sends_to_a_command_that_has_ended_hears_its_end_beside_a_busy_channel() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let socket = world.root().join("master");
    let socket = socket.to_str().unwrap_or_default();
    let busy = spell(
        &world,
        &[
            "-M",
            "-S",
            socket,
            "-J",
            "bastion",
            &at,
            "echo up >&2; cat /dev/zero",
        ],
    )?;
    let mut busy = shell(&format!("exec {busy} > /dev/null"))?;
    busy.wait_err("up\n", LIMIT)?;
    // Sealing takes a while: what arrives meanwhile is far more than waits for a session.
    let slow = [
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        "inject=fsync,fdatasync:delay_enter=1000000",
    ];
    let strace = Trace::attach(world.bastion()?.id(), &world.root().join("strace"), &slow)?;
    for _ in 0..2 {
        let ended = spell(
            &world,
            &["-S", socket, &at, "head -c 20M > /dev/null; exit 3"],
        )?;
        sh(&format!("exec {ended} < /dev/zero"), LIMIT)?.exits(3)?;
    }
    strace.end()?;
    assert!(busy.runs());
    drop(busy);
    world.end()
}

#[test]
fn keys_are_exchanged_again_in_the_middle_of_a_transfer_on_both_legs() -> Result<()> {
    let world = World::with(&Setup {
        sshd: "RekeyLimit 4M\nLogLevel DEBUG1".to_owned(),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    let noise = noise(&world, 32)?;
    let whole = digest(&noise)?;
    let door = format!("{}%web1.prod@bastion", world.login);
    let ssh = spell(&world, &["-v", "-o", "RekeyLimit=4M", &door, "cat"])?;
    let back = sh(
        &format!("set -o pipefail; {ssh} < {} | sha256sum", noise.display()),
        LIMIT,
    )?;
    let back = back.ok()?.prints(&whole)?;
    let client = back.err().matches("SSH2_MSG_NEWKEYS received").count();
    assert!(client > 4, "the client exchanged keys {client} times");
    let target = world
        .web1
        .log()
        .matches("SSH2_MSG_NEWKEYS received")
        .count();
    assert!(target > 4, "the target exchanged keys {target} times");
    world.end()
}

/// An hour of silence, in seven seconds: keys every two seconds, and a question whether anybody is there each second.
#[test]
fn a_session_that_says_nothing_outlives_new_keys_and_keepalives_on_both_legs() -> Result<()> {
    let world = World::with(&Setup {
        sshd: "RekeyLimit default 2s\nClientAliveInterval 1\nLogLevel DEBUG1".to_owned(),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    let door = format!("{}%web1.prod@bastion", world.login);
    let options = ["-v", "-o", "RekeyLimit=default 2s"];
    let silent = [&door, "sleep 7; echo awake"];
    let output = world
        .alice
        .ssh(&[&options[..], &WATCHFUL[..], &silent[..]].concat())?;
    let output = output.ok()?.prints("awake\n")?;
    let client = output.err().matches("SSH2_MSG_NEWKEYS received").count();
    let log = world.web1.log();
    let target = log.matches("SSH2_MSG_NEWKEYS received").count();
    assert!(
        client > 2 && target > 2,
        "{client} at the client, {target} at the target"
    );
    world.end()
}
