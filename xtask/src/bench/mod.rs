//! Measurements, in release builds, each beside its peer in the same run on the same machine.
//!
//! * [`bastion`] is what `cargo xtask bench bastion` measures, row by row.
//! * [`record`] is what `cargo xtask bench record` measures, over [`sessions`] of real programs.
//! * [`share`] is what recording takes of a bulk session.
//! * [`ways`] are the ways to a target that it compares, [`delay`] makes one of them longer.
//! * [`measure`] takes one measurement.
//! * [`soak`] is load for an hour, under which nothing may grow.
//! * [`table`] is what is printed.

mod bastion;
mod delay;
mod measure;
mod record;
mod sessions;
mod share;
mod soak;
mod table;
mod ways;

use std::env;
use std::path::PathBuf;
use std::process::Command;

use hallpass_tests::{Failure, Result};

use crate::install;

pub(crate) use bastion::bastion;
pub(crate) use record::record;

/// Certificates per second, and the memory that they leave behind; `args` go to `ca/benches/issue.rs`.
pub(crate) fn ca(args: &[&str]) -> Result<()> {
    run("hallpass-ca", "issue", args)
}

/// The size of revocation lists, and how long OpenSSH takes to load them; `args` go to `record/benches/krl.rs`.
pub(crate) fn krl(args: &[&str]) -> Result<()> {
    run("hallpass-record", "krl", args)
}

fn run(package: &str, bench: &str, args: &[&str]) -> Result<()> {
    install::install(&[("ssh-keygen", "openssh-client")])?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "bench", "--quiet", "--locked", "-p", package, "--bench", bench, "--",
    ]);
    let status = command.args(args).status()?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new("the measurement failed"))
    }
}

/// Builds for release, and runs this very program again beside what was built.
fn with_release(bench: &str, args: &[&str]) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(&cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "-p",
            "hallpass",
        ])
        .status()?;
    if !built.success() {
        return Err(Failure::new("hallpass does not build"));
    }
    let this = env::current_exe()?;
    let release = this
        .ancestors()
        .nth(2)
        .map(|target| target.join("release/hallpass"))
        .filter(|path| path.is_file());
    let release: PathBuf =
        release.ok_or_else(|| Failure::new("no release/hallpass: name one in HALLPASS_BIN"))?;
    let measured = Command::new(this)
        .args(["bench", bench])
        .args(args)
        .env("HALLPASS_BIN", release)
        .status()?;
    if measured.success() {
        Ok(())
    } else {
        Err(Failure::new("the measurement failed"))
    }
}
