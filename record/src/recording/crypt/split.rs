//! A content key that nobody opens alone: Shamir's secret sharing (<https://doi.org/10.1145/359168.359176>) over its bytes,
//! by the crate `blahaj`. Each share is a number from 1 to 255 and 32 bytes, and fewer of them than the threshold
//! say nothing about the key.

use std::collections::BTreeMap;

use blahaj::{Share, Sharks};
use zeroize::Zeroizing;

use super::{ContentKey, KeyBytes};

/// A share's length: its number, and a byte for each of the key's.
const SHARE: usize = 33;

/// One share for each of `count` recipients, at most 255, of whom `threshold` are needed. The key passes through
/// memory here that is not locked.
pub(super) fn split(key: &ContentKey, threshold: u8, count: usize) -> Vec<KeyBytes> {
    let dealer = Sharks(threshold).dealer(key.bytes());
    let shares = dealer.take(count);
    shares
        .map(|share| Zeroizing::new(Vec::from(&share)))
        .collect()
}

/// Some of the shares, each of them once.
#[derive(Default)]
pub(super) struct Shares(BTreeMap<u8, KeyBytes>);

impl Shares {
    /// Adds one; whether it is one.
    #[must_use]
    pub(super) fn add(&mut self, share: KeyBytes) -> bool {
        let number = share.first().copied().filter(|number| *number != 0);
        let (Some(number), SHARE) = (number, share.len()) else {
            return false;
        };
        self.0.entry(number).or_insert(share);
        true
    }

    /// How many different ones there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &KeyBytes> {
        self.0.values()
    }

    /// What they make together, if they are enough. Whether it is the key, its commitment says.
    pub(super) fn join(&self, threshold: u8) -> Option<KeyBytes> {
        let shares: Result<Vec<Share>, _> = self
            .0
            .values()
            .map(|share| Share::try_from(share.as_slice()))
            .collect();
        let joined = Sharks(threshold).recover(&shares.ok()?).ok()?;
        Some(Zeroizing::new(joined))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(shares: &[KeyBytes], threshold: u8) -> Option<KeyBytes> {
        let mut some = Shares::default();
        for share in shares {
            assert!(some.add(share.clone()));
        }
        some.join(threshold)
    }

    #[test]
    fn as_many_as_are_needed_make_the_key_and_fewer_do_not() {
        let key = ContentKey::random().unwrap();
        let shares = split(&key, 3, 5);
        for skipped in 0..5 {
            let mut some = shares.clone();
            some.remove(skipped);
            assert_eq!(joined(&some, 3).unwrap().as_slice(), key.bytes());
            some.truncate(3);
            assert_eq!(joined(&some, 3).unwrap().as_slice(), key.bytes());
            some.truncate(2);
            assert_eq!(joined(&some, 3), None);
            // Whoever lies about the threshold gets something else.
            assert_ne!(joined(&some, 2).unwrap().as_slice(), key.bytes());
        }
    }

    #[test]
    fn one_share_counts_once_and_what_is_none_is_refused() {
        let key = ContentKey::random().unwrap();
        let share = split(&key, 2, 2).remove(0);
        assert_eq!(joined(&[share.clone(), share.clone()], 2), None);
        let mut shares = Shares::default();
        let mut zero = share.clone();
        if let Some(number) = zero.first_mut() {
            *number = 0;
        }
        assert!(!shares.add(zero));
        assert!(!shares.add(Zeroizing::new(share.split_last().unwrap().1.to_vec())));
        assert!(!shares.add(Zeroizing::new(Vec::new())));
        assert_eq!(shares.count(), 0);
    }
}
