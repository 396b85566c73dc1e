//! A program on the target draws on the person's own display.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use super::*;

/// A real X server without a screen, on the first display that is free.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn start() -> Result<Self> {
        let mut server = Command::new(programs::find("Xvfb")?)
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "320x200x8",
                "-nolisten",
                "tcp",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut number = String::new();
        let told = server.stdout.take().map(BufReader::new);
        told.unwrap().read_line(&mut number)?;
        let name = format!(":{}", number.trim());
        Ok(Self { server, name })
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn promise_10_a_program_that_draws_on_the_persons_display_is_recorded() -> Result<()> {
    let display = Display::start()?;
    let cookies = tempfile::tempdir()?;
    let kept = cookies.path().join("Xauthority");
    let words = channels("\"shell\", \"exec\", \"x11\"", "");
    // Not into the files of whoever runs the tests.
    let sshd = format!("X11Forwarding yes\nSetEnv XAUTHORITY={}", kept.display());
    let (world, at) = world_with(&words, sshd)?;
    let mut ssh =
        world
            .alice
            .ssh_command(&["-Y", "-J", "bastion", &at, "xdpyinfo | grep dimensions"])?;
    let asked = process::run(ssh.env("DISPLAY", &display.name))?.ok()?;
    asked.prints("320x200 pixels")?;

    let path = &world.wait_finished(1, LIMIT)?[0];
    let told: Vec<Value> = told(path)?;
    assert_eq!(told[0]["asked"]["channel"], "x11", "{told:?}");
    let closed = told.last().map(|last| &last["closed"]);
    let sizes = closed.map(|closed| {
        (
            closed["up"]["bytes"].as_u64(),
            closed["down"]["bytes"].as_u64(),
        )
    });
    assert!(
        matches!(sizes, Some((Some(up), Some(down))) if up > 0 && down > 0),
        "{told:?}"
    );
    world.end()
}

#[test]
fn promise_10_a_display_is_refused_by_name_where_the_role_gives_none() -> Result<()> {
    let display = Display::start()?;
    let (world, at) = world(&channels("\"shell\", \"exec\"", ""))?;
    let mut ssh = world
        .alice
        .ssh_command(&["-Y", "-J", "bastion", &at, "echo ${DISPLAY-none}"])?;
    let asked = process::run(ssh.env("DISPLAY", &display.name))?.ok()?;
    assert_eq!(asked.out(), "none\n");
    asked.says("X11 forwarding request failed")?;
    world.end()
}
