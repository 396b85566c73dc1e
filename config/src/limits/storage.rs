//! What bounds how recordings are kept.

use std::time::Duration;

/// Least and most that recordings may be kept for: less is `90s` where `90d` was meant, and more is for ever.
pub const RETENTION_AGE: (Duration, Duration) = (
    Duration::from_secs(3600),
    Duration::from_secs(36_500 * 86_400),
);

/// How often a bastion looks for recordings that are kept no longer: nobody notices an hour beside days, and a look
/// asks the CA of every recording there is.
pub const RETENTION_EVERY: Duration = Duration::from_secs(3600);

/// Of how many recordings a bastion asks the CA at once: the question and its answer stay far below
/// [`API_BODY_BYTES`](super::API_BODY_BYTES).
pub const KEPT_ASKED: usize = 128;

/// Most recordings that are held at once: each hold stays in the CA's memory until it is lifted, and more than this many
/// are a retention that should be another.
pub const HOLDS: usize = 4096;
