//! Connections that have logged in: how many one source has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::half_open::network;

/// Where connections come from. An IPv6 network of 64 bits counts as one source.
#[derive(Debug)]
pub(crate) struct Sources {
    most: usize,
    own: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of a source, until this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Sources {
    /// Nobody yet; no source will have more than so many.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let own = Mutex::default();
        Arc::new(Self { most, own })
    }

    /// Takes a seat, unless this source has all that one may have.
    pub(crate) fn sit(self: &Arc<Self>, source: IpAddr) -> Option<Seat> {
        let source = network(source);
        let mut own = self.own();
        let taken = own.entry(source).or_default();
        if *taken >= self.most {
            return None;
        }
        *taken += 1;
        drop(own);
        let sources = Arc::clone(self);
        Some(Seat { sources, source })
    }

    fn own(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut own = self.sources.own();
        if let Some(taken) = own.get_mut(&self.source) {
            *taken -= 1;
            if *taken == 0 {
                own.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_has_so_many_connections_and_takes_none_from_others() {
        let sources = Sources::new(2);
        let from = |text: &str| sources.sit(text.parse().unwrap());
        let first = from("2001:db8::1").unwrap();
        let second = from("2001:db8::2").unwrap();
        assert!(from("2001:db8::3").is_none(), "one past, in one network");
        assert!(from("2001:db8:0:1::3").is_some());
        assert!(from("192.0.2.1").is_some());
        drop(first);
        assert!(from("2001:db8::3").is_some());
        drop(second);
        assert!(sources.own().is_empty());
    }
}
