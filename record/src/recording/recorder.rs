//! Records first, so that the caller may then forward.

mod links;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::limits;

use super::crypt::original::{Hidden, Originals};
use super::event::{self, Data, End, EndReason, Exit, Stream, Tally};
use super::file::FileEvent;
use super::header::{Header, Size};
use super::live::Live;
use super::seal::Sealed;
use super::store::Shared;
use crate::digest::StreamHasher;

pub use links::{Forwards, Link};

/// Something that stands in the recording: the only thing that may be forwarded. Only a [`Recorder`]
/// makes one, and taking it out uses it up.
#[derive(Debug)]
#[must_use = "what is recorded and not forwarded is lost to the other side"]
pub struct Recorded<T>(T);

impl<T> Recorded<T> {
    /// Takes it out, to forward it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Why something is not recorded. Whatever it is, the session must end: the recorder takes nothing more.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk's fault, this session's end.
    #[error("the recording cannot be written: {0}")]
    Write(#[source] io::Error),
    /// This recorder has failed before.
    #[error("the recording failed before")]
    Failed,
    /// The disk's fault, every session's end: what was made durable is not known any more, until the
    /// bastion is started again and has looked.
    #[error("the store of recordings lost the trust in its disk")]
    Poisoned,
    /// The disk's fault: it does not answer, so that nobody knows whether what was written is durable.
    #[error("the disk of the recordings has not answered for {} s", limits::RECORDING_PATIENCE.as_secs())]
    Stalled,
    /// The disk's or the processor's fault: more is written than can be sealed. See [`Recorder::behind`].
    #[error("the recording cannot be sealed as fast as it is written")]
    Behind,
    /// The session's fault: its recording has all the frames that one may have ([`limits::RECORDING_FRAMES`]).
    #[error("the recording is as long as one may be")]
    Long,
    /// The signing key's fault.
    #[error("the recording cannot be signed")]
    Sign,
}

/// Writes one session's recording.
///
/// Each method returns when the bytes have been handed to the kernel, so that they survive the death of this process;
/// they survive the loss of power about [`limits::SYNC_EVERY`] later. A call costs about one `write(2)`, and
/// may stand in an async task. Dropped without [`Recorder::finish`], it ends as [`EndReason::Crash`].
#[derive(Debug)]
#[must_use = "a session without its recorder must not begin"]
pub struct Recorder {
    shared: Arc<Shared>,
    live: Arc<Live>,
    start: Duration,
    output: Flow,
    errors: Flow,
    input: Flow,
    exit: Option<Exit>,
    /// Seals what was masked, if that is kept.
    originals: Option<Originals>,
    finished: bool,
}

impl Recorder {
    pub(super) fn new(
        shared: Arc<Shared>,
        live: Arc<Live>,
        header: &Header,
        originals: Option<Originals>,
    ) -> Self {
        let start = shared.clock.monotonic();
        let (output, input) = match (header.term.is_some(), header.record_input) {
            (true, true) => (Flow::All, Flow::All),
            (true, false) => (Flow::All, Flow::Counted(0)),
            (false, _) => (Flow::capped(), Flow::capped()),
        };
        let errors = output.clone();
        Self {
            shared,
            live,
            start,
            output,
            errors,
            input,
            exit: None,
            originals,
            finished: false,
        }
    }

    /// Bytes from the target: the terminal's output, or standard output.
    pub fn output<B: AsRef<[u8]>>(&mut self, bytes: B) -> Result<Recorded<B>, RecordError> {
        self.bytes(Stream::Output, bytes, &[])
    }

    /// Bytes from the target's standard error.
    pub fn error_output<B: AsRef<[u8]>>(&mut self, bytes: B) -> Result<Recorded<B>, RecordError> {
        self.bytes(Stream::ErrorOutput, bytes, &[])
    }

    /// Bytes from the target in which something was masked. What stood there is kept too, if the recording was begun so: sealed,
    /// and written in one with the bytes.
    pub fn masked<B: AsRef<[u8]>>(
        &mut self,
        stream: Stream,
        bytes: B,
        hidden: &[Hidden],
    ) -> Result<Recorded<B>, RecordError> {
        self.bytes(stream, bytes, hidden)
    }

    /// Bytes from the person. At a terminal whose header says that input is not kept, only counted.
    pub fn input<B: AsRef<[u8]>>(&mut self, bytes: B) -> Result<Recorded<B>, RecordError> {
        self.bytes(Stream::Input, bytes, &[])
    }

    /// The person's terminal has a new size, as the client sent it.
    pub fn resize(&mut self, cols: u32, rows: u32) -> Result<Recorded<(u32, u32)>, RecordError> {
        self.append(&mut std::iter::once(Data::Resize(Size::asked(cols, rows))))?;
        Ok(Recorded((cols, rows)))
    }

    /// Something worth finding again. A label is cut at 1,024 characters.
    pub fn marker(&mut self, label: &str) -> Result<Recorded<()>, RecordError> {
        let label = label.chars().take(1024).collect();
        self.append(&mut std::iter::once(Data::Marker(label)))?;
        Ok(Recorded(()))
    }

    /// A packet of a file transfer, and what it does. Of the packet itself its length is kept.
    pub fn files<B: AsRef<[u8]>>(
        &mut self,
        stream: Stream,
        events: Vec<FileEvent>,
        packet: B,
    ) -> Result<Recorded<B>, RecordError> {
        self.files_left(events)?;
        let flow = match stream {
            Stream::Input => &mut self.input,
            Stream::Output | Stream::ErrorOutput => &mut self.output,
        };
        flow.count(packet.as_ref());
        Ok(Recorded(packet))
    }

