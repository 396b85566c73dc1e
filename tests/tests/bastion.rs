//! The bastion between a real `ssh` and a real `sshd`.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::{Result, World};

#[test]
fn a_command_s_status_comes_back() -> Result<()> {
    let (world, at) = World::on_web1()?;
    for status in [0, 1, 7, 255] {
        world
            .jump(&[&at, &format!("exit {status}")])?
            .exits(status)?;
    }
    let killed = world.jump(&["-v", &at, "kill -TERM $$"])?;
    assert_eq!(killed.status, 255, "{killed}");
    let killed = killed.says("rtype exit-signal")?;
    assert!(!killed.err().contains("rtype exit-status"), "{killed}");
    world.end()
}

#[test]
fn the_two_streams_stay_apart() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let output = world.jump(&[&at, "echo to out; echo to err >&2"])?.ok()?;
    assert_eq!(output.out(), "to out\n");
    assert!(
        output.err().contains("to err\n") && !output.err().contains("to out"),
        "{output}"
    );
    world.end()
}

#[test]
fn standard_input_ends_where_it_ended() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let output = world
        .alice
        .ssh_with(&["-J", "bastion", &at, "cat; echo then this"], b"hi\n")?
        .ok()?;
    assert_eq!(output.out(), "hi\nthen this\n");
    let bytes: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let output = world
        .alice
        .ssh_with(&["-J", "bastion", &at, "cat"], &bytes)?
        .ok()?;
    assert!(
        output.stdout == bytes,
        "{} bytes of {} came back",
        output.stdout.len(),
        bytes.len()
    );
    world.end()
}

#[test]
fn the_second_way_in_is_a_percent_sign() -> Result<()> {
    let (world, _) = World::on_web1()?;
    let user = format!("{}%web1.prod@bastion", world.login);
    world
        .alice
        .ssh(&[&user, "echo second way"])?
        .ok()?
        .prints("second way\n")?;
    world.end()
}

#[test]
fn environment_goes_through_as_far_as_the_target_takes_it() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let set = "SetEnv=LC_HALLPASS=carried OTHER=dropped";
    let output = world
        .jump(&["-o", set, &at, "echo $LC_HALLPASS/$OTHER"])?
        .ok()?;
    assert_eq!(output.out(), "carried/\n");
    world.end()
}

#[test]
fn a_terminal_has_its_size_and_follows_changes() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let remote =
        "stty size; while [ \"$(stty size)\" = \"30 100\" ]; do sleep 0.1; done; stty size";
    let ssh = process::spell(
        &world
            .alice
            .ssh_command(&["-tt", "-J", "bastion", &at, remote])?,
    );
    let grow = world.root().join("grow");
    let local = format!(
        "stty rows 30 cols 100; (until [ -e {} ]; do sleep 0.1; done; stty rows 41 cols 121 </dev/tty) & exec {ssh}",
        grow.display()
    );
    let mut script = world.alice.command("script")?;
    script
        .arg("-qec")
        .arg(local)
        .arg("/dev/null")
        .env("SHELL", "/bin/sh");
    let mut live = Live::start(&mut script)?;
    live.wait_out("30 100", LIMIT)?;
    std::fs::write(&grow, "")?;
    live.wait_out("41 121", LIMIT)?;
    live.finish(LIMIT)?.ok()?;
    world.end()
}

#[test]
fn signals_of_the_client_reach_the_command() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let mut live = world.alice.ssh_live(&[
        "-tt",
        "-J",
        "bastion",
        &at,
        "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done",
    ])?;
    live.wait_out("ready", LIMIT)?;
    live.send([3])?;
    live.finish(LIMIT)?.exits(3)?.prints("caught")?;
    world.end()
}

#[test]
fn a_forced_command_is_what_runs() -> Result<()> {
    let world = World::new()?;
    let at = world.at_db1();
    world.take(&world.bob, &at, &["--role", "db-disk"])?;
    for command in [None, Some("echo my own")] {
        let mut args = vec!["-J", "bastion", at.as_str()];
        args.extend(command);
        let output = world.bob.ssh(&args)?.ok()?;
        assert_eq!(
            output.out(),
            format!("forced\n{}\n", world.login),
            "{output}"
        );
    }
    world.end()
}

#[test]
fn several_sessions_of_one_connection_are_recorded_each() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let socket = world.root().join("mux");
    let path = format!("ControlPath={}", socket.display());
    let mut master = world
        .alice
        .ssh_live(&["-o", &path, "-M", "-N", "-J", "bastion", &at])?;
    let end = Instant::now() + LIMIT;
    while !socket.exists() && Instant::now() < end && master.runs() {
        sleep(Duration::from_millis(20));
    }
    // One that nobody reads from stands still; the others go on beside it.
    let mut stalled = Command::new("sh");
    let ssh = process::spell(
        &world
            .alice
            .ssh_command(&["-o", &path, &at, "yes stalled"])?,
    );
    stalled.arg("-c").arg(format!("{ssh} | sleep 600"));
    let stalled = Live::start(&mut stalled)?;
    for n in 0..3 {
        let output = world
            .alice
            .ssh(&["-o", &path, &at, &format!("echo number {n}")])?
            .ok()?;
        assert_eq!(output.out(), format!("number {n}\n"));
    }
    drop(stalled);
    drop(master);
    world.wait_finished(4, LIMIT)?;
    world.end()
}
