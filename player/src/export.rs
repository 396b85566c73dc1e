//! The events of a recording in other formats: asciicast v2 and v3, plain text, a page for a browser, and a picture of
//! one moment.
//!
//! * [`cast`]: asciicast, whose readers show it in a terminal: its escapes are those of the recording.
//! * [`text`]: what stood on the screen, line by line.
//! * [`still`]: what stood on the screen at one time, as SVG.
//! * [`page`]: HTML with asciinema-player inside, whose emulator the browser runs.

mod cast;
mod page;
mod still;
mod text;

use std::cell::Cell;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use record::age::Identities;
use record::recording::reader::ReadError;
use record::recording::{Event, OriginalError, ReadState, Reader};

/// A format to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// [asciicast v2](https://docs.asciinema.org/manual/asciicast/v2/): what asciinema before 3.0 plays.
    V2,
    /// [asciicast v3](https://docs.asciinema.org/manual/asciicast/v3/), as the recording holds it.
    V3,
    /// What stood on the screen, line by line, without colours.
    Txt,
    /// What stood on the screen at this time, as a picture: SVG, without script and without anything from elsewhere.
    Svg {
        /// Since the session began; past the end, the end.
        at: Duration,
    },
    /// One page that plays the recording in a browser, without a network.
    Html {
        /// Where it begins to play.
        at: Duration,
        /// Waits that are longer are cut to this.
        idle: Option<Duration>,
        /// From when on; what stood on the screen by then stands there.
        from: Duration,
        /// Up to when; none for the end.
        to: Option<Duration>,
    },
}

/// Why a recording was not written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The caller's fault: a browser would not open it well.
    #[error(
        "a page of more than {} MiB of session is too much for a browser: take a part of it (--from and --to), or another format",
        page::MOST >> 20
    )]
    Large,
    /// It cannot be written where it should go.
    #[error("cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes a recording in another format, and says how far the recording goes and how long it is: one that is damaged is
/// written up to the damage.
pub fn export(
    path: &Path,
    identities: &Identities,
    format: Format,
    out: &mut impl Write,
) -> Result<(ReadState, Duration), ExportError> {
    let reader = original(Reader::open(path, identities)?, identities)?;
    let from = Readable::new(&reader);
    match format {
        Format::V2 => cast::v2(&from, out)?,
        Format::V3 => cast::v3(&from, out)?,
        Format::Txt => text::txt(&from, out)?,
        Format::Svg { at } => still::svg(&from, at, out)?,
        Format::Html {
            at,
            idle,
            from: begin,
            to,
        } => {
            let span = page::Span::new(begin, to);
            page::html(&from, at, idle, &span, out)?;
        }
    }
    out.flush()?;
    Ok((from.state(), reader.duration()))
}

/// A recording as far as it can be read: up to where it is damaged, wherever that is found.
struct Readable<'a> {
    reader: &'a Reader,
    damaged: Cell<bool>,
}

impl<'a> Readable<'a> {
    fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            damaged: Cell::new(false),
        }
    }

    /// What it holds before any damage; the rest is not told, and [`state`](Self::state) says so then.
    fn sound<T>(&self, read: Result<T, ReadError>) -> Option<Result<T, ReadError>> {
        match read {
            Err(ReadError::Damaged(_)) => {
                self.damaged.set(true);
                None
            }
            read => Some(read),
        }
    }

    fn events(&self) -> impl Iterator<Item = Result<Event, ReadError>> + '_ {
        self.reader.all_events().map_while(|read| self.sound(read))
    }

    /// How far it goes, as far as was read.
    fn state(&self) -> ReadState {
        if self.damaged.get() {
            ReadState::Damaged
        } else {
            self.reader.state()
        }
    }
}

/// Stars must not pass for what somebody asked to see in their place.
pub(crate) fn original(reader: Reader, identities: &Identities) -> Result<Reader, ReadError> {
    if identities.unmask() && !reader.is_unmasked() {
        return Err(OriginalError::None.into());
    }
    Ok(reader)
}
