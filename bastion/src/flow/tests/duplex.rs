//! One session: a person and a target that send and take, each behind a loop of russh.

use std::collections::VecDeque;
use std::sync::Arc;

use config::limits;
use proptest::prelude::*;

use super::super::*;

/// The largest message: the packet size of 32 KiB.
const MESSAGE: u64 = 32 << 10;

/// Messages that a channel's queue takes.
const QUEUE: usize = 4;

/// The window that the peers give us.
const THEIRS: u64 = 256 << 10;

enum Packet {
    Data(u64),
    Credit(u64),
}

/// A peer, the wire, and russh's loop for it.
struct Side {
    /// All that it sends, what of it is yet to be sent, and may be.
    all: u64,
    to_send: u64,
    credit: u64,
    /// What is on its way to us.
    wire: VecDeque<Packet>,
    /// What russh believes that the peer may send, and what it gives next.
    believed: u64,
    window: u32,
    /// What the loop holds while the queue is full.
    stuck: Option<u64>,
    queue: VecDeque<u64>,
    /// What was handed to russh and is not sent yet, and what may be handed to it.
    handed: VecDeque<u64>,
    room: u64,
    sendable: u64,
    /// What the peer has and has not taken, and what it has taken.
    buffer: u64,
    taken: u64,
}

impl Side {
    fn new(all: u64) -> Self {
        Self {
            all,
            to_send: all,
            credit: u64::from(OPEN),
            wire: VecDeque::new(),
            believed: u64::from(OPEN),
            window: OPEN,
            stuck: None,
            queue: VecDeque::new(),
            handed: VecDeque::new(),
            room: THEIRS,
            sendable: THEIRS,
            buffer: 0,
            taken: 0,
        }
    }

    fn sends(&mut self) {
        let some = self.to_send.min(self.credit).min(MESSAGE);
        if some > 0 && self.wire.len() < 16 {
            self.to_send -= some;
            self.credit -= some;
            self.wire.push_back(Packet::Data(some));
        }
    }

    fn takes(&mut self) {
        if self.buffer > 0 {
            self.taken += self.buffer;
            self.wire.push_back(Packet::Credit(self.buffer));
            self.buffer = 0;
        }
    }

    /// One turn of russh's loop. It does nothing at all while the queue does not take what it holds.
    fn turn(&mut self, gate: Option<&Gate>) {
        if let Some(bytes) = self.stuck {
            if self.queue.len() >= QUEUE {
                return;
            }
            self.queue.push_back(bytes);
            self.stuck = None;
        }
        while let Some(bytes) = self
            .handed
            .front()
            .copied()
            .filter(|bytes| *bytes <= self.sendable)
        {
            self.handed.pop_front();
            self.sendable -= bytes;
            self.buffer += bytes;
        }
        match self.wire.pop_front() {
            Some(Packet::Data(bytes)) => {
                self.believed -= bytes;
                if self.believed < u64::from(self.window / 2) {
                    self.credit += u64::from(self.window) - self.believed;
                    self.believed = u64::from(self.window);
                    self.window = gate.map_or(OPEN, Gate::window);
                }
                self.stuck = Some(bytes);
            }
            Some(Packet::Credit(bytes)) => {
                self.room += bytes;
                self.sendable += bytes;
            }
            None => {}
        }
    }

    fn accepts(&mut self, spool: &mut VecDeque<u64>, gate: &Gate) -> bool {
        let Some(bytes) = spool.front().copied().filter(|bytes| *bytes <= self.room) else {
            return false;
        };
        spool.pop_front();
        self.room -= bytes;
        self.handed.push_back(bytes);
        gate.gave(usize::try_from(bytes).unwrap());
        true
    }
}

struct Model {
    client: Side,
    target: Side,
    up: (Arc<Gate>, VecDeque<u64>),
    down: (Arc<Gate>, VecDeque<u64>),
    flow: Flow,
}

impl Model {
    fn new(up: u64, down: u64) -> Self {
        let gates = (Arc::<Gate>::default(), Arc::<Gate>::default());
        Self {
            client: Side::new(up),
            target: Side::new(down),
            flow: Flow::new(Arc::clone(&gates.0), Arc::clone(&gates.1)),
            up: (gates.0, VecDeque::new()),
            down: (gates.1, VecDeque::new()),
        }
    }

    fn takes_up(&mut self) {
        if let Some(bytes) = self.client.queue.pop_front() {
            self.up.0.took(usize::try_from(bytes).unwrap());
            self.up.1.push_back(bytes);
        }
    }

    fn takes_down(&mut self, patient: bool) {
        let may = match self.flow.take() {
            Take::Now => true,
            Take::After(_) => patient,
            Take::Not => false,
        };
        if may && let Some(bytes) = self.target.queue.pop_front() {
            self.flow.took_down();
            self.down.0.took(usize::try_from(bytes).unwrap());
            self.down.1.push_back(bytes);
        }
    }

    fn step(&mut self, what: u8, patient: bool) {
        match what % 10 {
            0 => self.client.sends(),
            1 => self.target.sends(),
            2 => self.client.takes(),
            3 => self.target.takes(),
            4 => self.client.turn(Some(&self.up.0)),
            5 => self.target.turn(None),
            6 => self.takes_up(),
            7 => self.takes_down(patient),
            8 => {
                if self.target.accepts(&mut self.up.1, &self.up.0) {
                    self.flow.gave_up();
                }
            }
            _ => drop(self.client.accepts(&mut self.down.1, &self.down.0)),
        }
    }

    fn check(&self) {
        for (gate, spool) in [&self.up, &self.down] {
            assert_eq!(gate.waiting() as u64, spool.iter().sum::<u64>());
        }
    }

    fn done(&self) -> bool {
        self.target.taken == self.client.all && self.client.taken == self.target.all
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the order in which peers, loops and relay get their turns: nothing is lost or doubled, and when
    /// everybody gets turns, everything arrives.
    #[test]
    fn promise_15_nothing_is_lost_and_nobody_locks_up(
        up in 0_u64..16 << 20,
        down in 0_u64..16 << 20,
        order in proptest::collection::vec((any::<u8>(), any::<bool>()), 0..4000),
    ) {
        let mut model = Model::new(up, down);
        for (what, patient) in order {
            model.step(what, patient);
            model.check();
        }
        for _ in 0..4000 {
            for what in 0..10 {
                model.step(what, true);
            }
        }
        prop_assert!(model.done(), "{} of {up} and {} of {down}", model.target.taken, model.client.taken);
    }

    /// Sides that take nothing: no more waits here than the soft bound and two windows, whoever sends and however much.
    #[test]
    fn promise_14_one_that_stands_still_costs_little(up in 0_u64..1 << 30, down in 0_u64..1 << 30, both: bool) {
        for stalled in [2, 3] {
            let mut model = Model::new(up, down);
            for _ in 0..4000 {
                for what in (0..10).filter(|what| *what != stalled && (!both || !(2..=3).contains(what))) {
                    model.step(what, false);
                }
            }
            for gate in [&model.up.0, &model.down.0] {
                prop_assert!(gate.waiting() <= limits::SPOOL_SOFT + 2 * OPEN as usize, "{}", gate.waiting());
            }
        }
    }

    /// A person who takes nothing until all was sent, to a target that sends too much: what is sent arrives.
    #[test]
    fn promise_15_who_takes_nothing_can_still_send(up in 0_u64..4 << 20) {
        let mut model = Model::new(up, 1 << 30);
        for _ in 0..4000 {
            for what in (0..10).filter(|what| *what != 2) {
                model.step(what, true);
            }
        }
        prop_assert_eq!(model.target.taken, up);
    }
}
