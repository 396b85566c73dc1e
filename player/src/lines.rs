//! The text that stood on the screen, line by line, with the time when each line came to look so.
//!
//! A line is what a reader takes for one: rows that a terminal has wrapped are joined, and a line that grows while somebody
//! types is one line, told when it is done. What stood for less than [`BLINK_US`] between two others is passed over,
//! unless it scrolled away: that is how output is that comes faster than anybody reads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use avt::observer::Transcript;
use record::recording::{Data, Event, Header, Size, Stream};
use record::screen::{REPLACEMENT, Screen};
use record::text::is_visible;

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
    scrolled: Transcript,
    standing: BTreeMap<String, u64>,
    changed: bool,
    looked_us: u64,
    at_us: u64,
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
            scrolled: Transcript::new(),
            standing: BTreeMap::new(),
            changed: false,
            looked_us: 0,
            at_us: 0,
        }
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Event, tell: &mut dyn FnMut(Line)) {
        let blink = event.at_us.saturating_sub(self.looked_us) >= BLINK_US;
        if self.changed && blink {
            self.look(tell);
            self.looked_us = event.at_us;
        }
        self.at_us = event.at_us;
        let gone = match &event.data {
            Data::Bytes(Stream::Output | Stream::ErrorOutput, bytes) => {
                self.changed = true;
                self.screen.feed_with(bytes, &mut self.scrolled)
            }
            Data::Resize(size) => {
                self.changed = true;
                self.screen.resize_with(*size, &mut self.scrolled)
            }
            Data::File(file) => {
                return tell(Line::new(self.at_us, From::File, &file.to_string()));
            }
            Data::Marker(label) => return tell(Line::new(self.at_us, From::Marker, label)),
            _ => return,
        };
        for text in gone {
            self.scrolled_away(&text, tell);
        }
    }

    /// After the last event.
    pub fn finish(mut self, tell: &mut dyn FnMut(Line)) {
        self.look(tell);
        let rest = self.screen.finish(std::mem::take(&mut self.scrolled));
        for text in rest {
            self.scrolled_away(&text, tell);
        }
        for (text, at_us) in std::mem::take(&mut self.standing) {
            tell(Line::new(at_us, From::Screen, &text));
        }
    }

    /// A line has left the screen at its top. One that stands among those that were seen is told with them.
    fn scrolled_away(&mut self, text: &str, tell: &mut dyn FnMut(Line)) {
        let line = Line::new(self.at_us, From::Screen, text);
        if !line.text.is_empty() && !self.standing.contains_key(&line.text) {
            tell(line);
        }
    }

    /// Sees what stands now, and tells what does not stand any more.
    fn look(&mut self, tell: &mut dyn FnMut(Line)) {
        self.changed = false;
        let now: BTreeSet<String> = self.screen.lines().map(|line| neutral(&line)).collect();
        let before = std::mem::take(&mut self.standing);
        let (kept, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            before.into_iter().partition(|(text, _)| now.contains(text));
        for (text, at_us) in gone {
            let longer = now
                .range::<str, _>((Excluded(text.as_str()), Unbounded))
                .take_while(|longer| longer.starts_with(&text));
            let has_grown = longer.into_iter().any(|longer| !kept.contains_key(longer));
            if !has_grown {
                tell(Line::new(at_us, From::Screen, &text));
            }
        }
        self.standing = kept;
        for text in now {
            if !text.is_empty() {
                self.standing.entry(text).or_insert(self.at_us);
            }
        }
    }
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
pub(crate) fn neutral(line: &str) -> String {
    line.trim_end()
        .chars()
        .map(|c| if is_visible(c) { c } else { REPLACEMENT })
        .collect()
}

#[cfg(test)]
mod tests;
