//! asciicast v2 and v3.

use std::io::Write;

use record::recording::{Data, Event, Header, Size, Stream};
use record::screen::Decoder;
use serde_json::{Value, json};

use super::{ExportError, Readable};

/// The lines of the recording as they stand.
pub(super) fn v3(from: &Readable<'_>, out: &mut impl Write) -> Result<(), ExportError> {
    let chunks = 0..from.reader.chunks();
    for lines in chunks.map_while(|chunk| from.sound(from.reader.lines(chunk))) {
        out.write_all(&lines?)?;
    }
    Ok(())
}

/// Its events with the times of version 2. That knows text alone: what is not UTF-8 becomes a replacement character.
pub(super) fn v2(from: &Readable<'_>, out: &mut impl Write) -> Result<(), ExportError> {
    writeln!(out, "{}", v2_header(from.reader.header()))?;
    let mut text = Texts::default();
    for event in from.events() {
        let event = event?;
        if let Some((code, data)) = text.v2(&event) {
            v2_event(event.at_us, code, &data, out)?;
        }
    }
    Ok(())
}

/// The first line.
pub(super) fn v2_header(header: &Header) -> Value {
    let size = header.term.as_ref().map_or(Size::DEFAULT, |term| term.size);
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

/// One line more.
pub(super) fn v2_event(
    at_us: u64,
    code: &str,
    data: &str,
    out: &mut impl Write,
) -> std::io::Result<()> {
    // Serializing two strings and a number does not fail.
    writeln!(out, "{}", json!([seconds(at_us), code, data]))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a session stay far under 2^52"
)]
fn seconds(at_us: u64) -> f64 {
    at_us as f64 / 1e6
}

/// Bytes of the streams as text, over the seams between events.
#[derive(Default)]
pub(super) struct Texts {
    output: Decoder,
    errors: Decoder,
    input: Decoder,
}

impl Texts {
    /// What asciicast v2 says of an event: its code and data.
    pub(super) fn v2(&mut self, event: &Event) -> Option<(&'static str, String)> {
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
