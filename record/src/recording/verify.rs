//! Judges recordings, with nothing but the bastions' public keys: no server, no secret, no write access.
//!
//! A recording of any size is checked in the memory of a few frames.

mod judged;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::words::{BastionName, SessionId};
use ssh_key::PublicKey;

use super::crypt::keys::Keys;
use super::event::End;
use super::header::Header;
use super::index;
use super::recover::file_of;
use super::scan::{Fault, Problem, Scan, Signers, Step};
use super::store::{ASIDE, LOCK};
use crate::age::Identities;
use crate::checkpoint::NAMESPACE;
use crate::cores;
use crate::digest::Digest;

pub use judged::stored;

/// The bastions whose signatures count, with their keys.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    signers: Vec<(Vec<String>, PublicKey)>,
    identities: Option<Arc<Identities>>,
}

/// Why a list of signers is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the allowed signers: {why}")]
pub struct TrustError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What the check of one recording has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whose session, where. Absent as long as nothing is sealed, and of a recording that cannot be opened.
    pub header: Option<Header>,
    /// Whether it is sealed to its recipients.
    pub closed: Option<Closed>,
    /// The root over all its sealed frames.
    pub root: Digest,
    /// How many there are.
    pub frames: u64,
    /// How many bytes were checked.
    pub bytes: u64,
    /// From the beginning to the last event that is sealed.
    pub duration: Duration,
    /// How the session ended. Absent if the recording is not finished: then the session runs, or its bastion has died.
    pub end: Option<End>,
}

/// What is seen of a recording that is sealed to its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Who can open it, each in a few words; nobody, if it was erased.
    pub recipients: Vec<String>,
    /// How many of them have to come together.
    pub threshold: usize,
    /// Whether its key was destroyed.
    pub erased: bool,
    /// Whether its key is wrapped for the recipients that it began with. A copy that was shared has others.
    pub original: bool,
    /// Whether it was opened, so that the lines inside were checked too.
    pub opened: bool,
}

/// What is said of one recording of a directory.
#[derive(Debug)]
pub enum Verdict {
    /// Finished and good.
    Good(Checked),
    /// Good as far as it is sealed. The session runs, or its bastion has died and was not started since.
    Unfinished(Checked),
    /// Wrong.
    Bad(Problem),
    /// The log says that there was such a session, and there is no recording of it.
    Missing,
    /// Good by itself, and not the recording that the log speaks of.
    OtherRoot {
        /// The root that stands in the log.
        logged: Digest,
        /// The root of the recording.
        found: Digest,
    },
    /// Good by itself, and the log does not know of it.
    NotInLog(Checked),
    /// The bastion could not recover it, and moved its files to `aside/`.
    SetAside,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Good(_) | Self::Unfinished(_))
    }
}

impl Trusted {
    /// Trusts nobody.
    pub const fn nobody() -> Self {
        Self {
            signers: Vec::new(),
            identities: None,
        }
    }

    /// Whether no signature counts.
    pub fn is_nobody(&self) -> bool {
        self.signers.is_empty()
    }

    /// Opens recordings that are sealed with these, where they fit, to check the lines inside too.
    #[must_use]
    pub fn opening(mut self, identities: Arc<Identities>) -> Self {
        self.identities = Some(identities);
        self
    }

    /// Trusts this key to sign for this bastion, too.
    #[must_use]
    pub fn and(mut self, bastion: &BastionName, key: &PublicKey) -> Self {
        self.signers.push((
            vec![bastion.as_str().to_owned()],
            PublicKey::from(key.key_data().clone()),
        ));
        self
    }

    /// The keys that may sign under this name.
    pub fn keys<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a PublicKey> {
        let named = move |names: &[String]| names.iter().any(|one| one == name);
        self.signers
            .iter()
            .filter(move |(names, _)| named(names))
            .map(|(_, key)| key)
    }

    /// Reads an allowed-signers file (`ssh-keygen(1)`, ALLOWED SIGNERS). A line that restricts itself by anything but
    /// namespaces refuses, as does a pattern, because nothing here would honour it.
    pub fn from_allowed_signers(text: &str) -> Result<Self, TrustError> {
        let mut list = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                list.extend(signer(line).map_err(|why| TrustError { line: n + 1, why })?);
            }
        }
        Ok(Self {
            signers: list,
            identities: None,
        })
    }
}

/// One line; `None` if it is for other namespaces than ours.
fn signer(line: &str) -> Result<Option<(Vec<String>, PublicKey)>, &'static str> {
    let (names, rest) = line.split_once([' ', '\t']).ok_or("it is PRINCIPALS KEY")?;
    if names.contains(['*', '?', '!', '"']) {
        return Err("patterns are not supported: name each bastion");
    }
    let rest = rest.trim_start();
    let (namespaces, key) = match rest.strip_prefix("namespaces=\"") {
        Some(rest) => {
            let (namespaces, key) = rest.split_once('"').ok_or("a quote is not closed")?;
            (Some(namespaces), key.trim_start())
        }
        None => (None, rest),
    };
    let key = PublicKey::from_openssh(key)
        .map_err(|_| "its key cannot be read, or it has an option other than namespaces")?;
    let ours =
        namespaces.is_none_or(|list| list.split(',').any(|namespace| namespace == NAMESPACE));
    let names = names.split(',').map(str::to_owned).collect();
    Ok(ours.then(|| (names, PublicKey::from(key.key_data().clone()))))
}

