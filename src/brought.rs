//! Recordings that lie in a bucket, brought here to be read: into a directory of this process alone, which goes with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bastion::bucket::{self, Bucket, BucketError, Name, Stored};
use config::bucket::Place;
use config::limits;
use config::words::SessionId;
use player::Coming;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Failure, Result};

/// What a bucket begins with among places.
pub(crate) const SCHEME: &str = "s3://";

/// How a recording's file is named behind its session.
const CAST: &str = ".cast.zst";

/// How much is asked for at once: little, so that a replay begins at once and a slow way is no failure.
const PIECE_BYTES: u64 = 1 << 20;

/// What stays free of the disk that recordings are brought to.
const RESERVE_BYTES: u64 = 64 << 20;

/// How long a replay waits for a small recording to be there whole, with its index.
const SOON: Duration = Duration::from_millis(500);

/// Time between two looks at what has come.
const LOOK: Duration = Duration::from_millis(20);

/// A bucket that recordings are brought from, and where to.
pub(crate) struct Source {
    bucket: Arc<Bucket>,
    place: Place,
    held: Arc<AtomicBool>,
    // It ends first, so that nothing more comes into the directory.
    runtime: Runtime,
    dir: TempDir,
}

/// One that is here, or comes.
pub(crate) struct Brought {
    pub(crate) path: PathBuf,
    pub(crate) coming: Arc<Coming>,
}

/// Where a bucket's recordings are, and which one is meant if one is.
pub(crate) struct Named {
    place: Place,
    session: Option<SessionId>,
}

/// The place in a bucket that a text names; none if it names none.
pub(crate) fn named(text: &str) -> Result<Option<Named>> {
    if !text.starts_with(SCHEME) {
        return Ok(None);
    }
    let last = text.trim_end_matches('/').rsplit_once('/');
    let one = last.and_then(|(before, last)| {
        let id = last.strip_suffix(CAST).unwrap_or(last);
        Some((before, id.to_ascii_uppercase().parse().ok()?))
    });
    let (place, session) = one.map_or((text, None), |(before, id)| (before, Some(id)));
    let place = Place::parse(place).map_err(|why| Failure::new(format!("{text}: {why}")))?;
    Ok(Some(Named { place, session }))
}

impl Source {
    /// The bucket of this place, found and opened by the environment, and what was named there.
    pub(crate) fn open(named: Named) -> Result<(Self, Vec<Stored>)> {
        let runtime = Runtime::new()?;
        let Named { place, session } = named;
        let (place, bucket, mut listed) = runtime.block_on(found(place, session.as_ref()))?;
        if let Some(session) = session {
            listed.retain(|stored| stored.name.session == session);
            if listed.is_empty() {
                return Err(Failure::new(format!(
                    "there is no recording of {session} in {place}: one of a session that still runs comes there at its end"
                )));
            }
        }
        let dir = tempfile::Builder::new().prefix("hallpass-").tempdir()?;
        let held = Arc::new(AtomicBool::new(false));
        runtime.spawn(put_away(dir.path().to_owned(), Arc::clone(&held)));
        let source = Self {
            bucket: Arc::new(bucket),
            place,
            held,
            runtime,
            dir,
        };
        Ok((source, listed))
    }

    /// How it is shown where it lies.
    pub(crate) fn shown(&self, name: &Name) -> String {
        format!("{}/{}/{}", self.place, name.bastion, name.file())
    }

    /// Brings one whole, with its index, if it has one; none if `wanted` says no of what its beginning says.
    pub(crate) fn bring(
        &self,
        stored: &Stored,
        wanted: &dyn Fn(&Path) -> bool,
    ) -> io::Result<Option<PathBuf>> {
        let (mut one, coming) = self.begin(stored)?;
        self.runtime.block_on(async {
            one.piece(&coming).await?;
            if one.left() && !wanted(&one.path) {
                return Ok(None);
            }
            one.rest(&coming).await?;
            Ok(Some(one.path.clone()))
        })
    }

    /// Removes what was brought of one.
    pub(crate) fn forget(&self, stored: &Stored) {
        for name in [&stored.name, &stored.name.index()] {
            // What is left goes with the directory.
            let _ = fs::remove_file(self.path(name));
        }
    }

    /// Begins to bring one, and gives it once its beginning can be read, as `readable` says.
    pub(crate) fn play(
        &self,
        stored: &Stored,
        readable: &dyn Fn(&Path) -> bool,
    ) -> Result<Brought> {
        let (mut one, coming) = self.begin(stored)?;
        let path = one.path.clone();
        let told = Arc::clone(&coming);
        self.runtime.spawn(async move {
            if let Err(e) = one.rest(&told).await {
                told.fail(e.to_string());
            }
        });
        let began = Instant::now();
        while !coming.is_whole() {
            if let Some(why) = coming.failed() {
                return Err(Failure::new(why));
            }
            if began.elapsed() > SOON && readable(&path) {
                break;
            }
            std::thread::sleep(LOOK);
        }
        // From here on the replay puts its terminal right before it ends.
        self.held.store(true, Ordering::Release);
        Ok(Brought { path, coming })
    }

