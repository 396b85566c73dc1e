//! What the recording has of a transfer, and what the role does not give of it.

use bytes::Bytes;
use config::files::FileRules;
use record::recording::{FileEvent, FileOp, FilePath, OpenMode, Outcome};

use super::head::{Head, Sends};
use super::{File, Scp, Turn};
use crate::files::{Act, NO_PATH, NO_READS, NO_WRITES, TOO_LARGE};

const NOT_PLAIN: &str = "the role gives no paths that only the target's shell knows: name one path, or use scp without -O";

/// Whether the role gives a command like this at all: if not, what to record, and why. The target is to hear nothing of it then.
/// `commands`: the role gives any command, too.
pub(crate) fn refusal(
    head: &Head,
    rules: &FileRules,
    commands: bool,
) -> Option<(Vec<FileEvent>, &'static str)> {
    let any = commands && *rules == FileRules::default();
    let given = match head.sends {
        Sends::Client => rules.write,
        Sends::Target => rules.read,
    };
    let why = if !given {
        match head.sends {
            Sends::Client => NO_WRITES,
            Sends::Target => NO_READS,
        }
    } else if !head.is_plain() && !any {
        NOT_PLAIN
    } else if !rules.covers(head.path().as_bytes()) {
        NO_PATH
    } else {
        return None;
    };
    Some((vec![whole(1, head), refused(1, why)], why))
}

impl Scp {
    /// Where the source's last word leads: a path, and what is in it, if the target alone knows whether it goes there or takes its
    /// place.
    fn place(&self) -> (Vec<u8>, Option<&[u8]>) {
        let within = self.within.as_slice();
        match self.head.sends {
            Sends::Target => ([self.head.directory_of().as_bytes(), within].concat(), None),
            Sends::Client if self.head.is_into() => (join(self.head.path(), within), None),
            Sends::Client => (self.head.path().into(), Some(within)),
        }
    }

    /// Records that something was asked.
    pub(super) fn note(&mut self, op: FileOp, open: Option<OpenMode>, acts: &mut Vec<Act>) -> u64 {
        self.count += 1;
        let n = self.count;
        let (path, to) = self.place();
        acts.push(Act::Record(FileEvent::Asked {
            n,
            op,
            path: FilePath::from(path.as_slice()),
            to: to.map(FilePath::from),
            open,
        }));
        n
    }

    /// Whether the role does not give what was asked last; then it is over, and the client is told.
    pub(super) fn refuses(&mut self, n: u64, size: u64, acts: &mut Vec<Act>) -> bool {
        let (path, to) = self.place();
        let inside = to.map(|to| join(self.head.path(), to));
        let covered = self.rules.covers(inside.as_ref().unwrap_or(&path));
        let why = if !covered {
            NO_PATH
        } else if self.rules.largest.is_some_and(|most| size > most) {
            TOO_LARGE
        } else {
            return false;
        };
        self.turn = Turn::Over;
        acts.push(Act::Record(refused(n, why)));
        acts.push(Act::ToClient(complaint(why)));
        true
    }

    /// What went through of a file. `closed`: all that there is of it.
    pub(super) fn moved(&self, file: &File, closed: bool) -> FileEvent {
        let sum = file.moving.sum();
        let (read, written) = match self.head.sends {
            Sends::Target => (sum, None),
            Sends::Client => (None, sum),
        };
        let n = file.n;
        FileEvent::Moved {
            n,
            read,
            written,
            closed,
        }
    }
}

/// What the command asks for as a whole.
pub(super) fn whole(n: u64, head: &Head) -> FileEvent {
    FileEvent::Asked {
        n,
        op: FileOp::Open,
        path: FilePath::from(head.path().as_bytes()),
        to: None,
        open: Some(mode(head.sends)),
    }
}

/// What a client shows of a refusal, before it ends: to a sink and to a source, it is the same.
pub(crate) fn complaint(why: &str) -> Bytes {
    Bytes::from(format!("\x02hallpass: {why}\n"))
}

pub(super) fn mode(sends: Sends) -> OpenMode {
    let write = sends == Sends::Client;
    OpenMode {
        read: !write,
        write,
        append: false,
        create: write,
        truncate: write,
    }
}

pub(super) fn refused(n: u64, why: &str) -> FileEvent {
    let why = why.to_owned();
    FileEvent::Refused { n, why }
}

pub(super) fn done(n: u64, outcome: Outcome) -> Act {
    Act::Record(FileEvent::Done { n, outcome })
}

/// What an answer or a message says: OpenSSH's words are those of the C library.
pub(super) fn outcome(said: &[u8]) -> Outcome {
    let ends = |words: &str| said.trim_ascii_end().ends_with(words.as_bytes());
    if said.first() == Some(&0) {
        Outcome::Ok
    } else if ends("No such file or directory") {
        Outcome::NoSuchFile
    } else if ends("Permission denied") {
        Outcome::PermissionDenied
    } else {
        Outcome::Failed
    }
}

fn join(path: &str, within: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if path.ends_with('/') { b"" } else { b"/" };
    [path.as_bytes(), slash, within].concat()
}
