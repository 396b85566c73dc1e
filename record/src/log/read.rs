//! Reading a log from its first line, and holding it against its checkpoint.

mod claims;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use config::words::{BastionName, PersonName, Principal, SessionId};
use ssh_key::PublicKey;

use super::ahead::{self, Ahead, Stop};
use super::chain::{Anchors, Chain};
use super::signed::Signed;
use super::tiles::{self, Source};
use super::{LogError, Position, failed};
use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::entry::{Entry, Line};
use crate::reading::Reading;
use crate::retention::Rule;
use crate::tree::{Hash, Tree};
use claims::Claims;

/// What a log says, after every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReport {
    /// How far it reaches.
    pub position: Position,
    /// For how many lines its signed checkpoint vouches.
    pub vouched: u64,
    /// Bytes of a last line that is not ended: torn, or being written just now.
    pub torn: u64,
    /// Every session that a bastion was let begin. Each that ended has a recording with this root; one that
    /// is missing was removed.
    pub sessions: BTreeMap<SessionId, SessionFacts>,
}

/// What the log knows of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// Whose it was.
    pub person: PersonName,
    /// What for.
    pub access: Principal,
    /// Through which bastion.
    pub bastion: BastionName,
    /// When it began.
    pub began: UnixTime,
    /// How it ended; none if no bastion has said so yet.
    pub end: Option<Ending>,
    /// Whether somebody was let destroy the key of its recording.
    pub erased: bool,
    /// Whether somebody holds its recording.
    pub held: bool,
    /// When the CA let its bastion remove the recording, if it did, and by which rule.
    pub expired: Option<(UnixTime, Rule)>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Why.
    pub reason: String,
    /// The root of its recording's tree.
    pub root: Digest,
    /// The number of sealed frames under it.
    pub frames: u64,
}

/// Checks a log by its directory and a public key of the log, the newest or an older one: each line, the order of
/// serials, that each of the log's keys vouches for the next, and that the log is the one that its checkpoint vouches for. Takes no lock, so that it may run beside the CA.
pub fn verify_log(dir: &Path, key: &(impl Anchors + ?Sized)) -> Result<LogReport, LogError> {
    let mut sessions = BTreeMap::new();
    let read = read(dir, key.keys(), |line, _| collect(&mut sessions, line))?;
    let vouched = read
        .checkpoint
        .as_ref()
        .map_or(0, |signed| signed.said.size);
    Ok(report(&read, vouched, sessions))
}

/// [`verify_log`] of a log that was published as tiles: each entry, each tile that its checkpoint needs, and the order of
/// serials.
pub fn verify_published(
    source: &dyn Source,
    key: &(impl Anchors + ?Sized),
) -> Result<LogReport, LogError> {
    let mut sessions = BTreeMap::new();
    let read = tiles::read(source, key.keys(), |line, _| collect(&mut sessions, line))?;
    Ok(report(&read, read.tree.size(), sessions))
}

fn report(read: &Read, vouched: u64, sessions: BTreeMap<SessionId, SessionFacts>) -> LogReport {
    LogReport {
        position: Position {
            size: read.tree.size(),
            root: read.tree.root(),
        },
        vouched,
        torn: read.torn,
        sessions,
    }
}

fn collect(sessions: &mut BTreeMap<SessionId, SessionFacts>, line: Line) {
    match line.entry {
        Entry::SessionBegin {
            session,
            person,
            access,
            bastion,
            ..
        } => {
            let facts = SessionFacts {
                person,
                access,
                bastion,
                began: line.at,
                end: None,
                erased: false,
                held: false,
                expired: None,
            };
            sessions.entry(session).or_insert(facts);
        }
        Entry::SessionEnd {
            session,
            reason,
            root,
            frames,
        } => {
            if let Some(facts) = sessions.get_mut(&session) {
                facts.end.get_or_insert(Ending {
                    reason,
                    root,
                    frames,
                });
            }
        }
        Entry::Reading {
            session, reading, ..
        } => {
            if let Some(facts) = sessions.get_mut(&session) {
                match reading {
                    Reading::Erase(_) => facts.erased = true,
                    Reading::Hold(_) => facts.held = true,
                    Reading::Release(_) => facts.held = false,
                    Reading::Watch | Reading::Cat | Reading::Kill(_) => {}
                }
            }
        }
        Entry::Expiry { session, rule, .. } => {
            if let Some(facts) = sessions.get_mut(&session) {
                facts.expired.get_or_insert((line.at, rule));
            }
        }
        _ => {}
    }
}

