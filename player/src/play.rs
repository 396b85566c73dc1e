//! The thin skin: keys and ticks in, the deck's cells out.

mod beside;
mod coming;
mod player;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use record::age::Identities;
use record::recording::reader::ReadError;
use record::recording::verify::Trusted;
use record::recording::{ReadState, Reader};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::deck::Deck;
use crate::export::original;
use crate::tape::micros;

use beside::Beside;
use player::Player;

pub use coming::Coming;

/// Time between two looks at whether the terminal is still there.
const LOOK: Duration = Duration::from_millis(500);

/// How to play.
#[derive(Debug, Clone, Default)]
pub struct PlayOptions {
    /// Where to begin.
    pub at: Duration,
    /// How fast; the nearest speed that there is.
    pub speed: Option<f64>,
    /// Cut waits to this.
    pub idle: Option<Duration>,
    /// How much of its file is here, while that is not all.
    pub coming: Option<Arc<Coming>>,
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
    /// The terminal failed.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
}

/// How far a recording goes, as far as was found by the time that its person left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Whether it is all there.
    pub state: ReadState,
    /// Of one that is damaged: from when on, in microseconds.
    pub damaged_us: Option<u64>,
}

/// Replays a recording in the terminal, until its person leaves; says how far the recording goes. One that still grows is
/// followed, whether its session runs or it is being downloaded. An index that one of these bastions has signed is sought by.
pub fn play(
    path: &Path,
    identities: Identities,
    trusted: &Trusted,
    options: PlayOptions,
) -> Result<Shown, PlayError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(PlayError::NoTerminal);
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(PlayError::Dumb);
    }
    let comes = beside::comes(options.coming.as_deref());
    let reader = Arc::new(original(Reader::open(path, &identities)?, &identities)?);
    let tape = beside::tape_of(&reader, trusted).coming(comes);
    let mut deck = Deck::new(tape.clone(), options.idle);
    if let Some(speed) = options.speed {
        deck.set_speed(speed);
    }
    deck.seek(micros(options.at));
    let told = stop_signals()?;
    end_with_the_terminal();
    let is_past = options.at > reader.duration() && !tape.grows();
    let beside = Beside::begin(
        path,
        Arc::new(identities),
        trusted.clone(),
        reader,
        tape,
        options.coming.clone(),
    );
    let mut terminal = ratatui::try_init()?;
    let mut player = Player::new(deck, beside, options.coming);
    if is_past {
        player.say_past(options.at);
    }
    let outcome = player.run(&mut terminal, &told);
    ratatui::try_restore()?;
    outcome?;
    Ok(player.shown())
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
        // Whoever has something to put away first waits for this.
        let _ = signal_hook::low_level::raise(SIGHUP);
        std::thread::sleep(LOOK);
        signal_hook::low_level::emulate_default_handler(SIGHUP)
    });
}
