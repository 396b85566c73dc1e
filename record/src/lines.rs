//! The text that stood on the screen, line by line, with the time when each line came to look so.
//!
//! A line is what a reader takes for one: rows that a terminal has wrapped are joined, and a line that grows while somebody
//! types is one line, told when it is done. What stood for less than [`BLINK_US`] between two others is passed over,
//! unless it scrolled away: that is how output is that comes faster than anybody reads.
//!
//! The [index](crate::recording::index) of a recording holds these lines. Whoever changes which lines are told, or when, gives it
//! another version, so that those of before are not taken for what is told now.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use crate::recording::{Data, Event, Header, Size, Stream};
use crate::screen::{REPLACEMENT, Screen, Scrolled};
use crate::text::is_visible;

/// How long something stands before it counts as seen, in microseconds: a frame of a screen at fifty a second.
pub const BLINK_US: u64 = 20_000;

/// What a line is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// What was to be run.
    Command,
    /// The screen.
    Screen,
    /// A file transfer's record.
    File,
    /// Something that was marked.
    Marker,
}

/// A line of text. Nothing in it is invisible, and no blanks are at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it came to look so, in microseconds since the session began.
    pub at_us: u64,
    /// What it is part of.
    pub from: From,
    /// What stood there.
    pub text: String,
}

/// Follows a recording, event by event, and tells its lines. A line is told when it is over, so that the times of what is
/// told do not always grow. Holds one screen and the text on it.
pub struct Lines {
    screen: Screen,
    scrolled: Scrolled,
    standing: BTreeMap<String, Seen>,
    changed: bool,
    looked_us: u64,
    at_us: u64,
}

/// Since when a line stands, and in which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    at_us: u64,
    row: usize,
}

impl Lines {
    /// Before the first event.
    pub fn new(header: &Header, tell: &mut dyn FnMut(Line)) -> Self {
        let term = header.term.as_ref();
        let size = term.map_or(Size::DEFAULT, |term| term.size);
        let commands = [&header.command, &header.forced].into_iter().flatten();
        for command in commands {
            tell(Line::new(0, From::Command, command));
        }
        Self {
            screen: Screen::new(size, term.is_none()),
            scrolled: Scrolled::new(),
            standing: BTreeMap::new(),
            changed: false,
            looked_us: 0,
            at_us: 0,
        }
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Event, tell: &mut dyn FnMut(Line)) {
        let _all = self.take_while(event, &|| true, tell);
    }

