//! What bounds whom the CA asks outside of itself: programs, services and calendars.

use std::time::Duration;

/// Longest address of a service that is asked, in bytes: paths and queries of real ones are far shorter.
pub const URL_BYTES: usize = 2048;

/// Shortest time that somebody outside is given to answer, and between two runs of a program: the clock of people who
/// write configurations has seconds.
pub const ASK_SHORTEST: Duration = Duration::from_secs(1);

/// How long from one answer of a program to its next run, when the configuration does not say.
pub const FEED_EVERY: Duration = Duration::from_secs(5 * 60);

/// Longest time between two runs, and of one run: somebody who left this morning is not in the group at noon.
pub const FEED_EVERY_LONGEST: Duration = Duration::from_secs(3600);

/// How long one run of a program may take, when the configuration does not say.
pub const FEED_TIMEOUT: Duration = Duration::from_secs(5);

/// How old a program's last good answer may be, when the configuration does not say.
pub const FEED_STALE: Duration = Duration::from_secs(15 * 60);

/// Oldest answer that any configuration may go by: a working day.
pub const FEED_LONGEST: Duration = Duration::from_secs(12 * 3600);

/// How long a check may take to answer, when the configuration does not say.
pub const CHECK_DEADLINE: Duration = Duration::from_secs(10);

/// Longest time that a check may take: somebody waits in a terminal.
pub const CHECK_DEADLINE_LONGEST: Duration = Duration::from_secs(120);

/// How often one check is asked about one request before it counts as silent.
pub const CHECK_TRIES: u32 = 8;

/// How many checks are asked at once: each may be a process.
pub const CHECKS_AT_ONCE: usize = 16;

/// Largest answer of a check, in bytes: a verdict and a reason.
pub const CHECK_ANSWER_BYTES: usize = 16 << 10;

/// Largest answer of a program that says groups or who is on call, in bytes: 10,000 persons in ten groups each fit.
pub const FEED_ANSWER_BYTES: usize = 4 << 20;

/// Largest secret of a check, in bytes, and the smallest: HMAC-SHA256 wants as many as its output has (RFC 2104 §3).
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=4096;

/// Largest calendar file, in bytes: years of weekly hand-overs with overrides.
pub const CALENDAR_BYTES: usize = 4 << 20;

/// Most events of one calendar.
pub const CALENDAR_EVENTS: usize = 20_000;

/// Longest unfolded line of a calendar, in bytes: descriptions are long, and skipped.
pub const CALENDAR_LINE_BYTES: usize = 64 << 10;

/// Longest event that repeats, in days: how many of its repetitions can cover one moment stays small.
pub const CALENDAR_SPAN_DAYS: i64 = 366;

/// Longest head of an answer over plain HTTP that is read, in bytes: what servers send fits many times over.
pub const HTTP_HEAD_BYTES: usize = 16 << 10;

/// How long one answer over plain HTTP may take: a tile of a published log is 16 MiB at most.
pub const HTTP_ANSWER: Duration = Duration::from_secs(30);
