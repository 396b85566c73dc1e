//! What a replay shows, step by step. A recording is read chunk by chunk, so that a long one opens as fast as a short one,
//! and costs no more memory.

use std::sync::Arc;
use std::time::Duration;

use record::recording::index::Screens;
use record::recording::reader::ReadError;
use record::recording::{Data, End, Event, Header, ReadState, Reader, Size, Stream};

use crate::deck::{Keyframe, Place};
use crate::screen::Screen;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, in microseconds since the session began.
    pub at_us: u64,
    /// What.
    pub change: Change,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Bytes for the terminal.
    Output(Vec<u8>),
    /// What was typed, where that is kept.
    Input(Vec<u8>),
    /// A new size.
    Resize(Size),
    /// Something was done with files: a line that is shown.
    File(String),
    /// Something about a forwarded connection: a line that is shown.
    Forward(String),
    /// A place that was marked.
    Marker(String),
    /// The command ended with this status.
    Exit(u32),
    /// The session ended.
    End(End),
}

impl Change {
    /// What an event changes, if it does.
    pub fn of(data: Data) -> Option<Self> {
        Some(match data {
            Data::Bytes(Stream::Output | Stream::ErrorOutput, bytes) => Self::Output(bytes),
            Data::Bytes(Stream::Input, bytes) => Self::Input(bytes),
            Data::Resize(size) => Self::Resize(size),
            Data::Marker(label) => Self::Marker(label),
            Data::File(file) => Self::File(file.to_string()),
            Data::Forward(forward) => Self::Forward(forward.to_string()),
            Data::Exit(status) => Self::Exit(status),
            Data::End(end) => Self::End(end),
            Data::Masked(_) | Data::Tally(_) | Data::Unknown { .. } => return None,
        })
    }

    /// Whether it shows on the screen.
    pub fn is_seen(&self) -> bool {
        matches!(
            self,
            Self::Output(_) | Self::Resize(_) | Self::File(_) | Self::Forward(_)
        )
    }

    /// Shows it.
    pub fn show(&self, screen: &mut Screen) {
        match self {
            Self::Output(bytes) => screen.feed(bytes),
            Self::Resize(size) => screen.resize(*size),
            // Its text is escaped: nothing in it moves the cursor.
            Self::File(line) | Self::Forward(line) => {
                screen.feed(line.as_bytes());
                screen.feed(b"\r\n");
            }
            Self::Input(_) | Self::Marker(_) | Self::Exit(_) | Self::End(_) => {}
        }
    }
}

/// Where the steps of a replay come from. A chunk never changes but the last one, which may get longer.
pub trait Source: Send + Sync {
    /// Who, where, as what.
    fn header(&self) -> &Header;
    /// How many chunks there are now.
    fn chunks(&self) -> usize;
    /// The time of the last step before a chunk, in microseconds.
    fn start_us(&self, chunk: usize) -> u64;
    /// When the last thing happened, in microseconds.
    fn duration_us(&self) -> u64;
    /// How far it goes.
    fn state(&self) -> ReadState;
    /// Whether what was masked for the person stands in its place.
    fn is_unmasked(&self) -> bool;
    /// The steps of a chunk, in order; past the last one, none.
    fn steps(&self, chunk: usize) -> Result<Vec<Step>, ReadError>;
}

impl Source for Reader {
    fn header(&self) -> &Header {
        self.header()
    }

    fn chunks(&self) -> usize {
        self.chunks()
    }

    fn start_us(&self, chunk: usize) -> u64 {
        self.chunk_start(chunk)
    }

    fn duration_us(&self) -> u64 {
        micros(self.duration())
    }

    fn state(&self) -> ReadState {
        self.state()
    }

    fn is_unmasked(&self) -> bool {
        self.is_unmasked()
    }

    fn steps(&self, chunk: usize) -> Result<Vec<Step>, ReadError> {
        let step = |event: Event| {
            let change = Change::of(event.data)?;
            Some(Step {
                at_us: event.at_us,
                change,
            })
        };
        Ok(self.events(chunk)?.into_iter().filter_map(step).collect())
    }
}

/// A recording's steps, as far as it goes.
#[derive(Clone)]
pub struct Tape {
    from: Arc<dyn Source>,
    end: Option<End>,
    screens: Option<Arc<Screens>>,
    comes: bool,
}

impl Tape {
    /// The steps of this recording.
    pub fn new(from: Arc<dyn Source>) -> Self {
        // A chunk that cannot be read is met again when it is played.
        let last = from
            .chunks()
            .checked_sub(1)
            .filter(|_| from.state() == ReadState::Finished);
        let steps = last
            .and_then(|last| from.steps(last).ok())
            .unwrap_or_default();
        let end = steps.into_iter().rev().find_map(|step| match step.change {
            Change::End(end) => Some(end),
            _ => None,
        });
        Self {
            from,
            end,
            screens: None,
            comes: false,
        }
    }

    /// Whose file is still being brought here, if so: what looks cut off goes on then.
    #[must_use]
    pub fn coming(self, comes: bool) -> Self {
        Self { comes, ..self }
    }

    /// With the screens that its index knows.
    #[must_use]
    pub fn knowing(self, screens: Option<Screens>) -> Self {
        Self {
            screens: screens.map(Arc::new),
            ..self
        }
    }

    /// The last screen that its index knows of those that show nothing later than this.
    pub fn known(&self, to_us: u64) -> Option<Keyframe> {
        let screens = self.screens.as_ref()?;
        let (mut low, mut high) = (0, self.from.chunks());
        while low < high {
            let middle = low.midpoint(high);
            if self.from.start_us(middle) <= to_us {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (chunk, snapshot) = screens.before(low.checked_sub(1)?)?;
        Some(Keyframe {
            place: Place { chunk, step: 0 },
            shown_us: self.from.start_us(chunk),
            snapshot,
        })
    }

    /// Where the steps are.
    pub fn source(&self) -> &dyn Source {
        self.from.as_ref()
    }

    /// Who, where, as what.
    pub fn header(&self) -> &Header {
        self.from.header()
    }

    /// How the session ended; none if it has not, or if that is lost.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// When the last thing happened, in microseconds.
    pub fn duration_us(&self) -> u64 {
        self.from.duration_us()
    }

    /// Whether more may come: a session that runs leaves a tail beside its file, and one whose file just ends is cut off.
    pub fn grows(&self) -> bool {
        self.comes || self.from.state() == ReadState::Unfinished
    }

    /// Whether its file is still being brought here, as far as was known when it was opened.
    pub fn comes(&self) -> bool {
        self.comes
    }

    /// From when on it is damaged by what its file looks like, in microseconds; what its frames hold is not looked at.
    pub fn cut_us(&self) -> Option<u64> {
        let cut = self.from.state() == ReadState::Damaged && !self.comes;
        cut.then(|| self.duration_us())
    }

    /// The first screen.
    pub fn screen(&self) -> Screen {
        let header = self.header();
        Screen::new(size(header), header.term.is_none())
    }
}

/// The terminal's size at the beginning.
pub(crate) fn size(header: &Header) -> Size {
    header.term.as_ref().map_or(Size::DEFAULT, |term| term.size)
}

/// Microseconds of a duration; what is longer than they can say is the longest.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
