//! Ends what an earlier process left unfinished, through the same sealing as a running store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use config::limits;
use config::words::SessionId;

use super::crypt::chunk;
use super::crypt::statement::Statement;
use super::disk::Disk;
use super::event::End;
use super::frame;
use super::scan::{Fault, Problem, Scan, Signers, Step};
use super::seal::{self, Cast, Content, SealError, Sealed, Signer};
use super::store::{aside_tail, set_aside};

use self::tails::{end_of, read_tails};

mod tails;

/// What opening a store has done to what it found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Recordings that are finished now. The CA's log has yet to hear of them.
    pub sealed: Vec<Sealed>,
    /// Recordings whose session never began: their header was not durable, so nothing was forwarded. They are removed.
    pub never_began: Vec<SessionId>,
    /// What could not be recovered. Nothing of it is lost; the other recordings are not affected.
    pub set_aside: Vec<SetAside>,
}

/// A recording that was not recovered, or not whole.
#[derive(Debug)]
pub struct SetAside {
    /// The session.
    pub session: SessionId,
    /// Why.
    pub why: String,
}

/// Why one recording cannot be recovered.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// What is there is not what a store leaves.
    #[error("{0}; its files are in aside/")]
    Corrupt(String),
    /// The disk's fault; the next start tries again.
    #[error("{0}; its files stand where they were")]
    Disk(#[from] io::Error),
    /// The same.
    #[error("{0}; its files stand where they were")]
    Seal(#[from] SealError),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem.fault {
            Fault::Io(e) => Self::Disk(e),
            _ => Self::Corrupt(problem.to_string()),
        }
    }
}

/// Recovers every recording of the directory.
pub(super) fn all(dir: &Path, signer: &Signer, disk: &dyn Disk) -> io::Result<Recovered> {
    let mut recovered = Recovered::default();
    for (session, tails) in unfinished(dir)? {
        match one(
            dir,
            signer,
            disk,
            &session,
            &tails,
            &mut recovered.set_aside,
        ) {
            Ok(Some(sealed)) => recovered.sealed.push(sealed),
            Ok(None) => recovered.never_began.push(session),
            Err(failure) => {
                let moved = match failure {
                    Failure::Corrupt(_) => set_aside(dir, &session),
                    _ => Ok(()),
                };
                let why = match moved {
                    Ok(()) => failure.to_string(),
                    Err(e) => format!("{failure}, as far as they could be moved there: {e}"),
                };
                recovered.set_aside.push(SetAside { session, why });
            }
        }
    }
    Ok(recovered)
}

/// The recordings that have tails, or a file that does not end as a finished one.
fn unfinished(dir: &Path) -> io::Result<BTreeMap<SessionId, BTreeSet<u32>>> {
    let mut found: BTreeMap<SessionId, BTreeSet<u32>> = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        match name.to_str().and_then(file_of) {
            Some((session, Some(tail))) => {
                found.entry(session).or_default().insert(tail);
            }
            // One that cannot be read is told with its reason when its turn comes, and blocks no other.
            Some((session, None)) if !looks_finished(&dir.join(&name)).unwrap_or(false) => {
                found.entry(session).or_default();
            }
            _ => {}
        }
    }
    Ok(found)
}

fn looks_finished(path: &Path) -> io::Result<bool> {
    frame::looks_finished(&open_plain(path, OpenOptions::new().read(true))?)
}

/// Opens what must be a file: reading a pipe that lies there instead would wait for ever.
pub(super) fn open_plain(path: &Path, how: &OpenOptions) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        how.open(path)
    } else {
        Err(io::Error::other("it is not a file"))
    }
}

/// Which recording a file belongs to, and which of its tails it is, if it is one. Names that no store makes
/// belong to none.
pub(super) fn file_of(name: &str) -> Option<(SessionId, Option<u32>)> {
    let (id, rest) = name.split_once('.')?;
    let session = id.parse().ok()?;
    if rest == "cast.zst" {
        return Some((session, None));
    }
    let digits = rest.strip_suffix(".tail")?;
    let number = digits.parse().ok()?;
    (format!("{number:06}") == digits).then_some((session, Some(number)))
}

/// What a recording's file holds: whole sealed frames, and whether anything is missing after them.
struct SealedPart {
    cast: Cast,
    /// How many bytes the tail had that the last sealed frame was made of.
    last_lines: u64,
    end: Option<End>,
    finished: bool,
    /// Whether it is encrypted; what is in its tails is kept as it stands then, because nobody here can read it.
    encrypted: bool,
    statement: Option<Statement>,
}

