//! `hallpass log monitor`: somebody who remembers what the log was.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use record::entry::{Entry, Line};

use super::place::{Place, is_out_of_reach};
use super::sshd::Sessions;
use super::{Audit, LogArgs, Witnesses, list};
use crate::failure::{Failure, Result};

/// What is watched, and who is told.
#[derive(Args)]
pub(crate) struct MonitorArgs {
    #[command(flatten)]
    pub(super) log: LogArgs,
    /// Where the last checkpoint is kept; made at the first run
    #[arg(long, value_name = "FILE")]
    pub(super) state: PathBuf,
    #[command(flatten)]
    pub(super) witnesses: Witnesses,
    /// What a target's sshd logged: each login there with a session certificate has to be one of this log's; may be
    /// given several times
    #[arg(long = "sshd-log", value_name = "FILE")]
    pub(super) sshd: Vec<PathBuf>,
    /// A command for `sh -c` that is run when the log is not what it was, or cannot be checked; it reads why from
    /// its standard input
    #[arg(long, value_name = "COMMAND")]
    pub(super) alarm: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

/// Watches once, and raises the alarm if there is reason to.
pub(super) fn run(args: &MonitorArgs, out: &mut dyn Write) -> Result<()> {
    let watched = watch(args, out);
    let (Err(why), Some(command)) = (&watched, &args.alarm) else {
        return watched;
    };
    if let Err(e) = tell(command, &why.to_string()) {
        return Err(Failure::new(format!(
            "{why}\n  and the alarm could not be raised: {e}"
        )));
    }
    watched
}

/// Runs the command with the reason as its input, and waits for it.
fn tell(command: &str, why: &str) -> io::Result<()> {
    let mut shell = Command::new("/bin/sh");
    let mut child = shell.arg("-c").arg(command).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A command that does not read its input was told by being run.
        let _ = input.write_all(format!("{why}\n").as_bytes());
    }
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("the command ended with {status}")))
    }
}

fn watch(args: &MonitorArgs, out: &mut dyn Write) -> Result<()> {
    let (log, state) = (&args.log, &args.state);
    let keys = log.keys()?;
    let place = Place::of(&log.dir)?;
    let mut lines = Vec::new();
    let kept = kept(state)?;
    let view = place.read(&keys, |index, line| lines.push((index, line)));
    let view = view.map_err(|why| {
        if is_out_of_reach(&why) {
            Failure::new(format!("the log cannot be checked: {why}"))
        } else {
            alarm(&why.to_string())
        }
    })?;
    let had = match &kept {
        Some(kept) => view.continues(kept).map_err(|why| {
            Failure::new(format!(
                "{}: {why}\n  the older checkpoint: {}",
                log.dir.display(),
                state.display()
            ))
        })?,
        None => 0,
    };
    args.witnesses.hold(&view)?;
    audit(&lines)?;
    hold_logins(&args.sshd, &lines)?;
    let size = view.signed()?.size;
    lines.retain(|(index, _)| (had..size).contains(index));
    say(args, kept.is_some().then_some(had), size, &lines, out)?;
    // If we die here, the same entries are listed again the next time.
    keep(state, view.checkpoint()?)?;
    strays(&lines)
}

/// What the log itself says is an alarm, once: the next run has seen it.
fn strays(new: &[(u64, Line)]) -> Result<()> {
    let told = |line: &Line| matches!(line.entry, Entry::Stray { .. });
    match new.iter().filter(|(_, line)| told(line)).count() {
        0 => Ok(()),
        count => Err(Failure::new(format!(
            "ALARM: the log tells of {count} certificates that it does not hold and that the user CA's key has signed: the key is stolen; see `hallpass log show`"
        ))),
    }
}

/// Every grant has to have its approvals: no key of the CA can make those.
fn audit(lines: &[(u64, Line)]) -> Result<()> {
    let mut audit = Audit::default();
    for (index, line) in lines {
        audit.take(*index, line);
    }
    audit.close().map(drop).map_err(Failure::new)
}

/// Every login that a target took has to rest on a session certificate that stands in the log.
fn hold_logins(logs: &[PathBuf], lines: &[(u64, Line)]) -> Result<()> {
    if logs.is_empty() {
        return Ok(());
    }
    let mut sessions = Sessions::default();
    for (_, line) in lines {
        sessions.take(line);
    }
    let mut strays = Vec::new();
    for log in logs {
        strays.extend(sessions.hold(log)?);
    }
    if strays.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "ALARM: a target was entered with a session certificate that does not stand in the log: the session CA's key is stolen\n  {}",
        strays.join("\n  ")
    )))
}

/// What is wrong with a log is an alarm, whoever found it first.
fn alarm(why: &str) -> Failure {
    if why.starts_with("ALARM") {
        Failure::new(why)
    } else {
        Failure::new(format!("ALARM: {why}"))
    }
}

fn say(
    args: &MonitorArgs,
    had: Option<u64>,
    size: u64,
    lines: &[(u64, Line)],
    out: &mut dyn Write,
) -> Result<()> {
    list(lines, args.json, out)?;
    if args.json {
        return Ok(out.flush()?);
    }
    match (had, lines.len()) {
        (None, _) => writeln!(
            out,
            "{size} entries; from now on every change is held against them"
        )?,
        (Some(_), 0) => writeln!(out, "nothing new: the same {size} entries")?,
        (Some(had), new) => writeln!(
            out,
            "{new} new, {size} in all; the {had} from before are unchanged"
        )?,
    }
    Ok(out.flush()?)
}

/// Most bytes of a kept checkpoint that are read: one with sixteen cosignatures has 3,000.
const KEPT_BYTES: usize = 32 << 10;

fn kept(state: &Path) -> Result<Option<String>> {
    let unread = |e: &io::Error| Failure::file("read", state, e);
    match fs::metadata(state) {
        Ok(file) if file.len() > KEPT_BYTES as u64 => Err(Failure::new(format!(
            "{}: too long for a checkpoint: give a file of its own",
            state.display()
        ))),
        Ok(_) => fs::read_to_string(state).map(Some).map_err(|e| unread(&e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unread(&e)),
    }
}

/// Replaces the kept checkpoint whole: after a crash there is the old one or the new one.
fn keep(state: &Path, checkpoint: &str) -> Result<()> {
    let mut new = state.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let parent = state.parent().filter(|dir| *dir != Path::new(""));
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(checkpoint.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, state)?;
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
    });
    written.map_err(|e| Failure::file("written", state, &e))
}
