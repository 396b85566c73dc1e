//! The thin skin: keys and ticks in, the deck's cells out.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind};
use record::age::Identities;
use record::recording::reader::ReadError;
use record::recording::{ReadState, Reader};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::deck::Deck;
use crate::keys::{self, Ask};
use crate::tape::{Tape, TooLarge};
use crate::view::{self, Look};

/// Time between two looks at the keys.
const TICK: Duration = Duration::from_millis(20);

/// How long it is worked without a look at the keys.
const WORK: Duration = Duration::from_millis(15);

/// Time between two looks at whether the terminal is still there.
const LOOK: Duration = Duration::from_millis(500);

/// Longest time that is typed.
const TYPED: usize = 16;

/// How to play.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlayOptions {
    /// Where to begin.
    pub at: Duration,
    /// How fast; the nearest speed that there is.
    pub speed: Option<f64>,
    /// Cut waits to this.
    pub idle: Option<Duration>,
}

/// Why a recording was not replayed.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The caller's fault: nobody could see it.
    #[error("this is not a terminal: write the recording out with `hallpass export --format txt`")]
    NoTerminal,
    /// The terminal says that it has a line and no screen.
    #[error(
        "this terminal cannot move its cursor (TERM is dumb): write the recording out with `hallpass export --format txt`"
    )]
    Dumb,
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It does not fit the memory that a replay may use.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The terminal failed.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
}

/// Replays a recording in the terminal, until its person leaves; says how far the recording goes.
pub fn play(
    path: &Path,
    identities: &Identities,
    options: PlayOptions,
) -> Result<ReadState, PlayError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(PlayError::NoTerminal);
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(PlayError::Dumb);
    }
    let reader = Reader::open(path, identities)?;
    let state = reader.state();
    let tape = Tape::load(reader.header().clone(), reader.all_events())??;
    let mut deck = Deck::new(tape, options.idle);
    if let Some(speed) = options.speed {
        deck.set_speed(speed);
    }
    deck.seek(u64::try_from(options.at.as_micros()).unwrap_or(u64::MAX));
    let told = stop_signals()?;
    end_with_the_terminal();
    let mut terminal = ratatui::try_init()?;
    let played = Player::new(deck).run(&mut terminal, &told);
    ratatui::try_restore()?;
    played?;
    Ok(state)
}

/// Set when the process is told to end, so that the terminal is put right first. Told twice, it ends at once.
fn stop_signals() -> io::Result<Arc<AtomicBool>> {
    let told = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&told))?;
        signal_hook::flag::register(signal, Arc::clone(&told))?;
    }
    Ok(told)
}

/// Ends the process when its terminal goes away, as SIGHUP does where it arrives: crossterm would read the end of
/// its input for ever, and never return from waiting for a key.
fn end_with_the_terminal() {
    std::thread::spawn(|| {
        while io::stdin().is_terminal() {
            std::thread::sleep(LOOK);
        }
        signal_hook::low_level::emulate_default_handler(SIGHUP)
    });
}

struct Player {
    deck: Deck,
    look: Look,
    typed: Option<String>,
    dirty: bool,
}

impl Player {
    fn new(deck: Deck) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            deck,
            look: Look {
                colour,
                help: false,
            },
            typed: None,
            dirty: true,
        }
    }

    fn run(mut self, terminal: &mut DefaultTerminal, told: &AtomicBool) -> io::Result<()> {
        let mut last = Instant::now();
        let mut shown = String::new();
        while !told.load(Ordering::Relaxed) {
            self.work();
            let now = view::time(self.deck.position_us());
            if self.dirty || now != shown {
                self.draw(terminal)?;
                shown = now;
            }
            let wait = if self.deck.caught_up() {
                TICK
            } else {
                Duration::ZERO
            };
            if event::poll(wait)? && !self.take(&event::read()?) {
                return Ok(());
            }
            self.deck.advance(last.elapsed());
            last = Instant::now();
        }
        Ok(())
    }

    fn work(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < WORK && self.deck.work() {
            self.dirty = true;
        }
    }

    fn draw(&mut self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        let prompt = self
            .typed
            .as_ref()
            .map(|typed| format!("to which time? {typed}▏ (1:23, Enter; Esc leaves it)"));
        terminal.draw(|frame| {
            let area = frame.area();
            let cursor = view::draw(
                &self.deck,
                self.look,
                prompt.as_deref(),
                area,
                frame.buffer_mut(),
            );
            if let Some(cursor) = cursor {
                frame.set_cursor_position(cursor);
            }
        })?;
        self.dirty = false;
        Ok(())
    }

    /// Takes in one event; false if it ends the replay.
    fn take(&mut self, event: &Event) -> bool {
        self.dirty = true;
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(*key),
            _ => true,
        }
    }

    fn key(&mut self, key: KeyEvent) -> bool {
        if self.typed.is_some() && !keys::is_interrupt(key) {
            self.type_time(key);
            return true;
        }
        match keys::press(&mut self.deck, key) {
            Ask::Quit => return false,
            Ask::Help => self.look.help = !self.look.help,
            Ask::Time => self.typed = Some(String::new()),
            Ask::Nothing => {}
        }
        true
    }

    fn type_time(&mut self, key: KeyEvent) {
        let Some(typed) = &mut self.typed else { return };
        match key.code {
            KeyCode::Char(c @ ('0'..='9' | ':' | '.')) if typed.len() < TYPED => typed.push(c),
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Enter => {
                if let Some(to) = view::parse_time(typed) {
                    self.deck
                        .seek(u64::try_from(to.as_micros()).unwrap_or(u64::MAX));
                }
                self.typed = None;
            }
            KeyCode::Esc => self.typed = None,
            _ => {}
        }
    }
}
