//! What stood on the screen, line by line.

use std::io::Write;

use record::recording::{Data, Reader, Size, Stream};
use record::screen::{Screen, Scrolled};

use super::ExportError;
use crate::lines::neutral;

/// Lines as they leave the screen at its top, and what stands there in the end. Nothing in them is invisible.
pub(super) fn txt(reader: &Reader, out: &mut impl Write) -> Result<(), ExportError> {
    let header = reader.header();
    let size = header.term.as_ref().map_or(Size::DEFAULT, |term| term.size);
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
