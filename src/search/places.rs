//! Where recordings are looked for: files and directories of this machine, and buckets.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bastion::bucket::Stored;
use config::words::SessionId;

use crate::brought::{self, Source};
use crate::cli::Site;
use crate::failure::{Failure, Result};
use crate::review::find;

/// How a recording's file is named behind its session.
const CAST: &str = ".cast.zst";

/// A recording, wherever it lies.
pub(super) enum Somewhere {
    /// A file of this machine.
    Here(PathBuf),
    /// An object.
    There(Arc<Source>, Stored),
}

impl Somewhere {
    /// By which they are sorted: the session is the beginning of the name, and begins with its time.
    fn file(&self) -> String {
        match self {
            Self::Here(path) => path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            Self::There(_, stored) => stored.name.file(),
        }
    }
}

impl fmt::Display for Somewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(path) => path.display().fmt(f),
            Self::There(source, stored) => f.write_str(&source.shown(&stored.name)),
        }
    }
}

/// All that is to be looked through, the oldest first.
pub(super) fn everywhere(
    site: &Site,
    places: &[String],
    session: Option<&SessionId>,
) -> Result<Vec<Somewhere>> {
    let (mut found, mut here) = (Vec::new(), Vec::new());
    for place in places {
        let Some(named) = brought::named(place)? else {
            here.push(place.clone());
            continue;
        };
        let (source, listed) = Source::open(named)?;
        let source = Arc::new(source);
        let wanted = listed
            .into_iter()
            .filter(|stored| session.is_none_or(|session| stored.name.session == *session));
        found.extend(wanted.map(|stored| Somewhere::There(Arc::clone(&source), stored)));
    }
    if places.is_empty() || !here.is_empty() {
        let paths = recordings(site, &here, session)?;
        found.extend(paths.into_iter().map(Somewhere::Here));
    }
    let mut seen = BTreeSet::new();
    // A bucket may be named twice, and one bastion's place in it.
    found.retain(|place| seen.insert(place.to_string()));
    found.sort_by_key(Somewhere::file);
    Ok(found)
}

/// The files to look through, each once, by their sessions' names: the oldest first.
pub(crate) fn recordings(
    site: &Site,
    places: &[String],
    session: Option<&SessionId>,
) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    if places.is_empty() {
        for bastion in site.load()?.bastions.values() {
            let dir = bastion.data.join("recordings");
            if dir.is_dir() {
                paths.extend(inside(&dir)?);
            }
        }
        if paths.is_empty() {
            return Err(Failure::new(
                "there are no recordings on this machine: name a directory that holds some",
            ));
        }
    }
    for place in places {
        let dir = Path::new(place);
        if dir.is_dir() {
            paths.extend(inside(dir)?);
        } else {
            paths.push(find(site, place)?);
        }
    }
    if let Some(session) = session {
        let name = format!("{session}{CAST}");
        paths.retain(|path| path.file_name().is_some_and(|own| *own == *name));
    }
    paths.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    paths.dedup();
    Ok(paths)
}

fn inside(dir: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Failure::file("read", dir, &e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.ends_with(CAST)) {
            paths.push(path);
        }
    }
    Ok(paths)
}
