//! A proxy that is as bad as a network can be: it delays, stands still, cuts and corrupts, by a seed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::{Result, ports};

/// What happens to the bytes of a connection, in one of its directions, once so many have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing: they come late, and in pieces.
    None,
    /// One byte is another one.
    Corrupt(u64),
    /// The connection ends, at once and both ways.
    Cut(u64),
    /// Nothing passes for so long, and then everything.
    Stall(u64, Duration),
}

/// What a proxy does to each connection that is made from now on.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Towards whoever listens.
    pub up: Harm,
    /// Towards whoever connected.
    pub down: Harm,
    /// What the small delays and the pieces follow from.
    pub seed: u64,
}

impl Plan {
    /// Passes everything on, as it comes.
    pub const FAIR: Self = Self {
        up: Harm::None,
        down: Harm::None,
        seed: 0,
    };
}

/// A proxy on loopback. It runs as long as the process.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    plan: Arc<Mutex<Plan>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Listens, and leads to this port.
    pub fn to(port: u16) -> Result<Self> {
        let here = ports::free()?;
        let listener = TcpListener::bind(ports::address(here))?;
        let plan = Arc::new(Mutex::new(Plan::FAIR));
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let (planned, opened) = (Arc::clone(&plan), Arc::clone(&open));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let plan = *planned.lock().unwrap_or_else(PoisonError::into_inner);
                if let Ok(stream) = stream
                    && let Ok(other) = TcpStream::connect(ports::address(port))
                {
                    let _ = carry(&stream, &other, plan);
                    let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
                    opened.push(other);
                }
            }
        });
        Ok(Self {
            port: here,
            plan,
            open,
        })
    }

    /// Cuts every connection that there is: one that lasts for hours knows nothing of a new plan.
    pub fn cut(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// What happens to connections from now on.
    pub fn plan(&self, plan: Plan) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }
}

fn carry(here: &TcpStream, there: &TcpStream, plan: Plan) -> Result<()> {
    let ways = [
        (here.try_clone()?, there.try_clone()?, plan.up, 1),
        (there.try_clone()?, here.try_clone()?, plan.down, 2),
    ];
    for (from, to, harm, salt) in ways {
        let random = (plan.seed != 0).then(|| Random::new(plan.seed.wrapping_mul(2) + salt));
        thread::spawn(move || pass(from, to, harm, random));
    }
    Ok(())
}

/// Passes bytes on, until they end or the harm ends them.
fn pass(mut from: TcpStream, mut to: TcpStream, harm: Harm, mut random: Option<Random>) {
    let mut buffer = vec![0; 16 << 10];
    let mut passed = 0_u64;
    loop {
        // Pieces end at odd places, so that nobody gets packets whole.
        let most = random.as_mut().map_or(buffer.len(), Random::piece);
        let room = buffer.get_mut(..most).unwrap_or_default();
        let read = match from.read(room) {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let next = passed + read as u64;
        let strikes = |at: u64| (passed..next).contains(&at);
        match harm {
            Harm::Cut(at) if strikes(at) => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
            Harm::Corrupt(at) if strikes(at) => {
                let offset = usize::try_from(at - passed).unwrap_or(0);
                if let Some(byte) = room.get_mut(offset) {
                    *byte ^= 0x20;
                }
            }
            Harm::Stall(at, pause) if strikes(at) => thread::sleep(pause),
            _ => {}
        }
        if let Some(random) = &mut random {
            random.delay();
        }
        if to.write_all(room.get(..read).unwrap_or_default()).is_err() {
            break;
        }
        passed = next;
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

/// Numbers that follow from a seed (xorshift).
pub struct Random(u64);

impl Random {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        random.below(2);
        random
    }

    /// A number below this one.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }

    fn piece(&mut self) -> usize {
        let most = if self.below(4) == 0 { 64 } else { 16 << 10 };
        usize::try_from(self.below(most)).unwrap_or(0) + 1
    }

    /// Mostly none; now and then some milliseconds.
    fn delay(&mut self) {
        if self.below(16) == 0 {
            thread::sleep(Duration::from_millis(self.below(20)));
        }
    }
}