/// Checks one recording: that each frame was sealed by a trusted bastion, at its place, in this recording; that
/// nothing is missing between, and nothing follows. Names the first place that is wrong.
pub fn recording(
    from: impl Read,
    session: &SessionId,
    trusted: &Trusted,
) -> Result<Checked, Problem> {
    let mut scan = begin(from, session, trusted)?;
    let end = to_the_end(&mut scan)?;
    Ok(checked(scan, end))
}

fn begin<'a, R: Read>(
    from: R,
    session: &'a SessionId,
    trusted: &'a Trusted,
) -> Result<Scan<'a, R>, Problem> {
    let signers = Signers::Only(&trusted.signers);
    Scan::begin(from, session, signers, trusted.identities.as_deref())
}

fn to_the_end(scan: &mut Scan<'_, impl Read>) -> Result<Option<End>, Problem> {
    let mut end = None;
    loop {
        match scan.step()? {
            Step::Frame(frame) => end = frame.end,
            Step::Finished | Step::Unfinished => return Ok(end),
        }
    }
}

fn checked<R>(scan: Scan<'_, R>, end: Option<End>) -> Checked {
    let original = |keys: &Keys| {
        let said = scan.statement.as_ref().map(|statement| statement.keys);
        said.is_none_or(|said| said == Digest::of(&keys.payload()))
    };
    Checked {
        closed: scan.keys.as_ref().map(|keys| Closed {
            recipients: keys.recipients(),
            threshold: keys.threshold(),
            erased: matches!(keys, Keys::Erased(_)),
            original: original(keys),
            opened: scan.vault.is_some(),
        }),
        root: Digest::from_bytes(*scan.tree.root().as_bytes()),
        frames: scan.tree.size(),
        bytes: scan.good,
        duration: Duration::from_micros(scan.at_us),
        header: scan.header,
        end,
    }
}

/// Checks a recording whose lines are still beside it in `tails`: a frame that is only there in part is being
/// written, or was when the bastion died, and its lines are whole.
fn with_tails(
    from: impl Read,
    session: &SessionId,
    trusted: &Trusted,
    tails: &BTreeSet<u32>,
) -> Result<Checked, Problem> {
    let mut scan = begin(from, session, trusted)?;
    match to_the_end(&mut scan) {
        Ok(end) => Ok(checked(scan, end)),
        Err(Problem {
            fault: Fault::Cut(_),
            ..
        }) if tails.iter().any(|n| u64::from(*n) <= scan.tree.size()) => Ok(checked(scan, None)),
        Err(problem) => Err(problem),
    }
}

/// Checks all recordings of a directory, on all cores and in the memory of a few frames for each, and tells them in the order of their identifiers, which is that of time. With `logged`, the sessions
/// that the issuance log says have ended, and their roots, a recording that was removed, put in or replaced whole is found
/// too.
pub fn directory(
    dir: &Path,
    trusted: &Trusted,
    logged: Option<&BTreeMap<SessionId, Digest>>,
) -> io::Result<Vec<(SessionId, Verdict)>> {
    let found = recordings_in(dir)?;
    let aside: BTreeSet<SessionId> = aside_in(dir)?
        .into_iter()
        .filter(|id| !found.contains_key(id))
        .collect();
    let missing = logged
        .into_iter()
        .flatten()
        .map(|(session, _)| session)
        .filter(|id| !found.contains_key(*id) && !aside.contains(*id));
    let mut verdicts: Vec<(SessionId, Verdict)> =
        missing.map(|id| (id.clone(), Verdict::Missing)).collect();
    verdicts.extend(aside.iter().map(|id| (id.clone(), Verdict::SetAside)));
    let found: Vec<_> = found.into_iter().collect();
    let judged = cores::each(found.len(), |n| {
        let (session, tails) = found.get(n)?;
        let verdict = judged::in_directory(dir, session, tails, trusted, logged);
        Some((session.clone(), verdict))
    });
    verdicts.extend(judged.into_iter().flatten());
    verdicts.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(verdicts)
}

/// Checks the recording of one session in its directory, as [`directory`] does.
pub fn one(
    dir: &Path,
    session: &SessionId,
    trusted: &Trusted,
    logged: Option<&BTreeMap<SessionId, Digest>>,
) -> io::Result<Verdict> {
    let tails = recordings_in(dir)?.remove(session).unwrap_or_default();
    Ok(judged::in_directory(dir, session, &tails, trusted, logged))
}

/// The names in a directory of recordings that belong to no recording, so that nothing checks what they hold.
pub fn strangers(dir: &Path) -> io::Result<Vec<OsString>> {
    let mut strange = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let known = name.to_str().is_some_and(is_known);
        if !known {
            strange.push(name);
        }
    }
    strange.sort();
    Ok(strange)
}

fn is_known(name: &str) -> bool {
    file_of(name).is_some() || index::is_index(name) || name == LOCK || name == ASIDE
}

fn recordings_in(dir: &Path) -> io::Result<BTreeMap<SessionId, BTreeSet<u32>>> {
    let mut found: BTreeMap<SessionId, BTreeSet<u32>> = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        if let Some((session, tail)) = entry?.file_name().to_str().and_then(file_of) {
            found.entry(session).or_default().extend(tail);
        }
    }
    Ok(found)
}

/// The sessions whose sealed frames lie in `aside/`. Tails alone do not count: they follow a gap that a power loss has
/// left, and the recording before the gap is whole.
fn aside_in(dir: &Path) -> io::Result<BTreeSet<SessionId>> {
    let entries = match fs::read_dir(dir.join(ASIDE)) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(e) => return Err(e),
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name();
        let session = name.to_str().and_then(|name| {
            let (id, rest) = name.split_once('.')?;
            rest.starts_with("cast.zst").then(|| id.parse().ok())?
        });
        found.extend(session);
    }
    Ok(found)
}
