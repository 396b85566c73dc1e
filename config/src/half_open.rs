//! Who may stand at a door without having logged in: the rule that the CA's door and a bastion's share, without
//! input or output.
//!
//! One source takes at most [`limits::HALF_OPEN_PER_SOURCE`] places. When all [`limits::HALF_OPEN`] are taken, the
//! next one is let in nevertheless, and the connection that has stood longest among those of the most crowded
//! source has to go: a crowd shows itself out, and a good login from elsewhere gets its turn.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits;

/// The connections that have not logged in yet. Each leaves something here that cuts it when it is dropped.
#[derive(Debug)]
pub struct HalfOpen<C>(Mutex<Crowd<C>>);

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct Held<C> {
    all: Arc<HalfOpen<C>>,
    source: IpAddr,
    number: u64,
}

#[derive(Debug)]
struct Crowd<C> {
    sources: HashMap<IpAddr, VecDeque<(u64, C)>>,
    next: u64,
}

impl<C> HalfOpen<C> {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Crowd {
            sources: HashMap::new(),
            next: 0,
        })))
    }

    /// Lets one more connection of this source in, unless that source has too many. To drop `cut` has to end the
    /// connection, unless it has logged in; it is dropped when the connection must make room, or leaves.
    pub fn enter(self: &Arc<Self>, source: IpAddr, cut: C) -> Option<Held<C>> {
        let source = network(source);
        let mut crowd = self.crowd();
        if crowd.of(source) >= limits::HALF_OPEN_PER_SOURCE {
            return None;
        }
        let gone = (crowd.all() >= limits::HALF_OPEN).then(|| crowd.show_out());
        let number = crowd.next;
        crowd.next += 1;
        crowd
            .sources
            .entry(source)
            .or_default()
            .push_back((number, cut));
        drop(crowd);
        // Cut outside of the lock: whoever is cut leaves by it.
        drop(gone);
        Some(Held {
            all: Arc::clone(self),
            source,
            number,
        })
    }

    fn crowd(&self) -> MutexGuard<'_, Crowd<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Crowd<C> {
    fn all(&self) -> usize {
        self.sources.values().map(VecDeque::len).sum()
    }

    fn of(&self, source: IpAddr) -> usize {
        self.sources.get(&source).map_or(0, VecDeque::len)
    }

    /// Takes out the oldest connection of the source that has the most; of several such, the oldest of all.
    fn show_out(&mut self) -> Option<C> {
        let oldest = |all: &VecDeque<(u64, C)>| all.front().map_or(u64::MAX, |(number, _)| *number);
        let (source, number) = self
            .sources
            .iter()
            .map(|(source, all)| (*source, all.len(), oldest(all)))
            .max_by_key(|(_, many, oldest)| (*many, u64::MAX - *oldest))
            .map(|(source, _, oldest)| (source, oldest))?;
        self.take(source, number)
    }

    fn take(&mut self, source: IpAddr, number: u64) -> Option<C> {
        let all = self.sources.get_mut(&source)?;
        let at = all.iter().position(|(one, _)| *one == number)?;
        let (_, cut) = all.remove(at)?;
        if all.is_empty() {
            self.sources.remove(&source);
        }
        Some(cut)
    }
}

impl<C> Drop for Held<C> {
    fn drop(&mut self) {
        let cut = self.all.crowd().take(self.source, self.number);
        drop(cut);
    }
}

/// The source that an address counts as. One who has an IPv6 network of 64 bits has all its addresses (RFC 6177): they count as one source.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says which connections were cut.
    struct Cut(u32, Arc<Mutex<Vec<u32>>>);

    impl Drop for Cut {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn address(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + n).to_be_bytes())
    }

    #[test]
    fn promise_16_one_source_cannot_take_all_places() {
        let door = HalfOpen::new();
        let noisy: IpAddr = "192.0.2.1".parse().unwrap();
        let mut held: Vec<_> = (0..limits::HALF_OPEN_PER_SOURCE)
            .map(|_| door.enter(noisy, ()).unwrap())
            .collect();
        assert!(door.enter(noisy, ()).is_none(), "one past the bound");
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(door.enter(mapped, ()).is_none(), "the same one");
        assert!(door.enter(address(1), ()).is_some());
        held.pop();
        let again = door.enter(noisy, ());
        assert!(again.is_some(), "who has left makes room");
        drop((held, again));
        assert!(door.crowd().sources.is_empty(), "nothing is kept");
    }

    #[test]
    fn addresses_of_one_network_are_one_source() {
        let door = HalfOpen::new();
        let held: Vec<_> = (0..limits::HALF_OPEN_PER_SOURCE)
            .map(|n| {
                let own = format!("2001:db8::{n:x}").parse().unwrap();
                door.enter(own, ()).unwrap()
            })
            .collect();
        assert!(door.enter("2001:db8::ffff".parse().unwrap(), ()).is_none());
        assert!(door.enter("2001:db8:0:1::".parse().unwrap(), ()).is_some());
        drop(held);
    }

    #[test]
    fn promise_16_a_crowd_makes_room_for_the_next_one() {
        let door = HalfOpen::new();
        let cut = Arc::new(Mutex::new(Vec::new()));
        let enter = |n, source| door.enter(source, Cut(n, Arc::clone(&cut))).unwrap();
        let single = enter(0, address(0));
        let most = u32::try_from(limits::HALF_OPEN).unwrap();
        // The second of the crowd's sources is the most crowded one when the last place is taken.
        let crowd: Vec<_> = (1..most)
            .map(|n| enter(n, address(if n < 3 { 2 } else { n })))
            .collect();
        assert!(cut.lock().unwrap().is_empty(), "up to the bound, all stay");
        let next = enter(most, address(most));
        assert_eq!(*cut.lock().unwrap(), [1], "the oldest of the most crowded");
        let after = enter(most + 1, address(most + 1));
        assert_eq!(*cut.lock().unwrap(), [1, 0], "then the oldest of all");
        assert_eq!(door.crowd().all(), limits::HALF_OPEN);
        drop((single, crowd, next, after));
        assert!(door.crowd().sources.is_empty());
    }
}
