//! A recording, loaded for replay: what changed the screen, by time.

use record::recording::{Data, End, Event, Header, Size, Stream};

/// Most bytes that a replay holds of a recording, so that with the largest screen and its snapshots it stays
/// below 256 MiB. A longer recording is exported, which needs none.
pub const TAPE_BYTES: usize = 64 << 20;

/// What an event costs beside its bytes: its step, and the smallest allocation.
const EVENT_COST: usize = 96;

/// A recording is too large to be replayed from memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too large to replay: write it out with `hallpass export --format txt`")]
pub struct TooLarge;

/// One thing that the screen shows.
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
    /// A new size.
    Resize(Size),
    /// A place that was marked.
    Marker(String),
}

/// A recording's steps.
#[derive(Debug)]
pub struct Tape {
    /// Who, where, as what.
    pub header: Header,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// How it ended; none if it has not, or if that is lost.
    pub end: Option<End>,
    /// When the last thing happened, in microseconds.
    pub duration_us: u64,
}

impl Tape {
    /// Takes in a recording's events.
    pub fn load<E>(
        header: Header,
        events: impl Iterator<Item = Result<Event, E>>,
    ) -> Result<Result<Self, TooLarge>, E> {
        let mut tape = Self {
            header,
            steps: Vec::new(),
            end: None,
            duration_us: 0,
        };
        let mut bytes = 0_usize;
        for event in events {
            let event = event?;
            tape.duration_us = tape.duration_us.max(event.at_us);
            let change = match event.data {
                Data::Bytes(Stream::Output | Stream::ErrorOutput, output) => {
                    bytes += output.len();
                    Change::Output(output)
                }
                Data::Resize(size) => Change::Resize(size),
                Data::Marker(label) => Change::Marker(label),
                // Its text is escaped: nothing in it moves the cursor.
                Data::File(file) => {
                    let line = format!("{file}\r\n").into_bytes();
                    bytes += line.len();
                    Change::Output(line)
                }
                Data::Forward(forward) => {
                    let line = format!("{forward}\r\n").into_bytes();
                    bytes += line.len();
                    Change::Output(line)
                }
                Data::End(end) => {
                    tape.end = Some(end);
                    continue;
                }
                _ => continue,
            };
            bytes += EVENT_COST;
            if bytes > TAPE_BYTES {
                return Ok(Err(TooLarge));
            }
            tape.steps.push(Step {
                at_us: event.at_us,
                change,
            });
        }
        Ok(Ok(tape))
    }

    /// The terminal's size at the beginning.
    pub fn size(&self) -> Size {
        self.header
            .term
            .as_ref()
            .map_or(Size::DEFAULT, |term| term.size)
    }
}
