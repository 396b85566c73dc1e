//! Faults, and a recording that everybody can read.

use super::*;

const SEALED: bool = false;

fn recipients() -> Recipients {
    Recipients::nobody()
}

#[path = "batch.rs"]
mod batch;
#[path = "crash.rs"]
mod crash;
#[path = "disk.rs"]
mod disk;
#[path = "tamper.rs"]
mod tamper;
