//! `hallpass search`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;

use clap::Args;
use config::pattern::Pattern;
use config::words::{PersonName, SessionId, TargetName};
use player::lines::From;
use player::search::{Found, HITS, Query};
use player::view::time;
use record::age::Identities;
use record::clock::{Clock as _, SystemClock, UnixTime};
use record::recording::reader::ReadError;
use record::recording::verify::Trusted;
use record::recording::{Header, ReadState};
use record::when::When;
use serde_json::json;

use crate::cli::Site;
use crate::evidence::SIGNERS;
use crate::failure::{Failure, Result, safe};
use crate::reissue::KeyArgs;
use crate::review::find;

/// How a recording's file is named behind its session.
const CAST: &str = ".cast.zst";

/// The arguments of `hallpass search`.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 something was found, 1 nothing was, or not everything could be read, 2 usage.\n\
    A time that is shown is one for `hallpass play --at`. What was typed and never shown is not looked through.\n\
    A recording whose index the bastion has signed is searched by it; any other is read whole, and the same is found\n\
    (`hallpass index` makes indexes that are missing)."
)]
pub(crate) struct SearchArgs {
    /// A regular expression, as the crate `regex` reads it; (?i) ignores case
    #[arg(value_parser = str::parse::<Pattern>)]
    pattern: Pattern,
    /// Recordings, sessions' identifiers, and directories of recordings; those of the site's bastions on this machine
    /// if left out
    #[arg(value_name = "PLACE")]
    places: Vec<String>,
    /// Only this person's sessions
    #[arg(long)]
    person: Option<PersonName>,
    /// Only sessions on this target
    #[arg(long)]
    target: Option<TargetName>,
    /// Only sessions that began since then: 30d, 2026-11-01 or 2026-11-01T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<When>,
    /// Only this session
    #[arg(long)]
    session: Option<SessionId>,
    /// How many lines to show around each that is found
    #[arg(long, short = 'C', value_name = "LINES", default_value_t = 0)]
    context: u8,
    /// The public keys by which indexes are believed (as `hallpass trust` prints them); if left out, the
    /// `allowed_signers` beside the configuration
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Show what was masked, to those whom `mask-original` of its role names
    #[arg(long)]
    original: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Looks through recordings on all cores, and tells what was found in the order of the sessions.
pub(crate) fn search(site: &Site, args: &SearchArgs) -> Result<ExitCode> {
    let paths = recordings(site, &args.places, args.session.as_ref())?;
    let looking = Looking {
        query: Query::new(&args.pattern, args.context.into())
            .map_err(|e| Failure::new(e.to_string()))?
            .trusting(believed(site, args.trust.as_deref())?),
        identities: args.keys.read()?.unmasking(args.original),
        since: args
            .since
            .map(|since| since.before(SystemClock::default().wall())),
        args,
    };
    let mut tally = Tally::default();
    let mut out = io::stdout().lock();
    in_order(
        &paths,
        |path| looking.through(path),
        |path, outcome| {
            tally.add(path, &outcome)?;
            match outcome {
                Ok(Some(found)) if args.json => told_json(&found, &mut out),
                Ok(Some(found)) => told(&found, args.context > 0, &mut out),
                Ok(None) | Err(_) => Ok(()),
            }
        },
    )?;
    out.flush()?;
    tally.close()
}

/// What is looked for, and where it may stand.
struct Looking<'a> {
    query: Query,
    identities: Identities,
    since: Option<UnixTime>,
    args: &'a SearchArgs,
}

impl Looking<'_> {
    fn through(&self, path: &Path) -> std::result::Result<Option<Found>, ReadError> {
        player::search::search(path, &self.identities, &self.query, |of| self.wants(of))
    }

    fn wants(&self, of: &Header) -> bool {
        let began = UnixTime::from_secs(of.started_ms / 1000);
        self.args.person.as_ref().is_none_or(|p| *p == of.person)
            && self
                .args
                .target
                .as_ref()
                .is_none_or(|t| *t == of.access.target)
            && self.since.is_none_or(|since| since <= began)
    }
}

/// What became of the recordings.
#[derive(Default)]
struct Tally {
    searched: usize,
    with_hits: usize,
    locked: usize,
    unread: usize,
}

impl Tally {
    fn add(
        &mut self,
        path: &Path,
        outcome: &std::result::Result<Option<Found>, ReadError>,
    ) -> Result<()> {
        match outcome {
            Ok(None) => {}
            Ok(Some(found)) => {
                self.searched += 1;
                self.with_hits += usize::from(!found.hits.is_empty());
                if found.state == ReadState::Damaged {
                    self.unread += 1;
                    let path = safe(&path.display().to_string(), "");
                    writeln!(
                        io::stderr(),
                        "{path} is damaged: searched up to there (`hallpass verify` says more)"
                    )?;
                }
            }
            Err(ReadError::Locked(_) | ReadError::Original(_)) => self.locked += 1,
            Err(e) => {
                self.unread += 1;
                let line = safe(&format!("{}: {e}", path.display()), "");
                writeln!(io::stderr(), "not searched: {line}")?;
            }
        }
        Ok(())
    }