    /// What was done with files, without a packet that it belongs to.
    pub fn files_left(&mut self, events: Vec<FileEvent>) -> Result<(), RecordError> {
        if events.is_empty() {
            return Ok(());
        }
        self.append(&mut events.into_iter().map(Data::File))
    }

    /// Records the connections that the session forwards. One recorder numbers them all: ask once.
    pub fn forwards(&self) -> Forwards {
        let (shared, live) = (Arc::clone(&self.shared), Arc::clone(&self.live));
        Forwards::new(shared, live, self.start)
    }

    /// How the command ended. It stands in the End too.
    pub fn exit(&mut self, exit: Exit) -> Result<Recorded<Exit>, RecordError> {
        self.append(
            &mut match &exit {
                // Readers of asciicast keep it signed; the End has it as it was.
                Exit::Status(status) => Some(Data::Exit((*status).min(i32::MAX.cast_unsigned()))),
                Exit::Signal(_) => None,
            }
            .into_iter(),
        )?;
        self.exit = Some(exit.clone());
        Ok(Recorded(exit))
    }

    /// Whether sealing has fallen behind so far that the caller should wait a little before it records
    /// more. One that never waits gets [`RecordError::Behind`] in the end.
    pub fn behind(&self) -> bool {
        self.live.behind()
    }

    /// Ends the recording and seals it. May be tried after any error. Blocks for some milliseconds, or as long as
    /// the disk takes: call it where blocking is allowed.
    ///
    /// After an error the recording is left as it stands, and the next start of the store ends it as a crash.
    pub fn finish(mut self, reason: EndReason) -> Result<Sealed, RecordError> {
        self.finished = true;
        let end = End {
            reason,
            exit: self.exit.take(),
        };
        let tallies = [
            (Stream::Output, &self.output),
            (Stream::ErrorOutput, &self.errors),
            (Stream::Input, &self.input),
        ];
        let tallies: Vec<Data> = tallies
            .into_iter()
            .filter_map(|(stream, flow)| flow.tally(stream))
            .map(Data::Tally)
            .collect();
        let now = self.now();
        self.live.finish(&self.shared, now, tallies, end, &|| ())
    }

    #[cfg(test)]
    pub(super) const fn live(&self) -> &Arc<Live> {
        &self.live
    }

    fn bytes<B: AsRef<[u8]>>(
        &mut self,
        stream: Stream,
        bytes: B,
        hidden: &[Hidden],
    ) -> Result<Recorded<B>, RecordError> {
        let flow = match stream {
            Stream::Output => &mut self.output,
            Stream::ErrorOutput => &mut self.errors,
            Stream::Input => &mut self.input,
        };
        let kept = flow.pass(bytes.as_ref());
        if let Some(originals) = self.originals.as_ref().filter(|_| !hidden.is_empty()) {
            let events = originals.events(stream, kept, hidden);
            let events = events.map_err(RecordError::Write)?;
            self.append(&mut events.into_iter())?;
            return Ok(Recorded(bytes));
        }
        let pieces = event::pieces(kept);
        self.append(
            &mut pieces
                .into_iter()
                .map(|piece| Data::Bytes(stream, piece.to_vec())),
        )?;
        Ok(Recorded(bytes))
    }

    fn append(&self, events: &mut dyn Iterator<Item = Data>) -> Result<(), RecordError> {
        self.live.append(&self.shared, self.now(), events)
    }

    fn now(&self) -> u64 {
        since(&self.shared, self.start)
    }
}

/// Microseconds since a session began.
fn since(shared: &Shared, start: Duration) -> u64 {
    let since = shared.clock.monotonic().saturating_sub(start);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.abandon(&self.live);
        }
    }
}

/// How much of a stream is kept, and how much has passed.
#[derive(Debug, Clone)]
enum Flow {
    /// All of it.
    All,
    /// Only its length.
    Counted(u64),
    /// The first [`limits::EXEC_STREAM_BYTES`], then length and digest.
    Capped {
        bytes: u64,
        hasher: Box<StreamHasher>,
    },
}

impl Flow {
    fn capped() -> Self {
        Self::Capped {
            bytes: 0,
            hasher: Box::default(),
        }
    }

    /// Counts bytes that pass, and says which of them are kept.
    fn pass<'a>(&mut self, passing: &'a [u8]) -> &'a [u8] {
        match self {
            Self::All => passing,
            Self::Counted(bytes) => {
                *bytes += passing.len() as u64;
                &[]
            }
            Self::Capped { bytes, hasher } => {
                hasher.update(passing);
                let room = usize::try_from(limits::EXEC_STREAM_BYTES.saturating_sub(*bytes))
                    .unwrap_or(usize::MAX);
                *bytes += passing.len() as u64;
                passing.get(..room).unwrap_or(passing)
            }
        }
    }

    /// Counts bytes of which nothing is kept, from now on.
    fn count(&mut self, passing: &[u8]) {
        let before = match self {
            Self::Counted(bytes) => *bytes,
            Self::All | Self::Capped { .. } => 0,
        };
        *self = Self::Counted(before + passing.len() as u64);
    }

    /// What is said at the end about a stream that was not kept whole.
    fn tally(&self, stream: Stream) -> Option<Tally> {
        match self {
            Self::Counted(bytes) if *bytes > 0 => Some(Tally {
                stream,
                bytes: *bytes,
                digest: None,
            }),
            Self::Capped { bytes, hasher } if *bytes > limits::EXEC_STREAM_BYTES => Some(Tally {
                stream,
                bytes: *bytes,
                digest: Some(hasher.digest()),
            }),
            _ => None,
        }
    }
}
