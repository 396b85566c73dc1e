//! Two peers that move bytes through a relay, each behind a model of russh's connection: it gives window
//! credit on receipt, and then waits until the channel's queue takes what it has received.

use std::collections::VecDeque;

use config::limits;
use proptest::prelude::*;

use super::*;

/// The size of a message: the packet size of 32 KiB.
const MESSAGE: usize = 32 << 10;

/// What a channel's queue takes.
const QUEUE: usize = 4;

/// What a peer may send without credit for it.
const WINDOW: usize = 8;

/// One side: a peer, the wire, and russh's loop for it.
#[derive(Default)]
struct Side {
    /// Messages that the peer has yet to send, and has sent.
    to_send: u32,
    sent: u32,
    /// What is on its way to us: messages, and credit for what the peer has taken.
    wire: VecDeque<Packet>,
    /// The packet that the loop holds while the queue is full.
    stuck: Option<u32>,
    queue: VecDeque<u32>,
    /// What was handed to russh and is not sent yet.
    handed: VecDeque<u32>,
    /// How many messages may be sent to the peer.
    credit: usize,
    /// What the peer has received and not taken, and all that it has taken.
    buffer: VecDeque<u32>,
    taken: Vec<u32>,
}

enum Packet {
    Message(u32),
    Credit,
}

impl Side {
    fn new(to_send: u32) -> Self {
        Self {
            to_send,
            credit: WINDOW,
            ..Self::default()
        }
    }

    /// The peer sends; the wire holds some packets.
    fn peer_sends(&mut self) {
        if self.sent < self.to_send && self.wire.len() < 2 * WINDOW {
            self.wire.push_back(Packet::Message(self.sent));
            self.sent += 1;
        }
    }

    /// The peer's program takes one message, and the peer gives credit for it.
    fn peer_takes(&mut self) {
        if let Some(message) = self.buffer.pop_front() {
            self.taken.push(message);
            self.wire.push_back(Packet::Credit);
        }
    }

    /// One turn of russh's loop. It does nothing at all while the queue does not take what it holds.
    fn turn(&mut self) {
        if let Some(message) = self.stuck {
            if self.queue.len() >= QUEUE {
                return;
            }
            self.queue.push_back(message);
            self.stuck = None;
        }
        while self.credit > 0 {
            let Some(message) = self.handed.pop_front() else {
                break;
            };
            self.credit -= 1;
            self.buffer.push_back(message);
        }
        match self.wire.pop_front() {
            Some(Packet::Message(message)) => self.stuck = Some(message),
            Some(Packet::Credit) => self.credit += 1,
            None => {}
        }
    }
}

/// The relay between two sides.
struct Model {
    client: Side,
    target: Side,
    flow: Flow,
    up: VecDeque<u32>,
    down: VecDeque<u32>,
    alone: bool,
}