    /// The same, as long as `go_on` says so. Whether the whole event was taken; if not, nothing that is told later is true.
    #[must_use]
    pub fn take_while(
        &mut self,
        event: &Event,
        go_on: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Line),
    ) -> bool {
        let blink = event.at_us.saturating_sub(self.looked_us) >= BLINK_US;
        if self.changed && blink {
            self.look(tell);
            self.looked_us = event.at_us;
        }
        self.at_us = event.at_us;
        let gone = match &event.data {
            Data::Bytes(Stream::Output | Stream::ErrorOutput, bytes) => {
                self.changed = true;
                return self.shown(bytes, go_on, tell);
            }
            Data::Resize(size) => {
                self.changed = true;
                self.screen.resize_with(*size, &mut self.scrolled)
            }
            Data::File(file) => {
                tell(Line::new(self.at_us, From::File, &file.to_string()));
                return true;
            }
            Data::Marker(label) => {
                tell(Line::new(self.at_us, From::Marker, label));
                return true;
            }
            _ => return true,
        };
        for text in gone {
            scrolled_away(&mut self.standing, self.at_us, &text, tell);
        }
        true
    }

    /// The screen as it stands, which shows the output alone.
    pub(crate) const fn screen(&self) -> &Screen {
        &self.screen
    }

    /// After the last event.
    pub fn finish(mut self, tell: &mut dyn FnMut(Line)) {
        self.look(tell);
        let rest = self.screen.finish(std::mem::take(&mut self.scrolled));
        for text in rest {
            scrolled_away(&mut self.standing, self.at_us, &text, tell);
        }
        let standing = std::mem::take(&mut self.standing);
        told_in_order(standing.into_iter().collect(), tell);
    }

    /// Shows bytes by half a screen at a time, and looks wherever lines may have scrolled without leaving at the top: on
    /// another screen, and within margins.
    fn shown(
        &mut self,
        bytes: &[u8],
        go_on: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Line),
    ) -> bool {
        let size = self.screen.size();
        let (rows, cols) = (usize::from(size.rows()), usize::from(size.cols()));
        for piece in pieces(bytes, (rows / 2).max(1), (rows * cols / 2).max(1)) {
            let mut unseen = piece.len() < bytes.len();
            let (standing, at_us) = (&mut self.standing, self.at_us);
            let mut gone = |text: String| {
                unseen = false;
                scrolled_away(standing, at_us, &text, tell);
            };
            let scrolled = &mut self.scrolled;
            if !self.screen.feed_while(piece, scrolled, go_on, &mut gone) {
                return false;
            }
            if unseen {
                self.look(tell);
                self.changed = true;
            }
        }
        true
    }

    /// Sees what stands now, and tells what does not stand any more.
    fn look(&mut self, tell: &mut dyn FnMut(Line)) {
        self.changed = false;
        let mut now: BTreeMap<String, usize> = BTreeMap::new();
        for (row, text) in self.screen.lines().enumerate() {
            now.entry(neutral(&text)).or_insert(row);
        }
        let mut gone = Vec::new();
        self.standing.retain(|text, seen| {
            let stands = now.contains_key(text);
            if !stands {
                gone.push((text.clone(), *seen));
            }
            stands
        });
        gone.retain(|(text, _)| {
            let mut longer = now
                .range::<str, _>((Excluded(text.as_str()), Unbounded))
                .map(|(longer, _)| longer)
                .take_while(|longer| longer.starts_with(text));
            // It has grown.
            !longer.any(|longer| !self.standing.contains_key(longer))
        });
        told_in_order(gone, tell);
        for (text, row) in now {
            if !text.is_empty() {
                let seen = self.standing.entry(text);
                let at_us = self.at_us;
                seen.or_insert(Seen { at_us, row }).row = row;
            }
        }
    }
}

/// A line has left the screen at its top.
fn scrolled_away(
    standing: &mut BTreeMap<String, Seen>,
    at_us: u64,
    text: &str,
    tell: &mut dyn FnMut(Line),
) {
    let mut line = Line::new(at_us, From::Screen, text);
    if let Some(seen) = standing.remove(&line.text) {
        line.at_us = seen.at_us;
    }
    if !line.text.is_empty() {
        tell(line);
    }
}

/// Tells lines by the time that they came to look so, and from the top.
fn told_in_order(mut lines: Vec<(String, Seen)>, tell: &mut dyn FnMut(Line)) {
    lines.sort_by_key(|(_, seen)| *seen);
    for (text, seen) in lines {
        tell(Line::new(seen.at_us, From::Screen, &text));
    }
}

/// Cuts bytes behind so many line feeds, or after so many bytes.
fn pieces(bytes: &[u8], feeds: usize, most: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let cut = ends.map(|(at, _)| at + 1).nth(feeds - 1);
        let cut = cut.unwrap_or(rest.len()).min(most);
        let (piece, after) = rest.split_at_checked(cut).unwrap_or((rest, &[]));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

impl Line {
    fn new(at_us: u64, from: From, text: &str) -> Self {
        Self {
            at_us,
            from,
            text: neutral(text),
        }
    }
}

/// A line that can be shown anywhere: nothing invisible in it, and no blanks at its end.
pub fn neutral(line: &str) -> String {
    let line = line.trim_end();
    let strange = |byte: &u8| !matches!(byte, b' '..=b'~');
    if line.bytes().filter(strange).count() == 0 {
        return line.to_owned();
    }
    line.chars()
        .map(|c| if is_visible(c) { c } else { REPLACEMENT })
        .collect()
}

#[cfg(test)]
mod tests;
