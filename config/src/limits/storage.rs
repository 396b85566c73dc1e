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

/// Longest beginning of the names in a bucket, in bytes: a name has 1,024 at most, and ours are short.
pub const BUCKET_PREFIX_BYTES: usize = 512;

/// How much of a recording goes to a bucket at once, in bytes: at least 5 MiB, or a store refuses a part that is not the last;
/// this much is in memory for each of [`UPLOADS`].
pub const UPLOAD_PART_BYTES: u64 = 8 << 20;

/// Most parts of one object (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>). A longer recording, of
/// 78 GiB, stays on the bastion's disk.
pub const UPLOAD_PARTS: usize = 10_000;

/// Most recordings that go to the bucket at the same time.
pub const UPLOADS: usize = 4;

/// How often a bastion looks for what is to be uploaded: a session's frames are sealed every ten minutes at the latest.
pub const UPLOAD_EVERY: Duration = Duration::from_secs(5);

/// How long a recording is left alone that the bucket has given back otherwise a second time, which doubles each further time, and how long
/// at most: a store that is mended takes it within the hour, and one that is not is given it two dozen times a day.
pub const UPLOAD_AGAIN: (Duration, Duration) =
    (Duration::from_secs(300), Duration::from_secs(3600));

/// How often the index of a recording is tried that fails beside a bucket that answers: it only makes a search faster, and its recording
/// waits for it.
pub const INDEX_TRIES: u32 = 3;

/// Most bytes of one answer of a store of objects that are read: a range of an object has [`UPLOAD_PART_BYTES`], a list of a thousand
/// names less than 2 MiB.
pub const BUCKET_ANSWER_BYTES: usize = 9 << 20;

/// How long a store of objects may take to take or give one part: 8 MiB take a minute at 1.1 Mbit/s, which
/// [`UPLOADS`] share until one of them is late: from then on recordings go one at a time, until nothing is late.
pub const BUCKET_PATIENCE: Duration = Duration::from_secs(60);

/// Largest file of credentials, in bytes: three lines, with room for a session's token.
pub const CREDENTIALS_BYTES: u64 = 16 << 10;

/// Most recordings in a bucket that are listed, each with its index: a hundred bastions' of a year.
pub const BUCKET_LISTED: usize = 1 << 20;

/// Most bastions of one bucket, and pages of their list: each is asked for a session of which nobody says where it ran.
pub const BUCKET_BASTIONS: usize = 1024;

/// Most pages of a list of recordings: a page has up to a thousand names, two of each recording, and a store may give fewer.
pub const BUCKET_PAGES: usize = 8 * BUCKET_LISTED.div_ceil(1000);
