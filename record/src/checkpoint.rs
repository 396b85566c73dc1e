//! Checkpoints: what a log's or a recording's signer says about its tree.
//!
//! The body is that of [C2SP tlog-checkpoint](https://c2sp.org/tlog-checkpoint), three lines
//! without extensions:
//!
//! ```text
//! origin
//! size, in decimal
//! root, in base64
//! ```
//!
//! It is signed as SSHSIG in the namespace [`NAMESPACE`], so that stock `ssh-keygen -Y verify`
//! checks it. The issuance log's is written as a [`note`] beside that, for the tools of other transparency logs, and
//! witnesses [`cosign`] that one.

pub mod cosign;
pub mod note;

use std::fmt;

use crate::tree::{Hash, Tree};

/// The SSHSIG namespace of every checkpoint's signature.
pub const NAMESPACE: &str = "checkpoint@hallpass";

/// Longest checkpoint body that is read, in bytes: a name of 64 bytes, an identifier, a number
/// of 20 digits and a hash fit twice.
pub const BODY_BYTES: usize = 512;

/// What a tree held at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which tree: it keeps a checkpoint of one recording from being shown for another.
    pub origin: String,
    /// How many leaves it had.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// Why some text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: {0}")]
pub struct CheckpointError(&'static str);

impl Checkpoint {
    /// What `tree` holds now, under the name `origin`.
    pub fn of(origin: impl Into<String>, tree: &Tree) -> Self {
        Self {
            origin: origin.into(),
            size: tree.size(),
            root: tree.root(),
        }
    }

    /// Reads a body; accepts exactly what [`fmt::Display`] writes, byte for byte.
    pub fn parse(body: &str) -> Result<Self, CheckpointError> {
        if body.len() > BODY_BYTES {
            return Err(CheckpointError("it is too long"));
        }
        let lines: Vec<&str> = body.split('\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(CheckpointError("it is not three lines"));
        };
        let checkpoint = Self {
            origin: (*origin).to_owned(),
            size: size
                .parse()
                .map_err(|_| CheckpointError("its size is not a number"))?,
            root: root
                .parse()
                .map_err(|_| CheckpointError("its root is not a hash"))?,
        };
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(CheckpointError("its origin is not a name"));
        }
        if checkpoint.to_string() != body {
            return Err(CheckpointError(
                "its size is not written as a checkpoint writes it",
            ));
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::leaf_hash;

    #[test]
    fn a_body_reads_back_and_nothing_else_does() {
        let mut tree = Tree::new();
        tree.push(leaf_hash(b"x"));
        let checkpoint = Checkpoint::of("hallpass/log", &tree);
        let body = checkpoint.to_string();
        assert_eq!(Checkpoint::parse(&body).unwrap(), checkpoint);

        let bad = [
            body.trim_end().to_owned(),
            format!("{body}\n"),
            format!("{body}extension\n"),
            body.replace("\n1\n", "\n01\n"),
            body.replace("\n1\n", "\n+1\n"),
            body.replace("\n1\n", "\n-1\n"),
            body.replace("\n1\n", "\n18446744073709551616\n"),
            body.replace('\n', "\r\n"),
            body.replace("hallpass/log", ""),
            body.replace("hallpass/log", "hall\tpass"),
            body.replace("hallpass/log", &"x".repeat(BODY_BYTES)),
        ];
        for bad in bad {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
