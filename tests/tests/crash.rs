//! Killed at the worst moments: the bastion under a session, the CA under an issuance.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, programs};

/// What a recording's plain content holds as output, put together again.
fn recorded_output(recording: &Path) -> Result<String> {
    let mut zstd = Command::new(programs::find("zstd")?);
    let cast = process::run(zstd.arg("-dc").arg(recording))?.ok()?;
    let mut text = String::new();
    for line in cast.out().lines().filter(|line| line.starts_with('[')) {
        let event: serde_json::Value =
            serde_json::from_str(line).map_err(|e| Failure::new(format!("{line}: {e}")))?;
        if event.get(1).and_then(serde_json::Value::as_str) == Some("o") {
            text.push_str(
                event
                    .get(2)
                    .and_then(serde_json::Value::as_str)
                    .unwrap_or_default(),
            );
        }
    }
    // The bastion's own announcement is on the person's standard error.
    let announced = text
        .split_once('\n')
        .filter(|(first, _)| first.starts_with("hallpass: recorded"));
    Ok(announced.map_or(text.clone(), |(_, rest)| rest.to_owned()))
}

/// Runs a session, kills the bastion when `reached` says so, starts it again, and checks that every
/// byte that had come out of the bastion is in the recording.
fn killed_when(command: &str, reached: impl Fn(&mut Live) -> Result<()>) -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let mut live = world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &at, command])?;
    live.wait_out("begin", LIMIT)?;
    reached(&mut live)?;
    world.bastion()?.kill()?;
    let killed = Instant::now();
    let output = live.finish(LIMIT)?;
    // The target's side closes: its sshd sees the connection go.
    world
        .web1
        .sshd()?
        .wait_log("Connection closed by", Duration::from_secs(5))
        .or_else(|_| {
            world
                .web1
                .sshd()?
                .wait_log("Connection reset by", Duration::from_secs(1))
        })?;
    assert!(
        killed.elapsed() < Duration::from_secs(6),
        "the target noticed after {:?}",
        killed.elapsed()
    );

    world.start_bastion()?;
    let recording = world.first_recording(LIMIT)?;
    let recorded = recorded_output(&recording)?;
    let seen = output.out();
    assert!(
        recorded.starts_with(&seen),
        "{} bytes seen, {} recorded:\n{recorded}",
        seen.len(),
        recorded.len()
    );
    world
        .hallpass(&["verify", recording.to_str().unwrap_or_default()])?
        .ok()?
        .prints("crash")?;
    // And the next session works.
    world.jump(&[&at, "echo after"])?.ok()?.prints("after\n")?;
    world.end()
}

#[test]
fn promise_1_kill_9_of_the_bastion_in_an_idle_session() -> Result<()> {
    killed_when("echo begin; sleep 600", |_| Ok(()))
}

#[test]
fn promise_1_kill_9_of_the_bastion_in_the_middle_of_a_flood() -> Result<()> {
    killed_when(
        "echo begin; yes a line of the flood that goes on and on",
        |live| {
            let end = Instant::now() + LIMIT;
            while live.out().len() < 2_000_000 && Instant::now() < end {
                sleep(Duration::from_millis(5));
            }
            Ok(())
        },
    )
}

#[test]
fn promise_1_kill_9_of_the_bastion_right_after_a_byte_was_forwarded() -> Result<()> {
    killed_when("echo begin; read line; echo got $line; sleep 600", |live| {
        live.send("hello\n")?;
        live.wait_out("got hello", LIMIT)
    })
}

/// The system calls of an issuance and how often each is made in the thread that makes it: the log's
/// lines, its checkpoints, the store, and the answer to the person.
const STEPS: &[(&str, u32)] = &[
    ("write", 8),
    ("fdatasync", 3),
    ("openat", 5),
    ("fsync", 6),
    ("rename", 3),
    ("pwrite64", 2),
    ("sync_file_range", 2),
    ("sendto", 4),
];

#[test]
fn promise_21_killed_at_every_step_the_ca_never_signs_what_the_log_does_not_hold() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    let at = world.at_web1();
    let mut died = 0;
    for (call, times) in STEPS {
        for nth in 1..=*times {
            // Started again after each kill: recovery is tried as often as death.
            world.start_ca()?;
            let strace = killer(world.ca()?.id(), call, nth)?;
            let output = world
                .alice
                .ssh(&["ca", "request", &at, "--reason", "under fire"])?;
            died += u32::from(!world.ca()?.runs());
            drop(strace);
            world.kill_ca();
            world.verify()?.ok()?;
            if !output.stdout.is_empty() {
                assert_logged(&world, output.out().trim())?;
            }
        }
    }
    let tried: u32 = STEPS.iter().map(|(_, times)| times).sum();
    assert!(
        died * 3 >= tried * 2,
        "only {died} of {tried} were killed: the calls that are counted are not made"
    );
    world.start_ca()?;
    world.take(&world.alice, &at, &[])?;
    world.end()
}

/// Kills a process when one of its threads makes this system call for the nth time from now.
fn killer(id: u32, call: &str, nth: u32) -> Result<Live> {
    let mut strace = Command::new(programs::find("strace")?);
    strace.args([
        "-f",
        "-o",
        "/dev/null",
        "-p",
        &id.to_string(),
        "-e",
        &format!("trace={call}"),
    ]);
    strace
        .arg("-e")
        .arg(format!("inject={call}:signal=KILL:when={nth}"));
    let mut live = Live::start(&mut strace)?;
    live.wait_err("attached", LIMIT)?;
    Ok(live)
}

/// A certificate that left the CA stands in the log, with its serial, before anything else.
fn assert_logged(world: &World, certificate: &str) -> Result<()> {
    let parsed =
        ssh_key::Certificate::from_openssh(certificate).map_err(|e| Failure::new(e.to_string()))?;
    let log = fs::read_to_string(world.log().join("entries"))?;
    let serial = format!("\"serial\":{}", parsed.serial());
    assert!(
        log.lines().any(|line| line.contains(&serial)),
        "serial {} is not in the log",
        parsed.serial()
    );
    Ok(())
}
