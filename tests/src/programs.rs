//! Where the programs are.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::{Failure, Result};

/// The path of a stock program. `sbin` directories are searched too, because `sshd` lives in
/// one and re-executes itself, so that it must be started by its absolute path.
pub fn find(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Failure::new(format!("{name} is missing; `cargo xtask test` installs it")))
}

/// The version of ssh-audit that the tests run: its judgement changes from one to the next.
pub const SSH_AUDIT: &str = "3.9.0";

/// Where ssh-audit is put when `PyPI` has given it: once for an account, whichever tree is tested.
pub fn ssh_audit_directory() -> PathBuf {
    let home = PathBuf::from(env::var_os("HOME").unwrap_or_default());
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    cache.join(format!("hallpass-tests/ssh-audit-{SSH_AUDIT}"))
}

/// `ssh-audit`, without its arguments.
pub fn ssh_audit() -> Result<Command> {
    let directory = ssh_audit_directory();
    if !directory.join("ssh_audit/ssh_audit.py").is_file() {
        return Err(Failure::new(
            "ssh-audit is missing; `cargo xtask test` installs it",
        ));
    }
    let mut command = Command::new(find("python3")?);
    command
        .args(["-m", "ssh_audit.ssh_audit", "--no-colors"])
        .env("PYTHONPATH", directory);
    Ok(command)
}

/// The `hallpass` under test: `HALLPASS_BIN`, or the one that was built beside this executable.
pub fn hallpass() -> Result<PathBuf> {
    if let Some(named) = env::var_os("HALLPASS_BIN") {
        return Ok(PathBuf::from(named));
    }
    // Test executables lie in target/PROFILE/deps, xtask in target/PROFILE itself.
    let this = env::current_exe()?;
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|directory| directory.join("hallpass"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            Failure::new(format!(
                "no hallpass beside {}: run the tests with `cargo xtask test`, which builds it, \
                 or build it with `cargo build`, or name one in HALLPASS_BIN",
                this.display()
            ))
        })
}

/// The name of the account that runs this, which is the login that a throw-away `sshd` can
/// always give, with or without privileges.
pub fn login() -> Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
