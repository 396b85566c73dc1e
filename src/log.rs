//! `hallpass log`: what the issuance log proves, to people who have its directory, or a published one, and its public key.
//!
//! * `place`: which log; `words`: an entry in one line.
//! * `audit`: whether its entries bear out what was issued.
//! * `monitor`: holds a log against what it was; `sshd`: holds targets' logins against the log; `publish`: writes tiles; `witness`: cosigns other people's checkpoints.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use ca::Judged;
use clap::{Args, Subcommand};
use record::checkpoint::cosign::WitnessKey;
use record::entry::{Entry, Line};
use record::log::{LogReport, LogView};
use serde_json::json;
use ssh_key::PublicKey;

use crate::cli::Site;
use crate::evidence;
use crate::failure::{Failure, Result, safe};

mod audit;
mod monitor;
mod place;
mod publish;
mod sshd;
mod witness;
mod words;

pub(crate) use audit::{Audit, told as told_of};
pub(crate) use place::Place;

/// What is asked of the log.
#[derive(Subcommand)]
pub(crate) enum LogCommand {
    /// Check that the log is whole and signed, and that each grant in it has its approvals
    #[command(
        after_help = "Each grant is judged by the log alone: the approvals' own signatures, over the text of the request, are\n\
        counted against what the log said about the role and its approvers. No key of the CA can replace them.\n\
        Exit status: 0 all of it holds, 1 something is wrong or could not be checked, 2 usage."
    )]
    Verify {
        #[command(flatten)]
        log: LogArgs,
        #[command(flatten)]
        witnesses: Witnesses,
        /// Print every entry too
        #[arg(long)]
        entries: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Check the log, and print its entries
    Show {
        #[command(flatten)]
        log: LogArgs,
        /// The first entry to print, counted from zero
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// One JSON object a line: the entry as it stands in the log, with its index
        #[arg(long)]
        json: bool,
    },
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
        after_help = "Run it from another machine, over a copy of DIR or over what the CA publishes, and keep FILE\n\
        there: a log that was rewritten whole, with its own key, is only found by somebody who remembers.\n\
        Exit status: 0 it only grew, 1 ALARM or something could not be checked, 2 usage."
    )]
    Monitor(monitor::MonitorArgs),
    /// Write the CA's log as tiles (C2SP tlog-tiles), for any web server or bucket
    #[command(
        after_help = "Only what is new is written, and the checkpoint last. With `publish` in [ca] the CA does it itself.\n\
        It refuses to publish a log that does not continue what is there."
    )]
    Publish {
        /// The directory to serve; made if it is not there
        dir: PathBuf,
    },
    /// Serve a witness: it cosigns checkpoints of logs that only grew (C2SP tlog-witness)
    #[command(
        after_help = "It prints its own key, as other tools take it, and then waits for POST /add-checkpoint.\n\
        Run it on a machine that does not belong to those who run the CA."
    )]
    Witness(witness::WitnessArgs),
}

