//! Records the connections that a session forwards, beside what else happens in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::limits;

use super::{RecordError, Recorded, since};
use crate::digest::StreamHasher;
use crate::recording::event::{Data, Stream};
use crate::recording::forward::{ForwardEvent, Forwarded, Passed};
use crate::recording::live::Live;
use crate::recording::store::Shared;

/// Records a session's forwarded connections. All clones write into the one recording; what comes after its End is refused.
#[derive(Debug, Clone)]
pub struct Forwards {
    shared: Arc<Shared>,
    live: Arc<Live>,
    start: Duration,
    count: Arc<AtomicU64>,
}

/// One forwarded connection. Dropped without [`Link::close`], its line says that it was cut off.
#[derive(Debug)]
#[must_use = "a connection that is not recorded must not be opened"]
pub struct Link {
    forwards: Forwards,
    n: u64,
    up: Count,
    down: Count,
    told: Told,
    open: bool,
}

/// Since the last line that says what has passed.
#[derive(Debug, Default)]
struct Told {
    at_us: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Count {
    bytes: u64,
    hasher: StreamHasher,
}

impl Forwards {
    pub(super) fn new(shared: Arc<Shared>, live: Arc<Live>, start: Duration) -> Self {
        Self {
            shared,
            live,
            start,
            count: Arc::default(),
        }
    }

    /// Somebody wants a connection. The names that the asking side gives are cut at 1,024 characters.
    pub fn asked(&self, channel: Forwarded, to: &str, from: &str) -> Result<Link, RecordError> {
        let n = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.append(Some(ForwardEvent::Asked {
            n,
            channel,
            to: short(to),
            from: short(from),
        }))?;
        Ok(Link {
            forwards: self.clone(),
            n,
            up: Count::default(),
            down: Count::default(),
            told: Told::default(),
            open: false,
        })
    }

    /// The target listens for connections to the person's side.
    pub fn listening(&self, at: &str) -> Result<Recorded<()>, RecordError> {
        self.append(Some(ForwardEvent::Listening { at: short(at) }))?;
        Ok(Recorded(()))
    }

    /// Whether sealing has fallen behind so far that the caller should wait a little, as [`super::Recorder::behind`].
    pub fn behind(&self) -> bool {
        self.live.behind()
    }

    fn append(&self, event: Option<ForwardEvent>) -> Result<(), RecordError> {
        let now = self.now_us();
        let mut events = event.into_iter().map(Data::Forward);
        self.live.append(&self.shared, now, &mut events)
    }

    fn now_us(&self) -> u64 {
        since(&self.shared, self.start)
    }
}

impl Link {
    /// The other side took it.
    pub fn opened(&mut self) -> Result<Recorded<()>, RecordError> {
        self.forwards
            .append(Some(ForwardEvent::Opened { n: self.n }))?;
        self.open = true;
        Ok(Recorded(()))
    }

    /// It is not opened.
    pub fn refused(self, why: &str) -> Result<(), RecordError> {
        let (n, why) = (self.n, short(why));
        self.forwards.append(Some(ForwardEvent::Refused { n, why }))
    }

    /// A request to the person's agent.
    pub fn agent(&self, request: &str) -> Result<(), RecordError> {
        let (n, request) = (self.n, short(request));
        self.forwards
            .append(Some(ForwardEvent::Agent { n, request }))
    }

    /// Bytes of either side: counted and hashed, and not kept. [`Stream::Input`] goes to the target's side. At the first of
    /// each side, and then whenever [`limits::PASSED_BYTES`] more or [`limits::PASSED_EVERY`] has passed, a line says how much
    /// it was so far. An error if the recording takes nothing more.
    pub fn pass<B: AsRef<[u8]>>(
        &mut self,
        stream: Stream,
        bytes: B,
    ) -> Result<Recorded<B>, RecordError> {
        let count = match stream {
            Stream::Input => &mut self.up,
            Stream::Output | Stream::ErrorOutput => &mut self.down,
        };
        let more = bytes.as_ref().len() as u64;
        let first = count.bytes == 0 && more > 0;
        count.bytes += more;
        count.hasher.update(bytes.as_ref());
        self.told.bytes += more;
        let now = self.forwards.now_us();
        let due = first || self.told.is_due(now);
        self.forwards.append(due.then(|| self.passed()))?;
        if due {
            self.told = Told {
                at_us: now,
                bytes: 0,
            };
        }
        Ok(Recorded(bytes))
    }

    fn passed(&self) -> ForwardEvent {
        ForwardEvent::Passed {
            n: self.n,
            up: self.up.sum(),
            down: self.down.sum(),
        }
    }

    /// A side closed it.
    pub fn close(mut self) -> Result<(), RecordError> {
        self.over(true)
    }

    fn over(&mut self, closed: bool) -> Result<(), RecordError> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        let (n, up, down) = (self.n, self.up.sum(), self.down.sum());
        self.forwards.append(Some(ForwardEvent::Closed {
            n,
            up,
            down,
            closed,
        }))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A recorder that has failed says so to the session's other parts.
        let _ = self.over(false);
    }
}

impl Told {
    fn is_due(&self, now_us: u64) -> bool {
        let since = Duration::from_micros(now_us.saturating_sub(self.at_us));
        self.bytes >= limits::PASSED_BYTES || (self.bytes > 0 && since >= limits::PASSED_EVERY)
    }
}

impl Count {
    fn sum(&self) -> Passed {
        Passed {
            bytes: self.bytes,
            digest: self.hasher.digest(),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(1024).collect()
}
