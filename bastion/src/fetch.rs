//! Recordings that lie in the bucket alone are brought here to be read, and go when they were.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::limits;
use config::words::SessionId;
use record::digest::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::bucket::{BucketError, Name};
use crate::site::Site;
use crate::upload::{There, blocking};

/// How many are brought at once: each takes room on the disk and a part of the way to the bucket.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Why a recording is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// Nobody has it.
    #[error("there is no recording of it here")]
    Nowhere,
    /// It was here a moment ago.
    #[error("it is leaving this disk: ask for it once more")]
    Left,
    /// The bucket's fault.
    #[error("it lies in the bucket, and cannot be brought: {0}")]
    Bucket(#[from] BucketError),
    /// Somebody who writes to the bucket, or the bucket itself.
    #[error(
        "what lies in the bucket is not what was put there: look there for a version before, and run `hallpass verify`"
    )]
    Other,
    /// There is no room for it beside those that are being written.
    #[error("it lies in the bucket, and this disk has no room for it")]
    Room,
    /// The disk's fault.
    #[error("it lies in the bucket, and cannot be written here: {0}")]
    Disk(#[from] io::Error),
}

/// Where a recording can be read.
pub(crate) enum Found {
    /// In the directory of recordings.
    Here,
    /// In a directory of its own, which goes with this.
    Fetched(Fetched),
}

/// A directory with one recording, removed when this is dropped.
pub(crate) struct Fetched(PathBuf);

impl Drop for Fetched {
    fn drop(&mut self) {
        // What is left is removed at the next start.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Found {
    /// The directory that it lies in.
    pub(crate) fn dir<'a>(&'a self, site: &'a Site) -> &'a Path {
        match self {
            Self::Here => site.store.dir(),
            Self::Fetched(Fetched(dir)) => dir,
        }
    }

    /// Where it can be read now that nobody removes anything, since [`Site::keeping`] is held.
    pub(crate) async fn settled(
        self,
        site: &Site,
        session: &SessionId,
    ) -> Result<Self, FetchError> {
        let known = known(site, session).await?;
        match self {
            _ if known == Some(There::Removed) => Err(FetchError::Nowhere),
            _ if site.store.has(session) => Ok(Self::Here),
            Self::Here => Err(FetchError::Left),
            fetched @ Self::Fetched(_) => Ok(fetched),
        }
    }

    /// Moves what was fetched into the directory of recordings, to stay there until it is in the bucket again. Blocks for some
    /// milliseconds.
    pub(crate) fn stay(self, dir: &Path, session: &SessionId) -> io::Result<()> {
        let Self::Fetched(fetched) = self else {
            return Ok(());
        };
        let from = file(&fetched.0, session);
        File::open(&from)?.sync_all()?;
        // If we die before, the next start removes what was fetched.
        fs::rename(&from, file(dir, session))?;
        File::open(dir)?.sync_all()
    }
}

/// Whether there is a recording of this session, here or in the bucket, that is not to be removed. Nobody removes anything
/// meanwhile.
pub(crate) async fn is_kept(site: &Site, session: &SessionId) -> Result<(), FetchError> {
    let known = known(site, session).await?;
    match &site.uploads {
        _ if known == Some(There::Removed) => Err(FetchError::Nowhere),
        _ if site.store.has(session) => Ok(()),
        None => Err(FetchError::Nowhere),
        Some(uploads) => match uploads.bucket().size(&name(site, session)).await {
            Ok(_) => Ok(()),
            Err(BucketError::Missing) => Err(FetchError::Nowhere),
            Err(e) => Err(e.into()),
        },
    }
}

/// Finds a recording, and brings it here if it lies in the bucket alone. It is refused if it is another than was put there; where the
/// bastion's own journal of that is lost, nobody here can tell.
pub(crate) async fn find(site: &Arc<Site>, session: &SessionId) -> Result<Found, FetchError> {
    let known = known(site, session).await?;
    if known == Some(There::Removed) {
        return Err(FetchError::Nowhere);
    }
    if site.store.has(session) {
        return Ok(Found::Here);
    }
    let uploads = site.uploads.as_ref().ok_or(FetchError::Nowhere)?;
    let _permit = AT_ONCE.acquire().await;
    let (bucket, name) = (uploads.bucket(), name(site, session));
    let bytes = match bucket.size(&name).await {
        Err(BucketError::Missing) => return Err(FetchError::Nowhere),
        bytes => bytes?,
    };
    let known = known.and_then(|there| match there {
        There::Known { bytes, digest } => Some((bytes, digest)),
        There::Removed => None,
    });
    if known.is_some_and(|(put, _)| put != bytes) {
        return Err(FetchError::Other);
    }
    let store = Arc::clone(&site.store);
    if blocking(move || store.room()).await? < bytes {
        return Err(FetchError::Room);
    }
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    // A name of its own, since two may read the same.
    let own = SessionId::from_parts(0, random).to_string();
    let fetched = Fetched(uploads.fetched.join(own));
    let (dir, path) = (fetched.0.clone(), file(&fetched.0, session));
    let mut out = blocking(move || create(&dir, &path)).await?;
    let (mut hasher, mut at) = (Sha256::new(), 0);
    while at < bytes {
        let end = bytes.min(at + limits::UPLOAD_PART_BYTES);
        let piece = bucket.range(&name, at..end).await?;
        hasher.update(&piece);
        out = blocking(move || out.write_all(&piece).map(|()| out)).await?;
        at = end;
    }
    let digest = Digest::from_bytes(hasher.finalize().into());
    if known.is_some_and(|(_, put)| put != digest) {
        return Err(FetchError::Other);
    }
    Ok(Found::Fetched(fetched))
}

/// What our journal knows of it.
async fn known(site: &Site, session: &SessionId) -> io::Result<Option<There>> {
    let Some(uploads) = site.uploads.clone() else {
        return Ok(None);
    };
    let session = session.clone();
    blocking(move || uploads.there(&session)).await
}

fn create(dir: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn file(dir: &Path, session: &SessionId) -> PathBuf {
    dir.join(format!("{session}.cast.zst"))
}

fn name(site: &Site, session: &SessionId) -> Name {
    Name::recording(session.clone(), site.name.clone())
}
