//! Everything that Hallpass writes to be believed later.
//!
//! * [`tree`], [`checkpoint`], [`sshsig`]: a Merkle tree, what a signer says about it, and the
//!   signature that stock `ssh-keygen` checks. The issuance log and the recordings share them.

pub mod checkpoint;
pub mod sshsig;
pub mod tree;
