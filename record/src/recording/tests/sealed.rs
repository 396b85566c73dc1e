//! The same faults, and a recording that its recipients alone can read.

use super::*;

const SEALED: bool = true;

fn recipients() -> Vec<Recipient> {
    vec![reviewer()]
}

#[path = "crash.rs"]
mod crash;
#[path = "disk.rs"]
mod disk;
#[path = "tamper.rs"]
mod tamper;