    /// Says what was left out, and how the search ended.
    fn close(self) -> Result<ExitCode> {
        let mut notes = io::stderr().lock();
        if self.locked > 0 {
            let (count, are) = counted(self.locked);
            writeln!(
                notes,
                "not searched: {count} {are} sealed to others: give --identity with the private key of a recipient"
            )?;
        }
        if self.with_hits == 0 {
            writeln!(notes, "nothing found in {}", counted(self.searched).0)?;
        }
        Ok(if self.with_hits > 0 && self.unread + self.locked == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn counted(count: usize) -> (String, &'static str) {
    match count {
        1 => ("1 recording".to_owned(), "is"),
        _ => (format!("{count} recordings"), "are"),
    }
}

/// The files to look through, each once, by their sessions' names: the oldest first.
pub(crate) fn recordings(
    site: &Site,
    places: &[String],
    session: Option<&SessionId>,
) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    if places.is_empty() {
        for bastion in site.load()?.bastions.values() {
            let dir = bastion.data.join("recordings");
            if dir.is_dir() {
                paths.extend(inside(&dir)?);
            }
        }
        if paths.is_empty() {
            return Err(Failure::new(
                "there are no recordings on this machine: name a directory that holds some",
            ));
        }
    }
    for place in places {
        let dir = Path::new(place);
        if dir.is_dir() {
            paths.extend(inside(dir)?);
        } else {
            paths.push(find(site, place)?);
        }
    }
    if let Some(session) = session {
        let name = format!("{session}{CAST}");
        paths.retain(|path| path.file_name().is_some_and(|own| *own == *name));
    }
    paths.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    paths.dedup();
    Ok(paths)
}

/// Whose indexes are believed, and whose recordings where what they say is acted on. A list that lies beside the recordings counts for
/// nothing: whoever could put a forged one there could put that there, too.
pub(crate) fn believed(site: &Site, given: Option<&Path>) -> Result<Trusted> {
    let own = site.path().with_file_name(SIGNERS);
    let file = given.unwrap_or(&own);
    match fs::read_to_string(file) {
        Ok(text) => Trusted::from_allowed_signers(&text)
            .map_err(|e| Failure::new(format!("{}: {e}", file.display()))),
        Err(e) if given.is_some() => Err(Failure::file("read", file, &e)),
        // Every recording is read whole then, and none is acted on.
        Err(_) => Ok(Trusted::nobody()),
    }
}

fn inside(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Failure::file("read", dir, &e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(CAST)) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Does the work for each path on all cores, and hands what comes of it over in the order of the paths. Each core is at most
/// two paths ahead of what was handed over.
fn in_order<T: Send>(
    paths: &[PathBuf],
    work: impl Fn(&Path) -> T + Sync,
    mut done: impl FnMut(&Path, T) -> Result<()>,
) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let mut told = Vec::new();
        for first in 0..cores {
            let (tell, hear) = mpsc::sync_channel::<T>(1);
            told.push(hear);
            let work = &work;
            scope.spawn(move || {
                for path in paths.iter().skip(first).step_by(cores) {
                    if tell.send(work(path)).is_err() {
                        return;
                    }
                }
            });
        }
        for (path, hear) in paths.iter().zip(told.iter().cycle()) {
            match hear.recv() {
                Ok(outcome) => done(path, outcome)?,
                // Its thread has panicked, and so does this scope in a moment.
                Err(_) => break,
            }
        }
        drop(told);
        Ok(())
    })
}

/// What was found in one recording: a line that says whose it is, and below it the lines with their times.
fn told(found: &Found, around: bool, out: &mut impl Write) -> Result<()> {
    if found.hits.is_empty() {
        return Ok(());
    }
    let of = &found.header;
    let began = UnixTime::from_secs(of.started_ms / 1000);
    writeln!(out, "{}  {} {}  {began}", of.session, of.person, of.access)?;
    for hit in &found.hits {
        let mark = match (hit.has_it, around) {
            (true, true) => ">",
            _ => " ",
        };
        let what = match hit.line.from {
            From::Screen => "",
            From::Command => "command: ",
            From::File => "file: ",
            From::Marker => "mark: ",
        };
        let at = time(hit.line.at_us);
        writeln!(out, "{mark}{at:>9}  {what}{}", hit.line.text)?;
    }
    if found.more {
        writeln!(
            out,
            "           and more than {HITS} lines: look for less, or export it"
        )?;
    }
    Ok(())
}

fn told_json(found: &Found, out: &mut impl Write) -> Result<()> {
    let of = &found.header;
    for hit in &found.hits {
        let from = match hit.line.from {
            From::Screen => "screen",
            From::Command => "command",
            From::File => "file",
            From::Marker => "marker",
        };
        let line = json!({
            "session": of.session,
            "person": of.person,
            "access": of.access,
            "began": UnixTime::from_secs(of.started_ms / 1000),
            "at_us": hit.line.at_us,
            "from": from,
            "text": hit.line.text,
            "found": hit.has_it,
        });
        writeln!(out, "{line}")?;
    }
    if found.more {
        writeln!(out, "{}", json!({ "session": of.session, "more": true }))?;
    }
    Ok(())
}
