//! How sessions end.

use std::collections::VecDeque;
use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use config::limits;
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::{Result, World};

#[test]
fn promise_11_a_bastion_that_is_told_to_end_says_goodbye() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let mut live = world
        .alice
        .ssh_live(&["-J", "bastion", &at, "echo started; sleep 600"])?;
    live.wait_out("started", LIMIT)?;
    world.bastion()?.signal("TERM")?;
    let status = world.bastion()?.wait(Duration::from_secs(20))?;
    assert_eq!(status, 0);
    let output = live.finish(LIMIT)?;
    assert_ne!(output.status, 0, "{output}");
    output.says("this bastion is closing")?;
    assert_eq!(world.finished()?.len(), 1);
    world.end()
}

#[test]
fn a_bastion_whose_terminal_goes_away_ends_as_if_it_were_told_to() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let mut live = world
        .alice
        .ssh_live(&["-J", "bastion", &at, "echo started; sleep 600"])?;
    live.wait_out("started", LIMIT)?;
    // Started by `nohup`, as all of this may be, it is not to notice: then it has to be told in earnest.
    let status = std::fs::read_to_string("/proc/self/status")?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.is_some_and(|mask| {
        mask.trim()
            .ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])
    });
    world.bastion()?.signal("HUP")?;
    if ignored {
        world.bastion()?.signal("TERM")?;
    }
    assert_eq!(world.bastion()?.wait(LIMIT)?, 0);
    live.finish(LIMIT)?.says("this bastion is closing")?;
    assert_eq!(world.finished()?.len(), 1);
    world.end()
}

#[test]
fn who_has_not_chosen_when_the_bastion_ends_is_told_and_has_opened_nothing() -> Result<()> {
    let (mut world, _) = World::on_web1()?;
    let mut live = world.alice.ssh_live(&["-tt", "bastion"])?;
    live.wait_out("web1.prod", LIMIT)?;
    world.bastion()?.signal("TERM")?;
    assert_eq!(world.bastion()?.wait(LIMIT)?, 0);
    let output = live.finish(LIMIT)?.exits(255)?;
    output.clone().says("this bastion is closing")?;
    let restored = "\u{1b}[?1049l";
    assert!(
        output.out().contains(restored),
        "the terminal is as before: {output}"
    );
    assert!(world.finished()?.is_empty());
    assert_eq!(world.web1.logins(), 0);
    world.end()
}

#[test]
fn promise_32_a_revocation_reaches_running_sessions_within_a_second() -> Result<()> {
    let world = World::new()?;
    let at = world.at_db1();
    let id = world.grant(&world.alice, &at, &[])?;
    let mut live = world
        .alice
        .ssh_live(&["-J", "bastion", &at, "echo started; sleep 600"])?;
    live.wait_out("started", LIMIT)?;
    world
        .carol
        .ssh(&["ca", "revoke", &id, "--reason", "lost laptop"])?
        .ok()?;
    let begin = Instant::now();
    let output = live.finish(LIMIT)?;
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "it took {:?}",
        begin.elapsed()
    );
    assert_ne!(output.status, 0, "{output}");
    output.says("revoked")?;
    world.end()
}

#[test]
fn promise_33_a_session_ends_at_its_deadline() -> Result<()> {
    let world = World::new()?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &["--for", "12s"])?;
    let text = fs::read_to_string(world.alice.certificate())?;
    let until = ssh_key::Certificate::from_openssh(text.trim())
        .map_err(|e| hallpass_tests::Failure::new(e.to_string()))?
        .valid_before();
    // One session from the beginning, one that begins late: both end at the same moment.
    let command = "echo started; while :; do echo tick; sleep 0.1; done";
    let mut early = world.alice.ssh_live(&["-J", "bastion", &at, command])?;
    early.wait_out("started", LIMIT)?;
    sleep(Duration::from_secs(4));
    let mut late = world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &at, command])?;
    late.wait_out("started", LIMIT)?;
    for live in [early, late] {
        let output = live.finish(LIMIT)?;
        let off = now() - Duration::from_secs(until).as_secs_f64();
        assert!(off.abs() < 1.0, "it ended {off:.2} s after the deadline");
        assert_ne!(output.status, 0, "{}", output.err());
        output.says("session ended: the grant ended at")?;
    }
    let output = world.jump(&[&at, "echo never"])?;
    assert_ne!(output.status, 0, "{output}");
    assert_eq!(output.out(), "");
    world.end()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the deadline is compared with the wall clock that the certificate names"
)]
fn now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}

