//! Everything that has to pass, quiet as long as it does.

mod suites;

use std::env;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use hallpass_tests::{Failure, Result, process, programs};

use crate::{install, print};

/// Format, lints, dependencies, then every test. The steps share one target directory, and one
/// build makes the program and all the tests, so that no crate is compiled for both twice.
pub(crate) fn run() -> Result<()> {
    step("programs", || {
        install::install(install::FOR_THE_TESTS)?;
        install::from_pypi()
    })?;
    cargo("format", &["fmt", "--all", "--check"])?;
    // `cargo deny` reads the whole graph, other systems' crates too, and runs offline.
    cargo("fetch", &["fetch", "--locked"])?;
    step("cargo-deny", deny_program)?;
    step("dependencies", deny)?;
    cargo(
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    cargo(
        "build",
        &["build", "--workspace", "--all-targets", "--locked"],
    )?;
    let begin = Instant::now();
    suites::run()?;
    passed("tests", begin, "");
    Ok(())
}

/// Runs one step. It is one line with its time if it passes, and its whole output if it fails.
fn step(name: &str, work: impl FnOnce() -> Result<String>) -> Result<()> {
    let begin = Instant::now();
    let remark = work().map_err(|failure| Failure::new(format!("{name} failed:\n{failure}")))?;
    passed(name, begin, &remark);
    Ok(())
}

fn passed(name: &str, begin: Instant, remark: &str) {
    let line = format!(
        "{name:<14}ok {:>5.0} s  {remark}",
        begin.elapsed().as_secs_f32()
    );
    print(&format!("{}\n", line.trim_end()));
}

fn cargo(name: &str, args: &[&str]) -> Result<()> {
    step(name, || {
        let output = cargo_output(args)?;
        if output.status.success() {
            Ok(String::new())
        } else {
            Err(Failure::new(both(&output)))
        }
    })
}

fn cargo_output(args: &[&str]) -> Result<Output> {
    let mut command = cargo_command(args);
    command
        .output()
        .map_err(|error| Failure::new(format!("{}: {error}", process::spell(&command))))
}

fn cargo_command(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(root())
        .env("CARGO_TERM_COLOR", "never");
    // Set by the `cargo run` that started this program; tests must not take them for their own.
    command
        .env_remove("CARGO_MANIFEST_DIR")
        .env_remove("CARGO_PKG_NAME");
    command
}

/// The workspace's directory: the one above this package's.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

fn both(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    )
}

/// Builds `cargo-deny` once, if it is not there: two to three minutes on two cores.
fn deny_program() -> Result<String> {
    if programs::find("cargo-deny").is_ok()
        || cargo_output(&["deny", "--version"])?.status.success()
    {
        return Ok(String::new());
    }
    let output = cargo_output(&["install", "cargo-deny", "--locked", "--quiet"])?;
    if output.status.success() {
        Ok("installed".to_owned())
    } else {
        Err(Failure::new(both(&output)))
    }
}

/// Whether the directory, or one in it, is a clone: `cargo deny` leaves an empty one behind where it could not fetch.
fn holds_a_clone(directory: &Path) -> bool {
    let inside = directory.read_dir().into_iter().flatten().flatten();
    let inside = inside.map(|entry| entry.path());
    std::iter::once(directory.to_owned())
        .chain(inside)
        .any(|place| place.join(".git").exists())
}

/// Bans, licences and sources always; advisories where a clone of the database is at hand, since it
/// is not fetched here.
fn deny() -> Result<String> {
    let home = env::var_os("CARGO_HOME").map_or_else(
        || Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cargo"),
        Into::into,
    );
    let database = ["advisory-dbs", "advisory-db"]
        .iter()
        .any(|name| holds_a_clone(&home.join(name)));
    let mut args = vec![
        "deny",
        "--offline",
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ];
    if database {
        args.push("advisories");
    }
    let output = cargo_output(&args)?;
    if !output.status.success() {
        return Err(Failure::new(both(&output)));
    }
    let remark = if database {
        ""
    } else {
        "bans, licenses, sources; no advisory database here"
    };
    Ok(remark.to_owned())
}
