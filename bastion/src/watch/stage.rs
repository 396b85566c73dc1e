//! What a session shows to those who look on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use config::limits;
use config::words::PersonName;
use record::recording::{FileEvent, Size};
use record::screen::{Screen, Snapshot};
use tokio::sync::{Notify, watch};

/// What a session shows. The session's side only ever puts something down here: it never waits, and what nobody
/// picks up in time gives way to what comes after it.
#[derive(Debug)]
pub(crate) struct Stage {
    person: PersonName,
    terminal: bool,
    waiting: Mutex<Waiting>,
    pub(super) arrived: Notify,
    eye: Mutex<Eye>,
    shown: watch::Sender<Shown>,
    seats: watch::Sender<Seats>,
}

/// How often the screen has changed, and how the session ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(super) changes: u64,
    pub(super) over: Option<String>,
}

/// How many look on, and how many of them are not the session's own person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seats {
    pub(super) all: usize,
    pub(crate) others: usize,
}

/// What was shown and has not reached the screen.
#[derive(Debug, Default)]
struct Waiting {
    bits: VecDeque<Bit>,
    bytes: usize,
}

impl Waiting {
    /// Gives up as much of what came first as is too much; a size that it was.
    fn give_way(&mut self) -> Option<Size> {
        let over = self.bytes.saturating_sub(limits::WATCH_BYTES);
        let bit = self.bits.pop_front()?;
        self.bytes -= bit.weight();
        match bit {
            Bit::Size(size) => Some(size),
            Bit::Bytes(bytes) => {
                if bytes.len() > over {
                    let rest = Bit::Bytes(bytes.slice(over..));
                    self.bytes += rest.weight();
                    self.bits.push_front(rest);
                }
                None
            }
        }
    }
}

/// One thing that was shown.
#[derive(Debug)]
pub(super) enum Bit {
    Bytes(Bytes),
    Size(Size),
}

impl Bit {
    fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len() + limits::ITEM_BYTES,
            Self::Size(_) => limits::ITEM_BYTES,
        }
    }
}

/// The screen; while nothing happens and nobody looks, only what it takes to make it again.
enum Eye {
    Awake(Box<Screen>),
    Asleep(Snapshot),
}

impl std::fmt::Debug for Eye {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Awake(_) => "Awake",
            Self::Asleep(_) => "Asleep",
        })
    }
}

impl Stage {
    /// The stage of this person's session. Without a terminal it has a screen of the usual size, on which lines of text
    /// follow each other, from the moment on that somebody looks.
    pub(crate) fn new(person: PersonName, terminal: Option<Size>) -> Arc<Self> {
        let screen = Screen::new(terminal.unwrap_or(Size::DEFAULT), terminal.is_none());
        Arc::new(Self {
            person,
            terminal: terminal.is_some(),
            waiting: Mutex::default(),
            arrived: Notify::new(),
            eye: Mutex::new(Eye::Awake(Box::new(screen))),
            shown: watch::Sender::default(),
            seats: watch::Sender::default(),
        })
    }

    /// Output that stands in the recording.
    pub(crate) fn output(&self, bytes: Bytes) {
        self.put(Bit::Bytes(bytes));
    }

    /// The person's terminal has another size.
    pub(crate) fn resize(&self, size: Size) {
        self.put(Bit::Size(size));
    }

    /// Something about files that stands in the recording: the same line.
    pub(crate) fn file(&self, event: &FileEvent) {
        if let Ok(line) = serde_json::to_string(event) {
            self.put(Bit::Bytes(Bytes::from(line + "\n")));
        }
    }

    /// The session is over, for this reason; the first one stands.
    pub(crate) fn over(&self, reason: &str) {
        self.shown.send_if_modified(|shown| {
            let first = shown.over.is_none();
            if first {
                shown.over = Some(reason.to_owned());
            }
            first
        });
        self.arrived.notify_one();
    }

    /// Says how many look on.
    pub(crate) fn seats(&self) -> watch::Receiver<Seats> {
        self.seats.subscribe()
    }

    /// Somebody looks on, until what is returned is dropped.
    pub(super) fn sit(self: &Arc<Self>, person: &PersonName) -> Seated {
        let other = usize::from(*person != self.person);
        self.seats.send_modify(|seats| {
            seats.all += 1;
            seats.others += other;
        });
        self.arrived.notify_one();
        Seated {
            stage: Arc::clone(self),
            other,
        }
    }

    /// Says when the screen has changed, and when the session is over.
    pub(super) fn shown(&self) -> watch::Receiver<Shown> {
        self.shown.subscribe()
    }

    /// Whether the screen is to be kept up to date: always at a terminal, whose screen nothing else could tell.
    pub(super) fn is_followed(&self) -> bool {
        self.terminal || self.is_seen()
    }

    /// Whether anybody looks on.
    pub(super) fn is_seen(&self) -> bool {
        self.seats.borrow().all > 0
    }

    /// Whether the session is over, and everything was shown that somebody could see.
    pub(super) fn is_over(&self) -> bool {
        let over = self.shown.borrow().over.is_some();
        over && (!self.is_followed() || self.waiting().bits.is_empty())
    }

