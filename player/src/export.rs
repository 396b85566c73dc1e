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

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use record::age::Identities;
use record::recording::reader::ReadError;
use record::recording::{OriginalError, ReadState, Reader};

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

/// Writes a recording in another format, and says how far the recording goes: one that is damaged is written up to the
/// damage.
pub fn export(
    path: &Path,
    identities: &Identities,
    format: Format,
    out: &mut impl Write,
) -> Result<ReadState, ExportError> {
    let reader = original(Reader::open(path, identities)?, identities)?;
    match format {
        Format::V2 => cast::v2(&reader, out)?,
        Format::V3 => cast::v3(&reader, out)?,
        Format::Txt => text::txt(&reader, out)?,
        Format::Svg { at } => still::svg(&reader, at, out)?,
        Format::Html { at, idle, from, to } => {
            let span = page::Span::new(from, to);
            page::html(&reader, at, idle, &span, out)?;
        }
    }
    out.flush()?;
    Ok(reader.state())
}

/// Stars must not pass for what somebody asked to see in their place.
pub(crate) fn original(reader: Reader, identities: &Identities) -> Result<Reader, ReadError> {
    if identities.unmask() && !reader.is_unmasked() {
        return Err(OriginalError::None.into());
    }
    Ok(reader)
}
