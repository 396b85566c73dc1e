//! What the role gives of file transfers, and what is answered here.

use config::files::FileRules;
use record::recording::{FileEvent, FileOp, OpenMode, Outcome};

use super::ask;
use super::wire::Packet;
use crate::files::{Act, NO_PATH, NO_READS, NO_WRITES};

/// Status codes of §7 of the draft.
pub(super) const OK: u32 = 0;
pub(super) const EOF: u32 = 1;
const NO_SUCH_FILE: u32 = 2;
pub(super) const PERMISSION_DENIED: u32 = 3;
pub(super) const FAILURE: u32 = 4;
pub(super) const BAD_MESSAGE: u32 = 5;
pub(super) const UNSUPPORTED: u32 = 8;

const NO_APPENDING: &str =
    "the role gives files up to a size, and nobody sees here where an append ends";

pub(super) fn refusal_to_open(
    rules: &FileRules,
    path: &[u8],
    mode: OpenMode,
) -> Option<&'static str> {
    let writes = mode.write || mode.append || mode.create || mode.truncate;
    if mode.read && !rules.read {
        return Some(NO_READS);
    }
    if writes && !rules.write {
        return Some(NO_WRITES);
    }
    if mode.append && rules.largest.is_some() {
        return Some(NO_APPENDING);
    }
    (!rules.covers(path)).then_some(NO_PATH)
}

pub(super) fn refusal(rules: &FileRules, op: FileOp, paths: &[&[u8]]) -> Option<&'static str> {
    let changes = match op {
        FileOp::Setstat
        | FileOp::Fsetstat
        | FileOp::Remove
        | FileOp::Mkdir
        | FileOp::Rmdir
        | FileOp::Rename
        | FileOp::Symlink
        | FileOp::Hardlink => true,
        FileOp::Open
        | FileOp::List
        | FileOp::Stat
        | FileOp::Lstat
        | FileOp::Realpath
        | FileOp::Readlink
        | FileOp::Statvfs => false,
    };
    if changes && !rules.write {
        return Some(NO_WRITES);
    }
    // Where paths matter, a link would be a way around them.
    let links = matches!(op, FileOp::Symlink | FileOp::Hardlink);
    if links && !rules.paths.is_empty() {
        return Some(NO_PATH);
    }
    // What a relative path is in full may be asked by everybody: clients begin with it.
    let asks = op == FileOp::Realpath;
    (!asks && paths.iter().any(|path| !rules.covers(path))).then_some(NO_PATH)
}

/// Answers a request that the role does not give.
pub(super) fn rules_on(
    id: u32,
    n: u64,
    refusal: Option<&'static str>,
    acts: &mut Vec<Act>,
) -> Option<()> {
    let Some(why) = refusal else { return Some(()) };
    acts.push(Act::Record(FileEvent::Refused {
        n,
        why: why.to_owned(),
    }));
    acts.push(status(id, PERMISSION_DENIED, why));
    None
}

pub(super) fn status(id: u32, code: u32, why: &str) -> Act {
    let why = format!("hallpass: {why}");
    let packet = Packet::new(ask::STATUS).u32(id).u32(code);
    Act::ToClient(packet.string(why.as_bytes()).string(b"en").done())
}

pub(super) fn done(n: u64, code: u32) -> Act {
    let outcome = match code {
        OK | EOF => Outcome::Ok,
        NO_SUCH_FILE => Outcome::NoSuchFile,
        PERMISSION_DENIED => Outcome::PermissionDenied,
        UNSUPPORTED => Outcome::Unsupported,
        _ => Outcome::Failed,
    };
    Act::Record(FileEvent::Done { n, outcome })
}