    /// Takes what has come, in order.
    pub(super) fn take(&self) -> Vec<Bit> {
        let mut waiting = self.waiting();
        waiting.bytes = 0;
        waiting.bits.drain(..).collect()
    }

    /// Brings these onto the screen. Costs up to some milliseconds for a thousand bytes.
    pub(super) fn draw(&self, bits: Vec<Bit>) {
        self.with_screen(|screen| {
            for bit in bits {
                match bit {
                    Bit::Bytes(bytes) => screen.feed(&bytes),
                    Bit::Size(size) => screen.resize(size),
                }
            }
        });
        self.shown.send_modify(|shown| shown.changes += 1);
    }

    /// Looks at the screen.
    pub(super) fn with_screen<T>(&self, look: impl FnOnce(&mut Screen) -> T) -> T {
        let mut eye = self.eye();
        let mut screen = match &mut *eye {
            Eye::Awake(screen) => return look(screen),
            Eye::Asleep(snapshot) => Box::new(Screen::restore(snapshot)),
        };
        let seen = look(&mut screen);
        *eye = Eye::Awake(screen);
        seen
    }

    /// Gives up the screen's memory until something happens.
    pub(super) fn doze(&self) {
        let mut eye = self.eye();
        let snapshot = match &*eye {
            Eye::Awake(screen) => screen.snapshot(),
            Eye::Asleep(_) => None,
        };
        if let Some(snapshot) = snapshot {
            *eye = Eye::Asleep(snapshot);
        }
    }

    fn put(&self, bit: Bit) {
        let mut waiting = self.waiting();
        waiting.bytes += bit.weight();
        waiting.bits.push_back(bit);
        // What goes faster than the screen is followed has scrolled away.
        while waiting.bytes > limits::WATCH_BYTES && waiting.bits.len() > 1 {
            let size = waiting.give_way();
            // A size is never lost.
            if let Some(size) = size {
                drop(waiting);
                self.with_screen(|screen| screen.resize(size));
                waiting = self.waiting();
            }
        }
        drop(waiting);
        if self.is_followed() {
            self.arrived.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn eye(&self) -> MutexGuard<'_, Eye> {
        self.eye.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who looks on, until this is dropped.
#[derive(Debug)]
pub(super) struct Seated {
    stage: Arc<Stage>,
    other: usize,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.stage.seats.send_modify(|seats| {
            seats.all = seats.all.saturating_sub(1);
            seats.others = seats.others.saturating_sub(self.other);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> PersonName {
        "alice".parse().unwrap()
    }

    fn text(stage: &Stage, row: usize) -> String {
        stage.with_screen(|screen| {
            let row = screen.row(row).map(|cell| cell.char);
            row.collect::<String>().trim_end().to_owned()
        })
    }

    #[test]
    fn what_is_not_picked_up_gives_way_and_costs_no_more_memory() {
        let stage = Stage::new(alice(), Some(Size::asked(80, 24)));
        stage.resize(Size::asked(100, 30));
        for n in 0..100_000_u32 {
            stage.output(Bytes::from(format!("line {n}\r\n")));
            assert!(stage.waiting().bytes <= limits::WATCH_BYTES);
        }
        stage.draw(stage.take());
        assert_eq!(text(&stage, 28), "line 99999");
        stage.with_screen(|screen| {
            assert_eq!((screen.size().cols(), screen.size().rows()), (100, 30));
        });
    }

    #[test]
    fn the_end_of_a_large_piece_stays() {
        let stage = Stage::new(alice(), Some(Size::asked(80, 24)));
        let many: Vec<String> = (0..4000).map(|n| format!("line {n:03}\r\n")).collect();
        let many = many.concat();
        let end = many.len() - limits::WATCH_BYTES;
        stage.output(Bytes::copy_from_slice(&many.as_bytes()[end..]));
        stage.output(Bytes::from_static(b"$ "));
        assert!(stage.waiting().bytes <= limits::WATCH_BYTES);
        stage.draw(stage.take());
        assert_eq!(text(&stage, 22), "line 3999");
        assert_eq!(text(&stage, 23), "$");
    }

    #[test]
    fn a_screen_that_slept_is_what_it_was() {
        let stage = Stage::new(alice(), Some(Size::asked(80, 24)));
        stage.output(Bytes::from_static(b"\x1b[?1049h\x1b[3;1Heditor\x1b[5"));
        stage.draw(stage.take());
        stage.doze();
        assert!(matches!(&*stage.eye(), Eye::Asleep(_)));
        stage.output(Bytes::from_static(b";2Hbelow"));
        stage.draw(stage.take());
        assert_eq!(text(&stage, 2), "editor");
        assert_eq!(text(&stage, 4), " below");
    }

    #[test]
    fn nobody_observes_themselves() {
        let stage = Stage::new(alice(), None);
        let own = stage.sit(&alice());
        assert_eq!(*stage.seats().borrow(), Seats { all: 1, others: 0 });
        let bob = stage.sit(&"bob".parse().unwrap());
        assert_eq!(*stage.seats().borrow(), Seats { all: 2, others: 1 });
        drop((own, bob));
        assert_eq!(*stage.seats().borrow(), Seats::default());
    }
}