fn one(
    dir: &Path,
    signer: &Signer,
    disk: &dyn Disk,
    session: &SessionId,
    tails: &BTreeSet<u32>,
    aside: &mut Vec<SetAside>,
) -> Result<Option<Sealed>, Failure> {
    let Some(SealedPart {
        mut cast,
        last_lines,
        end,
        finished,
        encrypted,
        mut statement,
    }) = read_sealed(dir, session, tails)?
    else {
        return never_began(dir, disk, session, tails);
    };
    if let Some(end) = end {
        if !finished {
            cast.finish(disk)?;
            // The End was sealed before; the table that was missing says nothing new.
        }
        // An earlier process may have died between writing them and making them durable: until then the tails are needed.
        disk.sync(&cast.file)?;
        remove_tails(dir, disk, session, tails.iter())?;
        return Ok(Some(cast.sealed(end)));
    }

    let first = cast.next();
    // As above: frames that are only written are no reason to remove their tails.
    disk.sync(&cast.file)?;
    remove_tails(dir, disk, session, tails.range(..first))?;
    let mut segments = read_tails(dir, session, first, last_lines, cast.at_us, encrypted)?;
    if segments.is_empty() && first == 0 {
        return never_began(dir, disk, session, tails);
    }
    if let (true, Some(segment)) = (first == 0, segments.first()) {
        statement = chunk::first_line(&segment.bytes)
            .and_then(|line| line.strip_suffix(b"\n"))
            .and_then(Statement::parse);
    }
    let end = end_of(&mut segments, first, last_lines, cast.at_us, encrypted);
    let kept = first.saturating_add(u32::try_from(segments.len()).unwrap_or(u32::MAX));
    // What follows a torn tail was not durable either; it stays readable, outside of the evidence.
    for torn in tails.range(kept..) {
        if fs::metadata(seal::tail_path(dir, session, *torn))?.len() == 0 {
            remove_tails(dir, disk, session, [torn].into_iter())?;
            continue;
        }
        let name = aside_tail(dir, session, *torn)?;
        let why = format!(
            "a power loss left a gap; what follows it is not in the recording but in {name}"
        );
        aside.push(SetAside {
            session: session.clone(),
            why,
        });
    }
    for (number, segment) in (first..).zip(segments) {
        let content = match &statement {
            Some(statement) if encrypted => Content::Kept {
                statement,
                tail: &segment.bytes,
            },
            _ => Content::Clear(&segment.bytes),
        };
        cast.seal(disk, signer, content, segment.to_us, segment.end.as_ref())?;
        remove_tails(dir, disk, session, tails.get(&number).into_iter())?;
        // If we die here, the next start goes on with the next tail.
    }
    Ok(Some(cast.sealed(end)))
}

/// Checks the sealed frames; `None` if there is not even a whole preamble.
fn read_sealed(
    dir: &Path,
    session: &SessionId,
    tails: &BTreeSet<u32>,
) -> Result<Option<SealedPart>, Failure> {
    let open = open_plain(
        &seal::cast_path(dir, session),
        OpenOptions::new().read(true).write(true),
    );
    let file = match open {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Failure::Corrupt(
                "it has lines, and no file to seal them into".into(),
            ));
        }
        Err(e) => return Err(e.into()),
    };
    let reader = BufReader::new(file.try_clone()?);
    let mut scan = match Scan::begin(reader, session, Signers::Any, None) {
        Ok(scan) => scan,
        Err(Problem {
            fault: Fault::Cut(_),
            ..
        }) => return Ok(None),
        Err(problem) => return Err(problem.into()),
    };
    let (mut last_lines, mut end) = (0, None);
    let finished = loop {
        match scan.step() {
            Ok(Step::Frame(frame)) => {
                last_lines = frame.tail;
                end = frame.end;
            }
            Ok(Step::Finished) => break true,
            Ok(Step::Unfinished) => break false,
            // The frame that was being written when the process died, or the seek table: both are made again.
            Err(problem) if end.is_some() || tails.contains(&frame_number(&problem)) => {
                break false;
            }
            Err(problem) => return Err(problem.into()),
        }
    };
    let Scan {
        tree,
        table,
        at_us,
        good,
        keys,
        statement,
        ..
    } = scan;
    let cast = Cast {
        session: session.clone(),
        file,
        length: good,
        tree,
        table,
        at_us,
    };
    Ok(Some(SealedPart {
        cast,
        last_lines,
        end,
        finished,
        encrypted: keys.is_some(),
        statement,
    }))
}

fn frame_number(problem: &Problem) -> u32 {
    u32::try_from(problem.frame).unwrap_or(u32::MAX)
}

/// Removes what is left of a session that never began.
fn never_began(
    dir: &Path,
    disk: &dyn Disk,
    session: &SessionId,
    tails: &BTreeSet<u32>,
) -> Result<Option<Sealed>, Failure> {
    if tails.range(1..).next().is_some() {
        return Err(Failure::Corrupt("its first lines are missing".into()));
    }
    if tails.contains(&0) && has_events(&seal::tail_path(dir, session, 0))? {
        return Err(Failure::Corrupt(
            "its lines have no recording to be sealed into".into(),
        ));
    }
    remove_tails(dir, disk, session, tails.iter())?;
    disk.remove(&seal::cast_path(dir, session))?;
    Ok(None)
}

/// Whether a first tail holds more than a header: then the session had begun, whatever else is lost.
fn has_events(tail: &Path) -> io::Result<bool> {
    let mut bytes = Vec::new();
    open_plain(tail, OpenOptions::new().read(true))?
        .take(limits::FRAME_MAX_BYTES as u64)
        .read_to_end(&mut bytes)?;
    let Some(first) = chunk::first_line(&bytes) else {
        return Ok(false);
    };
    let rest = bytes.get(first.len()..).unwrap_or_default();
    let statement = first.strip_suffix(b"\n").and_then(Statement::parse);
    if statement.is_none() {
        return Ok(!rest.is_empty());
    }
    let (chunks, whole) = chunk::read(rest);
    Ok(!chunks.is_empty() && (chunks.len() > 1 || whole < rest.len()))
}

fn remove_tails<'a>(
    dir: &Path,
    disk: &dyn Disk,
    session: &SessionId,
    tails: impl Iterator<Item = &'a u32>,
) -> io::Result<()> {
    for number in tails {
        disk.remove(&seal::tail_path(dir, session, *number))?;
    }
    Ok(())
}
