//! How the list is drawn, in the terminal that there is.

use std::thread::sleep;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World};

use super::{LIST, both, in_terminal};

#[test]
fn a_terminal_is_drawn_as_it_is() -> Result<()> {
    let world = World::new()?;
    world.take(&world.alice, &world.at_web1(), &["--for", "110s"])?;
    // What is nearly over is yellow, unless the person wants no colours.
    let mut live = in_terminal(&world, &["bastion"])?;
    live.wait_out(LIST, LIMIT)?;
    live.wait_out("\u{1b}[38;5;3;", LIMIT)?;
    live.send("q")?;
    live.finish(LIMIT)?.exits(1)?;
    let mut ssh = world
        .alice
        .ssh_command(&["-tt", "-o", "SendEnv=NO_COLOR", "bastion"])?;
    let mut live = Live::start(ssh.env("NO_COLOR", "1"))?;
    live.wait_out(LIST, LIMIT)?;
    live.wait_out("q leaves", LIMIT)?;
    live.send("q")?;
    let output = live.finish(LIMIT)?.exits(1)?;
    assert!(!output.out().contains("\u{1b}[38;"), "{output}");
    // One that cannot move its cursor takes a number.
    let mut ssh = world.alice.ssh_command(&["-tt", "bastion"])?;
    let mut live = Live::start(ssh.env("TERM", "dumb"))?;
    live.wait_out("number, or q to leave: ", LIMIT)?;
    assert!(!live.out().contains('\u{1b}'), "{}", live.out());
    live.send("2\r")?;
    sleep(Duration::from_millis(300));
    live.send("1\r")?;
    live.wait_err("recorded session", LIMIT)?;
    live.send("exit 5\n")?;
    live.finish(LIMIT)?.exits(5)?;
    world.end()
}

#[test]
fn a_terminal_that_changes_its_size_is_drawn_again_and_the_target_gets_the_new_one() -> Result<()> {
    let (world, _, _) = both(&Setup::default())?;
    let ssh = world.alice.ssh_command(&["-tt", "bastion"])?;
    let shell = format!(
        "stty cols 80 rows 24; (sleep 2; stty cols 44 rows 9 </dev/tty) & {}",
        process::spell(&ssh)
    );
    let mut script = world.alice.command("script")?;
    script
        .arg("-qec")
        .arg(shell)
        .arg("/dev/null")
        .env("SHELL", "/bin/sh");
    let mut live = Live::start(&mut script)?;
    live.wait_out("r asks again", LIMIT)?;
    live.wait_out("Return connects  / finds  q leaves", LIMIT)?;
    live.send("\r")?;
    live.wait_out("recorded session", LIMIT)?;
    live.send("echo; stty size; exit\n")?;
    live.finish(LIMIT)?.ok()?.prints("9 44")?;
    world.end()
}
