//! Masks what a role does not let the person see: numbers of cards, keys, tokens and patterns of its own, in what comes from the
//! target, before it is recorded.
//!
//! A machine without input or output. Bytes come in writes that may end anywhere, and what may be the beginning of something that is
//! masked waits until it is clear, or until the stream has shown nothing more for [`limits::MASK_HOLD`]: at most [`limits::MASK_HELD`] characters.
//! What a terminal does not show ([`text`]) stands in nobody's way, and passes in its place. Each character is replaced by as many stars as it has columns, so that
//! nothing on the screen shifts. Unless a write comes too late, it makes no difference where one ends and the next begins.
//!
//! * [`finder`]: follows all patterns at once, in time that grows with the bytes alone.
//! * [`cards`]: numbers of payment cards, by their check digit.
//! * [`block`]: the lines of a private key.
//! * [`known`]: the patterns behind the names.
//!
//! It helps whoever looks over a shoulder, and keeps secrets out of recordings. It is no wall: who may run commands can write a secret in
//! other letters.

mod block;
mod cards;
mod finder;
mod known;
mod text;

use std::collections::VecDeque;
use std::ops::Range;

use config::limits;
use config::pattern::PatternError;
use config::terms::{self, Maskable};
use record::recording::Hidden;
use tokio::time::Instant;
use unicode_width::UnicodeWidthChar;

use block::{Block, Said};
use cards::Cards;
use finder::{Finder, Found};
use text::{Kind, Text};

/// Masks one stream.
#[derive(Debug)]
pub(crate) struct Mask {
    text: Text,
    finder: Finder,
    cards: Option<Cards>,
    block: Option<Block>,
    queue: VecDeque<Unit>,
    /// When the stream showed something last.
    spoke: Option<Instant>,
    /// The number of the first unit that waits; they are counted from the beginning of the stream.
    first: u64,
    /// Bytes that begin nothing, while nothing else is under way.
    plain: Box<[bool; 256]>,
    /// What was masked in what passed last, if that is kept.
    hidden: Option<Vec<Hidden>>,
}

/// A character, or a byte that is not shown.
#[derive(Debug)]
struct Unit {
    bytes: [u8; 4],
    len: u8,
    /// How many more bytes belong to this character.
    open: u8,
    covered: bool,
}

impl Mask {
    /// Masks what these terms say; none if they mask nothing.
    ///
    /// # Errors
    ///
    /// The patterns do not compile together.
    pub(crate) fn new(terms: &terms::Mask) -> Result<Option<Self>, PatternError> {
        if terms.is_empty() {
            return Ok(None);
        }
        let finder = Finder::new(&known::patterns(terms))?;
        let cards = terms.known.contains(&Maskable::Cards).then(Cards::default);
        let mut plain = Box::new([false; 256]);
        for (byte, plain) in (0..=u8::MAX).zip(plain.iter_mut()) {
            let shown = byte >= b' ' && byte != 0x7f;
            let digit = cards.is_some() && byte.is_ascii_digit();
            let line = matches!(byte, b'\r' | b'\n' | b'\t');
            *plain = line || (shown && !digit && !finder.begins(byte));
        }
        Ok(Some(Self {
            text: Text::default(),
            finder,
            cards,
            block: None,
            queue: VecDeque::new(),
            spoke: None,
            first: 0,
            plain,
            hidden: (!terms.original.is_empty()).then(Vec::new),
        }))
    }

