//! Numbers of payment cards: 13 to 19 digits, in one piece or in groups with one space or dash between, that begin with 2 to 6 and end with
//! their check digit (ISO/IEC 7812-1). Only the digits are masked.

use std::collections::VecDeque;

use super::finder::Found;

/// How many digits a card has.
const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Follows a stream for numbers of cards.
#[derive(Debug, Default)]
pub(super) struct Cards {
    /// The digits that may belong to a card.
    digits: VecDeque<Digit>,
    /// The last byte.
    last: Last,
}

#[derive(Debug, Clone, Copy)]
struct Digit {
    at: u64,
    value: u8,
    /// Whether a group begins with it.
    first: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// Something that a number may begin behind.
    #[default]
    Other,
    /// A letter, or a digit that belongs to a word or to too long a number.
    Word,
    /// A digit of a number.
    Digit,
    /// One space or dash behind a digit of a number.
    Gap,
}

impl Cards {
    /// Whether no number is under way.
    pub(super) fn idle(&self) -> bool {
        self.digits.is_empty() && self.last != Last::Word
    }

    /// Something passed that is no digit: this is its last byte, if it was shown.
    pub(super) fn follow(&mut self, last: Option<u8>) {
        self.last = match last {
            Some(byte) if is_word(byte) => Last::Word,
            _ => Last::Other,
        };
    }

    /// Where what is held back begins.
    pub(super) fn held(&self) -> u64 {
        self.digits.front().map_or(u64::MAX, |digit| digit.at)
    }

    /// Takes the next byte that is shown.
    pub(super) fn byte(&mut self, byte: u8, here: u64, found: &mut Vec<Found>) {
        match (byte, self.last) {
            (b'0'..=b'9', Last::Word) => {}
            (b'0'..=b'9', before) => {
                self.digits.push_back(Digit {
                    at: here,
                    value: byte - b'0',
                    first: before != Last::Digit,
                });
                self.last = Last::Digit;
                self.settle_first(found);
            }
            (b' ' | b'-', Last::Digit) => self.last = Last::Gap,
            _ => {
                // A number that runs on into a word is none; those before it are.
                if is_word(byte) && self.last == Last::Digit {
                    self.drop_last_group();
                }
                self.end(true, found);
                self.follow(Some(byte));
            }
        }
    }

    /// No more digits come, or would if nothing more came.
    pub(super) fn end(&mut self, ends: bool, found: &mut Vec<Found>) {
        let digits: Vec<Digit> = self.digits.iter().copied().collect();
        let mut rest = digits.as_slice();
        while !rest.is_empty() {
            let taken = card(rest);
            let (own, left) = rest.split_at(taken.unwrap_or_else(|| group(rest)));
            if taken.is_some() {
                found.extend(own.iter().map(Digit::span));
            }
            rest = left;
        }
        if ends {
            self.digits.clear();
            self.last = Last::Other;
        }
    }

    /// Lets go of the first groups that can be a part of no longer number: more digits stand than a card has.
    fn settle_first(&mut self, found: &mut Vec<Found>) {
        while self.digits.len() > LONGEST {
            let digits: Vec<Digit> = self.digits.iter().copied().collect();
            let last = digits.iter().rposition(|digit| digit.first).unwrap_or(0);
            if last == 0 {
                // One group, and too long.
                self.digits.clear();
                self.last = Last::Word;
                return;
            }
            let whole = digits.get(..last).unwrap_or(&[]);
            let taken = card(whole);
            let gone = taken.unwrap_or_else(|| group(whole)).max(1);
            for digit in self.digits.drain(..gone.min(digits.len())) {
                if taken.is_some() {
                    found.push(digit.span());
                }
            }
        }
    }

    fn drop_last_group(&mut self) {
        while let Some(digit) = self.digits.pop_back() {
            if digit.first {
                return;
            }
        }
    }
}

impl Digit {
    fn span(&self) -> Found {
        Found::Span(self.at..self.at + 1)
    }
}

/// How many digits the card has that these groups begin with, if they do: the longest.
fn card(digits: &[Digit]) -> Option<usize> {
    let ends_a_group = |count: usize| digits.get(count).is_none_or(|next| next.first);
    (SHORTEST..=LONGEST.min(digits.len()))
        .rev()
        .filter(|count| ends_a_group(*count))
        .find(|count| digits.get(..*count).is_some_and(is_card))
}

/// How many digits the first group has.
fn group(digits: &[Digit]) -> usize {
    let next = digits.iter().skip(1).position(|digit| digit.first);
    next.map_or(digits.len(), |at| at + 1)
}

fn is_card(digits: &[Digit]) -> bool {
    let issuer = digits
        .first()
        .is_some_and(|first| (2..=6).contains(&first.value));
    let sum: u32 = (0u32..)
        .zip(digits.iter().rev())
        .map(|(place, digit)| {
            let value = u32::from(digit.value);
            let doubled = if place % 2 == 1 { value * 2 } else { value };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    issuer && sum.is_multiple_of(10)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
