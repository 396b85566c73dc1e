//! Follows all patterns at once through a stream, and remembers where each way through them began: Thompson's simulation, of which
//! each state is in at most one way at a time, the one that began first. So a byte costs at most as much as there are states,
//! whatever came before, and what can still become a find is known at any moment.

use std::ops::Range;

use config::pattern::{PatternError, automaton};
use regex_automata::PatternID;
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;

use super::known::BLOCK;

/// Something to mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// These units.
    Span(Range<u64>),
    /// A private key begins behind here.
    Block,
}

/// Follows the patterns.
#[derive(Debug)]
pub(super) struct Finder {
    nfa: NFA,
    /// The group of each pattern that is masked.
    groups: Vec<usize>,
    /// The pattern that begins a private key.
    block: Option<PatternID>,
    begins: Box<[bool; 256]>,
    /// The ways under way, before what takes no byte was followed.
    ways: Vec<Way>,
    /// The same, while a byte is taken.
    next: Vec<Way>,
    last: Option<u8>,
    seen: Vec<Option<(u64, u64)>>,
    round: u64,
    stack: Vec<Way>,
}

/// A way through the patterns.
#[derive(Debug, Clone, Copy)]
struct Way {
    state: StateID,
    /// Where what it masks begins, once it has.
    from: Option<u64>,
    /// Where that ended, once it has.
    to: Option<u64>,
}

/// Between which bytes the ways stand.
#[derive(Clone, Copy)]
struct Place {
    before: Option<u8>,
    after: Option<u8>,
    /// The unit that the next byte belongs to.
    here: u64,
    /// Whether that unit has begun before.
    inside: bool,
}

impl Finder {
    /// Follows these patterns.
    pub(super) fn new(patterns: &[&str]) -> Result<Self, PatternError> {
        let nfa = automaton(patterns)?;
        let pattern = |at| PatternID::new(at).ok();
        let groups = (0..patterns.len())
            .filter_map(pattern)
            .map(|id| usize::from(nfa.group_info().group_len(id) > 1))
            .collect();
        let block = patterns.iter().position(|text| *text == BLOCK);
        let mut finder = Self {
            groups,
            block: block.and_then(pattern),
            begins: Box::new([false; 256]),
            ways: Vec::new(),
            next: Vec::new(),
            last: None,
            seen: vec![None; nfa.states().len()],
            round: 0,
            stack: Vec::new(),
            nfa,
        };
        finder.find_begins();
        Ok(finder)
    }

    /// Whether a pattern may begin with this byte.
    pub(super) fn begins(&self, byte: u8) -> bool {
        self.begins
            .get(usize::from(byte))
            .is_none_or(|begins| *begins)
    }

    /// Whether nothing is under way.
    pub(super) fn idle(&self) -> bool {
        self.ways.is_empty()
    }

    /// Bytes passed that begin nothing: this is the last one, if it was shown.
    pub(super) fn follow(&mut self, last: Option<u8>) {
        self.last = last;
    }

    /// Where what is held back begins.
    pub(super) fn held(&self) -> u64 {
        let held = self.ways.iter().filter_map(|way| way.from).min();
        held.unwrap_or(u64::MAX)
    }

    /// Takes the next byte that is shown, of the unit `here`. `inside`: it is not that unit's first.
    pub(super) fn byte(&mut self, byte: u8, here: u64, inside: bool, found: &mut Vec<Found>) {
        if self.ways.is_empty() && !self.begins(byte) {
            self.last = Some(byte);
            return;
        }
        let place = Place {
            before: self.last,
            after: Some(byte),
            here,
            inside,
        };
        self.close(place, true, found);
        std::mem::swap(&mut self.ways, &mut self.next);
        self.next.clear();
        self.last = Some(byte);
    }

    /// The line ends, or would if nothing more came.
    pub(super) fn end(&mut self, here: u64, ends: bool, found: &mut Vec<Found>) {
        let place = Place {
            before: self.last,
            after: None,
            here,
            inside: false,
        };
        if !self.ways.is_empty() {
            self.close(place, false, found);
        }
        self.next.clear();
        if ends {
            self.clear();
        }
    }

