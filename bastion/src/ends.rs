//! Tells the CA that sessions are over: kept on disk until the CA has heard of it.
//!
//! In the directory, `ID.open` says that the CA was asked to let a session begin, `ID.json` is its end, which the CA has yet to
//! hear, and `ID.refused` is one that it does not take.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::words::SessionId;
use record::api::SessionEnd;
use record::digest::Digest;
use record::recording::verify::{self, Trusted};
use record::recording::{EndReason, Recovered, Sealed};
use record::tree::Tree;

use crate::ca_link::{CaError, CaLink};
use crate::outbox::{self, Outbox};

/// The ends that the CA has yet to hear of, one file each.
pub(crate) struct Ends {
    outbox: Outbox,
    link: Arc<CaLink>,
    /// How many were kept.
    count: AtomicU64,
}

impl Ends {
    /// Takes the directory, making it if there is none.
    pub(crate) fn open(dir: &Path, link: Arc<CaLink>) -> io::Result<Self> {
        Ok(Self {
            outbox: Outbox::open(dir)?,
            link,
            count: AtomicU64::new(0),
        })
    }

    /// Notes that the CA is asked to let a session begin, and will wait for its end. Blocks for some milliseconds.
    pub(crate) fn begin(&self, session: &SessionId) -> io::Result<()> {
        let path = self.path(session, "open");
        OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        self.outbox.shelf.sync()
    }

    /// Takes that note back: the CA has not let the session begin. Blocks for less than a millisecond.
    pub(crate) fn forget(&self, session: &SessionId) -> io::Result<()> {
        fs::remove_file(self.path(session, "open"))
    }

    /// Keeps the ends of the sessions that an earlier process has begun and not kept the end of: its recordings in
    /// `recordings` are finished by now, some of them just so. Logs which cannot be judged.
    pub(crate) fn recover(
        &self,
        recovered: &Recovered,
        recordings: &Path,
        trusted: &Trusted,
    ) -> io::Result<()> {
        for sealed in &recovered.sealed {
            self.keep(&end_of(sealed))?;
        }
        for path in self.outbox.shelf.with_extension("open")? {
            let Some(session) = session_of(&path) else {
                continue;
            };
            match finished(recordings, &session, trusted)? {
                Some(end) => self.keep(&end)?,
                None => {
                    tracing::error!(%session, "its recording is not whole, so the CA does not hear of its end");
                }
            }
        }
        Ok(())
    }

