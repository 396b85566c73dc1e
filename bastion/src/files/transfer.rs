//! What goes through an opened file: counted and hashed in the file's order, whatever order it is moved in.

use std::collections::BTreeMap;

use bytes::Bytes;
use config::limits;
use record::digest::Digest;
use record::recording::Transfer;
use sha2::{Digest as _, Sha256};

/// One direction of one opened file.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    from: Option<u64>,
    next: u64,
    bytes: u64,
    hasher: Sha256,
    /// Pieces behind a gap, by their offset.
    ahead: BTreeMap<u64, Bytes>,
    ahead_bytes: usize,
    /// Something went through twice, or so far ahead that it was not kept.
    scattered: bool,
}

impl Moving {
    /// The client means to move something from here: the first such place is where the transfer begins.
    pub(crate) fn begins(&mut self, offset: u64) {
        if self.from.is_none() {
            self.from = Some(offset);
            self.next = offset;
        }
    }

    /// Something went through.
    pub(crate) fn pass(&mut self, offset: u64, data: Bytes) {
        self.begins(offset);
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        if self.scattered || data.is_empty() {
            return;
        }
        if offset == self.next {
            self.take(&data);
            while let Some(data) = self.ahead.remove(&self.next) {
                self.ahead_bytes = self.ahead_bytes.saturating_sub(data.len());
                self.take(&data);
            }
            return;
        }
        let room = self.ahead_bytes + data.len() <= limits::SFTP_AHEAD_BYTES;
        if offset < self.next || !room || self.ahead.contains_key(&offset) {
            self.fail();
            return;
        }
        self.ahead_bytes += data.len();
        self.ahead.insert(offset, data);
    }

    fn take(&mut self, data: &[u8]) {
        self.hasher.update(data);
        self.next = self.next.saturating_add(data.len() as u64);
    }

    /// Something did not go through that was counted.
    pub(crate) fn fail(&mut self) {
        self.scattered = true;
        self.ahead.clear();
    }

    /// How many bytes went through.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn sum(&self) -> Option<Transfer> {
        if self.bytes == 0 {
            return None;
        }
        let whole = !self.scattered && self.ahead.is_empty();
        Some(Transfer {
            from: self.from.unwrap_or_default(),
            bytes: self.bytes,
            digest: whole.then(|| Digest::from_bytes(self.hasher.clone().finalize().into())),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In whatever order the pieces of a file come, each once, the digest is that of the file.
        #[test]
        fn the_digest_is_that_of_the_file_in_any_order(data in prop::collection::vec(any::<u8>(), 1..400), cuts in prop::collection::vec(1_usize..40, 1..40), from in 0_u64..1 << 40, seed in any::<u64>()) {
            let mut pieces = Vec::new();
            let (mut at, mut cut) = (0, cuts.iter().cycle());
            while at < data.len() {
                let end = (at + cut.next().unwrap()).min(data.len());
                pieces.push((from + at as u64, Bytes::copy_from_slice(&data[at..end])));
                at = end;
            }
            let mut order: Vec<usize> = (0..pieces.len()).collect();
            order.sort_by_key(|n| (*n as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
            let mut moving = Moving::default();
            moving.begins(from);
            for n in order {
                let (offset, piece) = pieces[n].clone();
                moving.pass(offset, piece);
            }
            let expected = Transfer { from, bytes: data.len() as u64, digest: Some(Digest::of(&data)) };
            prop_assert_eq!(moving.sum(), Some(expected));
        }
    }

    #[test]
    fn what_goes_twice_or_leaves_a_gap_has_no_digest() {
        let piece = Bytes::from_static(b"abc");
        let mut twice = Moving::default();
        twice.pass(0, piece.clone());
        twice.pass(0, piece.clone());
        assert_eq!(twice.sum().map(|t| (t.bytes, t.digest)), Some((6, None)));
        let mut gap = Moving::default();
        gap.pass(0, piece.clone());
        gap.pass(9, piece);
        assert_eq!(gap.sum().map(|t| (t.bytes, t.digest)), Some((6, None)));
        assert_eq!(Moving::default().sum(), None);
    }

    #[test]
    fn what_waits_behind_a_gap_is_bounded() {
        let mut moving = Moving::default();
        moving.begins(0);
        let piece = Bytes::from(vec![0; limits::SFTP_AHEAD_BYTES / 4]);
        for n in 1..=4 {
            moving.pass(n * piece.len() as u64, piece.clone());
        }
        assert_eq!(moving.ahead_bytes, limits::SFTP_AHEAD_BYTES);
        assert!(!moving.scattered);
        moving.pass(1 << 40, Bytes::from_static(b"x"));
        assert!(moving.scattered && moving.ahead.is_empty());
    }
}
