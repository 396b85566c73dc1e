//! The bastion, killed at the worst moments of a session.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
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