    /// What stood in place of what was masked in the bytes that the last call gave, if that is kept: to be taken behind each call.
    pub(crate) fn take_hidden(&mut self) -> Vec<Hidden> {
        self.hidden.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes bytes, and gives those that may pass.
    pub(crate) fn push(&mut self, bytes: &[u8], now: Instant) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 64);
        let mut rest = bytes;
        loop {
            let skipped = if self.idle() {
                self.skip(rest, &mut out)
            } else {
                0
            };
            let Some((byte, left)) = rest.get(skipped..).and_then(<[u8]>::split_first) else {
                return out;
            };
            self.step(*byte, now);
            self.release(&mut out);
            rest = left;
        }
    }

    /// When what is held back has to pass, if nothing more comes until then.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.queue.front()?;
        self.spoke.map(|spoke| spoke + limits::MASK_HOLD)
    }

    /// Gives what is held back, if nothing has come for as long as anything may be. What follows it is held against the patterns as if it had not passed.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<u8> {
        let mut out = Vec::new();
        if self.due().is_some_and(|due| due <= now) {
            // What would be masked if nothing more came is masked.
            self.find_end(false);
            while !self.queue.is_empty() {
                self.pass_first(&mut out);
            }
        }
        out
    }

    /// Nothing more comes: gives what was held back.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.find_end(true);
        while !self.queue.is_empty() {
            self.pass_first(&mut out);
        }
        out
    }

    fn idle(&self) -> bool {
        self.queue.is_empty()
            && self.block.is_none()
            && self.text.is_ground()
            && self.finder.idle()
            && self.cards.as_ref().is_none_or(Cards::idle)
    }

    /// Passes bytes that begin nothing; says how many.
    fn skip(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let plain = |byte: &u8| {
            self.plain
                .get(usize::from(*byte))
                .is_some_and(|plain| *plain)
        };
        let run = bytes.iter().position(|byte| !plain(byte));
        let run = bytes.get(..run.unwrap_or(bytes.len())).unwrap_or(bytes);
        if let Some(last) = run.last() {
            out.extend_from_slice(run);
            let shown = (*last >= b' ').then_some(*last);
            self.finder.follow(shown);
            if let Some(cards) = &mut self.cards {
                cards.follow(shown);
            }
        }
        run.len()
    }

    fn step(&mut self, byte: u8, now: Instant) {
        match self.text.step(byte) {
            Kind::Hidden => self.append(byte, 0),
            Kind::Break => {
                self.find_end(true);
                // A tab stands within a line of a key, behind its number.
                if byte != b'\t' && self.block.as_mut().is_some_and(Block::line) {
                    self.block = None;
                }
                self.append(byte, 0);
            }
            Kind::Shown => {
                self.spoke = Some(now);
                self.shown(byte);
            }
        }
    }

    fn shown(&mut self, byte: u8) {
        let inside = byte & 0xc0 == 0x80 && self.queue.back().is_some_and(|last| last.open > 0);
        let here = if inside { self.end() - 1 } else { self.end() };
        let mut said = self.block.as_mut().map(|block| block.said(byte));
        if said.is_none_or(|said| said == Said::Over) {
            self.block = None;
            let mut found = Vec::new();
            self.finder.byte(byte, here, inside, &mut found);
            if let Some(cards) = &mut self.cards {
                cards.byte(byte, here, &mut found);
            }
            if self.cover(&found) {
                said = Some(self.begin_block().said(byte));
            }
        }
        if inside {
            if let Some(last) = self.queue.back_mut() {
                last.push(byte);
            }
        } else {
            self.append(byte, following(byte));
        }
        match said {
            Some(Said::Secret) => {
                self.cover(&[Found::Span(here..here + 1)]);
            }
            // The end of the block is read as any other text.
            Some(Said::Last) => {
                self.block = None;
                self.finder.follow(Some(byte));
            }
            _ => {}
        }
    }

    /// The line ends, or would if nothing more came.
    fn find_end(&mut self, ends: bool) {
        let mut found = Vec::new();
        let here = self.end();
        self.finder.end(here, ends, &mut found);
        if let Some(cards) = &mut self.cards {
            cards.end(ends, &mut found);
        }
        if self.cover(&found) && ends {
            self.begin_block();
        }
    }

    /// A private key begins: until it is over, nothing else does.
    fn begin_block(&mut self) -> &mut Block {
        self.finder.clear();
        self.cards = self.cards.take().map(|_| Cards::default());
        self.block.insert(Block::default())
    }

    /// Covers what was found, as far as it has not passed; says whether a block begins.
    fn cover(&mut self, found: &[Found]) -> bool {
        let mut block = false;
        for one in found {
            match one {
                Found::Span(span) => self.cover_span(span),
                Found::Block => block = true,
            }
        }
        block
    }

    fn cover_span(&mut self, span: &Range<u64>) {
        let from = span.start.max(self.first);
        for at in from..span.end.min(self.end()) {
            let at = usize::try_from(at - self.first).unwrap_or(usize::MAX);
            if let Some(unit) = self.queue.get_mut(at) {
                unit.covered = true;
            }
        }
    }

    /// The number of the next unit.
    fn end(&self) -> u64 {
        self.first + self.queue.len() as u64
    }

    fn append(&mut self, byte: u8, open: u8) {
        self.queue.push_back(Unit {
            bytes: [byte, 0, 0, 0],
            len: 1,
            open,
            covered: false,
        });
    }

    /// Passes what is clear, and what is too much.
    fn release(&mut self, out: &mut Vec<u8>) {
        let held = self.finder.held();
        let held = held.min(self.cards.as_ref().map_or(u64::MAX, Cards::held));
        while let Some(first) = self.queue.front() {
            let clear = if first.covered {
                first.open == 0
            } else {
                self.first < held
            };
            if !clear && self.queue.len() <= limits::MASK_HELD {
                return;
            }
            self.pass_first(out);
        }
    }

    fn pass_first(&mut self, out: &mut Vec<u8>) {
        if let Some(unit) = self.queue.pop_front() {
            self.first += 1;
            let at = out.len();
            unit.write(out);
            if let Some(hidden) = self.hidden.as_mut().filter(|_| unit.is_masked()) {
                Hidden::add(hidden, at, out.len() - at, unit.bytes());
            }
        }
    }
}

impl Unit {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.len)) {
            *place = byte;
            self.len += 1;
            self.open -= 1;
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.is_masked() {
            out.extend(std::iter::repeat_n(b'*', columns(self.bytes())));
        } else {
            out.extend_from_slice(self.bytes());
        }
    }

    /// Whether stars stand in its place. What never shows anything is not in anybody's way.
    fn is_masked(&self) -> bool {
        let shown = |byte: &u8| *byte >= b' ' && *byte != 0x7f;
        self.covered && self.bytes().iter().all(shown)
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// How many columns a character takes; one for what is none.
fn columns(bytes: &[u8]) -> usize {
    let text = str::from_utf8(bytes).ok();
    let char = text.and_then(|text| text.chars().next());
    char.map_or(1, |char| char.width().unwrap_or(1))
}

/// How many bytes follow the first one of a character (RFC 3629 §3).
fn following(byte: u8) -> u8 {
    match byte {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
