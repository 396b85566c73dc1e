//! Reading a log from its first line, and holding it against its checkpoint.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use config::limits;
use config::words::{BastionName, PersonName, Principal, SessionId};
use ssh_key::PublicKey;

use super::tiles::{self, Source};
use super::{LINE_BYTES, LogError, NOTE, ORIGIN, Position, failed};
use crate::checkpoint::note::{NOTE_BYTES, NoteKey};
use crate::checkpoint::{self, Checkpoint};
use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::entry::{Entry, Line};
use crate::sshsig;
use crate::tree::{Hash, Tree, leaf_hash};

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
    let read = read(dir, key, |line, _| collect(&mut sessions, line))?;
    let vouched = read
        .checkpoint
        .as_ref()
        .map_or(0, |signed| signed.said.size);
    Ok(report(&read, vouched, sessions))
}

/// [`verify_log`] of a log that was published as tiles: each entry, each tile that its checkpoint needs, and the order of
/// serials.
pub fn verify_published(source: &dyn Source, key: &PublicKey) -> Result<LogReport, LogError> {
    let mut sessions = BTreeMap::new();
    let read = tiles::read(source, key, |line, _| collect(&mut sessions, line))?;
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
    /// The checkpoint; none if the log is new.
    pub(super) checkpoint: Option<Signed>,
    /// The checkpoint that is a note, if there is one.
    pub(super) note: Option<Signed>,
}

impl Read {
    /// A published log, of which every entry is vouched for.
    pub(super) const fn published(tree: Tree, note: Signed) -> Self {
        Self {
            tree,
            good: 0,
            torn: 0,
            checkpoint: None,
            note: Some(note),
        }
    }
}

/// A checkpoint whose signature holds.
pub(super) struct Signed {
    /// What it says.
    pub(super) said: Checkpoint,
    /// The file as it was read, with the signature.
    pub(super) text: String,
}

pub(super) fn read(
    dir: &Path,
    key: &PublicKey,
    mut each: impl FnMut(Line, Hash),
) -> Result<Read, LogError> {
    let path = dir.join("entries");
    let file = File::open(&path).map_err(|e| failed(&path, e))?;
    // In this order, a log that grows meanwhile has no more lines below this length than the checkpoint
    // vouches for, and a batch that is just written; and no fewer lines than the checkpoint in the end.
    let length = file.metadata().map_err(|e| failed(&path, e))?.len();
    let note = stored_note(dir, key)?;
    let checkpoint = stored_checkpoint(dir, key)?;
    let vouched = checkpoint.as_ref().map(|signed| &signed.said);
    let noted = note.as_ref().map(|signed| signed.said.size);
    let mut before = 0;
    let mut lines = Lines::new(&path, file);
    let mut root_then = (vouched.is_none_or(|c| c.size == 0)).then(|| lines.tree.root());
    let mut root_noted = (noted == Some(0)).then(|| lines.tree.root());
    while let Some((line, leaf)) = lines.next()? {
        each(line, leaf);
        if lines.good <= length {
            before = lines.tree.size();
        }
        if vouched.map(|c| c.size) == Some(lines.tree.size()) {
            root_then = Some(lines.tree.root());
        }
        if noted == Some(lines.tree.size()) {
            root_noted = Some(lines.tree.root());
        }
    }
    let has = lines.tree.size();
    match (vouched, root_then) {
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
        (Some(checkpoint), _) if before > checkpoint.size + limits::LOG_BATCH_LINES as u64 => {
            let (has, size) = (before, checkpoint.size);
            return Err(LogError::Unvouched { path, has, size });
        }
        _ => {}
    }
    if note
        .as_ref()
        .is_some_and(|note| root_noted != Some(note.said.root))
    {
        return Err(LogError::Checkpoint {
            path: dir.join(NOTE),
            what: "speaks of another log than the one that stands here: keep both as evidence"
                .to_owned(),
        });
    }
    Ok(Read {
        good: lines.good,
        torn: lines.torn,
        tree: lines.tree,
        checkpoint,
        note,
    })
}

