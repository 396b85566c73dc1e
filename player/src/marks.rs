//! The places of a recording that are worth a look.

use crate::lines::neutral;

/// Most places that are kept; a list of more than that is read by nobody.
pub const MOST: usize = 10_000;

/// Longest text of one, in characters: a row of the widest screen.
const LONGEST: usize = 300;

/// What makes a place worth a look. The later ones matter more where only one can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something that was run.
    Command,
    /// A forwarded connection.
    Forward,
    /// Something was done with files.
    File,
    /// The terminal got another size.
    Resize,
    /// A place that was marked.
    Marker,
    /// The command ended, or the session did.
    Exit,
    /// An alert of the session's role.
    Alert,
}

impl Kind {
    /// What stands for it on the timeline.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Command => "›",
            Self::Forward => "⇄",
            Self::File => "f",
            Self::Resize => "↔",
            Self::Marker => "◆",
            Self::Exit => "■",
            Self::Alert => "!",
        }
    }

    /// What it is called in a list.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Forward => "forward",
            Self::File => "file",
            Self::Resize => "resize",
            Self::Marker => "marker",
            Self::Exit => "end",
            Self::Alert => "alert",
        }
    }
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When, in microseconds since the session began.
    pub at_us: u64,
    /// Why it is worth a look.
    pub kind: Kind,
    /// What is there; nothing in it is invisible.
    pub text: String,
}

impl Mark {
    /// A place, with its text made fit to be shown.
    pub fn new(at_us: u64, kind: Kind, text: &str) -> Self {
        let text = neutral(text).chars().take(LONGEST).collect();
        Self { at_us, kind, text }
    }
}

/// The places that were found, by time.
#[derive(Debug, Default)]
pub struct Marks {
    all: Vec<Mark>,
    more: bool,
}

impl Marks {
    /// Adds one, behind those of the same time.
    pub fn add(&mut self, mark: Mark) {
        if self.all.len() >= MOST {
            self.more = true;
            return;
        }
        let at = self.all.partition_point(|kept| kept.at_us <= mark.at_us);
        self.all.insert(at, mark);
    }

    /// All of them.
    pub fn all(&self) -> &[Mark] {
        &self.all
    }

    /// Whether there were more than [`MOST`].
    pub fn more(&self) -> bool {
        self.more
    }

    /// The nearest one after (or before) a time.
    pub fn next(&self, at_us: u64, forward: bool) -> Option<&Mark> {
        if forward {
            let at = self.all.partition_point(|mark| mark.at_us <= at_us);
            self.all.get(at)
        } else {
            let at = self.all.partition_point(|mark| mark.at_us < at_us);
            at.checked_sub(1).and_then(|at| self.all.get(at))
        }
    }
}
