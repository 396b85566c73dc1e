//! How long the player takes to its screens.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use player::deck::Deck;
use player::survey::Survey;
use player::tape::Tape;
use player::view::{Look, Over, draw};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use record::age::Identities;
use record::recording::Reader;
use record::recording::index::Screens;

use crate::Plan;
use crate::made::trusted;
use crate::table::Goal;

impl Plan {
    /// The player's own way: its first screen, what it finds out beside, and then going to and fro.
    pub(crate) fn shown(&self, path: &Path, kind: &str, identities: &Identities) {
        let begin = Instant::now();
        let reader = Arc::new(Reader::open(path, identities).unwrap());
        let screens = Screens::of(&reader, &trusted());
        let tape = Tape::new(reader).knowing(screens);
        let mut deck = Deck::new(tape.clone(), None);
        drawn(&mut deck);
        self.took(kind, "the player's first screen", begin.elapsed(), true);

        let begin = Instant::now();
        let mut cold = Deck::new(tape.clone(), None);
        cold.seek(u64::MAX);
        drawn(&mut cold);
        self.took(kind, "then to the end", begin.elapsed(), true);

        let begin = Instant::now();
        let mut survey = Survey::new(tape.clone(), &mut |news| deck.learn(news));
        while survey.work(&mut |news| deck.learn(news)).unwrap() {}
        self.took(
            kind,
            "the timeline with all its marks",
            begin.elapsed(),
            false,
        );

        let mut slowest = Duration::ZERO;
        for n in 0..100_u64 {
            let begin = Instant::now();
            deck.seek(tape.duration_us() / 100 * (n * 37 % 100));
            drawn(&mut deck);
            slowest = slowest.max(begin.elapsed());
        }
        self.took(kind, "slowest of 100 seeks", slowest, true);

        let begin = Instant::now();
        for _ in 0..10 {
            deck.step_back();
            drawn(&mut deck);
        }
        self.took(kind, "a step back", begin.elapsed() / 10, true);
    }

    fn took(&self, kind: &str, what: &str, time: Duration, hurried: bool) {
        let goal = if hurried {
            Goal::AtMost(100.0)
        } else {
            Goal::None
        };
        let work = format!("ten hours, {kind}: {what}");
        self.row(&work, "ms", time.as_secs_f64() * 1000.0, None, goal);
    }
}

/// Draws what stands now, as the player does.
fn drawn(deck: &mut Deck) {
    while deck.work() {}
    let area = Rect::new(0, 0, 300, 80);
    let mut buffer = Buffer::empty(area);
    let look = Look {
        colour: true,
        timeline: true,
        typed: true,
        here: None,
    };
    draw(deck, look, Over::Nothing, None, area, &mut buffer);
    assert!(
        buffer.content.iter().any(|cell| cell.symbol() != " "),
        "the screen is blank"
    );
}
