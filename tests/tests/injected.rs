//! A failure at every system call of one issuance: the CA is killed there, or the call fails.
//!
//! Which calls there are is found by counting them first, with `strace`, in the thread that makes each. A call beyond the
//! first few of its kind is tried only if `HALLPASS_INJECT=all` is set; so is each error with each call.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::process::{LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, programs};

/// The calls that change anything outside of the process.
const CALLS: &[&str] = &[
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "linkat",
    "unlink",
    "openat",
    "mkdir",
    "sendto",
    "sendmsg",
];

/// How often of one kind a call is tried, unless all are.
const TRIED: u32 = 6;

/// One place to fail: the system call, and its how manieth in its thread.
type Place = (String, u32);

fn all() -> bool {
    std::env::var("HALLPASS_INJECT").is_ok_and(|value| value == "all")
}

/// Asks for a certificate that needs no approval.
fn ask(world: &World) -> Result<Output> {
    let at = world.at_web1();
    let mut ssh = world
        .alice
        .ssh_live(&["ca", "request", &at, "--reason", "under fire"])?;
    ssh.close();
    ssh.finish(LIMIT)
}

/// Whether the fault struck the wake-up call between the runtime's own threads: `strace` says what each descriptor is. That
/// write goes to an eventfd, where no kernel and no disk fails; who injects a fault there stops the runtime, and learns
/// nothing about the CA.
fn is_mute(world: &World) -> Result<bool> {
    let found = findings(world)?;
    let mut struck = found.lines().filter(|line| line.contains("INJECTED"));
    Ok(struck.any(|line| line.contains("<anon_inode:[eventfd")))
}

/// Asks, unless the runtime cannot be woken up: then nobody answers any more.
fn ask_unless_mute(world: &World) -> Result<Option<Output>> {
    match ask(world) {
        Err(_) if is_mute(world)? => Ok(None),
        answered => answered.map(Some),
    }
}

/// Lets `strace` do something to the running CA; its findings go to the file `strace`.
fn traced(world: &mut World, args: &[&str]) -> Result<Live> {
    let id = world.ca()?.id().to_string();
    let mut strace = Command::new(programs::find("strace")?);
    strace.args(["-f", "-y", "-p", &id, "-o"]);
    strace.arg(world.root().join("strace")).args(args);
    let mut live = Live::start(&mut strace)?;
    live.wait_err("attached", LIMIT)?;
    Ok(live)
}

fn findings(world: &World) -> Result<String> {
    Ok(fs::read_to_string(world.root().join("strace"))?)
}

/// The CA's store writes its index this long after an answer, and later still on a machine that has much to do.
const BEHIND: Duration = Duration::from_millis(1500);

