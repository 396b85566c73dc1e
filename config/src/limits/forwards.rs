//! What forwarded connections are held to.

use std::time::Duration;

/// Forwarded connections of one client connection at once, and ports that it has listened on: a browser behind `ssh -D`
/// opens some dozens, and each takes a connection to the target.
pub const FORWARDED: usize = 64;

/// How long a client's connection waits for a target that shall listen: the CA's answer, and the connection to the target.
pub const FORWARD_ANSWER: Duration = Duration::from_secs(20);

/// How long a target may take to connect to what it shall forward to, or to listen: longer than a person waits, and shorter
/// than the two minutes for which systems try to reach an address where nothing answers.
pub const FORWARD_TARGET: Duration = Duration::from_secs(30);

/// So many bytes of a forwarded connection pass, both ways together, and a line of its recording says how many it was so far …
pub const PASSED_BYTES: u64 = 1 << 20;

/// … or bytes pass so long after the last such line, whichever comes first. What a crash hides is less than both.
pub const PASSED_EVERY: Duration = Duration::from_secs(10);

/// How long the connection to a target rests after the person's side has closed what was forwarded over it: its `sshd` may still
/// hand on what it was sent, 2 MiB at most, and loses it when the connection ends. It has its place for so long.
pub const FORWARD_LINGER: Duration = Duration::from_secs(10);

/// How long one more than [`FORWARDED`] waits for a place, and as many may wait: a browser closes dozens of connections at once,
/// whose places are free after [`FORWARD_LINGER`] and a word to the target.
pub const FORWARD_QUEUE: Duration = Duration::from_secs(13);

/// Places in a role's `forward-to` or `listen-on`: each is looked at for every connection.
pub const FORWARD_PLACES: usize = 64;

/// Longest host name or socket path of a forwarded connection, in bytes: names have 253, paths of sockets 108.
pub const FORWARD_NAME_BYTES: usize = 256;