#[test]
fn a_client_that_goes_away_takes_its_command_along() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let mut live = world
        .alice
        .ssh_live(&["-J", "bastion", &at, "echo started; sleep 600"])?;
    live.wait_out("started", LIMIT)?;
    drop(live);
    world
        .web1
        .sshd()?
        .wait_log("Connection closed by", LIMIT)
        .or_else(|_| world.web1.sshd()?.wait_log("Received disconnect", LIMIT))?;
    world.wait_finished(1, LIMIT)?;
    world.end()
}

/// The near ports of the connections to this one.
fn to_port(port: u16) -> Result<Vec<String>> {
    let far = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp")?;
    let rows = table.lines().map(|line| line.split_whitespace().collect());
    // Its number, the near and the far address, and its state: established.
    let near = rows.filter_map(|row: Vec<&str>| match row.as_slice() {
        [_, near, to, "01", ..] if to.ends_with(&far) => Some((*near).to_owned()),
        _ => None,
    });
    Ok(near.collect())
}

#[test]
fn the_bastion_s_connection_to_the_ca_ends_after_so_many_calls_and_another_one_goes_on()
-> Result<()> {
    let (world, _) = World::on_web1()?;
    let first = to_port(world.ca_port)?;
    assert_eq!(first.len(), 1, "the bastion's");
    let (mut master, lists) = lists(&world)?;
    lists.finish(LIMIT * 5)?.ok()?;
    // The one before ends when the last question on it is answered, for which the CA takes half a minute.
    let end = Instant::now() + LIMIT * 2;
    let mut last = to_port(world.ca_port)?;
    while last.len() > 1 && Instant::now() < end {
        sleep(Duration::from_millis(200));
        last = to_port(world.ca_port)?;
    }
    assert_eq!(last.len(), 1, "{last:?}");
    assert_ne!(last, first);
    master.close();
    drop(master);
    world.end()
}

#[test]
fn the_bastion_s_connection_to_the_ca_goes_on_while_others_hold_all_places_before_the_login()
-> Result<()> {
    let (world, _) = World::on_web1()?;
    let (mut master, mut lists) = lists(&world)?;
    // What waits too long before its login is closed by the CA, and comes again.
    let crowd = || TcpStream::connect(("127.0.0.1", world.ca_port));
    let mut crowds = VecDeque::new();
    let end = Instant::now() + LIMIT * 5;
    while lists.runs() && Instant::now() < end {
        let all = 0..limits::HALF_OPEN_PER_SOURCE;
        crowds.push_back(all.map(|_| crowd()).collect::<Vec<_>>());
        if crowds.len() > 8 {
            crowds.pop_front();
        }
        sleep(Duration::from_secs(1));
    }
    lists.finish(LIMIT)?.ok()?;
    drop(crowds);
    master.close();
    drop(master);
    world.end()
}

/// Asks for more lists over one connection than the bastion asks the CA over one: each is a call, of which one carries 256.
fn lists(world: &World) -> Result<(process::Live, process::Live)> {
    let socket = world.root().join("master");
    let socket = socket.to_str().unwrap_or_default();
    let master = world
        .alice
        .ssh_live(&["-N", "-M", "-S", socket, "bastion"])?;
    let end = Instant::now() + LIMIT;
    while !fs::exists(socket)? && Instant::now() < end {
        sleep(Duration::from_millis(20));
    }
    let one = process::spell(&world.alice.ssh_command(&["-S", socket, "bastion", "ls"])?);
    let many = format!("for i in $(seq 270); do {one} > /dev/null || exit 1; done");
    let mut lists = process::Live::start(Command::new("bash").arg("-c").arg(many))?;
    lists.close();
    Ok((master, lists))
}
