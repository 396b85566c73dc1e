//! What is over leaves the memory: however many certificates were issued, so many bytes live.
//!
//! The store's own part is held against far more rows in its unit tests; this is the rest of the CA.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../benches/site/mod.rs"]
mod site;

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use site::{Ahead, Site, issue_until};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Certificates that live at one time are issued, and expire, within this many.
const WARM: u64 = 10_000;

/// So many more are issued then.
const MORE: u64 = 4_000;

/// Bytes that each of them may leave. A request or a certificate that stayed would be several times as much; what there is here is the store's
/// cache, which fills up to its bound: some 500 on a busy machine.
const LEFT: u64 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_leaves_no_bytes_behind() {
    let site = Site::new("memory-test");
    let clock = Arc::new(Ahead::new());
    let desk = site.open(clock.clone());
    issue_until(WARM, &desk, &clock).await;
    let before = MEMORY.allocated();
    issue_until(WARM + MORE, &desk, &clock).await;
    let after = MEMORY.allocated();
    let each = (after as u64).saturating_sub(before as u64) / MORE;
    assert!(
        each < LEFT,
        "each certificate leaves {each} bytes: {before} to {after}"
    );
}
