//! `hallpass verify`: recordings and issuance logs, held against each other and against public keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ca::Judged;
use clap::Args;
use config::words::{SessionId, shown};
use record::age::Identities;
use record::digest::Digest;
use record::log::{LogReport, SessionFacts};
use record::recording::verify::{self, Trusted, Verdict};
use serde_json::{Value, json};
use ssh_key::PublicKey;

use self::signers::{checked_against, is_same, keys_of_log, signers};
use self::words::{UNREAD, ending, told};
use crate::failure::{Failure, Result, safe};
use crate::log::{Audit, Place, told_of};
use crate::reissue::KeyArgs;

mod bucket;
mod signers;
mod words;

pub(crate) use signers::{SIGNERS, log_keys};

/// The arguments of `hallpass verify`.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 everything is whole, 1 something is wrong or could not be checked, 2 usage.\n\
    Given the issuance log too, a recording that was removed or replaced whole is found.\n\
    A bucket is found and opened by the environment of S3's own tools: AWS_ENDPOINT_URL, AWS_REGION,\n\
    AWS_CA_BUNDLE, AWS_SHARED_CREDENTIALS_FILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)]
pub(crate) struct VerifyArgs {
    /// Recordings, directories of recordings or buckets of them (`s3://BUCKET/PREFIX`), and directories of issuance logs
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The public keys to check against (as `hallpass trust` prints them); if left out, the nearest
    /// `allowed_signers` in or above each PATH
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Checks everything, and reports on standard output.
pub(crate) fn verify(args: &VerifyArgs) -> Result<ExitCode> {
    let (mut out, mut notes) = (io::stdout().lock(), io::stderr().lock());
    let found = examine(args, &mut out, &mut notes)?;
    Ok(if found.bad == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many things were looked at and found so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Found {
    good: u64,
    /// With those that could not be read.
    bad: u64,
    unread: u64,
}

fn examine(args: &VerifyArgs, out: &mut dyn Write, notes: &mut dyn Write) -> Result<Found> {
    let mut report = Report {
        json: args.json,
        out,
        notes,
        found: Found::default(),
        signers: None,
        identities: Arc::new(args.keys.read()?),
    };
    let (buckets, paths) = bucket::among(&args.paths)?;
    let (logs, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.into_iter().partition(|path| is_log(path));
    let mut sessions = BTreeMap::new();
    let mut believed = !logs.is_empty();
    let alone = args.paths.len() == 1;
    for path in &logs {
        let trusted = report.trust(args.trust.as_deref(), path);
        let looked = trusted.and_then(|trusted| report.log(path, &trusted));
        match report.or_said(alone, path, looked)?.flatten() {
            Some(found) => sessions.extend(found.sessions),
            None => believed = false,
        }
    }
    // A log that is wrong accuses nobody.
    let logged = believed.then_some(&sessions);
    // What could not be looked at accuses nobody either: what is not seen elsewhere may lie there.
    let mut unlooked = false;
    let mut seen = Vec::new();
    for path in &others {
        let trusted = report.trust(args.trust.as_deref(), path);
        let looked =
            trusted.and_then(|trusted| report.recordings(path, &trusted, logged, &mut seen));
        // By who may not even go there, a directory is not told from a file.
        unlooked |= report.or_said(alone, path, looked)?.is_none()
            && (path.is_dir() || path.try_exists().is_err());
    }
    let dirs = others.iter().any(|path| path.is_dir());
    // What one recording was named of accuses nobody of the others.
    let (mut whole, mut of) = (dirs, BTreeSet::new());
    for named in buckets {
        let near = logs.first().map_or(Path::new("."), |log| log.as_path());
        let trusted = report.trust(args.trust.as_deref(), near);
        let (one, place) = (named.session().is_some(), named.to_string());
        let looked = trusted.and_then(|trusted| report.bucket(named, &trusted, logged, &mut seen));
        match report.or_said(alone, Path::new(&place), looked)? {
            None => unlooked = true,
            Some(_) if one => {}
            // A name that the log does not know may be made by whoever writes there, and hides nothing.
            Some(Some(bastion)) if sessions.values().any(|it| it.bastion == bastion) => {
                writeln!(
                    report.notes,
                    "looked for in {place}: what {bastion} has recorded"
                )?;
                of.insert(bastion);
            }
            Some(_) => whole = true,
        }
    }
    if !whole {
        sessions.retain(|_, facts| of.contains(&facts.bastion));
    }
    if !unlooked {
        report.missing(&sessions, &seen)?;
    } else if !sessions.is_empty() {
        writeln!(
            report.notes,
            "what is missing was not looked for, since not everything could be read"
        )?;
    }
    report.close()
}

/// Either of the two files of a log will do, so that one from which the other was taken is not passed over.
pub(crate) fn is_log(path: &Path) -> bool {
    ["entries", "checkpoint"]
        .iter()
        .any(|file| path.join(file).exists())
}

struct Report<'a> {
    json: bool,
    out: &'a mut dyn Write,
    notes: &'a mut dyn Write,
    found: Found,
    signers: Option<PathBuf>,
    identities: Arc<Identities>,
}

impl Report<'_> {
    /// Reads the public keys, and says once which file they came from.
    fn trust(&mut self, given: Option<&Path>, path: &Path) -> Result<Trusted> {
        let (file, trusted) = signers(given, path)?;
        if self.signers.as_ref() != Some(&file) {
            writeln!(self.notes, "{}", checked_against(given, &file))?;
            self.signers = Some(file);
        }
        Ok(trusted.opening(Arc::clone(&self.identities)))
    }

    /// Of several places one that cannot be looked at is told, and the others are looked at.
    fn or_said<T>(&mut self, alone: bool, path: &Path, looked: Result<T>) -> Result<Option<T>> {
        match looked {
            Ok(found) => Ok(Some(found)),
            Err(e) if alone || e.is_unread() => Err(e),
            Err(e) => {
                let name = path.display().to_string();
                self.say(false, path, &name, &e.to_string(), &json!({ UNREAD: true }))?;
                Ok(None)
            }
        }
    }

    fn log(&mut self, path: &Path, trusted: &Trusted) -> Result<Option<LogReport>> {
        let keys = keys_of_log(trusted)?;
        let name = path.display().to_string();
        match judged(&Place::of(path)?, &keys) {
            Ok((found, judged)) => {
                let said = format!(
                    "issuance log, {} entries, root {}{}",
                    found.position.size,
                    found.position.root,
                    told_of(judged)
                );
                let facts = json!({"entries": found.position.size, "vouched": found.vouched, "grants": judged.grants});
                self.say(true, path, &name, &said, &facts)?;
                Ok(Some(found))
            }
            Err(why) => {
                self.say(false, path, &name, &why, &json!({}))?;
                Ok(None)
            }
        }
    }

    fn recordings(
        &mut self,
        path: &Path,
        trusted: &Trusted,
        logged: Option<&BTreeMap<SessionId, SessionFacts>>,
        seen: &mut Vec<SessionId>,
    ) -> Result<()> {
        let found = verdicts(path, trusted, logged)?;
        // With a log, what should lie there is known; without one, everything may have been taken away.
        if found.is_empty() && logged.is_none() {
            let name = path.display().to_string();
            self.say(
                false,
                path,
                &name,
                "no recordings and no issuance log here",
                &json!({}),
            )?;
        }
        for (session, verdict) in found {
            let name = format!("{session}.cast.zst");
            let (good, said, facts) =
                told(&verdict, logged.and_then(|logged| logged.get(&session)));
            let file = if path.is_dir() {
                path.join(&name)
            } else {
                path.to_owned()
            };
            self.say(good, &file, &name, &said, &facts)?;
            seen.push(session);
        }
        if path.is_dir() {
            for name in verify::strangers(path).map_err(|e| Failure::file("read", path, &e))? {
                let file = path.join(name);
                if is_same(&file, self.signers.as_deref()) {
                    continue;
                }
                let file = safe(&file.to_string_lossy(), "");
                writeln!(
                    self.notes,
                    "not checked, because it is not named as a recording: {file}"
                )?;
            }
        }
        Ok(())
    }

    /// Names the sessions that the log knows and no recording was found of.
    fn missing(
        &mut self,
        sessions: &BTreeMap<SessionId, SessionFacts>,
        seen: &[SessionId],
    ) -> Result<()> {
        for (session, facts) in sessions
            .iter()
            .filter(|(session, _)| !seen.contains(session))
        {
            let name = format!("{session}.cast.zst");
            let whose = format!(
                "{} was let in to {} at {} through {}",
                facts.person, facts.access, facts.began, facts.bastion
            );
            // An end with nothing sealed: the bastion was given leave and did not begin.
            if facts.end.as_ref().is_some_and(|end| end.frames == 0) {
                let said =
                    format!("never began, says its bastion: {whose}, and no byte was carried");
                self.say(
                    true,
                    Path::new(&name),
                    &name,
                    &said,
                    &json!({"never-began": true}),
                )?;
                continue;
            }
            // What is held never expires.
            if let (Some((at, rule)), false) = (&facts.expired, facts.held) {
                let said =
                    format!("expired: {whose}, and its recording was removed from {at} on: {rule}");
                let expired = json!({"expired": at.to_string()});
                self.say(true, Path::new(&name), &name, &said, &expired)?;
                continue;
            }
            let said = format!("missing: {whose}, and there is no recording of it");
            self.say(
                false,
                Path::new(&name),
                &name,
                &said,
                &json!({"missing": true}),
            )?;
        }
        Ok(())
    }

    /// Says one thing: of which file, by which name for people, in words and as facts.
    fn say(
        &mut self,
        good: bool,
        file: &Path,
        name: &str,
        said: &str,
        facts: &Value,
    ) -> Result<()> {
        *(if good {
            &mut self.found.good
        } else {
            &mut self.found.bad
        }) += 1;
        self.found.unread += u64::from(facts.get(UNREAD).is_some());
        if self.json {
            writeln!(
                self.out,
                "{}",
                json!({"path": file.to_string_lossy(), "good": good, "said": said, "facts": facts})
            )?;
        } else {
            writeln!(
                self.out,
                "{}  {}  {}",
                if good { "good" } else { "BAD " },
                safe(name, ""),
                safe(said, ""),
            )?;
        }
        Ok(())
    }

    fn close(self) -> Result<Found> {
        writeln!(self.notes, "{}", ending(self.found))?;
        Ok(self.found)
    }
}

/// What a log says, if it is whole, and each grant of it has its approvals.
fn judged(place: &Place, keys: &[PublicKey]) -> std::result::Result<(LogReport, Judged), String> {
    let mut audit = Audit::default();
    let found = place.verify(keys).map_err(|e| e.to_string())?;
    let read = place.read(keys, |index, line| audit.take(index, &line));
    read.map_err(|e| e.to_string())?;
    Ok((found, audit.close()?))
}

fn verdicts(
    path: &Path,
    trusted: &Trusted,
    logged: Option<&BTreeMap<SessionId, SessionFacts>>,
) -> Result<Vec<(SessionId, Verdict)>> {
    let unreadable = |e: io::Error| Failure::file("read", path, &e);
    let roots = logged.map(roots);
    if path.is_dir() {
        let found = verify::directory(path, trusted, roots.as_ref()).map_err(unreadable)?;
        // What is missing is told once, over all directories together.
        return Ok(found
            .into_iter()
            .filter(|(_, verdict)| !matches!(verdict, Verdict::Missing))
            .collect());
    }
    let session = session_of(path)?;
    fs::metadata(path).map_err(unreadable)?;
    // What lies beside it says whether the session still runs.
    let dir = path
        .parent()
        .filter(|dir| *dir != Path::new(""))
        .unwrap_or(Path::new("."));
    let verdict = verify::one(dir, &session, trusted, roots.as_ref()).map_err(unreadable)?;
    Ok(vec![(session, verdict)])
}

/// What the recordings of those sessions have to be that have ended.
fn roots(logged: &BTreeMap<SessionId, SessionFacts>) -> BTreeMap<SessionId, Digest> {
    let ended = logged
        .iter()
        .filter_map(|(id, facts)| Some((id.clone(), facts.end.as_ref()?.root)));
    ended.collect()
}

fn session_of(path: &Path) -> Result<SessionId> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".cast.zst").and_then(|id| id.parse().ok()).ok_or_else(|| {
        Failure::new(format!(
            "{} is neither a recording (SESSION.cast.zst) nor a directory of recordings nor one of an issuance log",
            shown(&path.to_string_lossy())
        ))
    })
}

#[cfg(test)]
mod tests;
