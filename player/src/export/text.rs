//! What stood on the screen, line by line.

use std::io::Write;

use record::recording::{Data, Size, Stream};
use record::screen::{Screen, Transcript};

use super::{ExportError, Readable};
use crate::lines::neutral;

/// How long a screen of a program's own stands before it counts as read, in microseconds.
const READ_US: u64 = 1_000_000;

/// Lines as they leave the screen at its top or are wiped off it, those of programs that had it for themselves, and what stands
/// there in the end. Nothing in them is invisible.
pub(super) fn txt(from: &Readable<'_>, out: &mut impl Write) -> Result<(), ExportError> {
    let header = from.reader.header();
    let size = header.term.as_ref().map_or(Size::DEFAULT, |term| term.size);
    let mut screen = Screen::new(size, header.term.is_none());
    let mut transcript = Transcript::new();
    let mut shown_us = 0;
    for event in from.events() {
        let event = event?;
        let lines = match event.data {
            Data::Bytes(Stream::Output | Stream::ErrorOutput, bytes) => {
                if event.at_us.saturating_sub(shown_us) >= READ_US {
                    tell(&screen.stood(&mut transcript), out)?;
                }
                shown_us = event.at_us;
                screen.feed_with(&bytes, &mut transcript)
            }
            Data::File(file) => vec![file.to_string()],
            Data::Forward(forward) => vec![forward.to_string()],
            Data::Resize(size) => screen.resize_with(size, &mut transcript),
            _ => continue,
        };
        tell(&lines, out)?;
    }
    let lines = screen.transcribed(transcript);
    let kept = lines
        .iter()
        .rposition(|line| !line.trim().is_empty())
        .map_or(0, |last| last + 1);
    tell(lines.get(..kept).unwrap_or_default(), out)
}

fn tell(lines: &[String], out: &mut impl Write) -> Result<(), ExportError> {
    for line in lines {
        writeln!(out, "{}", neutral(line))?;
    }
    Ok(())
}
