//! What recordings cost: their sizes for real sessions, and what `player/benches/recording` measures of them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, keys, programs};
use tempfile::NamedTempFile;

use super::sessions::{self, ALL};
use super::table::{Goal, Row, median};
use super::{share, with_release};
use crate::install;

/// What the sessions run.
const PROGRAMS: &[(&str, &str)] = &[
    ("vim", "vim"),
    ("tmux", "tmux"),
    ("top", "procps"),
    ("gzip", "gzip"),
    ("script", "bsdutils"),
];

/// Transfers that the cost of recording is held against.
const RUNS: usize = 3;

struct Plan {
    json: bool,
    minutes: u32,
    megabytes: String,
    only: String,
}

impl Plan {
    fn parse(args: &[&str]) -> Result<Self> {
        let mut plan = Self {
            json: false,
            minutes: 10,
            megabytes: "250".to_owned(),
            only: "sbt".to_owned(),
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if *arg == "--json" {
                plan.json = true;
                continue;
            }
            let value = args.next().copied().unwrap_or_default();
            let unknown = || {
                Failure::new(format!(
                    "`{arg} {value}` is nothing that `cargo xtask bench record` knows"
                ))
            };
            match *arg {
                "--minutes" => plan.minutes = value.parse().map_err(|_| unknown())?,
                "--megabytes" => value.clone_into(&mut plan.megabytes),
                "--only" => value.clone_into(&mut plan.only),
                _ => return Err(unknown()),
            }
        }
        Ok(plan)
    }
}

/// Measures, with a `hallpass` built for release or the one that `HALLPASS_BIN` names.
pub(crate) fn record(args: &[&str]) -> Result<()> {
    let plan = Plan::parse(args)?;
    install::install(install::FOR_THE_DEMO)?;
    install::install(PROGRAMS)?;
    if env::var_os("HALLPASS_BIN").is_none() {
        return with_release("record", args);
    }
    if plan.only.contains('s') {
        sizes(&plan)?;
    }
    let rate = if plan.only.contains('b') {
        Some(share::rows(plan.json, RUNS)?)
    } else {
        None
    };
    if plan.only.contains('t') {
        times(&plan, rate)?;
    }
    Ok(())
}

/// The sizes of seven sessions, sealed to one recipient, beside what others would write of them.
fn sizes(plan: &Plan) -> Result<()> {
    let desk = tempfile::tempdir()?;
    let key = desk.path().join("reviewer");
    keys::make(&key, "reviewer")?;
    let recipient = keys::public_line(&key)?;
    let world = World::with(&Setup {
        extra: format!("[recordings]\nrecipients = [\"{recipient}\"]\n"),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &["--for", "30m"])?;
    let long = Duration::from_secs(60) * plan.minutes;
    sessions::take(&world, &at, long)?;
    let recordings = world.wait_finished(ALL.len(), LIMIT)?;
    for (session, path) in ALL.iter().zip(&recordings) {
        let minutes = f64::from(plan.minutes);
        let raw = asciicast(&world, path, &key)?;
        let gzip = process::run(
            Command::new(programs::find("gzip")?)
                .arg("-6c")
                .arg(raw.path()),
        )?;
        let sealed = size(path)? / minutes;
        let row =
            |work: String, ours: f64, peer: Option<(&'static str, f64)>, goal: Option<f64>| {
                Row {
                    work,
                    unit: "B/min",
                    ours,
                    peer,
                    goal: goal.map(Goal::AtMost),
                }
                .print(plan.json);
            };
        let cleartext = size(raw.path())? / minutes;
        let zipped = measured(gzip.stdout.len()) / minutes;
        let name = session.name;
        row(
            format!("{name}, sealed"),
            sealed,
            Some(("asciicast v2", cleartext)),
            session.goal,
        );
        row(
            format!("{name}, sealed"),
            sealed,
            Some(("gzip -6", zipped)),
            None,
        );
        let index = path.with_file_name(name_of_index(path));
        wait_for(&index)?;
        row(
            format!("{name}, its index"),
            size(&index)? / minutes,
            None,
            None,
        );
    }
    world.end()
}

/// The recording as asciicast v2, which says everything in plain JSON.
fn asciicast(world: &World, recording: &Path, key: &Path) -> Result<NamedTempFile> {
    let file = NamedTempFile::new()?;
    let mut export = world.hallpass_command(&["export", "--format", "v2"])?;
    let text = process::run(export.arg("--identity").arg(key).arg(recording))?.ok()?;
    fs::write(file.path(), text.stdout)?;
    Ok(file)
}

pub(super) fn name_of_index(recording: &Path) -> String {
    let name = recording.file_name().unwrap_or_default().to_string_lossy();
    name.replace(".cast.zst", ".index.zst")
}

pub(super) fn wait_for(path: &Path) -> Result<()> {
    let end = Instant::now() + LIMIT;
    while !path.exists() {
        if Instant::now() > end {
            return Err(Failure::new(format!("{} is not made", path.display())));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn size(path: &Path) -> Result<f64> {
    Ok(measured(
        usize::try_from(fs::metadata(path)?.len()).unwrap_or(usize::MAX),
    ))
}

#[expect(clippy::cast_precision_loss, reason = "sizes are below 2^52")]
fn measured(bytes: usize) -> f64 {
    bytes as f64
}

/// What `player/benches/recording` measures, and how long the player takes to its first screen; `bulk` is what [`share`] found.
fn times(plan: &Plan, bulk: Option<f64>) -> Result<()> {
    let kept = tempfile::tempdir()?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut bench = Command::new(cargo);
    bench.args([
        "bench",
        "--quiet",
        "--locked",
        "-p",
        "hallpass-player",
        "--bench",
        "recording",
        "--",
    ]);
    bench.args(["--megabytes", &plan.megabytes]);
    if let Some(rate) = bulk {
        bench.args(["--bulk", &rate.to_string()]);
    }
    bench.arg("--keep").arg(kept.path());
    if plan.json {
        bench.arg("--json");
    }
    if !bench.status()?.success() {
        return Err(Failure::new("the measurement failed"));
    }
    first_screen(plan, kept.path())
}

/// `hallpass play --at`, from its start to the screen of that time.
fn first_screen(plan: &Plan, kept: &Path) -> Result<()> {
    let recording = fs::read_dir(kept)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(".cast.zst"))
        .ok_or_else(|| Failure::new("no recording was kept"))?;
    let program = PathBuf::from(env::var_os("HALLPASS_BIN").unwrap_or_default());
    let mut took = Vec::new();
    for hour in ["1", "3", "5", "7", "9"] {
        let mut player = Command::new(&program);
        // The configuration says where the public keys lie by which the index is believed.
        player.arg("--config").arg(kept.join("hallpass.toml"));
        player.args(["play", "--at", &format!("{hour}:23:45")]);
        player.arg(&recording);
        let begin = Instant::now();
        let mut live = Live::start(&mut process::in_terminal(&player)?)?;
        live.wait_out(&format!("{hour}:23:4"), LIMIT)?;
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
        live.send("q")?;
        live.finish(LIMIT)?;
    }
    let row = Row {
        work: "ten hours, clear: `hallpass play --at`, first screen".to_owned(),
        unit: "ms",
        ours: median(took),
        peer: None,
        goal: Some(Goal::AtMost(100.0)),
    };
    row.print(plan.json);
    Ok(())
}
