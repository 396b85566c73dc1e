//! Who waits: the flow control between two SSH connections, without input or output.
//!
//! russh gives window credit on receipt, and then waits until the channel's queue takes what it received
//! (0.65). So not to take from a channel stops its whole connection: its other channels, the other direction, and
//! the window credit that the other direction waits for. Hence the rules:
//!
//! * up to [`limits::SPOOL_SOFT`] of one direction, everything is taken at once;
//! * past it, a side is left to wait only while nothing waits for it in the other direction, and no other
//!   channel lives on its connection;
//! * after something was given to a waiting side, a little is taken from it, so that its connection turns over
//!   and really sends what it was given;
//! * while both directions stand still, a side is taken from slowly, and slower the more of it waits: what
//!   sets it going again may be stuck behind what it sends;
//! * past [`limits::SPOOL_HARD`] the session ends by name.

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

impl Way {
    /// The other one.
    #[must_use]
    pub const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// Whether to take from the side that a direction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// Whatever it has.
    Now,
    /// One message, after this long.
    After(Duration),
    /// Nothing: it waits.
    Not,
}

/// The slowest pace, at a full spool. With it, both sides may stand still for about a quarter of an hour at
/// full speed before the spool is full.
const SLOWEST: Duration = Duration::from_secs(1);

/// Messages that are taken from a waiting side after something was given to it.
const TURNS: u8 = 2;

/// What waits in each direction.
#[derive(Debug, Default)]
pub struct Flow {
    up: Lane,
    down: Lane,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: usize,
    turns: u8,
}

impl Flow {
    /// Whether to take what comes this way. `alone`: no other channel lives on the connection that it comes from.
    pub fn take(&self, way: Way, alone: bool) -> Take {
        let (own, back) = (self.lane(way), self.lane(way.back()));
        if own.waiting < limits::SPOOL_SOFT || own.turns > 0 || !alone {
            return Take::Now;
        }
        if back.waiting == 0 {
            return Take::Not;
        }
        let full = u32::try_from(own.waiting >> 10).unwrap_or(u32::MAX);
        let most = u32::try_from(limits::SPOOL_HARD >> 10).unwrap_or(u32::MAX);
        Take::After(SLOWEST.saturating_mul(full) / most.max(1))
    }

    /// A message of so many bytes was taken; they wait now.
    pub fn took(&mut self, way: Way, bytes: usize) {
        let lane = self.lane_mut(way);
        lane.waiting = lane.waiting.saturating_add(bytes);
        lane.turns = lane.turns.saturating_sub(1);
    }

    /// So many bytes were handed to the connection that they go to; they do not wait any more.
    pub fn gave(&mut self, way: Way, bytes: usize) {
        let lane = self.lane_mut(way);
        lane.waiting = lane.waiting.saturating_sub(bytes);
        self.lane_mut(way.back()).turns = TURNS;
    }

    /// How many bytes wait.
    pub fn waiting(&self, way: Way) -> usize {
        self.lane(way).waiting
    }

    /// The direction that has filled its spool, if one has: the session must end.
    pub fn over(&self) -> Option<Way> {
        [Way::Up, Way::Down]
            .into_iter()
            .find(|way| self.waiting(*way) > limits::SPOOL_HARD)
    }

    fn lane(&self, way: Way) -> &Lane {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }

    fn lane_mut(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }
}

#[cfg(test)]
mod tests;
