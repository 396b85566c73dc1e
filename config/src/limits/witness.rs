//! What bounds the witnesses of a log.

use std::time::Duration;

/// Most witnesses of one log: every note carries a line of each.
pub const WITNESSES: usize = 16;

/// How long a witness may take to cosign one checkpoint: a disk's sync and a way around the world, many times over.
pub const WITNESS_ANSWER: Duration = Duration::from_secs(5);

/// How long a person waits for the witnesses to cosign what an access certificate stands in, before being told to try again.
pub const WITNESS_WAIT: Duration = Duration::from_secs(10);

/// How long a witness that failed is left alone before it is asked again: one that is gone must not slow down every batch.
pub const WITNESS_PAUSE: Duration = Duration::from_secs(2);

/// Connections that a witness serves at once: each costs a task and one body in memory.
pub const WITNESS_CONNECTIONS: usize = 64;

/// How long one connection to a witness may last, whatever it does.
pub const WITNESS_CONNECTION: Duration = Duration::from_secs(30);