    fn begin(&self, stored: &Stored) -> io::Result<(One, Arc<Coming>)> {
        let path = self.path(&stored.name);
        fs::create_dir_all(path.parent().unwrap_or(self.dir.path()))?;
        let free = free(self.dir.path())?;
        if free < stored.bytes.saturating_add(RESERVE_BYTES) {
            return Err(io::Error::other(format!(
                "there is no room for its {} MiB in {}: name another directory by TMPDIR",
                stored.bytes >> 20,
                self.dir.path().parent().unwrap_or(Path::new("/")).display()
            )));
        }
        let one = One {
            bucket: Arc::clone(&self.bucket),
            file: create(&path)?,
            index: self.path(&stored.name.index()),
            path,
            stored: stored.clone(),
            at: 0,
        };
        Ok((one, Arc::new(Coming::new(stored.bytes))))
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.dir
            .path()
            .join(name.bastion.as_str())
            .join(name.file())
    }
}

/// A recording on its way here.
struct One {
    bucket: Arc<Bucket>,
    file: File,
    path: PathBuf,
    index: PathBuf,
    stored: Stored,
    at: u64,
}

impl One {
    fn left(&self) -> bool {
        self.at < self.stored.bytes
    }

    /// Brings the next piece.
    async fn piece(&mut self, coming: &Coming) -> io::Result<()> {
        let end = self.stored.bytes.min(self.at + PIECE_BYTES);
        let piece = self.bucket.range(&self.stored.name, self.at..end).await;
        let piece = piece.map_err(io::Error::other)?;
        if end == self.stored.bytes {
            // Before the last byte: who sees the recording whole finds its index.
            self.index().await?;
        }
        self.file.write_all(&piece)?;
        coming.came(end - self.at);
        self.at = end;
        Ok(())
    }

    async fn rest(&mut self, coming: &Coming) -> io::Result<()> {
        while self.left() {
            self.piece(coming).await?;
        }
        Ok(())
    }

    /// Brings the index, which only makes things faster: whatever is wrong with it, the recording is read.
    async fn index(&self) -> io::Result<()> {
        let name = self.stored.name.index();
        let bytes = match self.bucket.size(&name).await {
            Ok(bytes) if bytes <= limits::INDEX_BYTES => bytes,
            _ => return Ok(()),
        };
        let (mut file, mut at) = (create(&self.index)?, 0);
        while at < bytes {
            let end = bytes.min(at + PIECE_BYTES);
            let Ok(piece) = self.bucket.range(&name, at..end).await else {
                return Ok(());
            };
            file.write_all(&piece)?;
            at = end;
        }
        Ok(())
    }
}

/// The recordings that lie at a place: of all bastions, of the one that the place names, or the one that is asked for.
async fn found(place: Place, session: Option<&SessionId>) -> Result<(Place, Bucket, Vec<Stored>)> {
    let open = |place: &Place| Bucket::open(&bucket::from_environment(place.clone())?);
    // The place of one bastion's recordings is that of them all, and the bastion's name.
    let (above, last) = place.prefix.rsplit_once('/').unwrap_or(("", &place.prefix));
    if let Ok(bastion) = last.parse() {
        let above = Place {
            bucket: place.bucket.clone(),
            prefix: above.to_owned(),
        };
        let of_all = open(&above)?;
        let listed = match session {
            Some(session) => {
                let name = Name::recording(session.clone(), bastion);
                match of_all.size(&name).await {
                    Ok(bytes) => vec![Stored { name, bytes }],
                    Err(BucketError::Missing) => Vec::new(),
                    Err(e) => return Err(e.into()),
                }
            }
            None => of_all.list(Some(&bastion)).await?,
        };
        if !listed.is_empty() {
            return Ok((above, of_all, listed));
        }
    }
    let bucket = open(&place)?;
    let listed = bucket.list(None).await?;
    Ok((place, bucket, listed))
}

/// Removes what was brought when the process is told to end. While a replay has the terminal, it ends by itself, but where its
/// terminal is gone.
async fn put_away(dir: PathBuf, held: Arc<AtomicBool>) {
    let heard = |kind| signal(kind).ok();
    let (Some(mut interrupt), Some(mut terminate), Some(mut hangup)) = (
        heard(SignalKind::interrupt()),
        heard(SignalKind::terminate()),
        heard(SignalKind::hangup()),
    ) else {
        return;
    };
    let number = loop {
        let number = tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
            _ = hangup.recv() => break 1,
        };
        if !held.load(Ordering::Acquire) {
            break number;
        }
    };
    let _ = fs::remove_dir_all(&dir);
    #[expect(
        clippy::disallowed_methods,
        reason = "the signal says so, and all that had to be put away was"
    )]
    exit(128 + number)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Bytes that are free on a directory's disk.
fn free(dir: &Path) -> io::Result<u64> {
    let about = rustix::fs::statvfs(dir)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}