    /// Forgets what is under way.
    pub(super) fn clear(&mut self) {
        self.ways.clear();
        self.last = None;
    }

    /// Follows every way through what takes no byte, and takes the byte.
    fn close(&mut self, place: Place, begin: bool, found: &mut Vec<Found>) {
        self.round += 1;
        let ways = std::mem::take(&mut self.ways);
        for way in &ways {
            self.go(*way, place, found);
        }
        self.ways = ways;
        if begin {
            let new = Way {
                state: self.nfa.start_anchored(),
                from: None,
                to: None,
            };
            self.go(new, place, found);
        }
    }

    fn go(&mut self, way: Way, place: Place, found: &mut Vec<Found>) {
        self.stack.push(way);
        while let Some(mut way) = self.stack.pop() {
            if !self.is_better(way) {
                continue;
            }
            let taken = match self.nfa.state(way.state) {
                State::ByteRange { trans } => place
                    .after
                    .filter(|byte| trans.matches_byte(*byte))
                    .map(|_| trans.next),
                State::Sparse(sparse) => place.after.and_then(|byte| sparse.matches_byte(byte)),
                State::Dense(dense) => place.after.and_then(|byte| dense.matches_byte(byte)),
                State::Look { look, next } => {
                    let around: Vec<u8> = place.before.into_iter().chain(place.after).collect();
                    let at = usize::from(place.before.is_some());
                    if self.nfa.look_matcher().matches(*look, &around, at) {
                        self.stack.push(Way {
                            state: *next,
                            ..way
                        });
                    }
                    None
                }
                State::Union { alternates } => {
                    let ways = alternates.iter().map(|state| Way {
                        state: *state,
                        ..way
                    });
                    self.stack.extend(ways);
                    None
                }
                State::BinaryUnion { alt1, alt2 } => {
                    self.stack
                        .extend([*alt2, *alt1].map(|state| Way { state, ..way }));
                    None
                }
                State::Capture {
                    next,
                    pattern_id,
                    group_index,
                    slot,
                } => {
                    if self.groups.get(pattern_id.as_usize()) == Some(&group_index.as_usize()) {
                        if slot.as_usize() % 2 == 0 {
                            way.from = Some(way.from.unwrap_or(place.here));
                        } else {
                            way.to = Some(place.here + u64::from(place.inside));
                        }
                    }
                    self.stack.push(Way {
                        state: *next,
                        ..way
                    });
                    None
                }
                State::Fail => None,
                State::Match { pattern_id } => {
                    found.push(if self.block == Some(*pattern_id) {
                        Found::Block
                    } else {
                        let to = way.to.unwrap_or(place.here + u64::from(place.inside));
                        Found::Span(way.from.unwrap_or(place.here)..to)
                    });
                    None
                }
            };
            if let Some(state) = taken {
                self.next.push(Way { state, ..way });
            }
        }
    }

    /// Whether no way that began earlier was in this state in this round.
    fn is_better(&mut self, way: Way) -> bool {
        let from = way.from.unwrap_or(u64::MAX);
        let Some(seen) = self.seen.get_mut(way.state.as_usize()) else {
            return false;
        };
        if seen.is_some_and(|(round, before)| round == self.round && before <= from) {
            return false;
        }
        *seen = Some((self.round, from));
        true
    }

    fn find_begins(&mut self) {
        let mut stack = vec![self.nfa.start_anchored()];
        let mut seen = vec![false; self.nfa.states().len()];
        while let Some(id) = stack.pop() {
            match seen.get_mut(id.as_usize()) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let state = self.nfa.state(id);
            match state {
                State::Look { next, .. } | State::Capture { next, .. } => stack.push(*next),
                State::Union { alternates } => stack.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => stack.extend([*alt1, *alt2]),
                State::Fail | State::Match { .. } => {}
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => {
                    for (byte, begins) in (0..=u8::MAX).zip(self.begins.iter_mut()) {
                        *begins |= match state {
                            State::ByteRange { trans } => trans.matches_byte(byte),
                            State::Sparse(sparse) => sparse.matches_byte(byte).is_some(),
                            State::Dense(dense) => dense.matches_byte(byte).is_some(),
                            _ => false,
                        };
                    }
                }
            }
        }
    }
}
