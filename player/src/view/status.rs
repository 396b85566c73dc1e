//! The line that says where the replay stands.

use ratatui::layout::Rect;

use super::{Look, clean, time};
use crate::deck::Deck;

pub(super) fn line(deck: &Deck, look: Look, window: Rect, area: Rect) -> String {
    let tape = deck.tape();
    let state = match (deck.playing(), deck.caught_up()) {
        _ if deck.ended() && !(tape.grows() && deck.playing()) => "■",
        (_, false) => "…",
        (true, _) => "▶",
        (false, _) => "‖",
    };
    let now = time(deck.position_us());
    let header = tape.header();
    let idle = deck.idle().map_or_else(String::new, |idle| {
        format!("  waits ≤ {} s", idle.as_secs_f64())
    });
    let left = format!(" {state} {now} ");
    let right = format!(
        " {}  ? help  {}×{idle}  {} {}  {}{}",
        time(tape.duration_us()),
        deck.speed(),
        header.person,
        header.access,
        end(deck, look),
        part(deck, window),
    );
    if look.timeline {
        return format!("{left}/{right}");
    }
    let used = left.chars().count() + right.chars().count();
    let room = usize::from(area.width).saturating_sub(used);
    left + &progress(deck, room.clamp(4, 40) as u64) + &right
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

/// Says so if the screen does not fit.
fn part(deck: &Deck, window: Rect) -> String {
    let size = deck.screen().size();
    if size.cols() > window.width || size.rows() > window.height {
        format!("  part of {}×{}", size.cols(), size.rows())
    } else {
        String::new()
    }
}

fn progress(deck: &Deck, width: u64) -> String {
    let whole = deck.tape().duration_us().max(1);
    let done = deck.position_us().saturating_mul(width) / whole;
    (0..width)
        .map(|at| if at < done { '━' } else { '─' })
        .collect()
}