impl Model {
    fn new(up: u32, down: u32, alone: bool) -> Self {
        Self {
            client: Side::new(up),
            target: Side::new(down),
            flow: Flow::default(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            alone,
        }
    }

    fn relay_takes(&mut self, way: Way, patient: bool) {
        let (side, spool, alone) = match way {
            Way::Up => (&mut self.client, &mut self.up, self.alone),
            Way::Down => (&mut self.target, &mut self.down, true),
        };
        let may = match self.flow.take(way, alone) {
            Take::Now => true,
            Take::After(_) => patient,
            Take::Not => false,
        };
        if may && let Some(message) = side.queue.pop_front() {
            spool.push_back(message);
            self.flow.took(way, MESSAGE);
        }
    }

    /// A channel takes a message when there is credit for it that is not spoken for.
    fn relay_gives(&mut self, way: Way) {
        let (side, spool) = match way {
            Way::Up => (&mut self.target, &mut self.up),
            Way::Down => (&mut self.client, &mut self.down),
        };
        if side.handed.len() < side.credit
            && let Some(message) = spool.pop_front()
        {
            side.handed.push_back(message);
            self.flow.gave(way, MESSAGE);
        }
    }

    fn step(&mut self, what: u8, patient: bool) {
        match what % 10 {
            0 => self.client.peer_sends(),
            1 => self.target.peer_sends(),
            2 => self.client.peer_takes(),
            3 => self.target.peer_takes(),
            4 => self.client.turn(),
            5 => self.target.turn(),
            6 => self.relay_takes(Way::Up, patient),
            7 => self.relay_takes(Way::Down, patient),
            8 => self.relay_gives(Way::Up),
            _ => self.relay_gives(Way::Down),
        }
    }

    fn check(&self) {
        for (way, spool) in [(Way::Up, &self.up), (Way::Down, &self.down)] {
            assert_eq!(self.flow.waiting(way), spool.len() * MESSAGE);
        }
        for taken in [&self.client.taken, &self.target.taken] {
            assert!(
                taken
                    .iter()
                    .copied()
                    .eq(0..u32::try_from(taken.len()).unwrap()),
                "lost, doubled or out of order"
            );
        }
    }

    fn done(&self) -> bool {
        self.target.taken.len() == self.client.to_send as usize
            && self.client.taken.len() == self.target.to_send as usize
    }
}

proptest! {
    /// Whatever the order in which peers, loops and relay get their turns: every message arrives once and in
    /// order, and when everybody gets turns, everything arrives.
    #[test]
    fn promise_15_nothing_is_lost_and_nobody_locks_up(
        up in 0_u32..200,
        down in 0_u32..200,
        alone: bool,
        order in proptest::collection::vec((any::<u8>(), any::<bool>()), 0..4000),
    ) {
        let mut model = Model::new(up, down, alone);
        for (what, patient) in order {
            model.step(what, patient);
            model.check();
        }
        for _ in 0..4000 {
            for what in 0..10 {
                model.step(what, true);
            }
            if model.done() {
                break;
            }
        }
        model.check();
        prop_assert!(model.done(), "{} of {up} and {} of {down}", model.target.taken.len(), model.client.taken.len());
    }

    /// A target that takes nothing and says nothing: little waits here, however much the person sends.
    #[test]
    fn promise_14_one_that_stands_still_costs_little(sent in 0_u32..2000) {
        let mut model = Model::new(sent, 0, true);
        for _ in 0..4000 {
            for what in [0, 4, 5, 6, 8] {
                model.step(what, true);
            }
        }
        prop_assert!(model.flow.waiting(Way::Up) <= limits::SPOOL_SOFT + MESSAGE);
        prop_assert_eq!(model.flow.over(), None);
    }
}

#[test]
fn a_client_that_answers_before_the_target_takes_more_is_heard() {
    // The target takes nothing until the client has taken one message; the client's loop stands still by then.
    let mut model = Model::new(500, 1, true);
    for _ in 0..2000 {
        for what in [0, 4, 5, 6, 8] {
            model.step(what, true);
        }
    }
    assert_eq!(
        model.flow.take(Way::Up, true),
        Take::Not,
        "the client waits"
    );
    for _ in 0..100 {
        for what in [0, 1, 2, 4, 5, 6, 7, 8, 9] {
            model.step(what, true);
        }
    }
    assert_eq!(
        model.client.taken.len(),
        1,
        "what the target says arrives all the same"
    );
}

#[test]
fn one_past_the_spool_ends_the_session_by_name() {
    let mut flow = Flow::default();
    flow.took(Way::Down, limits::SPOOL_HARD);
    assert_eq!(flow.over(), None);
    flow.took(Way::Down, 1);
    assert_eq!(flow.over(), Some(Way::Down));
}

#[test]
fn a_channel_with_company_is_always_taken_from() {
    let mut flow = Flow::default();
    flow.took(Way::Up, limits::SPOOL_SOFT * 4);
    assert_eq!(flow.take(Way::Up, true), Take::Not);
    assert_eq!(flow.take(Way::Up, false), Take::Now);
}
