//! What a role's sessions are held to, looked at and masked with.

use std::time::Duration;

/// Connections that have logged in from one address, or one network of 64 bits: an office behind one address, at full work.
pub const CONNECTIONS_PER_SOURCE: usize = 2048;

/// Most alerts of one role: each line of the screens of its sessions is held against all of them.
pub const SESSION_ALERTS: usize = 32;

/// Most alerts of one session that the log holds: every one of the role, and what the bastion and the CA have to say themselves.
pub const ALERTS_PER_SESSION: usize = 2 * SESSION_ALERTS;

/// Bytes of one session that wait to be looked at for its alerts; past it they are not, which is an alert.
pub const ALARM_WAITING: usize = 1 << 20;

/// Longest line that is put together from what is typed, in bytes: longer than a terminal's driver takes.
pub const TYPED_BYTES: usize = 8192;

/// Shortest and longest time within which an address may count as known. So long are they remembered.
pub const SOURCE_KNOWN: (Duration, Duration) = (
    Duration::from_secs(3600),
    Duration::from_secs(90 * 24 * 3600),
);

/// Most addresses of one person that are remembered: the ones that were seen last.
pub const SOURCES_KNOWN: usize = 64;

/// Shortest time that a role may give somebody to do nothing: it takes as long to read a screen.
pub const IDLE_SHORTEST: Duration = Duration::from_secs(10);

/// How long before the end of an idle session its person is warned: when half of the time is over, if that is later.
pub const IDLE_WARNING: Duration = Duration::from_secs(60);

/// Longest pattern of a role, in bytes: a person reads it.
pub const PATTERN_BYTES: usize = 512;

/// Memory that one compiled pattern may take, in bytes: what is longer than a screen of states is slow, and each session
/// of the role has its own.
pub const PATTERN_MEMORY: usize = 256 << 10;

/// Most patterns of one role that are masked: each byte of its sessions is held against all of them.
pub const MASK_PATTERNS: usize = 32;

/// How long a target has to be silent before bytes pass that may be the beginning of what is masked: a person hardly sees it,
/// and a program writes on within it.
pub const MASK_HOLD: Duration = Duration::from_millis(50);

/// How much of that silence counts at once: it is looked for so often that a process which is frozen or starved in between
/// has had several turns to hear what came meanwhile.
pub const MASK_LOOK: Duration = Duration::from_millis(10);

/// How long after a session has stood still silence counts again. What its target could not send by then has to come first: over a
/// line around the world, and through a TCP that asks only now and then whether the receiver has room again.
pub const MASK_RESUMES: Duration = Duration::from_secs(2);

/// Most characters and control bytes that are held back, of 4 bytes at most: what has not shown what it is by then passes.
pub const MASK_HELD: usize = 1024;

/// Longest private key that is masked, in bytes: four times one of RSA with 16,384 bits.
pub const MASK_KEY_BYTES: usize = 64 << 10;
