//! The same faults, and a recording that its recipients alone can read.

#![expect(
    clippy::duplicate_mod,
    reason = "each fault is tried on both kinds of recordings"
)]

use super::*;

const SEALED: bool = true;

fn recipients() -> Recipients {
    reviewer()
}

#[path = "batch.rs"]
mod batch;
#[path = "crash.rs"]
mod crash;
#[path = "disk.rs"]
mod disk;
#[path = "tamper.rs"]
mod tamper;
