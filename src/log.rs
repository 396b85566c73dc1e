//! `hallpass log`: what the issuance log proves, to people who have its directory and its public key.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use record::entry::{Entry, Line};
use record::log::LogView;
use ssh_key::PublicKey;

use crate::evidence::{self, VerifyArgs};
use crate::failure::{Failure, Result, safe};

mod words;

/// What is asked of the log.
#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Check that the log is whole, and the one that its signed checkpoints vouch for
    Verify(LogArgs),
    /// Print the proof that a certificate stands in the log, as a C2SP tlog-proof
    #[command(
        after_help = "The proof ends in the signed checkpoint.note; `hallpass trust --note` prints its key.\n\
        Exit status: 0 proven, 1 it is not there or something is wrong, 2 usage."
    )]
    Prove {
        #[command(flatten)]
        log: LogArgs,
        /// The certificate's serial
        #[arg(long)]
        serial: u64,
    },
    /// Hold the log against what it was the last time, and list what is new
    #[command(
        after_help = "Run it from another machine, over a copy of DIR, and keep FILE there: a log that was\n\
        rewritten whole, with its own key, is only found by somebody who remembers.\n\
        Exit status: 0 it only grew, 1 ALARM or something could not be checked, 2 usage."
    )]
    Monitor {
        #[command(flatten)]
        log: LogArgs,
        /// Where the last checkpoint is kept; made at the first run
        #[arg(long, value_name = "FILE")]
        state: PathBuf,
    },
}

/// Which log, and what it is checked against.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// The directory of the issuance log
    dir: PathBuf,
    /// The public keys to check against (as `hallpass trust` prints them); if left out, the nearest
    /// `allowed_signers` in or above DIR
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// Does what was asked.
pub(crate) fn run(command: LogCommand) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    match command {
        LogCommand::Verify(log) => return verify(log),
        LogCommand::Prove { log, serial } => prove(&log, serial, &mut out)?,
        LogCommand::Monitor { log, state } => monitor(&log, &state, &mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(log: LogArgs) -> Result<ExitCode> {
    if !evidence::is_log(&log.dir) {
        return Err(Failure::new(format!(
            "{} is not the directory of an issuance log",
            log.dir.display()
        )));
    }
    evidence::verify(&VerifyArgs::log(log.dir, log.trust))
}

fn prove(log: &LogArgs, serial: u64, out: &mut dyn Write) -> Result<()> {
    let mut found = None;
    let view = LogView::read(&log.dir, &log.key()?, |index, line| {
        if matches!(line.entry, Entry::Issue { serial: this, .. } if this == serial) {
            found = Some(index);
        }
    })?;
    let index = found.ok_or_else(|| {
        Failure::new(format!(
            "{}: no certificate with serial {serial} stands in this log: if you hold one that is older than this copy of the log, it was signed behind the CA's back",
            log.dir.display()
        ))
    })?;
    Ok(out.write_all(view.prove(index)?.as_bytes())?)
}

fn monitor(log: &LogArgs, state: &Path, out: &mut dyn Write) -> Result<()> {
    let key = log.key()?;
    let mut lines = Vec::new();
    let kept = kept(state)?;
    let view = LogView::read(&log.dir, &key, |index, line| lines.push((index, line)))?;
    let had = match &kept {
        Some(kept) => view.continues(kept, &key).map_err(|why| {
            Failure::new(format!(
                "{}: {why}\n  the older checkpoint: {}",
                log.dir.display(),
                state.display()
            ))
        })?,
        None => 0,
    };
    let size = view.signed()?.size;
    lines.retain(|(index, _)| (had..size).contains(index));
    list(&lines, out)?;
    match (kept.is_some(), lines.len()) {
        (false, _) => writeln!(
            out,
            "{size} entries; from now on every change is held against them"
        )?,
        (true, 0) => writeln!(out, "nothing new: the same {size} entries")?,
        (true, new) => writeln!(
            out,
            "{new} new, {size} in all; the {had} from before are unchanged"
        )?,
    }
    out.flush()?;
    // If we die here, the same entries are listed again the next time.
    keep(state, view.checkpoint()?)
}

fn list(lines: &[(u64, Line)], out: &mut dyn Write) -> Result<()> {
    for (index, line) in lines {
        let said = words::told(&line.entry);
        writeln!(out, "{index:>6}  {}  {}", line.at, safe(&said, ""))?;
    }
    Ok(())
}

/// Most bytes of a kept checkpoint that are read: a signed one has 500.
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

impl LogArgs {
    fn key(&self) -> Result<PublicKey> {
        evidence::log_key(self.trust.as_deref(), &self.dir, &mut io::stderr().lock())
    }
}

#[cfg(test)]
mod tests;
