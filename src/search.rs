//! `hallpass search`.

mod places;
mod words;

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
use record::recording::{Header, OriginalError, ReadState, Reader};
use record::when::When;
use serde_json::json;

use crate::brought;
use crate::cli::Site;
use crate::evidence::SIGNERS;
use crate::failure::{Failure, Result, safe};
use crate::reissue::KeyArgs;

pub(crate) use places::recordings;
use places::{Somewhere, everywhere};
use words::{counted, leaving_out, nothing_there};

/// The arguments of `hallpass search`.
#[derive(Args)]
#[command(
    after_help = "Exit status: 0 something was found, 1 nothing was, or not everything could be read, 2 usage.\n\
    A time that is shown is one for `hallpass play --at`. What was typed and never shown is not looked through.\n\
    A recording whose index the bastion has signed is searched by it; any other is read whole, and the same is found\n\
    (`hallpass index` makes indexes that are missing). One in a bucket is brought here first, into a directory that goes with this (TMPDIR),\n\
    with its index; of one that --person, --target or --since leave out, only its beginning is. Buckets are found as `hallpass verify` finds them."
)]
pub(crate) struct SearchArgs {
    /// A regular expression, as the crate `regex` reads it; (?i) ignores case
    #[arg(value_parser = str::parse::<Pattern>)]
    pattern: Pattern,
    /// Recordings, sessions' identifiers, directories of recordings, and buckets (`s3://BUCKET/PREFIX`, `…/SESSION`); the recordings of
    /// the site's bastions on this machine if left out
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
    /// The public keys by which indexes are believed, and recordings in buckets (as `hallpass trust` prints them); if left out, the
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
    let places = everywhere(site, &args.places, args.session.as_ref())?;
    let trusted = believed(site, args.trust.as_deref())?;
    if places
        .iter()
        .any(|place| matches!(place, Somewhere::There(..)))
    {
        brought::said_if_nobody(&trusted)?;
    }
    let looking = Looking {
        query: Query::new(&args.pattern, args.context.into())
            .map_err(|e| Failure::new(e.to_string()))?
            .trusting(trusted.clone()),
        trusted,
        identities: args.keys.read()?.unmasking(args.original),
        since: args
            .since
            .map(|since| since.before(SystemClock::default().wall())),
        args,
    };
    if places.is_empty() {
        writeln!(io::stderr(), "{}", nothing_there(args))?;
        return Ok(ExitCode::FAILURE);
    }
    let mut tally = Tally::default();
    let mut out = io::stdout().lock();
    in_order(
        &places,
        |place| looking.through(place),
        |place, outcome| {
            tally.add(place, &outcome, args.original)?;
            match outcome {
                Ok(Some(found)) if args.json => told_json(&found, &mut out),
                Ok(Some(found)) => told(&found, args.context > 0, &mut out),
                Ok(None) | Err(_) => Ok(()),
            }
        },
    )?;
    out.flush()?;
    tally.close(&leaving_out(args))
}

/// What is looked for, and where it may stand.
struct Looking<'a> {
    query: Query,
    trusted: Trusted,
    identities: Identities,
    since: Option<UnixTime>,
    args: &'a SearchArgs,
}

impl Looking<'_> {
    fn through(&self, place: &Somewhere) -> std::result::Result<Option<Found>, ReadError> {
        let search = |path: &Path| {
            player::search::search(path, &self.identities, &self.query, |of| self.wants(of))
        };
        match place {
            Somewhere::Here(path) => search(path),
            Somewhere::There(source, stored) => {
                let found = source.bring(stored, &|path| self.may_want(path));
                let found = found.and_then(|path| {
                    let Some(path) = path else { return Ok(None) };
                    brought::judge(&path, stored, &self.trusted)?;
                    search(&path)
                });
                source.forget(stored);
                found
            }
        }
    }

    /// Whether the rest of a recording is wanted, by what its beginning says; an error where it is sealed to others.
    fn may_want(&self, path: &Path) -> std::result::Result<bool, ReadError> {
        match Reader::open(path, &self.identities) {
            Ok(reader) => Ok(self.wants(reader.header())),
            Err(e @ (ReadError::Locked(_) | ReadError::Original(_))) => Err(e),
            Err(_) => Ok(true),
        }
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
    /// Their original is sealed to others.
    masked: usize,
    /// Searched, though there is no original to show.
    without: usize,
    unread: usize,
    /// Left out by what was asked for.
    passed: usize,
}

impl Tally {
    fn add(
        &mut self,
        place: &Somewhere,
        outcome: &std::result::Result<Option<Found>, ReadError>,
        original: bool,
    ) -> Result<()> {
        match outcome {
            Ok(None) => self.passed += 1,
            Ok(Some(found)) => {
                self.searched += 1;
                self.with_hits += usize::from(!found.hits.is_empty());
                self.without += usize::from(original && found.header.original.is_none());
                if found.state == ReadState::Damaged {
                    self.unread += 1;
                    let path = safe(&place.to_string(), "");
                    writeln!(
                        io::stderr(),
                        "{path} is damaged: searched up to there (`hallpass verify` says more)"
                    )?;
                }
            }
            Err(ReadError::Locked(_)) => self.locked += 1,
            Err(ReadError::Original(OriginalError::Locked(_))) => self.masked += 1,
            Err(e) => {
                self.unread += 1;
                let line = safe(&format!("{place}: {e}"), "");
                writeln!(io::stderr(), "not searched: {line}")?;
            }
        }
        Ok(())
    }

    /// Says what was left out, by which options, and how the search ended.
    fn close(self, by: &str) -> Result<ExitCode> {
        let mut notes = io::stderr().lock();
        if self.locked > 0 {
            let (count, are) = counted(self.locked);
            writeln!(
                notes,
                "not searched: {count} {are} sealed to others: give --identity with the private key of a recipient"
            )?;
        }
        if self.masked > 0 {
            let count = counted(self.masked).0;
            writeln!(
                notes,
                "not searched: the original of {count} is sealed to others: give --identity with the private key of one whom mask-original names"
            )?;
        }
        if self.without > 0 {
            let count = counted(self.without).0;
            writeln!(
                notes,
                "searched without an original: {count}, where what was masked, if anything, was kept nowhere"
            )?;
        }
        if self.with_hits == 0 {
            let searched = counted(self.searched).0;
            let passed = match self.passed {
                0 => String::new(),
                count => format!(": not looked through by {by}: {count}"),
            };
            writeln!(notes, "nothing found in {searched}{passed}")?;
        }
        Ok(
            if self.with_hits > 0 && self.unread + self.locked + self.masked == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            },
        )
    }
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

/// Does the work for each place on all cores, and hands what comes of it over in the order of the places. Each core is at most
/// two ahead of what was handed over.
fn in_order<P: Sync, T: Send>(
    places: &[P],
    work: impl Fn(&P) -> T + Sync,
    mut done: impl FnMut(&P, T) -> Result<()>,
) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let mut told = Vec::new();
        for first in 0..cores {
            let (tell, hear) = mpsc::sync_channel::<T>(1);
            told.push(hear);
            let work = &work;
            scope.spawn(move || {
                for place in places.iter().skip(first).step_by(cores) {
                    if tell.send(work(place)).is_err() {
                        return;
                    }
                }
            });
        }
        for (place, hear) in places.iter().zip(told.iter().cycle()) {
            match hear.recv() {
                Ok(outcome) => done(place, outcome)?,
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
