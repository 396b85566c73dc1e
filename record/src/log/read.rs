//! Reading a log from its first line, and holding it against its checkpoint.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use config::words::{BastionName, PersonName, Principal, SessionId};
use ssh_key::PublicKey;

use super::{LINE_BYTES, LogError, ORIGIN, Position, failed};
use crate::checkpoint::{self, Checkpoint};
use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::entry::{Entry, Line};
use crate::sshsig;
use crate::tree::{Tree, leaf_hash};

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

/// Checks a log by its directory and the log's public key: each line, the order of serials, and that the
/// log is the one that its checkpoint vouches for. Takes no lock, so that it may run beside the CA.
pub fn verify_log(dir: &Path, key: &PublicKey) -> Result<LogReport, LogError> {
    let mut sessions = BTreeMap::new();
    let read = read(dir, key, |line| collect(&mut sessions, line))?;
    Ok(LogReport {
        position: Position {
            size: read.tree.size(),
            root: read.tree.root(),
        },
        vouched: read.vouched,
        torn: read.torn,
        sessions,
    })
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
    /// For how many lines the checkpoint vouches.
    pub(super) vouched: u64,
}

pub(super) fn read(
    dir: &Path,
    key: &PublicKey,
    mut each: impl FnMut(Line),
) -> Result<Read, LogError> {
    let path = dir.join("entries");
    let file = File::open(&path).map_err(|e| failed(&path, e))?;
    // In this order, a log that grows meanwhile has no more lines below this length than the checkpoint
    // vouches for, and one that is just written; and no fewer lines than the checkpoint in the end.
    let length = file.metadata().map_err(|e| failed(&path, e))?.len();
    let vouched = stored_checkpoint(dir, key)?;
    let mut before = 0;
    let mut lines = Lines::new(&path, file);
    let mut root_then = (vouched.as_ref().is_none_or(|c| c.size == 0)).then(|| lines.tree.root());
    while let Some(line) = lines.next()? {
        each(line);
        if lines.good <= length {
            before = lines.tree.size();
        }
        if vouched.as_ref().map(|c| c.size) == Some(lines.tree.size()) {
            root_then = Some(lines.tree.root());
        }
    }
    let has = lines.tree.size();
    match (&vouched, root_then) {
        (None, _) if has > 0 => {
            return Err(LogError::Checkpoint {
                path: dir.join("checkpoint"),
                what: "is missing: restore it, or keep the log as evidence".to_owned(),
            });
        }
        (Some(checkpoint), None) => {
            let size = checkpoint.size;
            return Err(LogError::Shorter { path, has, size });
        }
        (Some(checkpoint), Some(root)) if root != checkpoint.root => {
            let size = checkpoint.size;
            return Err(LogError::Forked { path, size });
        }
        (Some(checkpoint), _) if before > checkpoint.size + 1 => {
            let (has, size) = (before, checkpoint.size);
            return Err(LogError::Unvouched { path, has, size });
        }
        _ => {}
    }
    Ok(Read {
        good: lines.good,
        torn: lines.torn,
        vouched: vouched.map_or(0, |c| c.size),
        tree: lines.tree,
    })
}

fn stored_checkpoint(dir: &Path, key: &PublicKey) -> Result<Option<Checkpoint>, LogError> {
    let path = dir.join("checkpoint");
    let wrong = |what: String| LogError::Checkpoint {
        path: path.clone(),
        what,
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&path, e)),
    };
    let at = text
        .find("-----BEGIN")
        .ok_or_else(|| wrong("has no signature".to_owned()))?;
    let (body, signature) = text.split_at(at);
    sshsig::verify([key], checkpoint::NAMESPACE, body.as_bytes(), signature)
        .map_err(|e| wrong(e.to_string()))?;
    let read = Checkpoint::parse(body).map_err(|e| wrong(e.to_string()))?;
    if read.origin != ORIGIN {
        return Err(wrong("is a checkpoint of something else".to_owned()));
    }
    Ok(Some(read))
}

struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    tree: Tree,
    good: u64,
    torn: u64,
    serial: u64,
}

impl Lines {
    fn new(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            tree: Tree::new(),
            good: 0,
            torn: 0,
            serial: 0,
        }
    }

    fn next(&mut self) -> Result<Option<Line>, LogError> {
        let mut bytes = Vec::new();
        let most = LINE_BYTES as u64 + 1;
        let path = self.path.clone();
        let mut part = (&mut self.file).take(most);
        let count = part
            .read_until(b'\n', &mut bytes)
            .map_err(|e| failed(&path, e))? as u64;
        if bytes.pop_if(|last| *last == b'\n').is_none() {
            if count == most {
                return Err(self.bad("is longer than any line"));
            }
            self.torn = count;
            return Ok(None);
        }
        let line = self.check(&bytes)?;
        self.tree.push(leaf_hash(&bytes));
        self.good += count;
        Ok(Some(line))
    }

    fn check(&mut self, bytes: &[u8]) -> Result<Line, LogError> {
        let text = std::str::from_utf8(bytes).map_err(|_| self.bad("is not text"))?;
        let line = Line::parse(text).map_err(|e| self.bad(e.to_string()))?;
        if line.encode().as_deref() != Ok(text) {
            return Err(self.bad("is not spelled as this log spells its lines"));
        }
        if let Entry::Issue { serial, .. } = &line.entry {
            if *serial != self.serial + 1 {
                let text = format!("has serial {serial} where {} follows", self.serial + 1);
                return Err(self.bad(text));
            }
            self.serial = *serial;
        }
        Ok(line)
    }

    fn bad(&self, what: impl Into<String>) -> LogError {
        LogError::Line {
            path: self.path.clone(),
            line: self.tree.size() + 1,
            what: what.into(),
        }
    }
}
