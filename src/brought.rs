//! Recordings that lie in a bucket, brought here to be read: into a directory of this process alone, which goes with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bastion::bucket::{Bucket, Name, Stored};
use config::bucket::Place;
use config::limits;
use player::Coming;
use record::recording::reader::ReadError;
use record::recording::verify::{self, Trusted};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Failure, Result};

mod found;

pub(crate) use found::{Found, Named, SCHEME, named, nowhere};

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
    gate: Arc<Gate>,
    // It ends first, so that nothing more comes into the directory.
    runtime: Runtime,
    dir: TempDir,
}

/// One that is here, or comes.
pub(crate) struct Brought {
    pub(crate) path: PathBuf,
    pub(crate) coming: Arc<Coming>,
}

/// Whether what has come of a file can be read by now, or is wanted; an error if it never can be.
pub(crate) type Readable<'a> = &'a dyn Fn(&Path) -> std::result::Result<bool, ReadError>;

impl Source {
    /// The bucket of this place, found and opened by the environment, and what was named there.
    pub(crate) fn open(named: Named) -> Result<(Self, Vec<Stored>)> {
        let runtime = Runtime::new()?;
        let Found {
            place,
            bucket,
            listed,
            ..
        } = runtime.block_on(named.find())?;
        let dir = tempfile::Builder::new().prefix("hallpass-").tempdir()?;
        let held = Arc::new(AtomicBool::new(false));
        let gate = Arc::new(Gate::default());
        let all = dir.path().to_owned();
        runtime.spawn(put_away(all, Arc::clone(&held), Arc::clone(&gate)));
        let source = Self {
            bucket: Arc::new(bucket),
            place,
            held,
            gate,
            runtime,
            dir,
        };
        Ok((source, listed))
    }

    /// How it is shown where it lies.
    pub(crate) fn shown(&self, name: &Name) -> String {
        format!("{}/{}/{}", self.place, name.bastion, name.file())
    }

    /// Brings one whole, with its index, if it has one; none if `wanted` says no of what its beginning says, and its error if
    /// that says that it cannot be read.
    pub(crate) fn bring(
        &self,
        stored: &Stored,
        wanted: Readable<'_>,
    ) -> std::result::Result<Option<PathBuf>, ReadError> {
        let (mut one, coming) = self.begin(stored)?;
        self.runtime.block_on(async {
            one.piece(&coming).await?;
            if one.left() && !wanted(&one.path)? {
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
    pub(crate) fn play(&self, stored: &Stored, readable: Readable<'_>) -> Result<Brought> {
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
            if began.elapsed() > SOON && readable(&path)? {
                break;
            }
            std::thread::sleep(LOOK);
        }
        // From here on the replay puts its terminal right before it ends.
        self.held.store(true, Ordering::Release);
        Ok(Brought { path, coming })
    }

    /// Whether the process was told to end, and what was brought is gone.
    pub(crate) fn is_over(&self) -> bool {
        *self.gate.lock()
    }

    fn begin(&self, stored: &Stored) -> io::Result<(One, Arc<Coming>)> {
        let path = self.path(&stored.name);
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
            file: self.gate.create(&path)?,
            gate: Arc::clone(&self.gate),
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
    gate: Arc<Gate>,
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
            self.index().await;
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
    async fn index(&self) {
        if self.whole_index().await.is_err() {
            // Half of one would only be in the way of the recording.
            let _ = fs::remove_file(&self.index);
        }
    }

    async fn whole_index(&self) -> io::Result<()> {
        let name = self.stored.name.index();
        let bytes = self.bucket.size(&name).await.map_err(io::Error::other)?;
        let room = free(self.path.parent().unwrap_or(Path::new("/")))?;
        if bytes > limits::INDEX_BYTES || room < bytes.saturating_add(RESERVE_BYTES) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (mut file, mut at) = (self.gate.create(&self.index)?, 0);
        while at < bytes {
            let end = bytes.min(at + PIECE_BYTES);
            let piece = self.bucket.range(&name, at..end).await;
            file.write_all(&piece.map_err(io::Error::other)?)?;
            at = end;
        }
        Ok(())
    }
}

/// Removes what was brought when the process is told to end. While a replay has the terminal, it ends by itself, but where its
/// terminal is gone; told twice, it ends at once, so that nothing may be left to remove by then.
async fn put_away(dir: PathBuf, held: Arc<AtomicBool>, gate: Arc<Gate>) {
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
        gate.close(&dir);
    };
    gate.close(&dir);
    #[expect(
        clippy::disallowed_methods,
        reason = "the signal says so, and all that had to be put away was"
    )]
    exit(128 + number)
}

/// What lets files come into the directory, until it is removed.
#[derive(Default)]
struct Gate(Mutex<bool>);

impl Gate {
    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a file, unless the directory is gone.
    fn create(&self, path: &Path) -> io::Result<File> {
        let over = self.lock();
        if *over {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    }

    /// Removes the directory. Nothing comes there from then on.
    fn close(&self, dir: &Path) {
        let mut over = self.lock();
        *over = true;
        let _ = fs::remove_dir_all(dir);
    }
}

/// Holds what a bucket gave as a session's recording against the signatures of bastions that are trusted, where any are.
pub(crate) fn judge(
    path: &Path,
    stored: &Stored,
    trusted: &Trusted,
) -> std::result::Result<(), ReadError> {
    if trusted.is_nobody() {
        return Ok(());
    }
    let file = BufReader::new(File::open(path)?);
    verify::recording(file, &stored.name.session, trusted)
        .map(drop)
        .map_err(|problem| ReadError::Damaged(format!("{problem} (by the keys of --trust)")))
}

/// Says that nothing was held against any key.
pub(crate) fn said_if_nobody(trusted: &Trusted) -> io::Result<()> {
    if trusted.is_nobody() {
        writeln!(
            io::stderr(),
            "no keys to check it by: this is what the bucket has (--trust FILE names the bastions' keys, as `hallpass trust` prints them)"
        )?;
    }
    Ok(())
}

/// Bytes that are free on a directory's disk.
fn free(dir: &Path) -> io::Result<u64> {
    let about = rustix::fs::statvfs(dir)?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}
