//! What is said of one recording, wherever it lies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, BufReader, Read};
use std::path::Path;

use config::words::SessionId;

use super::super::recover::open_plain;
use super::super::scan::{Fault, Problem};
use super::super::seal;
use super::{Trusted, Verdict, with_tails};
use crate::digest::Digest;

/// Checks a recording that lies somewhere else than on a bastion's disk, as [`super::directory`] does: there are no lines of it
/// beside, so it is finished or it is wrong.
pub fn stored(
    from: impl Read,
    session: &SessionId,
    trusted: &Trusted,
    logged: Option<&BTreeMap<SessionId, Digest>>,
) -> Verdict {
    judge(from, session, &BTreeSet::new(), trusted, logged)
}

/// Checks a recording in its directory.
pub(super) fn in_directory(
    dir: &Path,
    session: &SessionId,
    tails: &BTreeSet<u32>,
    trusted: &Trusted,
    logged: Option<&BTreeMap<SessionId, Digest>>,
) -> Verdict {
    let whole = |fault| Problem {
        offset: 0,
        frame: 0,
        at_us: 0,
        fault,
    };
    let path = seal::cast_path(dir, session);
    match open_plain(&path, OpenOptions::new().read(true)) {
        Ok(file) => judge(BufReader::new(file), session, tails, trusted, logged),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Verdict::Bad(whole(Fault::Cut("there is no file of its sealed frames")))
        }
        Err(e) => Verdict::Bad(whole(Fault::Io(e))),
    }
}

fn judge(
    from: impl Read,
    session: &SessionId,
    tails: &BTreeSet<u32>,
    trusted: &Trusted,
    logged: Option<&BTreeMap<SessionId, Digest>>,
) -> Verdict {
    let root = logged.and_then(|logged| logged.get(session));
    match with_tails(from, session, trusted, tails) {
        Ok(checked) if checked.end.is_none() => match root {
            // The names were listed before the frames were read, so that a tail that is named later follows a gap.
            None if tails.iter().any(|n| u64::from(*n) <= checked.frames) => {
                Verdict::Unfinished(checked)
            }
            _ => Verdict::Bad(Problem {
                offset: checked.bytes,
                frame: checked.frames,
                at_us: u64::try_from(checked.duration.as_micros()).unwrap_or(u64::MAX),
                fault: Fault::Cut("its End is missing"),
            }),
        },
        Ok(checked) => match (logged, root) {
            (Some(_), None) => Verdict::NotInLog(checked),
            (_, Some(root)) if *root != checked.root => Verdict::OtherRoot {
                logged: *root,
                found: checked.root,
            },
            _ => Verdict::Good(checked),
        },
        Err(problem) => Verdict::Bad(problem),
    }
}
