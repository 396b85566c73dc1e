//! Proofs about a tree, for somebody who holds only signed roots of it.
//!
//! * [`inclusion`] and [`verify_inclusion`]: this leaf stands at this place (RFC 9162 §2.1.3).
//! * [`consistency`] and [`verify_consistency`]: the newer tree has every leaf of the older one, in
//!   the same places (RFC 9162 §2.1.4).
//!
//! The verifying halves take whatever a stranger sends: they are total, and no proof costs more than
//! [`LONGEST`] hashes twice.

use std::ops::Range;

use super::{Hash, Tree, node_hash};

/// Most hashes of a proof: a tree of `u64` leaves is at most 64 levels high, and a consistency proof
/// names one node more.
pub const LONGEST: usize = 65;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The place is not one of that tree: there is no such leaf, or the older tree is the larger one.
    #[error("there is no such place in the tree")]
    Place,
    /// More or fewer hashes than a proof of that place has.
    #[error("the proof is not as long as it has to be")]
    Length,
    /// The hashes do not lead to the leaf's, or the newer tree's, root.
    #[error("the proof does not lead to the root")]
    Root,
    /// The hashes do not lead to the older tree's root: the trees differ in a leaf that both have.
    #[error("the proof does not lead to the older root")]
    OlderRoot,
}

/// The proof that the leaf at `index` is one of `leaves`: from its sibling up to the child of the root. None if there is
/// no such leaf.
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    let mut path = Vec::new();
    let (mut part, mut at) = (leaves, index);
    part.get(at)?;
    while part.len() > 1 {
        let (left, right) = halves(part);
        if at < left.len() {
            path.push(root_of(right));
            part = left;
        } else {
            path.push(root_of(left));
            at -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The proof that the tree of the first `older` leaves is the beginning of the tree of all of them. None if `leaves` are
/// fewer than that. It is empty if the older tree is the empty one, with which everything is consistent, or the same one.
pub fn consistency(leaves: &[Hash], older: usize) -> Option<Vec<Hash>> {
    if older > leaves.len() {
        return None;
    }
    let place = |n: u64| usize::try_from(n).ok();
    let part = |range: Range<u64>| {
        let part = leaves.get(place(range.start)?..place(range.end)?);
        part.map(root_of)
    };
    let part = |range| part(range).ok_or(());
    consistency_by(older as u64, leaves.len() as u64, part).ok()
}

/// [`consistency`] of a tree that is not in memory: `root_of` gives the root of the leaves in a range, which begins at a
/// multiple of the smallest power of two that is not below its length. Of an older tree that is larger there is no proof;
/// what is given then proves nothing.
pub fn consistency_by<E>(
    older: u64,
    size: u64,
    mut root_of: impl FnMut(Range<u64>) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = Vec::new();
    if older == 0 || older >= size {
        return Ok(path);
    }
    let mut part = 0..size;
    // Whether `part` begins where the older tree does, so that its verifier knows its root already.
    let mut known = true;
    while older < part.end {
        let middle = part.start + half(part.end - part.start);
        if older <= middle {
            path.push(root_of(middle..part.end)?);
            part.end = middle;
        } else {
            path.push(root_of(part.start..middle)?);
            part.start = middle;
            known = false;
        }
    }
    if !known {
        path.push(root_of(part)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below a number of leaves, of which there are two or more (RFC 6962 §2.1).
pub(crate) const fn half(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Whether `path` proves that `leaf` stands at `index` in the tree of `size` leaves with this root
/// (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    root: Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Place);
    }
    if path.len() > LONGEST {
        return Err(ProofError::Length);
    }
    let mut climb = Climb {
        at: index,
        last: size - 1,
    };
    let mut hash = leaf;
    for sibling in path {
        hash = match climb.step()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.arrived()?;
    if hash == root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Whether `path` proves that the newer tree begins with the older one (RFC 9162 §2.1.4.2). Each tree is its size and its
/// root. An older tree without leaves is the beginning of every tree, with an empty proof.
pub fn verify_consistency(
    older: (u64, Hash),
    newer: (u64, Hash),
    path: &[Hash],
) -> Result<(), ProofError> {
    let ((older_size, older_root), (newer_size, newer_root)) = (older, newer);
    if older_size > newer_size {
        return Err(ProofError::Place);
    }
    if path.len() > LONGEST {
        return Err(ProofError::Length);
    }
    if older_size == 0 || older_size == newer_size {
        return at_an_end(older, newer, path);
    }
    let mut climb = Climb {
        at: older_size - 1,
        last: newer_size - 1,
    };
    // An older tree that is a complete subtree is not named by the proof: its verifier has its root.
    let (first, rest) = if older_size.is_power_of_two() {
        (older_root, path)
    } else {
        let (first, rest) = path.split_first().ok_or(ProofError::Length)?;
        (*first, rest)
    };
    climb.skip_right_edges();
    let (mut old, mut new) = (first, first);
    for sibling in rest {
        match climb.step()? {
            Side::Left => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    climb.arrived()?;
    if old != older_root {
        return Err(ProofError::OlderRoot);
    }
    if new != newer_root {
        return Err(ProofError::Root);
    }
    Ok(())
}

/// The two cases for which there is nothing to climb.
fn at_an_end(older: (u64, Hash), newer: (u64, Hash), path: &[Hash]) -> Result<(), ProofError> {
    if !path.is_empty() {
        return Err(ProofError::Length);
    }
    let expected = if older.0 == 0 {
        Tree::new().root()
    } else {
        newer.1
    };
    if older.1 == expected && (newer.0 != 0 || newer.1 == expected) {
        Ok(())
    } else {
        Err(ProofError::OlderRoot)
    }
}

/// On which side of the node that is climbed from its sibling stands.
enum Side {
    Left,
    Right,
}

/// A way from a node to the root: its index among the nodes of its level, and the index of the level's last node.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    /// Goes up over one sibling. A node that is its level's last one without a sibling rises until it has one.
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let side = if self.at & 1 == 1 {
            Side::Left
        } else if self.at == self.last {
            while self.at & 1 == 0 && self.at != 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Ok(side)
    }

    /// Rises from a right child as long as it is one: the complete subtree that it ends is one node.
    fn skip_right_edges(&mut self) {
        while self.at & 1 == 1 {
            self.up();
        }
    }

    const fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }

    const fn arrived(&self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::Length)
        }
    }
}

/// Splits two or more leaves at the largest power of two below their number (RFC 6962 §2.1).
fn halves(leaves: &[Hash]) -> (&[Hash], &[Hash]) {
    leaves.split_at(leaves.len().next_power_of_two() / 2)
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::new();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree.root()
}

#[cfg(test)]
mod tests;
