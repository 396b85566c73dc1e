//! What stood on the screen, line by line.

use std::cell::Cell;
use std::io::Write;

use record::recording::{Data, Size, Stream};
use record::screen::{Screen, Transcript};

use super::{ExportError, Readable};
use crate::lines::neutral;

/// How long a screen of a program's own stands before it counts as read, in microseconds.
const READ_US: u64 = 1_000_000;

/// How many times one character is told in a row, at most: the most columns that a screen has. A repetition (REP) writes tens of
/// thousands with nine bytes.
const RUN: usize = config::limits::TERM_SIDE as usize;

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
                let (sound, mut told) = (Cell::new(true), Ok(()));
                let _all = screen.feed_while(
                    &bytes,
                    &mut transcript,
                    &|| sound.get(),
                    &mut |line: String| {
                        if sound.get() {
                            told = tell(&[line], out);
                            sound.set(told.is_ok());
                        }
                    },
                );
                told?;
                continue;
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
        writeln!(out, "{}", squeezed(neutral(line)))?;
    }
    Ok(())
}

/// The line, with [`RUN`] of a character that comes more often in a row than that, and how many more there were.
fn squeezed(line: String) -> String {
    if line.len() <= RUN {
        return line;
    }
    let mut text = String::new();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let mut more = 0;
        while rest.next_if_eq(&c).is_some() {
            more += 1;
        }
        text.extend(std::iter::repeat_n(c, (more + 1).min(RUN)));
        if more >= RUN {
            text += &["[", &(more + 1 - RUN).to_string(), " more]"].concat();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_told_as_often_as_a_row_has_columns() {
        let most = "x".repeat(RUN);
        assert_eq!(squeezed(most.clone() + "y"), most.clone() + "y");
        assert_eq!(squeezed(most.clone() + "xxyé"), most.clone() + "[2 more]yé");
        let two = most.clone() + &"é".repeat(RUN + 1);
        assert_eq!(squeezed(two), most + &"é".repeat(RUN) + "[1 more]");
    }
}
