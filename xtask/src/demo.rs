//! The whole product, step by checked step.
//!
//! * [`show`]: how it looks; [`screen`]: what stood on a terminal; [`keep`]: a world that goes on.
//! * [`rules`], [`after`], [`rotate`]: the steps about the rules, break-glass and keys.

mod after;
mod keep;
mod rotate;
mod rules;
mod screen;
mod show;

use std::env;
use std::process::Command;
use std::time::Instant;

use hallpass_tests::access::Asked;
use hallpass_tests::failure::Context;
use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, access, keys, process};

use crate::install;
use show::{Show, expect, expected, spell, ssh};

/// Runs the demo. With `keep`, the world goes on running after it.
pub(crate) fn run(keep: bool) -> Result<()> {
    let begin = Instant::now();
    install::install(install::FOR_THE_DEMO)?;
    build()?;
    let built = Instant::now();
    let mut show = Show::new();
    show.title(
        "a certificate authority, a bastion, two targets with a real sshd, and three people",
    );
    let mut world = World::with(&Setup {
        extra: rules::ROLES.replace("DAY", &another_day()?),
        ..Setup::default()
    })?;
    show.note(&format!(
        "in {}: CA on 127.0.0.1:{}, bastion on :{}, db1.prod on :{}, web1.prod on :{}",
        world.root().display(),
        world.ca_port,
        world.bastion_port,
        world.db1.port,
        world.web1.port
    ));
    let outcome = steps(&mut show, &mut world);
    if keep {
        keep::leave_running(&mut show, world)?;
    } else if outcome.is_ok() {
        world.end()?;
    }
    outcome?;
    let took = built.elapsed().as_secs_f32();
    show.title(&format!(
        "all as expected, in {took:.0} s ({:.0} s with building)",
        begin.elapsed().as_secs_f32()
    ));
    Ok(())
}

fn steps(show: &mut Show, world: &mut World) -> Result<()> {
    ask_and_approve(show, world)?;
    sessions(show, world)?;
    let id = after::break_glass(show, world)?;
    rules::refused(show, world)?;
    rules::at_once(show, world)?;
    rotate::rotation(show, world)?;
    after::reviewed(show, world, &id)?;
    review(show, world)
}

/// The name of a day that it is nowhere on earth now.
fn another_day() -> Result<String> {
    let mut date = Command::new("date");
    date.args(["-u", "-d", "3 days", "+%a"]);
    let day = process::run(&mut date)?.ok()?.out();
    Ok(day.trim().to_lowercase())
}

fn ask_and_approve(show: &mut Show, world: &World) -> Result<()> {
    let at = world.at_db1();
    show.title("Alice is on call and asks");
    let args = [
        "ca",
        "request",
        &at,
        "--for",
        "15m",
        "--reason",
        "INC-42 replication stuck",
    ];
    show.command(
        &world.alice,
        &format!("{} > ~/.ssh/id_ed25519-cert.pub", spell("ssh", &args)),
    );
    let mut live = world.alice.ssh_live(&args)?;
    live.wait_err("waiting", LIMIT)
        .map_err(expected("that the request waits for an approval"))?;
    let id = access::request_id(&live.err())?;
    let seen = live.err();
    show.came(&seen);
    let asked = Asked { id, live };

    show.title("Bob reads what is asked, and agrees: his agent signs the request's very text");
    ssh(show, &world.bob, &["ca", "pending"])?
        .ok()?
        .prints(&asked.id)?;
    ssh(show, &world.bob, &["-A", "ca", "approve", &asked.id])?.ok()?;

    show.title("Alice's command has come back with a certificate");
    let output = asked.live.finish(LIMIT)?.ok()?;
    show.came(output.err().get(seen.len()..).unwrap_or_default());
    world.alice.save_certificate(&output.stdout)?;
    show.command(&world.alice, "ssh-keygen -L -f ~/.ssh/id_ed25519-cert.pub");
    let shown = keys::show(&world.alice.certificate())?;
    show.came(&shown);
    expect(
        shown.contains(&at),
        "the principal in the certificate",
        &shown,
    )
}

fn sessions(show: &mut Show, world: &World) -> Result<()> {
    let at = world.at_db1();
    show.title("She goes in through the bastion, with a terminal");
    let args = ["-tt", "-J", "bastion", &at];
    show.command(&world.alice, &format!("ssh -J bastion {at}"));
    let mut live = world.alice.ssh_live(&args)?;
    live.send("uptime; echo seen-by:$(id -un); exit 7\n")?;
    live.close();
    let output = live.finish(LIMIT)?;
    show.came(&screen::readable(&output.out()));
    let output = output
        .exits(7)
        .map_err(expected("the status that she left with"))?;
    output.prints(&format!("seen-by:{}", world.login))?;

    show.title("Another login on the same machine was not asked for, so it is refused");
    let output = ssh(
        show,
        &world.alice,
        &["-J", "bastion", "backup@db1.prod", "id"],
    )?;
    expect(
        output.status != 0,
        "a status that is not 0",
        &output.to_string(),
    )?;
    expect(
        !output.out().contains("uid="),
        "that nothing runs",
        &output.to_string(),
    )
}

fn review(show: &mut Show, world: &World) -> Result<()> {
    show.title("The next morning, Carol looks at what happened");
    let recordings = world.wait_finished(2, LIMIT)?;
    ssh(show, &world.carol, &["ca", "sessions"])?
        .ok()?
        .prints("db1.prod")?;

    show.title("The issuance log is the one that its signed checkpoints vouch for, and every grant has its approvals in it");
    show.command(&world.carol, "hallpass log verify ca/log");
    let log = world.log().to_string_lossy().into_owned();
    let output = world.hallpass(&["log", "verify", &log])?;
    show.came(&output.out());
    output.ok()?;

    show.title("The log and the recordings are whole; checking that needs no server and no secret");
    show.command(&world.carol, "hallpass verify ca/log bastion/recordings");
    let output = world.verify()?;
    show.came(&output.out());
    output.ok()?;

    show.title("A replay, in the terminal");
    let Some(first) = recordings.first() else {
        return Err(Failure::new("no recording"));
    };
    let name = first
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    show.command(&world.carol, &format!("hallpass play {name}"));
    replay(show, world, &first.to_string_lossy())
}

/// Plays a recording in a terminal of its own, which `script` makes.
fn replay(show: &mut Show, world: &World, path: &str) -> Result<()> {
    let play = world.hallpass_command(&["play", path])?;
    let mut live = process::Live::start(&mut process::in_terminal(&play)?)?;
    live.wait_out(&format!("seen-by:{}", world.login), LIMIT)
        .map_err(expected("the session's own output in the replay"))?;
    live.send("q")?;
    let output = live.finish(LIMIT)?.ok()?;
    show.came(&screen::screen(&output.out()));
    Ok(())
}

fn build() -> Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--locked", "--package", "hallpass"]);
    if cargo.status().context("cargo build")?.success() {
        Ok(())
    } else {
        Err(Failure::new("hallpass does not build"))
    }
}
