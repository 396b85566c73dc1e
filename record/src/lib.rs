//! Everything that Hallpass writes to be believed later.
//!
//! * [`request`], [`text`]: what a person asks for, as the canonical text that approvers sign.
//! * [`review`]: what somebody else says afterwards of a grant that was taken first, the same way.
//! * [`entry`], [`log`]: the lines of the issuance log, and the log itself.
//! * [`law`], [`keyring`]: who may approve what, and the life of the CA's own keys, as the log tells them.
//! * [`api`]: what a bastion and the CA say to each other.
//! * [`recording`]: the evidence of each session; [`screen`]: the emulated terminal that it is shown through; [`lines`]: the
//!   text that stood there; [`retention`]: how long it is kept.
//! * [`krl`]: what is revoked, as OpenSSH's targets read it; [`orders`]: what a target is told.
//! * [`token`], [`fingerprint`]: what a machine joins with, and what keys are known by.
//! * [`digest`], [`clock`], [`when`]: SHA-256 and time, each in one spelling.
//! * [`witness`]: who remembers the log's checkpoints, and cosigns none that does not continue them.
//! * [`http`]: how published logs and witnesses are reached.
//! * [`age`]: secrets wrapped for those who may open them.
//! * [`tree`], [`checkpoint`], [`sshsig`]: a Merkle tree, what a signer says about it, and the
//!   signature that stock `ssh-keygen` checks. The issuance log and the recordings share them.

pub mod age;
pub mod api;
pub mod checkpoint;
pub mod clock;
mod cores;
pub mod digest;
pub mod entry;
pub mod fingerprint;
pub mod http;
pub mod keyring;
pub mod krl;
pub mod law;
pub mod lines;
mod lock;
pub mod log;
pub mod orders;
pub mod reading;
pub mod recording;
pub mod request;
pub mod retention;
pub mod review;
pub mod screen;
pub mod sshsig;
pub mod text;
pub mod token;
pub mod tree;
pub mod when;
pub mod witness;
