use proptest::prelude::*;

use super::*;
use crate::tree::leaf_hash;

fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

fn size(leaves: &[Hash]) -> u64 {
    leaves.len().try_into().unwrap()
}

fn split(leaves: &[Hash]) -> usize {
    let mut k = 1;
    while 2 * k < leaves.len() {
        k *= 2;
    }
    k
}

/// MTH of RFC 9162 §2.1.1, word for word.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Tree::new().root(),
        [only] => *only,
        many => {
            let (left, right) = many.split_at(split(many));
            node_hash(&mth(left), &mth(right))
        }
    }
}

/// PATH of RFC 9162 §2.1.3.1, word for word.
fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() == 1 {
        return Vec::new();
    }
    let k = split(d);
    let (mut proof, last) = if m < k {
        (path(m, &d[..k]), mth(&d[k..]))
    } else {
        (path(m - k, &d[k..]), mth(&d[..k]))
    };
    proof.push(last);
    proof
}

/// SUBPROOF of RFC 9162 §2.1.4.1, word for word.
fn subproof(m: usize, d: &[Hash], known: bool) -> Vec<Hash> {
    if m == d.len() {
        return if known { Vec::new() } else { vec![mth(d)] };
    }
    let k = split(d);
    let (mut proof, last) = if m <= k {
        (subproof(m, &d[..k], known), mth(&d[k..]))
    } else {
        (subproof(m - k, &d[k..], false), mth(&d[..k]))
    };
    proof.push(last);
    proof
}

#[test]
fn the_rfc_s_examples_have_their_shapes() {
    // RFC 9162 §2.1.5: seven leaves; the nodes over them have the RFC's names.
    let leaf = leaves(7);
    let over = |a: usize| node_hash(&leaf[a], &leaf[a + 1]);
    let (node_g, node_h, node_i) = (over(0), over(2), over(4));
    let (node_k, node_l) = (node_hash(&node_g, &node_h), node_hash(&node_i, &leaf[6]));
    assert_eq!(mth(&leaf), node_hash(&node_k, &node_l));
    assert_eq!(inclusion(&leaf, 0).unwrap(), [leaf[1], node_h, node_l]);
    assert_eq!(inclusion(&leaf, 3).unwrap(), [leaf[2], node_g, node_l]);
    assert_eq!(inclusion(&leaf, 4).unwrap(), [leaf[5], leaf[6], node_k]);
    assert_eq!(inclusion(&leaf, 6).unwrap(), [node_i, node_k]);
    assert_eq!(
        consistency(&leaf, 3).unwrap(),
        [leaf[2], leaf[3], node_g, node_l]
    );
    assert_eq!(consistency(&leaf, 4).unwrap(), [node_l]);
    assert_eq!(consistency(&leaf, 6).unwrap(), [node_i, leaf[6], node_k]);
}

#[test]
fn every_small_proof_is_the_definition_s_and_verifies() {
    for n in 1..=70 {
        let d = leaves(n);
        let root = mth(&d);
        for at in 0..n {
            let proof = inclusion(&d, at).unwrap();
            assert_eq!(proof, path(at, &d), "{at} in {n}");
            verify_inclusion(d[at], at as u64, n as u64, root, &proof).unwrap();
        }
        for older in 0..=n {
            let proof = consistency(&d, older).unwrap();
            if older > 0 {
                assert_eq!(proof, subproof(older, &d, true), "{older} of {n}");
            }
            let old = (older as u64, mth(&d[..older]));
            verify_consistency(old, (n as u64, root), &proof).unwrap();
        }
    }
}

#[test]
fn what_is_not_there_has_no_proof() {
    let d = leaves(5);
    assert_eq!(inclusion(&d, 5), None);
    assert_eq!(inclusion(&[], 0), None);
    assert_eq!(consistency(&d, 6), None);
    assert_eq!(
        verify_inclusion(d[0], 5, 5, mth(&d), &[]),
        Err(ProofError::Place)
    );
    assert_eq!(
        verify_inclusion(d[0], 0, 0, mth(&[]), &[]),
        Err(ProofError::Place)
    );
    let (old, new) = ((5, mth(&d)), (4, mth(&d[..4])));
    assert_eq!(verify_consistency(old, new, &[]), Err(ProofError::Place));
}

