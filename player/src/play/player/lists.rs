//! The lists to choose a place from: marks, commands, and where a text was found.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use super::{Mode, Player};
use crate::keys;
use crate::marks::{self, Kind};
use crate::view::Listing;

impl Player {
    pub(super) fn marks(&self, wanted: impl Fn(Kind) -> bool) -> Vec<(u64, String)> {
        let marks = self
            .deck
            .marks()
            .all()
            .iter()
            .filter(|mark| wanted(mark.kind));
        marks
            .map(|mark| {
                (
                    mark.at_us,
                    format!(
                        "{} {:<7}  {}",
                        mark.kind.sign(),
                        mark.kind.word(),
                        mark.text
                    ),
                )
            })
            .collect()
    }

    pub(super) fn choose(&mut self, title: &str, rows: Vec<(u64, String)>, none: &str) {
        if rows.is_empty() {
            self.message = Some(none.to_owned());
            return;
        }
        let more = if rows.len() >= marks::MOST {
            "more than "
        } else {
            ""
        };
        let title = format!("{title}: {more}{}", rows.len());
        self.mode = Mode::List(Listing::new(title, rows, self.deck.position_us()));
    }

    pub(super) fn list(&mut self, mut listing: Listing, key: KeyEvent) {
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => {}
            KeyCode::Enter => {
                if let Some(at_us) = listing.chosen() {
                    self.deck.seek(at_us);
                }
            }
            _ => {
                if let Some(by) = keys::rows(key) {
                    listing.go(by);
                }
                self.mode = Mode::List(listing);
            }
        }
    }
}
