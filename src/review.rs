//! `hallpass play` and `hallpass export`.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bastion::bucket::Stored;
use clap::{Args, ValueEnum};
use config::words::{SessionId, shown};
use player::deck::SPEEDS;
use player::view::parse_time;
use player::{Format, PlayOptions};
use record::age::Identities;
use record::recording::Reader;
use record::recording::reader::ReadError;
use record::recording::verify::Trusted;

use crate::brought::{self, Brought, Readable, Source};
use crate::cli::Site;
use crate::failure::{Failure, Result};
use crate::reissue::KeyArgs;
use crate::search::believed;

mod output;
mod words;

use output::{Output, not_to_a_terminal};
use words::{past_the_end, played, told};

/// What says standard output where a file is named.
const STDOUT: &str = "-";

/// The arguments of `hallpass play`.
#[derive(Args)]
#[command(
    after_help = "Keys: space holds, arrows go 5 s, page keys a minute, 0-9 to tenths, g to a time, + and - \
    change the speed, i cuts long waits, / looks for text, c lists commands, ? shows all of them, q leaves. \
    A recording that still grows is followed at its end, and one in a bucket plays while it comes (found as `hallpass verify` finds it)."
)]
pub(crate) struct PlayArgs {
    /// A recording's file, a session's identifier, or one in a bucket (`s3://BUCKET/PREFIX/SESSION`)
    recording: String,
    /// Where to begin, as 1:23 or seconds
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = time, allow_negative_numbers = true)]
    at: Duration,
    /// How fast, from 0.25 to 16
    #[arg(long, value_name = "TIMES", value_parser = speed, allow_negative_numbers = true)]
    speed: Option<f64>,
    /// Cut waits that are longer than this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = time, allow_negative_numbers = true)]
    idle: Option<Duration>,
    /// The public keys by which an index is believed, for seeking and looking for text, and a recording in a bucket (as `hallpass trust` prints them); if left out, the
    /// `allowed_signers` beside the configuration
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Show what was masked, to those whom `mask-original` of its role names
    #[arg(long)]
    original: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

/// The arguments of `hallpass export`.
#[derive(Args)]
pub(crate) struct ExportArgs {
    /// A recording's file, a session's identifier, or one in a bucket (`s3://BUCKET/PREFIX/SESSION`)
    recording: String,
    /// What to write
    #[arg(long, value_enum)]
    format: As,
    /// Of svg the moment to draw, of html where it begins to play: as 1:23 or seconds
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    at: Option<Duration>,
    /// Of html: cut waits that are longer than this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = time, allow_negative_numbers = true)]
    idle: Option<Duration>,
    /// Of html: from when on, as 1:23 or seconds; the screen of that moment stands there
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    from: Option<Duration>,
    /// Of html: up to when
    #[arg(long, value_name = "TIME", value_parser = time, allow_negative_numbers = true)]
    to: Option<Duration>,
    /// Where to, a file that is not there yet; standard output if left out, or -
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The public keys by which a recording in a bucket is believed (as `hallpass trust` prints them); if left out, the
    /// `allowed_signers` beside the configuration
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Show what was masked, to those whom `mask-original` of its role names
    #[arg(long)]
    original: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum As {
    /// asciicast v2, for asciinema before 3.0
    V2,
    /// asciicast v3
    V3,
    /// What stood on the screen, as plain text
    Txt,
    /// What stood on the screen at one moment, as a picture
    Svg,
    /// One page with a player inside, for a browser without a network
    Html,
}

impl ExportArgs {
    /// The format with what is said about it; what it has no use for is refused.
    fn format(&self) -> Result<Format> {
        let at = self.at.unwrap_or_default();
        let (format, uses_at, uses_idle) = match self.format {
            As::V2 => (Format::V2, false, false),
            As::V3 => (Format::V3, false, false),
            As::Txt => (Format::Txt, false, false),
            As::Svg => (Format::Svg { at }, true, false),
            As::Html => (
                Format::Html {
                    at,
                    idle: self.idle,
                    from: self.from.unwrap_or_default(),
                    to: self.to,
                },
                true,
                true,
            ),
        };
        if self.at.is_some() && !uses_at {
            return Err(Failure::new(
                "--at is for svg and html: the others hold the whole session",
            ));
        }
        if (self.idle.is_some() || self.from.is_some() || self.to.is_some()) && !uses_idle {
            return Err(Failure::new(
                "--idle, --from and --to are for html: the others keep all of it as it was",
            ));
        }
        if self.to.is_some_and(|to| to < self.from.unwrap_or_default()) {
            return Err(Failure::new("--to is before --from"));
        }
        Ok(format)
    }
}

/// Replays a recording.
pub(crate) fn play(site: &Site, args: &PlayArgs) -> Result<()> {
    let identities = args.keys.read()?.unmasking(args.original);
    let trusted = believed(site, args.trust.as_deref())?;
    let options = PlayOptions {
        at: args.at,
        speed: args.speed,
        idle: args.idle,
        coming: None,
    };
    let Some(named) = brought::named(&args.recording)? else {
        let path = find(site, &args.recording)?;
        return played(player::play(&path, identities, &trusted, options)?);
    };
    let (source, stored) = one(named)?;
    let Brought { path, coming } = source.play(&stored, &|path| is_readable(path, &identities))?;
    let is_judged = coming.is_whole();
    if is_judged {
        brought::judge(&path, &stored, &trusted)?;
    }
    let options = PlayOptions {
        coming: Some(Arc::clone(&coming)),
        ..options
    };
    let seen = player::play(&path, identities, &trusted, options)?;
    brought::said_if_nobody(&trusted)?;
    if let Some(why) = coming.failed() {
        return Err(Failure::new(format!("not all of it was brought: {why}")));
    }
    if !is_judged && (!coming.is_whole() || source.is_over()) {
        return Ok(writeln!(
            io::stderr(),
            "it was not checked, since not all of it was brought"
        )?);
    }
    if !is_judged {
        brought::judge(&path, &stored, &trusted)?;
    }
    played(seen)
}

/// Writes a recording in another format.
pub(crate) fn export(site: &Site, args: &ExportArgs) -> Result<()> {
    let format = args.format()?;
    let identities = args.keys.read()?.unmasking(args.original);
    let trusted = believed(site, args.trust.as_deref())?;
    let readable = |path: &Path| is_readable(path, &identities);
    let found = find_anywhere(site, &args.recording, &trusted, &readable)?;
    let path = found.path();
    let output = args.output.as_ref();
    let Some(output) = output.filter(|output| output.as_os_str() != STDOUT) else {
        not_to_a_terminal(io::stdout().is_terminal(), format)?;
        let mut out = BufWriter::new(io::stdout().lock());
        return match player::export(path, &identities, format, &mut out) {
            Ok((state, whole)) => {
                say_past(args, whole)?;
                told(state)
            }
            Err(e) => if_somebody_reads(e),
        };
    };
    let Output { file, is_new } = Output::open(output)?;
    not_to_a_terminal(file.is_terminal(), format)?;
    let written = player::export(path, &identities, format, &mut BufWriter::new(file));
    if written.is_err() && is_new {
        // Half an export would pass for a whole one.
        let _ = fs::remove_file(output);
    }
    let (state, whole) = written?;
    say_past(args, whole)?;
    told(state)
}

/// Says so of times that are past the end: what was written is the last screen then, or nothing happens in it.
fn say_past(args: &ExportArgs, whole: Duration) -> io::Result<()> {
    for (name, time) in [("--at", args.at), ("--from", args.from)] {
        if let Some(time) = time.filter(|time| *time > whole) {
            writeln!(io::stderr(), "{}", past_the_end(name, time, whole))?;
        }
    }
    Ok(())
}

/// A reader that has seen enough, such as `head`, is no failure.
fn if_somebody_reads(error: player::export::ExportError) -> Result<()> {
    match error {
        player::export::ExportError::Write(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Err(other.into()),
    }
}

/// A recording that was named, as a file to read.
pub(crate) enum Found {
    /// It lies here.
    Here(PathBuf),
    /// It was brought from a bucket, and goes with this.
    Brought(
        PathBuf,
        #[expect(dead_code, reason = "the file goes with it")] Source,
    ),
}

impl Found {
    /// Where it can be read.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Here(path) | Self::Brought(path, _) => path,
        }
    }
}

