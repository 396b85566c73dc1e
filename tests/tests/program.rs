//! What the program generates from its own command line.

use std::fs;
use std::process::Command;

use hallpass_tests::process;
use hallpass_tests::{Result, programs};

#[test]
fn completions_are_what_the_shell_reads() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let mut hallpass = Command::new(programs::hallpass()?);
        let printed = process::run(hallpass.args(["completions", shell]))?
            .ok()?
            .prints("verify")?;
        if shell == "bash" {
            let file = directory.path().join("completions");
            fs::write(&file, &printed.stdout)?;
            let mut bash = Command::new(programs::find("bash")?);
            process::run(bash.arg("-n").arg(&file))?.ok()?;
        }
    }
    Ok(())
}

#[test]
fn every_command_has_a_man_page() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let pages = directory.path().join("man1");
    let mut hallpass = Command::new(programs::hallpass()?);
    process::run(hallpass.arg("man").arg(&pages))?.ok()?;
    for command in [
        "",
        "-init",
        "-check",
        "-ca",
        "-bastion",
        "-target-setup",
        "-verify",
        "-play",
        "-export",
    ] {
        let page = pages.join(format!("hallpass{command}.1"));
        let text = fs::read_to_string(&page).unwrap_or_default();
        assert!(text.contains(".TH "), "{} is no man page", page.display());
    }
    Ok(())
}
