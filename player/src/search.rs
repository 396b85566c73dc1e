//! Looks for text in a recording: in what stood on the screen, in the commands, and in what was done to files.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;

use config::pattern::{Pattern, automaton};
use record::age::Identities;
use record::recording::index::Index;
use record::recording::reader::ReadError;
use record::recording::verify::Trusted;
use record::recording::{Header, ReadState, Reader};
use regex_automata::Input;
use regex_automata::meta::{Cache, Regex};

use crate::lines::{Line, Lines};

/// Most lines that are found in one recording; who looks for everything exports it.
pub const HITS: usize = 1000;

/// How often one that changes under the reader is read.
const TRIES: usize = 3;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Query {
    regex: Regex,
    /// Whether a line that has the pattern still has it among others: it looks at nothing around what it finds, so that a text
    /// without it has no line with it.
    anywhere: bool,
    around: usize,
    trusted: Trusted,
}

impl Query {
    /// This pattern, with so many lines around each that has it.
    ///
    /// # Errors
    ///
    /// None, since a pattern compiles.
    pub fn new(pattern: &Pattern, around: usize) -> Result<Self, config::pattern::PatternError> {
        Ok(Self {
            regex: pattern.regex()?,
            anywhere: automaton(&[pattern.as_str()])?.look_set_any().is_empty(),
            around,
            trusted: Trusted::nobody(),
        })
    }

    /// Believes the indexes that these bastions have signed. Without them, every recording is read whole.
    #[must_use]
    pub fn trusting(mut self, trusted: Trusted) -> Self {
        self.trusted = trusted;
        self
    }

    fn finds(&self, cache: &mut Cache, text: &str) -> bool {
        let input = Input::new(text).earliest(true);
        self.regex.search_half_with(cache, &input).is_some()
    }
}

/// A line that was told, and whether it has the pattern or stands around one that has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The line.
    pub line: Line,
    /// Whether it has the pattern.
    pub has_it: bool,
}

/// What was found in a recording.
#[derive(Debug)]
pub struct Found {
    /// Who, where, as what.
    pub header: Header,
    /// The lines, in the order in which they were told; none if nothing was found.
    pub hits: Vec<Hit>,
    /// Whether there are more than [`HITS`].
    pub more: bool,
    /// How far the recording goes.
    pub state: ReadState,
    /// Whether its index said so, and nothing else of it was read.
    pub indexed: bool,
}

/// Looks through one recording, if `wanted` says so of its header. Memory is bounded by the screen and by [`HITS`].
///
/// # Errors
///
/// It cannot be read: see [`ReadError`].
pub fn search(
    path: &Path,
    identities: &Identities,
    query: &Query,
    wanted: impl Fn(&Header) -> bool,
) -> Result<Option<Found>, ReadError> {
    for _ in 1..TRIES {
        match once(path, identities, query, &wanted) {
            // It runs, and a part of it was sealed meanwhile.
            Err(ReadError::Changed) => {}
            done => return done,
        }
    }
    once(path, identities, query, &wanted)
}

fn once(
    path: &Path,
    identities: &Identities,
    query: &Query,
    wanted: &impl Fn(&Header) -> bool,
) -> Result<Option<Found>, ReadError> {
    let reader = Reader::open(path, identities)?;
    if !wanted(reader.header()) {
        return Ok(None);
    }
    let indexed = indexed(&reader, query);
    indexed.map_or_else(|| read(&reader, query), Ok).map(Some)
}

/// What the index says, if there is one that can be believed.
fn indexed(reader: &Reader, query: &Query) -> Option<Found> {
    let index = Index::of(reader, &query.trusted)?;
    let mut sieve = Sieve::new(query);
    let mut cache = query.regex.create_cache();
    // Who wants lines around those that have it wants all of them.
    let all = !query.anywhere || query.around > 0;
    let wanted = &mut |text: &str| all || query.finds(&mut cache, text);
    let lines = index.lines_of(wanted, &mut |line| {
        sieve.take(line);
        if sieve.more {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    lines.ok()?;
    Some(sieve.found(reader, reader.state(), true))
}

/// What all that it holds says.
fn read(reader: &Reader, query: &Query) -> Result<Found, ReadError> {
    let mut sieve = Sieve::new(query);
    let mut lines = Lines::new(reader.header(), &mut |line| sieve.take(&line));
    let mut state = reader.state();
    for event in reader.all_events() {
        match event {
            Ok(event) => lines.take(&event, &mut |line| sieve.take(&line)),
            Err(ReadError::Changed) => return Err(ReadError::Changed),
            // What was found before the damage is told.
            Err(_) => {
                state = ReadState::Damaged;
                break;
            }
        }
        if sieve.more {
            break;
        }
    }
    lines.finish(&mut |line| sieve.take(&line));
    Ok(sieve.found(reader, state, false))
}

/// Keeps the lines that have the pattern, and those around them.
struct Sieve<'a> {
    query: &'a Query,
    cache: Cache,
    before: VecDeque<Line>,
    after: usize,
    count: usize,
    hits: Vec<Hit>,
    more: bool,
}

impl<'a> Sieve<'a> {
    fn new(query: &'a Query) -> Self {
        Self {
            query,
            cache: query.regex.create_cache(),
            before: VecDeque::new(),
            after: 0,
            count: 0,
            hits: Vec::new(),
            more: false,
        }
    }

    fn take(&mut self, line: &Line) {
        let has_it = self.query.finds(&mut self.cache, &line.text);
        if has_it && self.count == HITS {
            self.more = true;
        }
        if self.more {
            return;
        }
        if has_it {
            self.count += 1;
            self.after = self.query.around;
            for line in std::mem::take(&mut self.before) {
                self.keep(line, false);
            }
            self.keep(line.clone(), true);
        } else if self.after > 0 {
            self.after -= 1;
            self.keep(line.clone(), false);
        } else if self.query.around > 0 {
            if self.before.len() == self.query.around {
                self.before.pop_front();
            }
            self.before.push_back(line.clone());
        }
    }

    fn keep(&mut self, line: Line, has_it: bool) {
        self.hits.push(Hit { line, has_it });
    }

    fn found(self, reader: &Reader, state: ReadState, indexed: bool) -> Found {
        Found {
            header: reader.header().clone(),
            hits: self.hits,
            more: self.more,
            state,
            indexed,
        }
    }
}
