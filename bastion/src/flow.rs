//! Who waits: the flow control between two SSH connections, without input or output.
//!
//! Each channel of SSH has a window: so many bytes may still be sent, until the other side gives more (RFC 4254 §5.2).
//! russh gives more as soon as bytes have arrived, whether or not anybody has taken them from it, and waits with its
//! whole connection where a channel's queue is full (0.65). Hence the rules. Each direction has a [`Gate`], which counts
//! what waits in it, and where much waits, its source is slowed down:
//!
//! * the person's connection may have other channels, so what arrives from it is always taken at once, and the
//!   person is given [`SHUT`] instead of [`OPEN`]: a trickle, because russh asks for the next size of the window only when
//!   it gives some. The channel stops on its own, and its connection goes on with all else;
//! * the target's connection has one channel, and russh gives it one size of the window for ever. So from [`limits::SPOOL_SOFT`] on nothing is
//!   taken from it, and the whole connection waits. What is on its way to the target then waits too, hence a little is taken now
//!   and then while there is any: less often, the more waits already;
//! * past [`limits::SPOOL_HARD`] the session ends by name. So much waits only if a side sends more than its window, or
//!   takes nothing for hours while it sends, or has other channels, for which russh knows but one size of the window.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use config::limits;

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the person to the target.
    Up,
    /// From the target to the person.
    Down,
}

/// The window of a side that may send, in bytes: more than that of `OpenSSH`, because russh gives more only when half of it is
/// used up, and less would slow down who is far away.
pub const OPEN: u32 = 3 << 20;

/// The window of a side that should not send: the least that russh gives again, which it does once none of it is left.
pub const SHUT: u32 = 2;

/// How long the loop of a connection rests after a trickle has arrived through a gate that is shut, or a peer that is
/// near would trickle ten thousand times a second.
pub const TRICKLE: Duration = Duration::from_millis(10);

/// How long it rests for each [`limits::SPOOL_SOFT`] that waits beyond what one window explains: whoever takes half a megabyte a
/// second is not outrun, and one that takes nothing is ended within a minute or two.
pub const PACE: Duration = Duration::from_millis(1);

/// Counts what waits in one direction of one channel, and says how much more may come.
#[derive(Debug, Default)]
pub struct Gate {
    waiting: AtomicUsize,
    shut: AtomicBool,
}

impl Gate {
    /// So many bytes have arrived, and wait.
    pub fn took(&self, bytes: usize) {
        let before = self.waiting.fetch_add(bytes, Ordering::AcqRel);
        if before.saturating_add(bytes) >= limits::SPOOL_SOFT {
            self.shut.store(true, Ordering::Release);
        }
    }

    /// So many bytes were handed to the connection that they go to; they do not wait any more. A gate that is shut
    /// opens when half of it is free.
    pub fn gave(&self, bytes: usize) {
        let before = self.waiting.fetch_sub(bytes, Ordering::AcqRel);
        if before.saturating_sub(bytes) <= limits::SPOOL_SOFT / 2 {
            self.shut.store(false, Ordering::Release);
        }
    }

    /// How many bytes wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// The window to give when russh asks for it.
    #[must_use]
    pub fn window(&self) -> u32 {
        if self.shut.load(Ordering::Acquire) {
            SHUT
        } else {
            OPEN
        }
    }

    /// How long the connection rests after so many bytes have arrived: where a gate that is shut lets no more than a trickle
    /// through, and where far more waits than one window explains. Then another channel's window was given to this one, and
    /// the rest grows with what waits, until its source is as slow as whoever takes it.
    #[must_use]
    pub fn rest(&self, bytes: usize) -> Option<Duration> {
        if self.window() != SHUT {
            return None;
        }
        if bytes <= SHUT as usize {
            return Some(TRICKLE);
        }
        let waiting = self.waiting();
        let many = u32::try_from(waiting / limits::SPOOL_SOFT).unwrap_or(u32::MAX);
        (waiting > 2 * OPEN as usize).then(|| PACE * many)
    }

    /// Whether more waits than may: the session must end.
    #[must_use]
    pub fn over(&self) -> bool {
        self.waiting() > limits::SPOOL_HARD
    }
}

/// Whether to take from the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// Whatever it has.
    Now,
    /// One message, after this long.
    After(Duration),
    /// Nothing: it waits.
    Not,
}

/// How long a message of a target that waits is put off when the spool is full; at a half, a quarter of it. Both sides
/// may stand still for about eleven hours, while both send, before the spool is full.
const SLOWEST: Duration = Duration::from_secs(60);

/// The two gates of a session.
#[derive(Debug)]
pub struct Flow {
    up: Arc<Gate>,
    down: Arc<Gate>,
    /// Something was handed to the target's connection since it last had a turn, and may wait there.
    owed: bool,
}

impl Flow {
    /// `up` counts what comes from the person, `down` what comes from the target.
    #[must_use]
    pub const fn new(up: Arc<Gate>, down: Arc<Gate>) -> Self {
        Self {
            up,
            down,
            owed: false,
        }
    }

    /// Whether to take from the target.
    #[must_use]
    pub fn take(&self) -> Take {
        let waiting = self.down.waiting();
        if waiting < limits::SPOOL_SOFT {
            return Take::Now;
        }
        if !self.owed && self.up.waiting() == 0 {
            return Take::Not;
        }
        let of_1024 = |waiting: usize| u32::try_from((waiting << 10) / limits::SPOOL_HARD);
        let full = of_1024(waiting).unwrap_or(1024).min(1024);
        Take::After((SLOWEST * (full * full)) / (1 << 20))
    }

    /// A message of the target was taken, so that its connection has a turn.
    pub fn took_down(&mut self) {
        self.owed = false;
    }

    /// Something was handed to the target's connection.
    pub fn gave_up(&mut self) {
        self.owed = true;
    }

    /// The direction that has filled its spool, if one has: the session must end.
    #[must_use]
    pub fn over(&self) -> Option<Way> {
        if self.up.over() {
            Some(Way::Up)
        } else if self.down.over() {
            Some(Way::Down)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
