//! What the tails of an unfinished recording hold, up to the first place that is not as it was written.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::path::Path;

use config::limits;
use config::words::SessionId;

use super::super::crypt::chunk;
use super::super::crypt::statement::Statement;
use super::super::event::{self, Data, End, EndReason, Event};
use super::super::header::Header;
use super::super::live::follows;
use super::super::seal;
use super::{Failure, open_plain};

/// What one tail holds.
pub(super) struct Segment {
    /// Its lines, or of an encrypted recording its batches, both from the beginning of the tail.
    pub(super) bytes: Vec<u8>,
    pub(super) to_us: u64,
    pub(super) end: Option<End>,
}

/// Reads the tails from `first` on: all whole lines or batches up to the first place that is not as it was written.
pub(super) fn read_tails(
    dir: &Path,
    session: &SessionId,
    first: u32,
    last_lines: u64,
    at_us: u64,
    encrypted: bool,
) -> Result<Vec<Segment>, Failure> {
    let mut segments = Vec::new();
    let (mut before, mut at_us) = (last_lines, at_us);
    for number in first.. {
        let path = seal::tail_path(dir, session, number);
        let file = match open_plain(&path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => break,
            Err(e) => return Err(e.into()),
        };
        let mut bytes = Vec::new();
        file.take(limits::FRAME_MAX_BYTES as u64)
            .read_to_end(&mut bytes)?;
        let Some(head) = head(&bytes, session, number, before, encrypted)? else {
            break;
        };
        let (length, end) = if encrypted {
            whole_chunks(&bytes, head, &mut at_us)
        } else {
            whole_lines(&bytes, head, &mut at_us)
        };
        // The header is the first batch: without it nothing had begun.
        if encrypted && number == 0 && length == head {
            break;
        }
        let whole = length == bytes.len();
        bytes.truncate(length);
        before = length as u64;
        let ended = end.is_some();
        segments.push(Segment {
            bytes,
            to_us: at_us,
            end,
        });
        if ended || !whole {
            break;
        }
    }
    Ok(segments)
}

/// The length of a tail's first line, if it is the one that belongs there.
fn head(
    bytes: &[u8],
    session: &SessionId,
    number: u32,
    before: u64,
    encrypted: bool,
) -> Result<Option<usize>, Failure> {
    let Some(length) = bytes.iter().position(|b| *b == b'\n').map(|at| at + 1) else {
        return Ok(None);
    };
    let line = bytes.get(..length).unwrap_or_default();
    if number > 0 {
        return Ok((line == follows(number, before).as_bytes()).then_some(length));
    }
    if encrypted {
        let statement = line.strip_suffix(b"\n").and_then(Statement::parse);
        return match statement {
            Some(statement) if statement.session == *session => Ok(Some(length)),
            _ => Err(Failure::Corrupt(
                "its first line does not say what is sealed".into(),
            )),
        };
    }
    let header = std::str::from_utf8(line)
        .ok()
        .and_then(|line| Header::from_line(line).ok());
    match header {
        Some(header) if header.session == *session => Ok(Some(length)),
        _ => Err(Failure::Corrupt("its first line is not its header".into())),
    }
}

/// How far a tail holds whole lines, and the End if it is among them.
fn whole_lines(bytes: &[u8], head: usize, at_us: &mut u64) -> (usize, Option<End>) {
    let mut length = head;
    for line in bytes
        .get(head..)
        .unwrap_or_default()
        .split_inclusive(|b| *b == b'\n')
    {
        let text = line
            .strip_suffix(b"\n")
            .and_then(|line| std::str::from_utf8(line).ok());
        let mut then = *at_us;
        let Some(Ok(event)) = text.map(|text| event::read_line(text, &mut then)) else {
            break;
        };
        *at_us = then;
        length += line.len();
        if let Some(Event {
            data: Data::End(end),
            ..
        }) = event
        {
            return (length, Some(end));
        }
    }
    (length, None)
}

/// How far a tail holds whole batches, and the End if it is among them.
fn whole_chunks(bytes: &[u8], head: usize, at_us: &mut u64) -> (usize, Option<End>) {
    let rest = bytes.get(head..).unwrap_or_default();
    let (chunks, whole) = chunk::read(rest);
    if let Some(last) = chunks.last() {
        *at_us = last.head.to_us.max(*at_us);
    }
    let end = chunks.last().and_then(|last| last.head.end());
    (head + whole, end)
}

/// The End that the tails hold, or End(crash), which is then put into the last one; of an encrypted recording, it is
/// said beside it.
pub(super) fn end_of(
    segments: &mut Vec<Segment>,
    first: u32,
    last_lines: u64,
    at_us: u64,
    encrypted: bool,
) -> End {
    if segments.is_empty() {
        // The last tail was sealed, and the name of the next one was not durable yet.
        segments.push(Segment {
            bytes: follows(first, last_lines).into_bytes(),
            to_us: at_us,
            end: None,
        });
    }
    let crash = End {
        reason: EndReason::Crash,
        exit: None,
    };
    let Some(last) = segments.last_mut() else {
        return crash;
    };
    if let Some(end) = &last.end {
        return end.clone();
    }
    let event = Event {
        at_us: last.to_us,
        data: Data::End(crash.clone()),
    };
    if !encrypted {
        event::write_line(&mut last.bytes, &mut last.to_us, &event);
    }
    last.end = Some(crash.clone());
    crash
}