    /// Keeps an end until the CA has heard of it. When this returns, it survives the loss of power. Blocks for
    /// some milliseconds.
    pub(crate) fn keep(&self, end: &SessionEnd) -> io::Result<()> {
        self.outbox.put(&format!("{}.json", end.session), end)?;
        // If we die here, the note of the session's begin is left; the next start keeps the same end again.
        match fs::remove_file(self.path(&end.session, "open")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// How many sessions have ended in this process.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Tells the CA, for ever.
    pub(crate) async fn run(&self) {
        self.outbox.run("a session's end", || self.tell_all()).await;
    }

    /// Waits until everything was tried once more, at most so long.
    pub(crate) async fn flush(&self, most: Duration) {
        self.outbox.flush(most).await;
    }

    async fn tell_all(&self) -> Result<(), CaError> {
        for path in self.outbox.waiting()? {
            let Some(end) = outbox::read::<SessionEnd>(&path) else {
                set_aside(&path, "it cannot be read");
                continue;
            };
            match self.link.session_end(&end).await {
                Ok(_) => outbox::remove(&path),
                Err(CaError::Refused(why)) if end.frames == 0 => {
                    // Its answer to the bastion was lost, or there was none: it never let the session begin.
                    tracing::info!(session = %end.session, "the CA knows of no such session: {why}");
                    outbox::remove(&path);
                }
                Err(CaError::Refused(why)) => set_aside(&path, &why),
                Err(gone) => return Err(gone),
            }
        }
        Ok(())
    }

    fn path(&self, session: &SessionId, what: &str) -> PathBuf {
        self.outbox.shelf.path(&format!("{session}.{what}"))
    }
}

/// The end of a session that has no recording: the CA let it begin, and it never began.
pub(crate) fn never_began(session: SessionId, reason: &EndReason) -> SessionEnd {
    let root = Digest::from_bytes(*Tree::new().root().as_bytes());
    SessionEnd {
        session,
        reason: reason.to_string(),
        root,
        frames: 0,
    }
}

/// The end of a session whose recording is finished.
pub(crate) fn end_of(sealed: &Sealed) -> SessionEnd {
    SessionEnd {
        session: sealed.session.clone(),
        reason: sealed.end.reason.to_string(),
        root: sealed.root,
        frames: sealed.frames,
    }
}

fn session_of(path: &Path) -> Option<SessionId> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// The end that a finished recording tells, or that there is none; nothing if the recording is not whole.
fn finished(
    recordings: &Path,
    session: &SessionId,
    trusted: &Trusted,
) -> io::Result<Option<SessionEnd>> {
    let file = match File::open(recordings.join(format!("{session}.cast.zst"))) {
        Ok(file) => io::BufReader::new(file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(Some(never_began(session.clone(), &EndReason::Crash)));
        }
        Err(e) => return Err(e),
    };
    let Ok(checked) = verify::recording(file, session, trusted) else {
        return Ok(None);
    };
    Ok(checked.end.map(|end| SessionEnd {
        session: session.clone(),
        reason: end.reason.to_string(),
        root: checked.root,
        frames: checked.frames,
    }))
}

/// What the CA does not take is kept for a person to look at.
fn set_aside(path: &Path, why: &str) {
    tracing::error!(
        "{}: the CA does not take this session's end: {why}",
        path.display()
    );
    if let Err(e) = fs::rename(path, path.with_extension("refused")) {
        tracing::warn!("{}: {e}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use record::clock::{Clock, SystemClock};
    use record::recording::{Header, Kind, OsDisk, RecordingStore, Signer};

    use super::*;
    use crate::identity;

    fn header(session: &SessionId) -> Header {
        Header {
            session: session.clone(),
            person: "alice".parse().unwrap(),
            access: "postgres@db1.prod".parse().unwrap(),
            role: "db".parse().unwrap(),
            request: "7F3K-9QMD".parse().unwrap(),
            serial: 1,
            bastion: "bastion".parse().unwrap(),
            source: "192.0.2.7".parse().unwrap(),
            client: String::new(),
            kind: Kind::Shell,
            command: None,
            forced: None,
            term: None,
            environment: Vec::new(),
            record_input: false,
            started_ms: 0,
            original: None,
        }
    }

    #[tokio::test]
    async fn a_session_whose_bastion_died_before_its_end_was_kept_is_told_after_all() {
        let dir = tempfile::tempdir().unwrap();
        let key = identity::fresh().unwrap();
        let name = "bastion".parse().unwrap();
        let trusted = Trusted::nobody().and(&name, key.public_key());
        let nobody = config::rules::HostPort {
            host: "127.0.0.1".to_owned(),
            port: 1,
        };
        let link = Arc::new(CaLink::new(
            nobody,
            key.public_key().clone(),
            &name,
            key.clone(),
        ));
        let ends = Ends::open(&dir.path().join("ends"), link).unwrap();
        let recordings = dir.path().join("recordings");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (store, _) =
            RecordingStore::open(&recordings, Signer { name, key }, clock, Box::new(OsDisk))
                .unwrap();

        // One that was sealed and not told, and one that never had a recording.
        let (whole, none) = (
            SessionId::from_parts(1, [0; 10]),
            SessionId::from_parts(2, [0; 10]),
        );
        ends.begin(&whole).unwrap();
        ends.begin(&none).unwrap();
        let sealed = store
            .create(&header(&whole), &config::recipients::Recipients::nobody())
            .unwrap()
            .finish(EndReason::Exit)
            .unwrap();

        ends.recover(&Recovered::default(), &recordings, &trusted)
            .unwrap();
        let named = |what| ends.outbox.shelf.with_extension(what).unwrap();
        assert_eq!(named("open"), Vec::<PathBuf>::new());
        let kept: Vec<SessionEnd> = named("json")
            .iter()
            .filter_map(|path| outbox::read(path))
            .collect();
        let told = SessionEnd {
            session: whole,
            reason: "exit".to_owned(),
            root: sealed.root,
            frames: sealed.frames,
        };
        assert_eq!(kept, [told, never_began(none, &EndReason::Crash)]);
    }
}
