//! The events of a recording in other formats: asciicast v2 and v3, and plain text.

use std::io::{self, Write};
use std::path::Path;

use record::age::Identities;
use record::recording::reader::ReadError;
use record::recording::{Data, Event, Header, ReadState, Reader, Stream};
use serde_json::{Value, json};

use crate::lines::neutral;
use record::screen::{Decoder, Screen, Scrolled};

/// A format to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// [asciicast v2](https://docs.asciinema.org/manual/asciicast/v2/): what asciinema before 3.0 plays.
    V2,
    /// [asciicast v3](https://docs.asciinema.org/manual/asciicast/v3/), as the recording holds it.
    V3,
    /// What stood on the screen, line by line, without colours.
    Txt,
}

/// Why a recording was not written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
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
    let reader = Reader::open(path, identities)?;
    match format {
        Format::V2 => v2(&reader, out)?,
        Format::V3 => v3(&reader, out)?,
        Format::Txt => txt(&reader, out)?,
    }
    out.flush()?;
    Ok(reader.state())
}

fn v3(reader: &Reader, out: &mut impl Write) -> Result<(), ExportError> {
    for chunk in 0..reader.chunks() {
        out.write_all(&reader.lines(chunk)?)?;
    }
    Ok(())
}

fn v2(reader: &Reader, out: &mut impl Write) -> Result<(), ExportError> {
    writeln!(out, "{}", v2_header(reader.header()))?;
    let mut text = Texts::default();
    for event in reader.all_events() {
        let event = event?;
        if let Some((code, data)) = text.v2(&event) {
            // Serializing two strings and a number does not fail.
            let line = json!([micros(event.at_us), code, data]);
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn v2_header(header: &Header) -> Value {
    let size = header
        .term
        .as_ref()
        .map_or(record::recording::Size::DEFAULT, |term| term.size);
    let mut value = json!({
        "version": 2,
        "width": size.cols(),
        "height": size.rows(),
        "timestamp": header.started_ms / 1000,
        "title": format!("{} {}", header.person, header.access),
    });
    if let (Some(fields), Some(term)) = (value.as_object_mut(), &header.term) {
        fields.insert("env".to_owned(), json!({ "TERM": term.name }));
    }
    value
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a session stay far under 2^52"
)]
fn micros(at_us: u64) -> f64 {
    at_us as f64 / 1e6
}

/// Bytes of both streams as text, over the seams between events.
#[derive(Default)]
struct Texts {
    output: Decoder,
    errors: Decoder,
    input: Decoder,
}

impl Texts {
    /// What asciicast v2 says of an event: its code and data.
    fn v2(&mut self, event: &Event) -> Option<(&'static str, String)> {
        Some(match &event.data {
            Data::Bytes(Stream::Output, bytes) => ("o", self.output.decode(bytes)),
            // Version 2 knows one output, and a terminal shows both.
            Data::Bytes(Stream::ErrorOutput, bytes) => ("o", self.errors.decode(bytes)),
            Data::Bytes(Stream::Input, bytes) => ("i", self.input.decode(bytes)),
            Data::Resize(size) => ("r", format!("{}x{}", size.cols(), size.rows())),
            Data::Marker(label) => ("m", label.clone()),
            Data::File(file) => ("m", file.to_string()),
            Data::Forward(forward) => ("m", forward.to_string()),
            _ => return None,
        })
    }
}

fn txt(reader: &Reader, out: &mut impl Write) -> Result<(), ExportError> {
    let header = reader.header();
    let size = header
        .term
        .as_ref()
        .map_or(record::recording::Size::DEFAULT, |term| term.size);
    let mut screen = Screen::new(size, header.term.is_none());
    let mut scrolled = Scrolled::new();
    for event in reader.all_events() {
        match event?.data {
            Data::Bytes(Stream::Output | Stream::ErrorOutput, bytes) => {
                for line in screen.feed_with(&bytes, &mut scrolled) {
                    writeln!(out, "{}", neutral(&line))?;
                }
            }
            Data::File(file) => writeln!(out, "{}", neutral(&file.to_string()))?,
            Data::Forward(forward) => writeln!(out, "{}", neutral(&forward.to_string()))?,
            Data::Resize(size) => {
                for line in screen.resize_with(size, &mut scrolled) {
                    writeln!(out, "{}", neutral(&line))?;
                }
            }
            _ => {}
        }
    }
    let lines = screen.finish(scrolled);
    let kept = lines
        .iter()
        .rposition(|line| !line.trim().is_empty())
        .map_or(0, |last| last + 1);
    for line in lines.iter().take(kept) {
        writeln!(out, "{}", neutral(line))?;
    }
    Ok(())
}