/// Which log, and what it is checked against.
#[derive(Args)]
pub(crate) struct LogArgs {
    /// The directory of the issuance log, or of a published one; or the http:// address of a published one
    dir: PathBuf,
    /// The public keys to check against (as `hallpass trust` prints them); if left out, the nearest
    /// `allowed_signers` in or above DIR
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// Whose cosignatures the newest checkpoint has to carry.
#[derive(Args, Default)]
pub(crate) struct Witnesses {
    /// A witness whose cosignature counts, by its vkey; may be given several times
    #[arg(long = "witness", value_name = "VKEY")]
    keys: Vec<WitnessKey>,
    /// How many of them have to have cosigned; all of them if left out
    #[arg(long, value_name = "COUNT", requires = "keys")]
    need: Option<usize>,
}

/// Does what was asked.
pub(crate) fn run(site: &Site, command: LogCommand) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    match command {
        LogCommand::Verify {
            log,
            witnesses,
            entries,
            json,
        } => verify(&log, &witnesses, entries, json, &mut out)?,
        LogCommand::Show { log, from, json } => show(&log, from, json, &mut out)?,
        LogCommand::Prove { log, serial } => prove(&log, serial, &mut out)?,
        LogCommand::Monitor(args) => monitor::run(&args, &mut out)?,
        LogCommand::Publish { dir } => publish::run(site, &dir, &mut out)?,
        LogCommand::Witness(args) => {
            drop(out);
            witness::run(args)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(
    log: &LogArgs,
    witnesses: &Witnesses,
    entries: bool,
    json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let place = Place::of(&log.dir)?;
    let keys = log.keys()?;
    let (mut lines, mut audit) = (Vec::new(), Audit::default());
    let view = place.read(&keys, |index, line| {
        audit.take(index, &line);
        if entries {
            lines.push((index, line));
        }
    })?;
    list(&lines, json, out)?;
    let found = place.verify(&keys)?;
    let cosigned = witnesses.hold(&view)?;
    let judged = audit.close();
    let judged = judged.map_err(|why| Failure::new(format!("{}: {why}", log.dir.display())))?;
    told(log, &found, judged, &cosigned, json, out)?;
    match view.followed() {
        Some(key) if !json => Ok(writeln!(
            out,
            "the log's key is {key} now, and the one that you have vouches for it: `hallpass trust` lists it"
        )?),
        _ => Ok(()),
    }
}

fn told(
    log: &LogArgs,
    found: &LogReport,
    judged: Judged,
    cosigned: &[String],
    json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let name = log.dir.display().to_string();
    let (size, root) = (found.position.size, found.position.root);
    if json {
        let facts = json!({"entries": size, "root": root.to_string(), "vouched": found.vouched, "cosigned": cosigned,
            "grants": judged.grants, "unjudged": judged.passed});
        let said = json!({"path": name, "good": true, "facts": facts});
        return Ok(writeln!(out, "{said}")?);
    }
    let by = if cosigned.is_empty() {
        String::new()
    } else {
        format!(", cosigned by {}", cosigned.join(", "))
    };
    let said = format!(
        "issuance log, {size} entries, root {root}{}{by}",
        told_of(judged)
    );
    Ok(writeln!(
        out,
        "good  {}  {}",
        safe(&name, ""),
        safe(&said, "")
    )?)
}

fn show(log: &LogArgs, from: u64, json: bool, out: &mut dyn Write) -> Result<()> {
    let mut lines = Vec::new();
    Place::of(&log.dir)?.read(&log.keys()?, |index, line| {
        if index >= from {
            lines.push((index, line));
        }
    })?;
    list(&lines, json, out)
}

fn prove(log: &LogArgs, serial: u64, out: &mut dyn Write) -> Result<()> {
    let mut found = None;
    let view = Place::of(&log.dir)?.read(&log.keys()?, |index, line| {
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

/// Entries, a line each: in words, or as they stand in the log.
fn list(lines: &[(u64, Line)], json: bool, out: &mut dyn Write) -> Result<()> {
    for (index, line) in lines {
        if json {
            let said = json!({"index": index, "at": line.at, "entry": line.entry});
            writeln!(out, "{said}")?;
            continue;
        }
        let said = words::told(&line.entry);
        writeln!(out, "{index:>6}  {}  {}", line.at, safe(&said, ""))?;
    }
    Ok(())
}

impl LogArgs {
    fn keys(&self) -> Result<Vec<PublicKey>> {
        if self.trust.is_none() && Place::is_remote(&self.dir) {
            return Err(Failure::new(
                "a log on a web server is checked against a copy of its key that you keep: give --trust FILE, as `hallpass trust` prints it",
            ));
        }
        evidence::log_keys(self.trust.as_deref(), &self.dir, &mut io::stderr().lock())
    }
}

impl Witnesses {
    /// The names of those that cosigned the newest note; an error if they are fewer than needed.
    fn hold(&self, view: &LogView) -> Result<Vec<String>> {
        if self.keys.is_empty() {
            return Ok(Vec::new());
        }
        let note = view.note()?;
        let cosigned = self.keys.iter().filter(|key| key.cosigned(note).is_ok());
        let names: Vec<String> = cosigned.map(|key| key.name().to_string()).collect();
        let need = self.need.unwrap_or(self.keys.len());
        if names.len() < need {
            return Err(Failure::new(format!(
                "ALARM: {} of the {need} witnesses that are needed have cosigned the newest checkpoint: ask them what they saw",
                names.len()
            )));
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests;