#[test]
fn a_tree_without_leaves_has_one_root_only() {
    let d = leaves(3);
    let (empty, whole) = (mth(&[]), (3, mth(&d)));
    assert_eq!(verify_consistency((0, empty), whole, &[]), Ok(()));
    assert_eq!(verify_consistency((0, empty), (0, empty), &[]), Ok(()));
    let wrong = Err(ProofError::OlderRoot);
    assert_eq!(verify_consistency((0, d[0]), whole, &[]), wrong);
    assert_eq!(verify_consistency((0, empty), (0, d[0]), &[]), wrong);
    assert_eq!(verify_consistency((0, d[0]), (0, d[0]), &[]), wrong);
}

#[test]
fn a_fork_has_no_proof_and_says_which_root_it_misses() {
    let (d, mut forked) = (leaves(11), leaves(11));
    forked[2] = leaf_hash(b"another");
    let old = (6, mth(&d[..6]));
    let new = (11, mth(&forked));
    let honest = consistency(&d, 6).unwrap();
    let theirs = consistency(&forked, 6).unwrap();
    assert_eq!(verify_consistency(old, new, &honest), Err(ProofError::Root));
    assert_eq!(
        verify_consistency(old, new, &theirs),
        Err(ProofError::OlderRoot)
    );
    // The same size with another root is a fork, too.
    assert_eq!(
        verify_consistency((11, mth(&d)), new, &[]),
        Err(ProofError::OlderRoot)
    );
}

#[test]
fn the_largest_trees_neither_overflow_nor_take_long() {
    let hash = leaf_hash(b"x");
    for length in [0, 1, 63, 64, LONGEST, LONGEST + 1, 100_000] {
        let path = vec![hash; length];
        for at in [0, 1, u64::MAX / 2, u64::MAX - 1] {
            assert!(verify_inclusion(hash, at, u64::MAX, hash, &path).is_err());
            let (old, new) = ((at.max(1), hash), (u64::MAX, hash));
            assert!(verify_consistency(old, new, &path).is_err());
        }
    }
}

proptest! {
    #[test]
    fn no_proof_but_the_one_verifies(
        n in 2_usize..300,
        pick in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        flip in 0_usize..4,
    ) {
        let d = leaves(n);
        let root = mth(&d);
        let at = pick.index(n);
        let mut proof = inclusion(&d, at).unwrap();
        let spot = place.index(proof.len());
        match flip {
            0 => proof[spot] = leaf_hash(b"forged"),
            1 => proof.push(root),
            2 => { proof.remove(spot); }
            _ => proof.insert(spot, root),
        }
        prop_assert!(verify_inclusion(d[at], at as u64, size(&d), root, &proof).is_err());

        let older = 1 + pick.index(n - 1);
        let (old, new) = ((older as u64, mth(&d[..older])), (size(&d), root));
        let mut proof = consistency(&d, older).unwrap();
        let spot = place.index(proof.len());
        match flip {
            0 => proof[spot] = leaf_hash(b"forged"),
            1 => proof.push(root),
            2 => { proof.remove(spot); }
            _ => proof.insert(spot, root),
        }
        prop_assert!(verify_consistency(old, new, &proof).is_err());
    }

    #[test]
    fn another_leaf_or_another_place_is_not_proven(
        n in 2_usize..300,
        one in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let d = leaves(n);
        let (one, other) = (one.index(n), other.index(n));
        prop_assume!(one != other);
        let proof = inclusion(&d, one).unwrap();
        prop_assert!(verify_inclusion(d[other], one as u64, size(&d), mth(&d), &proof).is_err());
        prop_assert!(verify_inclusion(d[one], other as u64, size(&d), mth(&d), &proof).is_err());
    }

    #[test]
    fn hostile_proofs_are_refused_or_accepted_and_never_more(
        sizes in any::<(u64, u64)>(),
        path in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash::from_bytes), 0..80),
        root in any::<[u8; 32]>().prop_map(Hash::from_bytes),
    ) {
        prop_assert!(verify_inclusion(root, sizes.0, sizes.1, root, &path).is_err() || path.is_empty());
        let (old, new) = ((sizes.0, root), (sizes.1, root));
        let same = sizes.0 == sizes.1 && path.is_empty();
        prop_assert!(verify_consistency(old, new, &path).is_err() || same);
    }
}
