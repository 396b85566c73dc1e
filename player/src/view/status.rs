//! The line that says where the replay stands.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::fit::cut;
use super::{Look, clean, time};
use crate::deck::Deck;

/// A word of the line: how it is spelled, long to short. What is empty is left out.
struct Word {
    /// What is shortened first has the highest.
    rank: u8,
    spelled: Vec<String>,
}

impl Word {
    fn new(rank: u8, spelled: impl IntoIterator<Item = String>) -> Self {
        let spelled = spelled.into_iter().collect();
        Self { rank, spelled }
    }

    /// One that is left out where there is no room.
    fn spare(rank: u8, word: String) -> Self {
        Self::new(rank, [word, String::new()])
    }

    fn shown(&self) -> &str {
        self.spelled.first().map_or("", String::as_str)
    }
}

pub(super) fn line(deck: &Deck, look: Look, window: Rect, area: Rect) -> String {
    let room = usize::from(area.width);
    let mut words = words(deck, look, window);
    loop {
        let line = joined(&words);
        if line.width() <= room {
            return with_progress(deck, look, line, room);
        }
        let longer = words.iter_mut().filter(|word| word.spelled.len() > 1);
        match longer.max_by_key(|word| word.rank) {
            Some(word) => drop(word.spelled.remove(0)),
            None => return cut(&line, room),
        }
    }
}

/// From the left, as they are read.
fn words(deck: &Deck, look: Look, window: Rect) -> Vec<Word> {
    let tape = deck.tape();
    let header = tape.header();
    let (now, whole) = (time(deck.position_us()), time(tape.duration_us()));
    let place = format!(" {} {now}", sign(deck));
    let speed = format!("{}×", deck.speed());
    let is_plain = speed == "1×";
    let who = format!("{} {}", header.person, header.access);
    let mut words = vec![Word::new(1, [format!("{place} / {whole}"), place])];
    let damaged = deck.damaged_us().filter(|_| look.here.is_none());
    if let Some(from_us) = damaged {
        let short = "DAMAGED".to_owned();
        words.push(Word::new(
            0,
            [format!("{short} from {} on", time(from_us)), short],
        ));
    }
    if tape.source().is_unmasked() {
        words.push(Word::new(
            1,
            ["ORIGINAL, masked for the person", "ORIGINAL"].map(str::to_owned),
        ));
    }
    words.extend([
        Word::spare(6, "? help".to_owned()),
        Word::spare(if is_plain { 8 } else { 4 }, speed),
    ]);
    if let Some(idle) = deck.idle() {
        words.push(Word::spare(7, format!("waits ≤ {} s", idle.as_secs_f64())));
    }
    words.push(Word::new(
        2,
        [who, header.person.to_string(), String::new()],
    ));
    if damaged.is_none() {
        words.push(Word::spare(3, end(deck, look)));
    }
    let size = deck.screen().size();
    if size.cols() > window.width || size.rows() > window.height {
        let part = format!("part of {}×{}", size.cols(), size.rows());
        words.push(Word::spare(5, part));
    }
    words
}

fn sign(deck: &Deck) -> &'static str {
    match (deck.playing(), deck.caught_up()) {
        _ if deck.ended() && !(deck.tape().grows() && deck.playing()) => "■",
        (_, false) => "…",
        (true, _) => "▶",
        (false, _) => "‖",
    }
}

fn joined(words: &[Word]) -> String {
    let shown = words.iter().map(Word::shown);
    let shown: Vec<&str> = shown.filter(|word| !word.is_empty()).collect();
    shown.join("  ")
}

fn end(deck: &Deck, look: Look) -> String {
    let tape = deck.tape();
    if let Some(here) = look.here {
        return format!("{here} % is here");
    }
    match (deck.stuck(), tape.end()) {
        (Some(why), _) => clean(why),
        (None, Some(end)) => clean(end.reason.as_str()),
        (None, None) if tape.grows() => "no end yet".to_owned(),
        (None, None) => "no end".to_owned(),
    }
}

/// Without the timeline, what is done stands in what room is left.
fn with_progress(deck: &Deck, look: Look, line: String, room: usize) -> String {
    let left = room.saturating_sub(line.width() + 3).min(40);
    if look.timeline || left < 4 {
        return line;
    }
    format!("{line}  {}", progress(deck, left as u64))
}

fn progress(deck: &Deck, width: u64) -> String {
    let whole = deck.tape().duration_us().max(1);
    let done = deck.position_us().saturating_mul(width) / whole;
    (0..width)
        .map(|at| if at < done { '━' } else { '─' })
        .collect()
}
