//! The player's own state: what is asked of it, and what it shows over the screen.

mod lists;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use config::pattern::Pattern;
use crossterm::clipboard::CopyToClipboard;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind};
use ratatui::crossterm::execute;
use record::recording::ReadState;

use super::Shown;
use super::beside::Beside;
use super::coming::Coming;
use crate::deck::Deck;
use crate::keys::{self, Ask};
use crate::marks::Kind;
use crate::select::{self, Selection};
use crate::tape::micros;
use crate::view::{self, Helping, Listing, Look, Over};

/// Time between two looks at the keys.
const TICK: Duration = Duration::from_millis(20);

/// How long it is worked without a look at the keys.
const WORK: Duration = Duration::from_millis(15);

/// How long a screen that is behind is not drawn, so that drawing does not hold it up.
const BEHIND: Duration = Duration::from_millis(100);

/// Longest text that is typed, in characters.
const TYPED: usize = 200;

pub(super) struct Player {
    deck: Deck,
    beside: Beside,
    coming: Option<Arc<Coming>>,
    look: Look,
    mode: Mode,
    message: Option<String>,
    hits: Vec<(u64, String)>,
    dirty: bool,
    drawn: Instant,
}

/// What the keys are about.
enum Mode {
    Play,
    Help(Helping),
    List(Listing),
    Pick(Selection),
    /// Something is typed.
    Asked(Asked, String),
}

#[derive(Clone, Copy)]
enum Asked {
    Place,
    Text,
}

