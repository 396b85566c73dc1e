//! One recording on its way to the bucket.
//!
//! The file on this disk is the truth. Parts of it that are sealed and durable never change while a session runs, so they
//! go up meanwhile. At the end the object is read back and compared with the file by SHA-256: a store's own word for what
//! it has, a checksum that it computed included, is what a store says that has lost it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::Arc;

use bytes::Bytes;
use config::limits;
use config::words::SessionId;
use record::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::journal::Progress;
use super::{Fault, Uploads, blocking, going};
use crate::bucket::{BucketError, Name};
use crate::site::Site;

const PART: u64 = limits::UPLOAD_PART_BYTES;

/// One recording.
pub(super) struct One<'a> {
    pub(super) site: &'a Arc<Site>,
    pub(super) uploads: &'a Uploads,
    pub(super) session: SessionId,
}

impl One<'_> {
    /// Uploads whole parts of what is sealed so far.
    pub(super) async fn go_on(&self, sealed: u64) -> Result<(), Fault> {
        if sealed < PART {
            return Ok(());
        }
        self.parts(sealed - sealed % PART).await.map(drop)
    }

    /// Uploads what is left of a recording that is finished, and verifies it.
    pub(super) async fn finish(&self, bytes: u64) -> Result<(), Fault> {
        if bytes.div_ceil(PART) > limits::UPLOAD_PARTS as u64 {
            return Err(Fault::Long);
        }
        let (bucket, name) = (&self.uploads.bucket, self.name());
        let (begun, sent) = (self.read().await?, self.version().await?);
        if bytes <= PART && !matches!(begun, Some(Progress::Parts { .. })) {
            let (taken, clock) = (&self.uploads.taken, &self.site.clock);
            if !taken.has(&self.session, clock.monotonic()) {
                let whole = self.bytes(0, bytes).await?;
                bucket.put(&name, whole).await?;
                taken.note(&self.session, clock.monotonic());
            }
        } else {
            let (upload, parts) = self.parts(bytes).await?;
            match bucket.complete(&name, &upload, parts).await {
                // It was completed before we could write that down.
                Err(BucketError::Missing) if bucket.size(&name).await? == bytes => {}
                Err(BucketError::Missing) => return Err(self.lost().await),
                other => other?,
            }
        }
        self.verify(&name, bytes, sent).await
    }

    /// Uploads the parts that are missing up to `end`; gives the upload and all of its parts.
    async fn parts(&self, end: u64) -> Result<(String, Vec<String>), Fault> {
        let (bucket, name) = (&self.uploads.bucket, self.name());
        let begun = self.read().await?;
        let (upload, mut parts) = if let Some(Progress::Parts { upload, parts }) = begun {
            (upload, parts)
        } else {
            let upload = bucket.begin(&name).await?;
            // If we die here, the store keeps an upload that nobody completes: a rule of the bucket ends those.
            if let Err(why) = self.write(&upload, &[]).await {
                bucket.abort(&name, &upload).await?;
                return Err(why);
            }
            (upload, Vec::new())
        };
        loop {
            let from = parts.len() as u64 * PART;
            if from >= end {
                return Ok((upload, parts));
            }
            let part = self.bytes(from, PART.min(end - from)).await?;
            match bucket.part(&name, &upload, parts.len(), part).await {
                Err(BucketError::Missing) => return Err(self.lost().await),
                other => parts.push(other?),
            }
            self.write(&upload, &parts).await?;
        }
    }

    /// Reads it back, holds it against the file, and locks it.
    async fn verify(&self, name: &Name, bytes: u64, sent: Version) -> Result<(), Fault> {
        let Some(theirs) = self.uploads.bucket.digest(name, bytes).await? else {
            return Err(self.other(sent).await);
        };
        let stored = Progress::Stored {
            bytes,
            digest: theirs,
            at: self.site.clock.wall(),
            locked: false,
            indexed: false,
        };
        if !self.stored(theirs, &stored).await? {
            return Err(self.other(sent).await);
        }
        tracing::info!(session = %self.session, bytes, "a recording is in the bucket");
        going::lock(self.site, self.uploads, &self.session, &stored).await
    }

    /// Notes that it is there, if that is what the file is.
    async fn stored(&self, theirs: Digest, stored: &Progress) -> Result<bool, Fault> {
        // The file may have been erased meanwhile, but from here on it is not before it is known which one is there.
        let _keeping = self.site.keeping.lock().await;
        let path = self.path();
        let ours = blocking(move || digest(&File::open(path)?)).await?;
        if ours != theirs {
            return Ok(false);
        }
        self.note(stored.clone()).await?;
        self.uploads.known().insert(self.session.clone());
        self.uploads.taken.forget(&self.session);
        Ok(true)
    }

    /// The store does not know of the upload any more: the next look begins another.
    async fn lost(&self) -> Fault {
        self.anew(Fault::Lost).await
    }

    /// The store has something else than the file: a later look begins anew. It is no fault of the store if the file is another than
    /// the one that was sent: then it was erased meanwhile.
    async fn other(&self, sent: Version) -> Fault {
        self.uploads.taken.forget(&self.session);
        if self.version().await.is_ok_and(|now| now != sent) {
            self.uploads.wake.notify_one();
            return self.anew(Fault::Over).await;
        }
        let now = self.site.clock.monotonic();
        self.uploads.setbacks.count(&self.session, now);
        self.anew(Fault::Other).await
    }

    /// Which file lies here by now.
    async fn version(&self) -> Result<Version, Fault> {
        let path = self.path();
        let about = blocking(move || std::fs::metadata(path)).await?;
        Ok(Version {
            bytes: about.len(),
            written: (about.mtime(), about.mtime_nsec()),
        })
    }

    async fn anew(&self, why: Fault) -> Fault {
        let (journal, session) = (Arc::clone(&self.uploads.journal), self.session.clone());
        let _keeping = self.site.keeping.lock().await;
        let forgotten = blocking(move || match journal.read(&session)? {
            Some(Progress::Removed { .. }) => Ok(()),
            _ => journal.forget(&session),
        });
        match forgotten.await {
            Ok(()) => why,
            Err(e) => e.into(),
        }
    }

    async fn read(&self) -> Result<Option<Progress>, Fault> {
        let (journal, session) = (Arc::clone(&self.uploads.journal), self.session.clone());
        Ok(blocking(move || journal.read(&session)).await?)
    }

    async fn write(&self, upload: &str, parts: &[String]) -> Result<(), Fault> {
        let (upload, parts) = (upload.to_owned(), parts.to_vec());
        let _keeping = self.site.keeping.lock().await;
        self.note(Progress::Parts { upload, parts }).await
    }

    /// Notes how far it is, unless it is to be removed. The caller holds [`Site::keeping`].
    async fn note(&self, progress: Progress) -> Result<(), Fault> {
        let (journal, session) = (Arc::clone(&self.uploads.journal), self.session.clone());
        let noted = blocking(move || journal.unless_removed(&session, &progress)).await?;
        if noted { Ok(()) } else { Err(Fault::Over) }
    }

    async fn bytes(&self, from: u64, count: u64) -> Result<Bytes, Fault> {
        let path = self.path();
        let count = usize::try_from(count).unwrap_or_default();
        let read = blocking(move || {
            let mut bytes = vec![0; count];
            File::open(path)?.read_exact_at(&mut bytes, from)?;
            Ok(Bytes::from(bytes))
        });
        Ok(read.await?)
    }

    fn path(&self) -> std::path::PathBuf {
        self.site
            .store
            .dir()
            .join(format!("{}.cast.zst", self.session))
    }

    fn name(&self) -> Name {
        Name::recording(self.session.clone(), self.site.name.clone())
    }
}

/// What a finished file is told by from what becomes of it when it is erased, which is written in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    bytes: u64,
    /// When it was written last: seconds, and nanoseconds.
    written: (i64, i64),
}

/// The SHA-256 of a file.
fn digest(mut file: &File) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut some = vec![0; 64 << 10];
    loop {
        let count = file.read(&mut some)?;
        match some.get(..count) {
            Some(read) if count > 0 => hasher.update(read),
            _ => break,
        }
    }
    Ok(Digest::from_bytes(hasher.finalize().into()))
}
