//! What a key means.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::deck::Deck;

/// A short and a long way through time.
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(60);

/// What waits longer is cut to this, when waits are cut.
pub(crate) const IDLE: Duration = Duration::from_secs(2);

/// What a key asks of the player itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing more.
    Nothing,
    /// Leave.
    Quit,
    /// Show or hide the help.
    Help,
    /// Ask for a time.
    Time,
}

/// Whether the key is one that ends programs, whatever they are about.
pub(crate) fn is_interrupt(key: KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char('c' | 'd')) && key.modifiers.contains(KeyModifiers::CONTROL)
}

/// Does what a key means to the deck, and says what is left to do.
pub(crate) fn press(deck: &mut Deck, key: KeyEvent) -> Ask {
    let far = key.modifiers.contains(KeyModifiers::SHIFT);
    let way = if far { LONG } else { SHORT };
    match key.code {
        _ if is_interrupt(key) => return Ask::Quit,
        KeyCode::Char('q') | KeyCode::Esc => return Ask::Quit,
        KeyCode::Char('?' | 'h') => return Ask::Help,
        KeyCode::Char('g') => return Ask::Time,
        KeyCode::Char(' ') => deck.toggle(),
        KeyCode::Char('.') => deck.step(),
        KeyCode::Char('+' | '=') => deck.faster(true),
        KeyCode::Char('-') => deck.faster(false),
        KeyCode::Char('[') => deck.to_marker(false),
        KeyCode::Char(']') => deck.to_marker(true),
        KeyCode::Char('i') => {
            let idle = if deck.idle().is_some() {
                None
            } else {
                Some(IDLE)
            };
            deck.set_idle(idle);
        }
        KeyCode::Char(digit @ '0'..='9') => {
            let tenths = u64::from(digit.to_digit(10).unwrap_or(0));
            deck.seek(deck.tape().duration_us / 10 * tenths);
        }
        KeyCode::Left => deck.seek_by(way, false),
        KeyCode::Right => deck.seek_by(way, true),
        KeyCode::PageUp => deck.seek_by(LONG, false),
        KeyCode::PageDown => deck.seek_by(LONG, true),
        KeyCode::Home => deck.seek(0),
        KeyCode::End => deck.seek(u64::MAX),
        _ => {}
    }
    Ask::Nothing
}
