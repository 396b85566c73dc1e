//! What waits in all forwarded connections of one person together, on however many connections of theirs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use config::limits;
use config::words::PersonName;

/// Everybody's.
#[derive(Debug, Default)]
pub(crate) struct Spools(Mutex<HashMap<PersonName, Weak<AtomicUsize>>>);

impl Spools {
    /// This person's.
    pub(crate) fn of(&self, person: &PersonName) -> Spool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(person).and_then(Weak::upgrade) {
            return Spool(known);
        }
        all.retain(|_, spool| spool.strong_count() > 0);
        let spool = Arc::default();
        all.insert(person.clone(), Arc::downgrade(&spool));
        Spool(spool)
    }
}

/// One person's, in bytes. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Spool(Arc<AtomicUsize>);

impl Spool {
    /// The share of one more connection, which holds nothing yet.
    pub(crate) fn share(&self) -> Share {
        let all = Arc::clone(&self.0);
        Share { all, own: 0 }
    }
}

/// What waits in one connection, until this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    all: Arc<AtomicUsize>,
    own: usize,
}

impl Share {
    /// So much waits in it now. Whether it has to end: all together hold more than [`limits::SPOOL_LINKS`], and this one as
    /// much as is no passing moment.
    pub(crate) fn holds(&mut self, own: usize) -> bool {
        // Atomic additions wrap around, and so does a change downwards.
        let change = own.wrapping_sub(self.own);
        let before = self.all.fetch_add(change, Ordering::AcqRel);
        let all = before.wrapping_add(change);
        self.own = own;
        all > limits::SPOOL_LINKS && own >= limits::SPOOL_SOFT
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_past_what_may_wait_together_ends_those_that_hold_it() {
        let spools = Spools::default();
        let alice: PersonName = "alice".parse().unwrap();
        // On two connections of hers.
        let (first, second) = (spools.of(&alice), spools.of(&alice));
        let (mut large, mut small) = (first.share(), second.share());
        assert!(!large.holds(limits::SPOOL_LINKS));
        assert!(!small.holds(1), "it holds hardly anything");
        assert!(large.holds(limits::SPOOL_LINKS), "one past it");
        assert!(small.holds(limits::SPOOL_SOFT));
        assert!(!large.holds(limits::SPOOL_LINKS - limits::SPOOL_SOFT));
        // Nobody else is touched by it.
        let bob = spools.of(&"bob".parse().unwrap());
        assert!(!bob.share().holds(limits::SPOOL_SOFT));
        drop(large);
        let mut next = first.share();
        assert!(
            !next.holds(limits::SPOOL_LINKS - limits::SPOOL_SOFT),
            "what has ended holds nothing"
        );
        drop((next, small, first, second, bob));
        assert!(
            spools
                .0
                .lock()
                .unwrap()
                .get(&alice)
                .unwrap()
                .upgrade()
                .is_none()
        );
        spools.of(&"carol".parse().unwrap());
        assert_eq!(
            spools.0.lock().unwrap().len(),
            1,
            "who has none is forgotten"
        );
    }
}
