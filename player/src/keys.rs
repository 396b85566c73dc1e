//! What a key means.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::deck::Deck;
use crate::select::Way;

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
    /// Show the help.
    Help,
    /// Ask for a place to go to.
    Place,
    /// Ask for text to look for.
    Text,
    /// Go to the next place where the text was found, or the one before.
    Hit {
        /// Whether the next.
        forward: bool,
    },
    /// List where the text was found.
    Hits,
    /// List the commands.
    Commands,
    /// List all marks.
    Marks,
    /// Show or hide the timeline.
    Timeline,
    /// Show or hide what was typed.
    Typed,
    /// Pick text.
    Pick,
}

/// Whether the key is one that ends programs, whatever they are about.
pub(crate) fn is_interrupt(key: KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char('c' | 'd')) && key.modifiers.contains(KeyModifiers::CONTROL)
}

/// Does what a key means to the deck, and says what is left to do.
pub(crate) fn press(deck: &mut Deck, key: KeyEvent) -> Ask {
    match key.code {
        _ if is_interrupt(key) => return Ask::Quit,
        KeyCode::Char('q') | KeyCode::Esc => return Ask::Quit,
        KeyCode::Char('?' | 'h') => return Ask::Help,
        KeyCode::Char('g') => return Ask::Place,
        KeyCode::Char('/') => return Ask::Text,
        KeyCode::Char('n') => return Ask::Hit { forward: true },
        KeyCode::Char('N') => return Ask::Hit { forward: false },
        KeyCode::Char('f') => return Ask::Hits,
        KeyCode::Char('c') => return Ask::Commands,
        KeyCode::Char('m') => return Ask::Marks,
        KeyCode::Char('t') => return Ask::Timeline,
        KeyCode::Char('k') => return Ask::Typed,
        KeyCode::Char('v') => return Ask::Pick,
        KeyCode::Char(' ') => deck.toggle(),
        KeyCode::Char('.') => deck.step(),
        KeyCode::Char(',') => deck.step_back(),
        KeyCode::Char('+' | '=') => deck.faster(true),
        KeyCode::Char('-') => deck.faster(false),
        KeyCode::Char('[') => deck.to_mark(false),
        KeyCode::Char(']') => deck.to_mark(true),
        KeyCode::Char('i') => {
            let idle = if deck.idle().is_some() {
                None
            } else {
                Some(IDLE)
            };
            deck.set_idle(idle);
        }
        _ => seek(deck, key),
    }
    Ask::Nothing
}

fn seek(deck: &mut Deck, key: KeyEvent) {
    let far = key.modifiers.contains(KeyModifiers::SHIFT);
    let way = if far { LONG } else { SHORT };
    match key.code {
        KeyCode::Char(digit @ '0'..='9') => {
            let tenths = u64::from(digit.to_digit(10).unwrap_or(0));
            deck.seek(deck.tape().duration_us() / 10 * tenths);
        }
        KeyCode::Left => deck.seek_by(way, false),
        KeyCode::Right => deck.seek_by(way, true),
        KeyCode::PageUp => deck.seek_by(LONG, false),
        KeyCode::PageDown => deck.seek_by(LONG, true),
        KeyCode::Home => deck.seek(0),
        KeyCode::End => deck.seek(u64::MAX),
        _ => {}
    }
}

/// How many rows a key goes through a list, if it does.
pub(crate) fn rows(key: KeyEvent) -> Option<i32> {
    Some(match key.code {
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::PageUp => -20,
        KeyCode::PageDown => 20,
        KeyCode::Home => i32::MIN,
        KeyCode::End => i32::MAX,
        _ => return None,
    })
}

/// Which way a key goes through the screen, if it does.
pub(crate) fn way(key: KeyEvent) -> Option<Way> {
    Some(match key.code {
        KeyCode::Left | KeyCode::Char('h') => Way::Left,
        KeyCode::Right | KeyCode::Char('l') => Way::Right,
        KeyCode::Up | KeyCode::Char('k') => Way::Up,
        KeyCode::Down | KeyCode::Char('j') => Way::Down,
        KeyCode::Home | KeyCode::Char('0') => Way::First,
        KeyCode::End | KeyCode::Char('$') => Way::Last,
        KeyCode::PageUp => Way::Top,
        KeyCode::PageDown => Way::Bottom,
        _ => return None,
    })
}
