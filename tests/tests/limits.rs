//! The bounds that a role sets to its sessions, each gone one past.

use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, watch};

fn world(limits: &str) -> Result<(World, String)> {
    World::on_web1_as(&Setup {
        look: limits.to_owned(),
        ..Setup::default()
    })
}

#[test]
fn a_session_in_which_nothing_is_typed_ends_by_name() -> Result<()> {
    let (world, at) = world("idle = \"10s\"")?;
    let command = "echo started; while :; do echo tick; sleep 0.5; done";
    let mut busy = world
        .alice
        .ssh_live(&["-tt", "-J", "bastion", &at, command])?;
    busy.wait_out("started", LIMIT)?;
    let begun = Instant::now();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_secs(2));
        busy.send("x")?;
    }
    let mut alone = world.alice.ssh_live(&["-J", "bastion", &at, command])?;
    let output = busy.finish(Duration::from_secs(30))?.exits(255)?;
    output.says("session ended: nothing happened for 10s")?;
    assert!(begun.elapsed() > Duration::from_secs(15), "typing counts");
    assert!(alone.runs(), "without a terminal, output counts");
    drop(alone);
    watch::until("the CA hears why", || {
        let listed = world.alice.ssh(&["ca", "sessions"])?.ok()?;
        Ok(listed.out().contains("idle"))
    })?;
    world.end()
}

#[test]
fn who_types_nothing_reads_a_warning_in_their_terminal_and_stays_by_typing() -> Result<()> {
    let (world, at) = world("idle = \"16s\"")?;
    let ssh = ["-J", "bastion", &at, "-t", "echo started; cat"];
    let ssh = world.alice.ssh_command(&ssh)?;
    let mut live = Live::start(&mut process::in_terminal(&ssh)?)?;
    live.wait_out("started", LIMIT)?;
    let begun = Instant::now();
    // A line of its own, also where the terminal is raw.
    let warning = "\r\nhallpass: nothing was typed for long: the session ends in 8 s\r\n";
    live.wait_out(warning, LIMIT)?;
    let warned = begun.elapsed().as_secs();
    assert!((7..12).contains(&warned), "warned after {warned} s");
    live.send("still here\r")?;
    live.wait_out("still here\r\nstill here", LIMIT)?;
    let typed = Instant::now();
    let output = live.finish(Duration::from_secs(40))?.exits(255)?;
    let ended = typed.elapsed().as_secs();
    assert!((14..22).contains(&ended), "ended after {ended} s");
    assert_eq!(output.out().matches(warning).count(), 2, "{output}");
    output.prints("session ended: nothing happened for 16s")?;
    world.end()
}

#[test]
fn a_session_that_moves_more_than_its_role_gives_ends_by_name() -> Result<()> {
    let (world, at) = world("largest-session = \"64K\"")?;
    world.jump(&[&at, "head -c 65536 /dev/zero"])?.ok()?;
    world
        .jump(&[&at, "head -c 65537 /dev/zero; sleep 60"])?
        .exits(255)?
        .says("session ended: more than 65536 bytes")?;
    let more = vec![0; 65537];
    world
        .alice
        .ssh_with(&["-J", "bastion", &at, "cat > /dev/null"], &more)?
        .exits(255)?
        .says("session ended: more than 65536 bytes")?;
    world.end()
}

#[test]
fn one_session_more_than_the_role_gives_is_refused() -> Result<()> {
    let (world, at) = world("sessions = 2")?;
    let live = |_| {
        let mut live = world
            .alice
            .ssh_live(&["-J", "bastion", &at, "echo started; cat"])?;
        live.wait_out("started", LIMIT)?;
        Ok(live)
    };
    let mut both: Vec<_> = (0..2).map(live).collect::<Result<_>>()?;
    world
        .jump(&[&at, "true"])?
        .exits(255)?
        .says("you have 2 sessions of role web-look running, which is the most: end one first")?;
    if let Some(mut one) = both.pop() {
        one.close();
        one.finish(LIMIT)?.ok()?;
    }
    world.wait_finished(1, LIMIT)?;
    // The CA hears of the end a moment later.
    watch::until("the place is given back", || {
        Ok(world.jump(&[&at, "true"])?.status == 0)
    })?;
    drop(both);
    world.end()
}