impl Player {
    pub(super) fn new(deck: Deck, beside: Beside, coming: Option<Arc<Coming>>) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            deck,
            beside,
            coming,
            look: Look {
                colour,
                timeline: true,
                typed: true,
                here: None,
            },
            mode: Mode::Play,
            message: None,
            hits: Vec::new(),
            dirty: true,
            drawn: Instant::now(),
        }
    }

    /// How far the recording goes, as far as is known by now.
    pub(super) fn shown(&self) -> Shown {
        let damaged_us = self.deck.damaged_us();
        let state = match damaged_us {
            Some(_) => ReadState::Damaged,
            None => self.deck.tape().source().state(),
        };
        Shown { state, damaged_us }
    }

    /// Says that it ends before this time.
    pub(super) fn say_past(&mut self, at: Duration) {
        let (at, end) = (micros(at), self.deck.tape().duration_us());
        self.message = Some(format!(
            "{} is past the end: it goes to {}",
            view::time(at),
            view::time(end)
        ));
    }

    pub(super) fn run(
        &mut self,
        terminal: &mut DefaultTerminal,
        told: &AtomicBool,
    ) -> io::Result<()> {
        let mut last = Instant::now();
        let mut shown = String::new();
        while !told.load(Ordering::Relaxed) {
            self.hear();
            self.watch();
            self.work();
            let now = view::time(self.deck.position_us());
            let ready = self.deck.caught_up() || self.drawn.elapsed() >= BEHIND;
            if (self.dirty || now != shown) && ready {
                self.draw(terminal)?;
                shown = now;
            }
            let wait = if self.deck.caught_up() {
                TICK
            } else {
                Duration::ZERO
            };
            if event::poll(wait)? && !self.take(&event::read()?)? {
                return Ok(());
            }
            self.deck.advance(last.elapsed());
            last = Instant::now();
        }
        Ok(())
    }

    /// Takes in what was found beside the replay.
    fn hear(&mut self) {
        let begun = Instant::now();
        while let Some(news) = self.beside.news() {
            self.deck.learn(news);
            self.dirty = true;
            if begun.elapsed() >= WORK {
                break;
            }
        }
        if let Some(found) = self.beside.found() {
            self.dirty = true;
            match found {
                Ok(found) => {
                    self.hits = found.hits;
                    self.go_to_hit(true);
                    let more = if found.more { "more than " } else { "" };
                    self.message = Some(match self.hits.len() {
                        0 => "not found".to_owned(),
                        1 => "found once: N n go there, f lists it".to_owned(),
                        count => format!("found {more}{count} times: n N go there, f lists them"),
                    });
                }
                Err(why) => self.message = Some(why),
            }
        }
    }

    /// Sees how much of the file has come.
    fn watch(&mut self) {
        let Some(coming) = &self.coming else {
            return;
        };
        let here = coming.percent();
        self.dirty |= here != self.look.here;
        self.look.here = here;
        if here.is_none() {
            self.coming = None;
        } else if let Some(why) = coming.failed() {
            self.message = Some(format!("the rest does not come: {why}"));
            (self.coming, self.dirty) = (None, true);
        }
    }

    fn work(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < WORK && self.deck.work() {
            self.dirty = true;
        }
    }

    fn draw(&mut self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        let width = terminal.size()?.width;
        let prompt = match &self.mode {
            Mode::Asked(Asked::Place, typed) => {
                let hint = "(1:23 or 42%, Enter; Esc leaves it)";
                Some(view::asked("to which time?", typed, hint, width))
            }
            Mode::Asked(Asked::Text, typed) => {
                let hint = "(a pattern, Enter; Esc leaves it)";
                Some(view::asked("look for:", typed, hint, width))
            }
            Mode::Pick(_) => Some(
                "arrows go, space begins, y copies to the clipboard (OSC 52), Esc leaves"
                    .to_owned(),
            ),
            _ => self.message.clone(),
        };
        terminal.draw(|frame| {
            let area = frame.area();
            let over = match &mut self.mode {
                Mode::Play | Mode::Asked(..) => Over::Nothing,
                Mode::Help(helping) => Over::Help(helping),
                Mode::List(listing) => Over::List(listing),
                Mode::Pick(selection) => Over::Selection(selection),
            };
            let (look, buffer) = (self.look, frame.buffer_mut());
            let cursor = view::draw(&self.deck, look, over, prompt.as_deref(), area, buffer);
            if let Some(cursor) = cursor {
                frame.set_cursor_position(cursor);
            }
        })?;
        self.dirty = false;
        self.drawn = Instant::now();
        Ok(())
    }

    /// Takes in one event; false if it ends the replay.
    fn take(&mut self, event: &Event) -> io::Result<bool> {
        self.dirty = true;
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            _ => Ok(true),
        }
    }

    fn key(&mut self, key: KeyEvent) -> io::Result<bool> {
        self.message = None;
        if keys::is_interrupt(key) {
            return Ok(false);
        }
        match std::mem::replace(&mut self.mode, Mode::Play) {
            Mode::Help(mut helping) if helping.is_long() && keys::rows(key).is_some() => {
                helping.go(keys::rows(key).unwrap_or_default());
                self.mode = Mode::Help(helping);
            }
            Mode::Help(_) if matches!(key.code, KeyCode::Esc | KeyCode::Char('?' | 'h')) => {}
            // Every other key leaves the help, and does what it does.
            Mode::Play | Mode::Help(_) => return Ok(self.asked(key)),
            Mode::List(listing) => self.list(listing, key),
            Mode::Pick(selection) => self.pick(selection, key)?,
            Mode::Asked(what, typed) => self.typed(what, typed, key),
        }
        Ok(true)
    }

    fn asked(&mut self, key: KeyEvent) -> bool {
        match keys::press(&mut self.deck, key) {
            Ask::Nothing => {}
            Ask::Quit => return false,
            Ask::Help => self.mode = Mode::Help(Helping::default()),
            Ask::Place => self.mode = Mode::Asked(Asked::Place, String::new()),
            Ask::Text => self.mode = Mode::Asked(Asked::Text, String::new()),
            Ask::Hit { forward } => self.go_to_hit(forward),
            Ask::Hits => {
                let rows = self.hits.clone();
                self.choose("found", rows, "nothing was looked for: / looks for text");
            }
            Ask::Commands => {
                let rows = self.marks(|kind| kind == Kind::Command);
                self.choose(
                    "commands, an aid and no proof",
                    rows,
                    "no command was found so far",
                );
            }
            Ask::Marks => {
                let rows = self.marks(|_| true);
                self.choose("marks", rows, "nothing is marked so far");
            }
            Ask::Timeline => self.look.timeline = !self.look.timeline,
            Ask::Typed => self.type_shown(),
            Ask::Pick => {
                self.deck.hold();
                self.mode = Mode::Pick(Selection::new(self.deck.screen()));
            }
        }
        true
    }

    fn type_shown(&mut self) {
        self.look.typed = !self.look.typed;
        if !self.deck.tape().header().record_input {
            self.message = Some("what was typed was not kept".to_owned());
        }
    }

    fn pick(&mut self, mut selection: Selection, key: KeyEvent) -> io::Result<()> {
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Ok(()),
            KeyCode::Char('y') | KeyCode::Enter => return self.copy(selection),
            KeyCode::Char(' ' | 'v') => selection.begin(),
            _ => {
                if let Some(way) = keys::way(key) {
                    selection.go(way, self.deck.screen().size());
                }
            }
        }
        self.mode = Mode::Pick(selection);
        Ok(())
    }

    /// Hands what is picked to the terminal's clipboard: the only thing of a recording that goes there, and only now.
    fn copy(&mut self, selection: Selection) -> io::Result<()> {
        let text = selection.text(self.deck.screen());
        self.message = Some(match text.len() {
            0 => "nothing stands there".to_owned(),
            bytes if bytes > select::MOST => format!("{bytes} bytes are too much for a clipboard"),
            _ => {
                execute!(io::stdout(), CopyToClipboard::to_clipboard_from(&text))?;
                let count = text.chars().count();
                format!("{count} characters handed to this terminal's clipboard")
            }
        });
        Ok(())
    }

    fn typed(&mut self, what: Asked, mut typed: String, key: KeyEvent) {
        match (key.code, what) {
            (KeyCode::Esc, _) => return,
            (KeyCode::Enter, Asked::Place) => return self.go_to_place(&typed),
            (KeyCode::Enter, Asked::Text) => return self.look_for(&typed),
            (KeyCode::Backspace, _) => {
                typed.pop();
            }
            (KeyCode::Char(c), Asked::Place) if !matches!(c, '0'..='9' | ':' | '.' | '%') => {}
            (KeyCode::Char(c), _) if typed.chars().count() < TYPED => typed.push(c),
            _ => {}
        }
        self.mode = Mode::Asked(what, typed);
    }

    fn go_to_place(&mut self, typed: &str) {
        let whole = Duration::from_micros(self.deck.tape().duration_us());
        match view::parse_place(typed, whole) {
            Some(to) => self.deck.seek(micros(to)),
            None => self.message = Some("write it like 1:23, 90 or 42%".to_owned()),
        }
    }

    fn look_for(&mut self, typed: &str) {
        if typed.is_empty() {
            return;
        }
        let begun = typed
            .parse::<Pattern>()
            .map_err(|e| e.to_string())
            .and_then(|pattern| self.beside.look_for(&pattern));
        self.message = Some(match begun {
            Ok(()) => "looking …".to_owned(),
            Err(why) => why,
        });
    }

    /// Goes to the next place where the text was found, or the one before; at the last one it stays.
    fn go_to_hit(&mut self, forward: bool) {
        let here = self.deck.position_us();
        let next = if forward {
            self.hits.iter().find(|(at_us, _)| *at_us > here)
        } else {
            self.hits.iter().rfind(|(at_us, _)| *at_us < here)
        };
        match next.map(|(at_us, _)| *at_us) {
            Some(at_us) => {
                self.deck.hold();
                self.deck.seek(at_us);
            }
            None if self.hits.is_empty() => {
                let none = "nothing was found: / looks for text".to_owned();
                self.message.get_or_insert(none);
            }
            None => self.message = Some("no further one".to_owned()),
        }
    }
}