/// What was read of a log.
pub(super) struct Read {
    /// The tree of the whole lines.
    pub(super) tree: Tree,
    /// Bytes of the whole lines.
    pub(super) good: u64,
    /// Bytes of a last line without its end.
    pub(super) torn: u64,
    /// The checkpoint; none if the log is new.
    pub(super) checkpoint: Option<Signed>,
    /// The checkpoint that is a note, if there is one.
    pub(super) note: Option<Signed>,
    /// The log's own keys.
    pub(super) chain: Chain,
}

impl Read {
    /// A published log, of which every entry is vouched for.
    pub(super) const fn published(tree: Tree, note: Signed, chain: Chain) -> Self {
        Self {
            chain,
            tree,
            good: 0,
            torn: 0,
            checkpoint: None,
            note: Some(note),
        }
    }
}

pub(super) fn read(
    dir: &Path,
    anchors: &[PublicKey],
    mut each: impl FnMut(Line, Hash),
) -> Result<Read, LogError> {
    let known = |_: &Line| ();
    read_ahead(dir, anchors, known, |line, (), leaf| each(line, leaf))
}

/// The same, with what `known` makes of each line, on other threads and before the line's turn.
pub(super) fn read_ahead<T: Send>(
    dir: &Path,
    anchors: &[PublicKey],
    known: impl Fn(&Line) -> T + Sync,
    mut each: impl FnMut(Line, T, Hash),
) -> Result<Read, LogError> {
    let path = dir.join("entries");
    let file = File::open(&path).map_err(|e| failed(&path, e))?;
    // In this order, a log that grows meanwhile has no more lines below this length than the checkpoint
    // vouches for, and a batch that is just written; and no fewer lines than the checkpoint in the end.
    let length = file.metadata().map_err(|e| failed(&path, e))?.len();
    let mut lines = Lines::default();
    let mut claims = Claims::read(dir, length, &lines.tree)?;
    let read = ahead::each(
        file,
        known,
        |Ahead {
             line,
             leaf,
             bytes,
             more,
         }| {
            lines.take(&line, leaf, bytes)?;
            each(line, more, leaf);
            claims.took(&lines.tree, lines.good);
            Ok(())
        },
    );
    let torn = read.map_err(|stop| match stop {
        Stop::Io(source) => failed(&path, source),
        Stop::Line(what) => LogError::Line {
            path: path.clone(),
            line: lines.tree.size() + 1,
            what,
        },
    })?;
    // Which keys had to sign is known only now.
    let chain = lines.spelling.chain;
    let (checkpoint, note) = claims.believed(dir, path, lines.tree.size(), &chain, anchors)?;
    Ok(Read {
        good: lines.good,
        torn,
        tree: lines.tree,
        checkpoint,
        note,
        chain,
    })
}

/// The lines that were taken so far.
#[derive(Default)]
struct Lines {
    tree: Tree,
    good: u64,
    spelling: Spelling,
}

impl Lines {
    fn take(&mut self, line: &Line, leaf: Hash, bytes: u64) -> Result<(), Stop> {
        let follows = self.spelling.follow(line, self.tree.size() + 1);
        follows.map_err(Stop::Line)?;
        self.tree.push(leaf);
        self.good += bytes;
        Ok(())
    }
}

/// What each line has to be behind those before it, wherever it is read from.
#[derive(Default)]
pub(super) struct Spelling {
    serial: u64,
    /// The log's own keys so far.
    pub(super) chain: Chain,
}

impl Spelling {
    /// The line that makes the tree `size` leaves large, or what is wrong with it.
    pub(super) fn check(&mut self, bytes: &[u8], size: u64) -> Result<Line, String> {
        let line = spelled(bytes)?;
        self.follow(&line, size)?;
        Ok(line)
    }

    /// Whether a line may stand behind those before it; it makes the tree `size` leaves large.
    fn follow(&mut self, line: &Line, size: u64) -> Result<(), String> {
        if let Entry::Issue { serial, .. } = &line.entry {
            if *serial != self.serial + 1 {
                return Err(format!(
                    "has serial {serial} where {} follows",
                    self.serial + 1
                ));
            }
            self.serial = *serial;
        }
        let follows = self.chain.take(&line.entry, size);
        follows.map_err(|why| why.to_string())
    }
}

/// The line that these bytes are, if they are spelled as this log spells its lines; or what is wrong with them.
pub(super) fn spelled(bytes: &[u8]) -> Result<Line, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not text")?;
    let line = Line::parse(text).map_err(|e| e.to_string())?;
    if line.encode().as_deref() != Ok(text) {
        return Err("is not spelled as this log spells its lines".to_owned());
    }
    Ok(line)
}