/// The checkpoint that is a note.
pub(super) fn stored_note(dir: &Path, key: &PublicKey) -> Result<Option<Signed>, LogError> {
    let path = dir.join(NOTE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&path, e)),
    };
    let mut text = String::new();
    file.take(NOTE_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(&path, e))?;
    if text.is_empty() {
        // What a power cut can leave of one that was just replaced.
        return Ok(None);
    }
    let note = verified_note(text, key);
    note.map(Some)
        .map_err(|what| LogError::Checkpoint { path, what })
}

/// What a note says, if this key has signed it; or what is wrong with it. Its name is its own: whoever has the key
/// decides what it signs under.
pub(super) fn verified_note(text: String, key: &PublicKey) -> Result<Signed, String> {
    let name = text.lines().next().unwrap_or_default();
    let name = name.parse().map_err(|_| "has no name")?;
    let key = NoteKey::new(name, key).map_err(|e| e.to_string())?;
    let body = key.open(&text).map_err(|e| e.to_string())?;
    let said = Checkpoint::parse(body).map_err(|e| e.to_string())?;
    Ok(Signed { said, text })
}

fn stored_checkpoint(dir: &Path, key: &PublicKey) -> Result<Option<Signed>, LogError> {
    let path = dir.join("checkpoint");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&path, e)),
    };
    let said = signed_checkpoint(&text, key).map_err(|what| LogError::Checkpoint { path, what })?;
    Ok(Some(Signed { said, text }))
}

/// What a checkpoint of an issuance log says, if this key has signed it; or what is wrong with it.
pub(super) fn signed_checkpoint(text: &str, key: &PublicKey) -> Result<Checkpoint, String> {
    let at = text.find("-----BEGIN").ok_or("has no signature")?;
    let (body, signature) = text.split_at(at);
    sshsig::verify([key], checkpoint::NAMESPACE, body.as_bytes(), signature)
        .map_err(|e| e.to_string())?;
    let read = Checkpoint::parse(body).map_err(|e| e.to_string())?;
    if read.origin != ORIGIN {
        return Err("is a checkpoint of something else".to_owned());
    }
    Ok(read)
}

/// [`signed_checkpoint`] or [`verified_note`], whichever it is.
pub(super) fn signed_either(text: &str, key: &PublicKey) -> Result<Checkpoint, String> {
    if text.contains("-----BEGIN") {
        signed_checkpoint(text, key)
    } else {
        verified_note(text.to_owned(), key).map(|signed| signed.said)
    }
}

struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    tree: Tree,
    good: u64,
    torn: u64,
    spelling: Spelling,
}

impl Lines {
    fn new(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            tree: Tree::new(),
            good: 0,
            torn: 0,
            spelling: Spelling::default(),
        }
    }

    fn next(&mut self) -> Result<Option<(Line, Hash)>, LogError> {
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
        let line = self.spelling.check(&bytes);
        let line = line.map_err(|what| self.bad(what))?;
        let leaf = leaf_hash(&bytes);
        self.tree.push(leaf);
        self.good += count;
        Ok(Some((line, leaf)))
    }

    fn bad(&self, what: impl Into<String>) -> LogError {
        LogError::Line {
            path: self.path.clone(),
            line: self.tree.size() + 1,
            what: what.into(),
        }
    }
}

/// What each line has to be behind those before it, wherever it is read from.
#[derive(Default)]
pub(super) struct Spelling {
    serial: u64,
}

impl Spelling {
    /// The line, or what is wrong with it.
    pub(super) fn check(&mut self, bytes: &[u8]) -> Result<Line, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not text")?;
        let line = Line::parse(text).map_err(|e| e.to_string())?;
        if line.encode().as_deref() != Ok(text) {
            return Err("is not spelled as this log spells its lines".to_owned());
        }
        if let Entry::Issue { serial, .. } = &line.entry {
            if *serial != self.serial + 1 {
                return Err(format!(
                    "has serial {serial} where {} follows",
                    self.serial + 1
                ));
            }
            self.serial = *serial;
        }
        Ok(line)
    }
}