/// Whether what has come of a recording can be read; an error where it is sealed to others.
pub(crate) fn is_readable(
    path: &Path,
    identities: &Identities,
) -> std::result::Result<bool, ReadError> {
    match Reader::open(path, identities) {
        Ok(_) => Ok(true),
        Err(e @ (ReadError::Locked(_) | ReadError::Original(_))) => Err(e),
        Err(_) => Ok(false),
    }
}

/// The file or the session that was named, or the object, which is brought here whole and held against these keys. It is not brought
/// where `readable` has an error of its beginning.
pub(crate) fn find_anywhere(
    site: &Site,
    given: &str,
    trusted: &Trusted,
    readable: Readable<'_>,
) -> Result<Found> {
    let Some(named) = brought::named(given)? else {
        return find(site, given).map(Found::Here);
    };
    let (source, stored) = one(named)?;
    // What cannot be read yet may be, once it is whole.
    match source.bring(&stored, &|path| readable(path).map(|_| true))? {
        Some(path) => {
            brought::said_if_nobody(trusted)?;
            brought::judge(&path, &stored, trusted)?;
            Ok(Found::Brought(path, source))
        }
        None => Err(Failure::new("it was not brought")),
    }
}

/// The one recording that is named in a bucket.
fn one(named: brought::Named) -> Result<(Source, Stored)> {
    let (source, listed) = Source::open(named)?;
    match <[Stored; 1]>::try_from(listed) {
        Ok([stored]) => Ok((source, stored)),
        Err(several) => Err(Failure::new(format!(
            "{} recordings lie there: say which by s3://BUCKET/PREFIX/BASTION/SESSION",
            several.len()
        ))),
    }
}

/// The file that was named, or that of the session that was.
pub(crate) fn find(site: &Site, given: &str) -> Result<PathBuf> {
    if given.starts_with(brought::SCHEME) {
        return Err(Failure::new(format!(
            "{} is not on this machine, where this is done: copy it here with a tool for S3 first",
            shown(given)
        )));
    }
    let path = Path::new(given);
    if path.exists() {
        return Ok(path.to_owned());
    }
    let Ok(session) = given.to_ascii_uppercase().parse::<SessionId>() else {
        return Err(Failure::new(format!(
            "there is no file {}, and no session is called so",
            shown(given)
        )));
    };
    let config = site.load()?;
    let name = format!("{session}.cast.zst");
    let places = config
        .bastions
        .values()
        .map(|bastion| bastion.data.join("recordings").join(&name));
    places
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| {
            Failure::new(format!(
                "there is no recording of {session} on this machine: give its file"
            ))
        })
}

fn speed(text: &str) -> std::result::Result<f64, String> {
    let (slowest, fastest) = (SPEEDS.first().copied(), SPEEDS.last().copied());
    let within = |times: &f64| Some(*times) >= slowest && Some(*times) <= fastest;
    let times = text.parse().ok().filter(within);
    times.ok_or_else(|| "write a number from 0.25 to 16".to_owned())
}

fn time(text: &str) -> std::result::Result<Duration, String> {
    parse_time(text).ok_or_else(|| "write it like 1:23, or in seconds".to_owned())
}
