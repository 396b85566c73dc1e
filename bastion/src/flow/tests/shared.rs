//! Several channels that go up on one connection of a person, of which russh knows one size of the window.

use std::collections::VecDeque;
use std::sync::Arc;

use config::limits;
use proptest::prelude::*;

use super::super::*;

/// The largest message: the packet size of 32 KiB.
const MESSAGE: u64 = 32 << 10;

/// What the target gives us, in bytes.
const THEIRS: u64 = 256 << 10;

/// One channel.
struct Lane {
    gate: Arc<Gate>,
    /// All that the person sends, what of it is yet to be sent, and may be.
    all: u64,
    to_send: u64,
    credit: u64,
    /// What russh believes that the person may send.
    believed: u64,
    spool: VecDeque<u64>,
    /// What the target may be sent, what it has, and what it has taken.
    room: u64,
    buffer: u64,
    taken: u64,
}

struct Model {
    lanes: Vec<Lane>,
    /// Lanes and bytes, in order.
    wire: VecDeque<(usize, u64)>,
    target: u32,
}

impl Model {
    fn new(sizes: &[u64]) -> Self {
        let lane = |all: &u64| Lane {
            gate: Arc::default(),
            all: *all,
            to_send: *all,
            credit: u64::from(OPEN),
            believed: u64::from(OPEN),
            spool: VecDeque::new(),
            room: THEIRS,
            buffer: 0,
            taken: 0,
        };
        Self {
            lanes: sizes.iter().map(lane).collect(),
            wire: VecDeque::new(),
            target: OPEN,
        }
    }

    fn sends(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        let some = lane.to_send.min(lane.credit).min(MESSAGE);
        if some > 0 && self.wire.len() < 16 {
            lane.to_send -= some;
            lane.credit -= some;
            self.wire.push_back((at, some));
        }
    }

    /// One turn of russh's loop (`Encrypted::adjust_window_size`), and of the relay, which takes always.
    fn arrives(&mut self) {
        let Some((at, bytes)) = self.wire.pop_front() else {
            return;
        };
        let lane = &mut self.lanes[at];
        lane.believed -= bytes;
        if lane.believed < u64::from(self.target / 2) {
            lane.credit += u64::from(self.target) - lane.believed;
            lane.believed = u64::from(self.target);
            self.target = lane.gate.window();
        }
        lane.gate.took(usize::try_from(bytes).unwrap());
        lane.spool.push_back(bytes);
    }

    fn goes_on(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        if let Some(bytes) = lane
            .spool
            .front()
            .copied()
            .filter(|bytes| *bytes <= lane.room)
        {
            lane.spool.pop_front();
            lane.room -= bytes;
            lane.buffer += bytes;
            lane.gate.gave(usize::try_from(bytes).unwrap());
        }
    }

    fn takes(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        lane.taken += lane.buffer;
        lane.room += lane.buffer;
        lane.buffer = 0;
    }

    /// Everybody gets a turn, but the targets that stand still.
    fn round(&mut self, stalled: &[usize]) {
        for at in 0..self.lanes.len() {
            self.sends(at);
            self.arrives();
            self.goes_on(at);
            if !stalled.contains(&at) {
                self.takes(at);
            }
        }
    }

    fn done(&self, at: usize) -> bool {
        self.lanes[at].taken == self.lanes[at].all
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the order in which everybody gets turns: all that was sent arrives, on every channel.
    #[test]
    fn promise_15_channels_of_one_connection_all_arrive(
        sizes in proptest::collection::vec(0_u64..8 << 20, 1..5),
        order in proptest::collection::vec((0_u8..4, 0_usize..5), 0..4000),
    ) {
        let mut model = Model::new(&sizes);
        for (what, at) in order {
            let at = at % sizes.len();
            match what {
                0 => model.sends(at),
                1 => model.arrives(),
                2 => model.goes_on(at),
                _ => model.takes(at),
            }
            for lane in &model.lanes {
                prop_assert_eq!(lane.gate.waiting() as u64, lane.spool.iter().sum::<u64>());
            }
        }
        for _ in 0..20_000 {
            model.round(&[]);
        }
        prop_assert!((0..sizes.len()).all(|at| model.done(at)));
    }

    /// A target that takes nothing beside one that does: of its channel no more waits than the soft bound and two
    /// windows, and at most twice what the other one sends, which gets all of its bytes through.
    #[test]
    fn promise_15_a_channel_that_stands_still_stops_no_other(live in 0_u64..64 << 20) {
        let mut model = Model::new(&[1 << 30, live]);
        for _ in 0..20_000 {
            model.round(&[0]);
        }
        prop_assert!(model.done(1));
        let most = limits::SPOOL_SOFT as u64 + 2 * u64::from(OPEN) + 2 * live;
        prop_assert!(model.lanes[0].gate.waiting() as u64 <= most);
    }
}
