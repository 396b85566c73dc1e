//! What a terminal's two ends tell each other beside bytes: who takes `^S` and `^Q` (RFC 4254 §6.8), and breaks (RFC 4335).

use std::process::Command;

use hallpass_tests::process::{self, LIMIT, Live, Service};
use hallpass_tests::{Result, World, programs};

/// A world whose `web1.prod` is not OpenSSH, but a server that uses all of this.
fn world() -> Result<(World, Service)> {
    let (mut world, at) = World::on_web1()?;
    world.web1.stop();
    let script = format!("{}/peers/pausing_target.py", env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new("/usr/bin/python3");
    python
        .arg(script)
        .arg(world.web1.port.to_string())
        .arg(world.web1.host_key())
        .arg(world.public_of("session")?)
        .arg(at);
    let mut target = Service::start("target", &mut python, &world.root().join("target.log"))?;
    target.wait_port(world.web1.port, LIMIT)?;
    Ok((world, target))
}

/// All lines of the one recording.
fn recorded(world: &World) -> Result<String> {
    let mut zstd = Command::new(programs::find("zstd")?);
    Ok(process::run(zstd.arg("-dcq").arg(world.first_recording(LIMIT)?))?.out())
}

#[test]
fn who_takes_flow_control_is_carried_and_recorded_and_a_break_is_refused() -> Result<()> {
    let (mut world, _target) = world()?;
    let mut scan = Command::new(programs::find("ssh-keyscan")?);
    scan.args([
        "-t",
        "ed25519",
        "-p",
        &world.bastion_port.to_string(),
        "127.0.0.1",
    ]);
    let scanned = process::run(&mut scan)?.ok()?.out();
    let shown: Vec<&str> = scanned.split_whitespace().skip(1).take(2).collect();
    let script = format!("{}/clients/pausing_client.py", env!("CARGO_MANIFEST_DIR"));
    let mut python = world.alice.command("/usr/bin/python3")?;
    python
        .arg(script)
        .arg(world.bastion_port.to_string())
        .arg(format!("{}%web1.prod", world.login))
        .arg(world.alice.key())
        .arg(shown.join(" "));
    Live::start(&mut python)?
        .finish(LIMIT)?
        .ok()?
        .prints("all as expected")?;
    let lines = recorded(&world)?;
    let at = |what: &str| lines.find(what);
    assert!(
        at("xon-xoff on").is_some() && at("xon-xoff on") < at("ready"),
        "{lines}"
    );
    assert!(
        at("ready") < at("xon-xoff off") && at("xon-xoff off") < at("off\\r"),
        "{lines}"
    );
    assert!(!lines.contains("BREAK"), "{lines}");
    let log = world.bastion()?.log();
    assert!(
        !log.lines()
            .any(|line| line.starts_with("2026-11-22T00:00:00Z")),
        "{log}"
    );
    world.end()
}

#[test]
fn a_break_of_the_stock_client_reaches_nobody_and_the_session_goes_on() -> Result<()> {
    let (world, _target) = world()?;
    let at = world.at_web1();
    let mut live = world
        .alice
        .ssh_live(&["-tt", "-e", "~", "-J", "bastion", &at])?;
    live.wait_out("ready", LIMIT)?;
    live.send("\r~B")?;
    live.send("x")?;
    live.wait_out("off", LIMIT)?;
    live.send("q")?;
    let output = live.finish(LIMIT)?.ok()?;
    assert!(!output.out().contains("BREAK"), "{output}");
    assert!(!recorded(&world)?.contains("BREAK"));
    world.end()
}
