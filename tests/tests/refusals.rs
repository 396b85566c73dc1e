//! What the bastion refuses, and what it says then.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, keys, ports};

#[test]
fn promise_10_every_other_channel_is_refused_by_name() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let to = format!("127.0.0.1:{}", world.web1.port);

    // Forwarding out of the target: -W, and what -L and -D do once somebody connects.
    let port_refused = "forwarding a port is not carried";
    world
        .jump(&["-W", &to, &at])?
        .exits(255)?
        .says("administratively prohibited")?
        .says(port_refused)?;
    let port = ports::free()?;
    let live = forwarding(&world, &at, &["-L", &format!("{port}:{to}")], port)?;
    asks_and_hears(live, port, &[], port_refused)?;
    let port = ports::free()?;
    let live = forwarding(&world, &at, &["-D", &port.to_string()], port)?;
    asks_and_hears(live, port, &[4, 1, 0, 22, 127, 0, 0, 1, 0], port_refused)?;
    let port = ports::free()?;
    let live = forwarding(
        &world,
        &at,
        &["-L", &format!("{port}:/run/some.sock")],
        port,
    )?;
    asks_and_hears(live, port, &[], "forwarding a socket is not carried")?;

    // What `mosh` runs first.
    world
        .jump(&[&at, "mosh-server", "new", "-s", "-c", "256"])?
        .exits(255)?
        .says("mosh is not carried: its UDP would pass this bastion by")?;

    // Forwarding into the person's machine: the protocol has no room for a reason, the log does.
    for (back, told, logged) in [
        (
            "0:127.0.0.1:1",
            "remote port forwarding failed",
            "refused: forwarding from \"localhost:0\"",
        ),
        (
            "/tmp/hp-back.sock:/tmp/none",
            "remote port forwarding failed",
            "refused: forwarding from \"/tmp/hp-back.sock\"",
        ),
    ] {
        let args = [
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            back,
            &at,
            "echo never",
        ];
        world.jump(&args)?.exits(255)?.says(told)?;
        world.bastion()?.wait_log(logged, LIMIT)?;
    }

    // Subsystems, the agent and X11.
    let output = world.jump(&["-s", &at, "netconf"])?.exits(255)?;
    output.says("subsystem request failed")?;
    world
        .bastion()?
        .wait_log("refused: subsystem \"netconf\"", LIMIT)?;
    let agent = world
        .jump(&["-A", &at, "echo \"agent: ${SSH_AUTH_SOCK-none}\""])?
        .ok()?;
    assert_eq!(agent.out(), "agent: none\n");
    agent.says("agent forwarding is not carried")?;
    let mut x11 = world.alice.ssh_command(&[
        "-Y",
        "-J",
        "bastion",
        &at,
        "echo \"display: ${DISPLAY-none}\"",
    ])?;
    let x11 = process::run(x11.env("DISPLAY", "127.0.0.1:99"))?
        .ok()?
        .says("X11 is not carried")?;
    assert_eq!(x11.out(), "display: none\n");
    world.end()
}

/// An `ssh -N` that listens on `port`.
fn forwarding(world: &World, at: &str, flags: &[&str], port: u16) -> Result<Live> {
    let live = world
        .alice
        .ssh_live(&[&["-N", "-J", "bastion"], flags, &[at]].concat())?;
    ports::wait_for(port, LIMIT)?;
    Ok(live)
}

/// Connects, says `bytes`, and expects `ssh` to have been told that this `channel` is not carried.
fn asks_and_hears(mut live: Live, port: u16, bytes: &[u8], channel: &str) -> Result<()> {
    let mut stream = TcpStream::connect(ports::address(port))?;
    stream.write_all(bytes)?;
    live.wait_err("administratively prohibited", LIMIT)?;
    live.wait_err(channel, LIMIT)?;
    let mut rest = Vec::new();
    stream.set_read_timeout(Some(LIMIT))?;
    // Closed without a byte of an answer; a reset is as good.
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"SSH-"), "{channel} was carried");
    Ok(())
}

#[test]
fn the_outer_connection_opens_nothing_but_its_own_targets() -> Result<()> {
    let (world, _) = World::on_web1()?;
    let alice = &world.alice;
    for to in [
        "db1.prod:22",
        "127.0.0.1:22",
        "localhost:22",
        "web1.prod.evil:22",
        "WEB2.prod:22",
    ] {
        alice
            .ssh(&["-W", to, "bastion"])?
            .exits(255)?
            .says("administratively prohibited")?;
    }
    let shell = alice.ssh(&["bastion", "id"])?;
    assert_ne!(shell.status, 0, "{shell}");
    assert_eq!(shell.out(), "");
    world.end()
}

#[test]
fn promise_12_a_target_that_is_not_there_is_told_within_ten_seconds() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let closed = ports::free()?;
    let extra = format!(
        "[target.\"hang.prod\"]\naddress = \"127.0.0.1:{hang}\"\nhost = \"ca\"\n\
         [target.\"closed.prod\"]\naddress = \"127.0.0.1:{closed}\"\nhost = \"ca\"\n\
         [target.\"nowhere.prod\"]\naddress = \"nowhere.invalid:22\"\nhost = \"ca\"\n\
         [role.lost]\ngroups = [\"oncall\"]\nlogins = [\"LOGIN\"]\ntargets = [\"hang.prod\", \"closed.prod\", \"nowhere.prod\"]\n\
         approvals = {{ count = 0 }}\n",
        hang = silent.local_addr()?.port()
    );
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    for (target, why) in [
        ("closed.prod", "closed.prod refuses connections"),
        ("hang.prod", "hang.prod does not answer"),
        ("nowhere.prod", "nowhere.prod has no address"),
    ] {
        let at = format!("{}@{target}", world.login);
        world.take(&world.alice, &at, &[])?;
        let begin = Instant::now();
        let output = world.jump(&[&at, "echo never"])?;
        assert!(
            begin.elapsed() < Duration::from_secs(12),
            "{target} took {:?}",
            begin.elapsed()
        );
        assert_ne!(output.status, 0, "{output}");
        assert_eq!(output.out(), "", "{output}");
        output.says(why)?;
    }
    drop(silent);
    world.end()
}

#[test]
fn a_target_that_cannot_prove_itself_is_told_nothing() -> Result<()> {
    // web1's pinned key is replaced by another one: somebody else answers there.
    let (mut world, at) = World::on_web1()?;
    world.web1.stop();
    fs::remove_file(world.web1.host_key())?;
    fs::remove_file(keys::public(&world.web1.host_key()))?;
    keys::make(&world.web1.host_key(), "impostor")?;
    let (session, login) = (world.public_of("session")?, world.login.clone());
    world.web1.start(&session, &login, "")?;
    let output = world.jump(&[&at, "echo never"])?;
    assert_ne!(output.status, 0, "{output}");
    assert_eq!(output.out(), "");
    output.says("web1.prod")?.says("host key")?;
    assert_eq!(world.web1.logins(), 0);
    world.end()
}