/// Whether the fault strikes, at once or in what is written behind.
fn strikes(world: &mut World) -> Result<bool> {
    let begin = Instant::now();
    loop {
        if !world.ca()?.runs() || findings(world)?.contains("INJECTED") {
            return Ok(true);
        }
        if begin.elapsed() > BEHIND {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Every place of one issuance, found by watching two: threads do not share their work alike each time.
fn places(world: &mut World) -> Result<Vec<Place>> {
    let mut most: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..2 {
        world.start_ca()?;
        let mut strace = traced(world, &["-e", &format!("trace={}", CALLS.join(","))])?;
        ask(world)?.ok()?;
        thread::sleep(BEHIND);
        strace.signal("INT")?;
        strace.close();
        strace.finish(LIMIT)?;
        world.kill_ca();
        let mut times: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        let found = findings(world)?;
        for line in found.lines() {
            let (thread, rest) = line.split_once(' ').unwrap_or_default();
            if let Some((call, _)) = rest.trim().split_once('(') {
                *times.entry((thread, call)).or_default() += 1;
            }
        }
        for ((_, call), count) in times {
            let most = most.entry(call.to_owned()).or_default();
            *most = count.max(*most);
        }
    }
    most.retain(|call, _| CALLS.contains(&call.as_str()));
    let tried = |count: u32| if all() { count } else { count.min(TRIED) };
    let places = most.into_iter();
    Ok(places
        .flat_map(|(call, count)| (1..=tried(count)).map(move |nth| (call.clone(), nth)))
        .collect())
}

/// Whoever has a certificate has one that the log holds.
fn nothing_unlogged(world: &World, output: &Output) -> Result<()> {
    let got = output.out();
    if got.is_empty() {
        return Ok(());
    }
    let parsed = ssh_key::Certificate::from_openssh(got.trim());
    let parsed = parsed.map_err(|e| Failure::new(format!("{e} in {output}")))?;
    let log = fs::read_to_string(world.log().join("entries"))?;
    let serial = format!("\"serial\":{},", parsed.serial());
    assert!(
        log.lines().any(|line| line.contains(&serial)),
        "serial {} is not in the log: {output}",
        parsed.serial()
    );
    Ok(())
}

/// Does `fault` to each place in turn. After each, the log verifies, what was received stands in it, and the CA starts
/// and answers again.
fn at_every_place(
    faults: impl Fn(usize, &Place) -> Vec<&'static str>,
    while_hurt: impl Fn(&mut World) -> Result<()>,
) -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    let places = places(&mut world)?;
    let (mut tried, mut struck) = (0, 0);
    for (index, place) in places.iter().enumerate() {
        for fault in faults(index, place) {
            let (call, nth) = place;
            // Started again after each fault: recovery is tried as often as failure.
            world.start_ca()?;
            let injection = format!("inject={call}:{fault}:when={nth}");
            let filter = format!("trace={call}");
            let strace = traced(&mut world, &["-e", &filter, "-e", &injection])?;
            let output = ask_unless_mute(&world)?;
            tried += 1;
            struck += u32::from(strikes(&mut world)?);
            drop(strace);
            if output.is_some() && world.ca()?.runs() {
                while_hurt(&mut world)?;
            }
            world.kill_ca();
            world.verify()?.ok()?;
            if let Some(output) = output {
                nothing_unlogged(&world, &output)?;
            }
        }
    }
    // What the store's thread writes behind comes in batches of other sizes each time.
    assert!(
        struck * 2 >= tried && struck >= 15,
        "only {struck} of {tried} faults struck: the calls that are counted are not made"
    );
    eprintln!(
        "{struck} of {tried} faults struck, at {} places",
        places.len()
    );
    world.start_ca()?;
    world.take(&world.alice, &world.at_web1(), &[])?;
    world.end()
}

#[test]
fn promise_21_killed_at_every_call_the_ca_never_signs_what_the_log_does_not_hold() -> Result<()> {
    at_every_place(|_, _| vec!["signal=KILL"], |_| Ok(()))
}

#[test]
fn promise_22_whichever_call_fails_the_ca_refuses_or_answers_from_its_log() -> Result<()> {
    // A write may be the runtime's own wake-up call; failing writes of the log are tried in the CA's own tests.
    let errors = |index: usize, place: &Place| match (all(), index % 2) {
        (false, _) if place.0 == "write" => Vec::new(),
        (true, _) => vec!["error=EIO", "error=ENOSPC"],
        (false, 0) => vec!["error=EIO"],
        (false, _) => vec!["error=ENOSPC"],
    };
    at_every_place(errors, |world| {
        // Before a restart, it answers whole or refuses, and does neither for long.
        let Some(again) = ask_unless_mute(world)? else {
            return Ok(());
        };
        assert_eq!(again.status == 0, !again.out().is_empty(), "{again}");
        nothing_unlogged(world, &again)
    })
}

#[test]
fn promise_22_a_slow_disk_delays_an_answer_and_changes_none() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    world.start_ca()?;
    let slow = ["fsync", "fdatasync"].map(|call| format!("inject={call}:delay_enter=300000"));
    let args = [
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        &slow[0],
        "-e",
        &slow[1],
    ];
    let strace = traced(&mut world, &args)?;
    let begin = Instant::now();
    let output = ask(&world)?.ok()?;
    assert!(begin.elapsed() > Duration::from_millis(300));
    nothing_unlogged(&world, &output)?;
    drop(strace);
    world.end()
}
