//! Recordings that lie in the bucket alone are brought here to be read, and go when they were.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::limits;
use config::words::SessionId;
use tokio::sync::Semaphore;

use crate::bucket::{BucketError, Name};
use crate::site::Site;
use crate::upload::blocking;

/// How many are brought at once: each takes room on the disk and a part of the way to the bucket.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// Why a recording is not here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// Nobody has it.
    #[error("there is no recording of it here")]
    Nowhere,
    /// The bucket's fault.
    #[error("it lies in the bucket, and cannot be brought: {0}")]
    Bucket(#[from] BucketError),
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
}

/// Whether there is a recording of this session, here or in the bucket.
pub(crate) async fn is_kept(site: &Site, session: &SessionId) -> Result<(), FetchError> {
    match &site.uploads {
        _ if site.store.has(session) => Ok(()),
        None => Err(FetchError::Nowhere),
        Some(uploads) => match uploads.bucket().size(&name(site, session)).await {
            Ok(_) => Ok(()),
            Err(BucketError::Missing) => Err(FetchError::Nowhere),
            Err(e) => Err(e.into()),
        },
    }
}

/// Finds a recording, and brings it here if it lies in the bucket alone.
pub(crate) async fn find(site: &Arc<Site>, session: &SessionId) -> Result<Found, FetchError> {
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
    let mut at = 0;
    while at < bytes {
        let end = bytes.min(at + limits::UPLOAD_PART_BYTES);
        let piece = bucket.range(&name, at..end).await?;
        out = blocking(move || out.write_all(&piece).map(|()| out)).await?;
        at = end;
    }
    Ok(Found::Fetched(fetched))
}

/// Brings a recording back into the directory of recordings, to stay there until it is in the bucket again. Nobody
/// removes anything meanwhile.
pub(crate) async fn bring_back(site: &Arc<Site>, session: &SessionId) -> Result<(), FetchError> {
    let Found::Fetched(fetched) = find(site, session).await? else {
        return Ok(());
    };
    let (from, to) = (file(&fetched.0, session), file(site.store.dir(), session));
    let dir = site.store.dir().to_owned();
    Ok(blocking(move || {
        File::open(&from)?.sync_all()?;
        // If we die before, the next start removes what was fetched.
        fs::rename(&from, &to)?;
        File::open(&dir)?.sync_all()?;
        drop(fetched);
        Ok(())
    })
    .await?)
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
    Name {
        session: session.clone(),
        bastion: site.name.clone(),
    }
}
