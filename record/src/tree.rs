//! The Merkle tree of [RFC 6962 §2.1](https://www.rfc-editor.org/rfc/rfc6962#section-2.1), over
//! SHA-256: the issuance log hashes its lines into one, each recording its sealed frames.
//! [`proof`] has what is proven about one to those who hold only its roots.

pub mod proof;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 value of the tree: of a leaf, of an inner node, or the root. Written in base64, as
/// checkpoints write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

/// Some text is not the base64 of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the base64 of a SHA-256 value")]
pub struct NotAHash;

impl Hash {
    /// Takes 32 bytes that somebody else has computed.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = STANDARD.decode(text).map_err(|_| NotAHash)?;
        Ok(Self(bytes.try_into().map_err(|_| NotAHash)?))
    }
}

impl TryFrom<String> for Hash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// The hash of one leaf: `SHA-256(0x00 || data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(
        Sha256::new()
            .chain_update([0])
            .chain_update(data)
            .finalize()
            .into(),
    )
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let hasher = Sha256::new().chain_update([1]);
    Hash(
        hasher
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// A tree that grows at its right edge and remembers only that edge: one hash for each
/// complete subtree, which is at most 64 of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Roots of the complete subtrees from left to right, thus from large to small. Their sizes
    /// are the bits that are set in `size`.
    edge: Vec<Hash>,
}

impl Tree {
    /// The empty tree.
    pub const fn new() -> Self {
        Self {
            size: 0,
            edge: Vec::new(),
        }
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let merges = self.size.trailing_ones();
        let subtree = (0..merges).fold(leaf, |right, _| match self.edge.pop() {
            Some(left) => node_hash(&left, &right),
            None => right,
        });
        self.edge.push(subtree);
        self.size += 1;
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root; of the empty tree, the hash of nothing (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let mut edge = self.edge.iter().rev();
        match edge.next() {
            None => Hash(Sha256::digest([]).into()),
            Some(last) => edge.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots of `certificate-transparency-go/merkletree`'s published vectors.
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).unwrap().try_into().unwrap())
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    #[test]
    fn the_published_vectors_hold() {
        let mut tree = Tree::new();
        let empty = unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(tree.root().as_bytes().as_slice(), empty);
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            tree.push(leaf_hash(&unhex(leaf)));
            assert_eq!(tree.root().as_bytes().as_slice(), unhex(root));
        }
        assert_eq!(tree.size(), 8);
    }

    /// The recursive definition of RFC 6962 §2.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Tree::new().root(),
            [only] => *only,
            many => {
                let k = (many.len() - 1).ilog2();
                let (left, right) = many.split_at(1 << k);
                node_hash(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn every_small_tree_agrees_with_the_definition() {
        let leaves: Vec<Hash> = (0_u32..200).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut tree = Tree::new();
        for (n, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), by_definition(&leaves[..n]), "at {n}");
            tree.push(*leaf);
        }
    }

    #[test]
    fn a_hash_reads_back_as_it_was_written() {
        let hash = leaf_hash(b"x");
        assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        assert_eq!("AAAA".parse::<Hash>(), Err(NotAHash));
        assert_eq!(format!("{hash} ").parse::<Hash>(), Err(NotAHash));
    }
}
