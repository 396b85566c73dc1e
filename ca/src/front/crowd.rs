//! Connections that have logged in: how many one person, one bastion or one machine has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use record::entry::Whom;

/// Whose connections there are.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    own: Mutex<BTreeMap<Whom, usize>>,
}

/// One connection of somebody; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    whose: Whom,
}

impl Crowd {
    /// Nobody yet; nobody will have more than so many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let own = Mutex::default();
        Arc::new(Self { most, own })
    }

    /// Takes a seat, unless this one has all that anybody may have.
    pub(super) fn sit(self: &Arc<Self>, whose: Whom) -> Option<Seat> {
        let mut own = self.own();
        let taken = own.entry(whose.clone()).or_default();
        if *taken >= self.most {
            return None;
        }
        *taken += 1;
        drop(own);
        let crowd = Arc::clone(self);
        Some(Seat { crowd, whose })
    }

    fn own(&self) -> MutexGuard<'_, BTreeMap<Whom, usize>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut own = self.crowd.own();
        if let Some(taken) = own.get_mut(&self.whose) {
            *taken -= 1;
            if *taken == 0 {
                own.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_so_many_connections_and_takes_none_from_others() {
        let person = |name: &str| Whom::Person(name.parse().unwrap());
        let crowd = Crowd::new(2);
        let first = crowd.sit(person("alice")).unwrap();
        let second = crowd.sit(person("alice")).unwrap();
        assert!(crowd.sit(person("alice")).is_none());
        assert!(crowd.sit(person("bob")).is_some());
        drop(first);
        assert!(crowd.sit(person("alice")).is_some());
        drop(second);
        assert!(crowd.own().is_empty());
    }
}
