//! Every bound of the system, with its reason.
//!
//! A bound that is not here does not exist. Each is tested by going one past it.

mod forwards;
mod outside;
mod session;
mod storage;
mod transfer;
mod witness;

use std::time::Duration;

pub use forwards::*;
pub use outside::*;
pub use session::*;
pub use storage::*;
pub use transfer::*;
pub use witness::*;

/// Longest name of a person, group, role or bastion, in bytes: they become principals,
/// file names and columns of a table.
pub const NAME_BYTES: usize = 64;

/// Longest name of a target, in bytes: a target's name is typed as a host name (RFC 1035 §2.3.4).
pub const TARGET_BYTES: usize = 253;

/// Longest login, in bytes: `useradd(8)` on Linux refuses longer ones.
pub const LOGIN_BYTES: usize = 32;

/// Longest reason of a request, a denial or a revocation, in bytes: a sentence or two, which an
/// approver reads whole on one screen.
pub const REASON_BYTES: usize = 1024;

/// Longest forced or narrowed command, in bytes: it travels inside a certificate, and sshd refuses
/// certificates that do not fit its packet.
pub const COMMAND_BYTES: usize = 4096;

/// Largest configuration file, in bytes: 10,000 people with three keys each fit.
pub const CONFIG_BYTES: u64 = 16 << 20;

/// Most principals of one certificate (`SSHKEY_CERT_MAX_PRINCIPALS` in OpenSSH): certificates with
/// more cannot be read by OpenSSH.
pub const PRINCIPALS: usize = 256;

/// Largest public key or certificate blob that is parsed before authentication, in bytes: an
/// RSA-16384 certificate fits, a certificate nested a thousand deep does not.
pub const KEY_BLOB_BYTES: usize = 16 << 10;

/// Largest SSHSIG that is read, in bytes, armoured: a signature with an RSA-16384 key fits.
pub const SSHSIG_BYTES: usize = 16 << 10;

/// Longest life of a grant, whatever a role says: access is temporary, and one working day is
/// the longest that anybody calls so.
pub const GRANT_LONGEST: Duration = Duration::from_secs(12 * 3600);

/// Shortest life of a grant: less than this is over before the session has begun.
pub const GRANT_SHORTEST: Duration = Duration::from_secs(10);

/// Life of a grant when neither the request nor the role says one.
pub const GRANT_DEFAULT: Duration = Duration::from_secs(15 * 60);

/// Most address blocks that a role may name: each access certificate of the role carries all of them.
pub const SOURCES: usize = 16;

/// Most quorums that a role may need: more than ever agree in time, and the matching of persons to quorums
/// stays small.
pub const QUORUMS: usize = 8;

/// Most sessions that a review names one by one: a reviewer reads no more, and the review still fits one line of the
/// log. Further ones stand in it as one digest.
pub const REVIEW_SESSIONS: usize = 256;

/// Shortest and longest time that a review may take once the grant is over: less is no time to look, and after a
/// quarter of a year nobody remembers.
pub const REVIEW_WITHIN: (Duration, Duration) =
    (Duration::from_secs(10), Duration::from_secs(90 * 24 * 3600));

/// How long a review takes when the role does not say.
pub const REVIEW_DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// How long a review waits for sessions whose end no bastion has told, once the grant is over: a bastion that was
/// restarted has told by then, and one that is gone for good must not keep the debt from being paid.
pub const REVIEW_WAITS: Duration = Duration::from_secs(3600);

/// Reports that are read from the issuance log at once: each reads all of it.
pub const REPORTS_AT_ONCE: usize = 2;

/// Alerts that wait for somebody to take them: a day of trouble while the pager is down. One more is only logged.
pub const ALERTS_WAITING: usize = 1000;

/// How long one alert may take to be taken by the program or the service that tells somebody.
pub const ALERT_TAKES: Duration = Duration::from_secs(15);

/// How old an alert may be when it is taken: one that nobody took for a day is only in the CA's own log.
pub const ALERT_AGE: Duration = Duration::from_secs(24 * 3600);

/// Largest answer to an alert that is read, in bytes; nothing in it counts.
pub const ALERT_ANSWER_BYTES: usize = 4096;

/// The time over which break-glass is counted.
pub const BREAK_GLASS_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Most break-glass grants a week that a role may give one person: more than that is no emergency.
pub const BREAK_GLASS_PER_WEEK: u32 = 100;

/// Most windows of a role's hours: each is looked at in every decision, and a week has few that differ.
pub const WINDOWS: usize = 16;

/// Most commands that a role may grant at once: a person reads the list before it is put in force.
pub const COMMANDS: usize = 64;

/// Most words of such a command: more belong into a script on the target.
pub const COMMAND_WORDS: usize = 32;

/// How long a request waits for its approvals: an approver who has not answered within an hour
/// would decide about an incident that is over.
pub const REQUEST_OPEN: Duration = Duration::from_secs(3600);

/// How many requests one person may have waiting at once: an approver must be able to read them.
pub const REQUESTS_OPEN_PER_PERSON: usize = 16;

/// How many requests one person may make within an hour, whatever becomes of them: each stays in the log for good, also one
/// that is withdrawn at once. A program that asks for each of some hundred targets stays below it.
pub const REQUESTS_PER_HOUR: u32 = 1000;

/// How many of them with break-glass, which are counted apart, so that no program of a person's uses up their emergency:
/// people type these.
pub const BREAK_GLASS_PER_HOUR: u32 = 60;

/// How far before now a certificate's window begins, for clocks that are a little behind.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// Most lines of the issuance log that become durable with one sync: what 64 requests write that are granted at once.
/// So many lines can stand behind the newest checkpoint after a power cut.
pub const LOG_BATCH_LINES: usize = 256;

/// Most lines of the issuance log that one operation of the desk writes: they have to become durable together.
pub const LOG_OPERATION_LINES: usize = 64;

/// How many sessions a list looks through at most, the newest first: about a second's work.
pub const SESSIONS_LOOKED_AT: usize = 100_000;

/// How many operations wait for the desk at most; who comes then waits before it, holding nothing.
pub const DESK_QUEUE: usize = 1024;

/// Most keys of one CA that are believed at once: the current one, the next one, and old ones whose certificates
/// still run.
pub const CA_KEYS: usize = 16;

/// Life of a session certificate: it is used at once, for one login, or never.
pub const SESSION_CERT_LIFE: Duration = Duration::from_secs(60);

/// Life of a door certificate: long enough to outlive an outage of the CA at night, short
/// enough that a bastion that was taken away stops being believed the next day.
pub const DOOR_CERT_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Life of a target's host certificate that was made by hand, beside the stopped CA.
pub const HOST_CERT_LIFE: Duration = Duration::from_secs(180 * 24 * 3600);

/// Life of a host certificate that the target renews by itself, at half of it: a machine that left the inventory
/// stops being believed within a week, and one that was off for longer renews when it is on again.
pub const JOINED_CERT_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a join token is good: whoever makes it is setting the machine up now.
pub const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// Join tokens that are out at once: a fleet is set up in batches, and each token is looked up before authentication.
pub const TOKENS_OUT: usize = 1024;

/// Largest orders of a target, in bytes: 100,000 sequential revocations take 170 kB.
pub const ORDERS_BYTES: usize = 8 << 20;

/// Most entries of a published log that are read before a key of it is known to have signed that it has so many: from an
/// older key the newest one follows only at the end. Their hashes take 512 MiB.
pub const LOG_FOLLOWED_ENTRIES: u64 = 1 << 24;

/// Changes of the log's key that a target follows in one answer, which makes it check as many signatures for each key
/// that it knows: one change a month for five years.
pub const LOG_KEYS_FOLLOWED: usize = 64;

/// How old orders may be when a target gets them: clocks of machines differ by less, and an older answer is not one to
/// the question that was asked.
pub const ORDERS_AGE: Duration = Duration::from_secs(600);

/// How long a target may go without new orders before each failure says so loudly.
pub const ORDERS_STALE: Duration = Duration::from_secs(3600);

/// A connection that has not authenticated after this long is closed, like sshd's
/// `LoginGraceTime`; twenty seconds are enough for a person who touches a hardware key.
pub const LOGIN_GRACE: Duration = Duration::from_secs(20);

/// How long connecting to a target may take, name look-up and key exchange included, before the
/// person is told.
pub const TARGET_CONNECT: Duration = Duration::from_secs(10);

/// How long a signer outside of this process may take for one signature: half of [`CA_ANSWER`], so that whoever
/// waits is told which device did not answer.
pub const SIGNER_ANSWER: Duration = Duration::from_secs(5);

/// Longest passphrase or PIN of a key, in bytes: a sentence fits.
pub const PASSPHRASE_BYTES: usize = 1024;

/// How long the CA may take to answer a bastion before it counts as gone.
pub const CA_ANSWER: Duration = Duration::from_secs(10);

/// How long a session stands still without the observer that its role needs, if the role says nothing else: somebody's
/// connection may have broken, and comes back in this time.
pub const OBSERVER_GRACE: Duration = Duration::from_secs(30);

/// The least that a role may say instead.
pub const OBSERVER_GRACE_SHORTEST: Duration = Duration::from_secs(1);

/// Most bytes of a session that wait to be shown to those who look on: what a screen takes many times over. What comes
/// faster gives way to what comes after it.
pub const WATCH_BYTES: usize = 32 << 10;

/// Most sessions that a reviewer's list shows: a row is about 300 bytes, and they fit into one API message.
pub const REVIEW_ROWS: usize = 200;

/// Most grants that a bastion offers somebody who names no target: a person with more of them at once names one.
pub const REACH_ROWS: usize = 200;

/// How long a bastion waits for somebody to choose: who has not by then has gone away from the keyboard.
pub const CHOICE_PATIENCE: Duration = Duration::from_secs(300);

/// Largest body of one API message, in bytes: a certificate and its words fit many times over.
pub const API_BODY_BYTES: usize = 256 << 10;

/// Connections that have not authenticated yet, over all sources: each costs a task and about
/// 100 KiB; more than this at once is an attack, and the good login must still get a turn.
pub const HALF_OPEN: usize = 512;

/// Connections that have not authenticated yet from one address.
pub const HALF_OPEN_PER_SOURCE: usize = 64;

/// Authentication attempts of one connection: an agent with a handful of keys fits.
pub const AUTH_ATTEMPTS: usize = 12;

/// Connections to the CA of one person, bastion or machine that have logged in: a hundred scripts and a few terminals
/// fit, and somebody who opens more takes descriptors from everybody else.
pub const CONNECTIONS_EACH: usize = 256;

/// Session channels of one client connection (OpenSSH's `MaxSessions` is 10).
pub const CHANNELS: usize = 10;

/// Sessions and ways through a bastion that one client connection opens in all: russh (0.65) keeps some 6 KiB of each that was closed here first, as
/// each session and command is, until the connection ends. `ssh` makes another connection by itself when a shared one
/// takes no more. What is forwarded is not counted: a browser behind `ssh -D` closes most by itself, and has no other connection.
pub const CHANNELS_OPENED: usize = 1024;

/// Channels of one bastion's connection to the CA: each carries one call at a time, and each session begins and ends
/// with one.
pub const API_CHANNELS: usize = 64;

/// Connections inside one jump connection.
pub const JUMPS: usize = 10;

/// Environment variables that a client may set in one session, and the longest of each, in bytes.
pub const ENV_COUNT: usize = 64;

/// Longest name and value of one environment variable together, in bytes.
pub const ENV_BYTES: usize = 4096;

/// All environment variables of one session together, in bytes: they stand in the recording's first line.
pub const ENV_ALL_BYTES: usize = 32 << 10;

/// Bytes of one direction that may wait before the side that they come from is stopped.
pub const SPOOL_SOFT: usize = 1 << 20;

/// What one thing that waits costs beside its bytes, in bytes: counted too, or a side that sends single bytes, resizes
/// or signals would hold a hundred times the memory that is meant.
pub const ITEM_BYTES: usize = 128;

/// Bytes of one direction that may wait at all, in memory; past it the session ends by name. It is reached only by a side
/// that sends more than its window, by two that stand still and send for hours, and by a channel that stands still beside
/// others that send half as much.
pub const SPOOL_HARD: usize = 64 << 20;

/// Bytes that may wait in all forwarded connections of one person together, both ways; past it those end that hold
/// [`SPOOL_SOFT`] of it or more. Four that stand still fit, each with all that one may hold.
pub const SPOOL_LINKS: usize = 256 << 20;

/// Largest terminal that is recorded or replayed, columns and rows: an emulator's memory grows with their
/// product, and no screen is larger.
pub const TERM_SIDE: u32 = 1000;

/// Events of a recording are sealed into one frame at this many bytes …
pub const FRAME_BYTES: usize = 256 << 10;

/// … or after this long, whichever comes first.
pub const FRAME_AGE: Duration = Duration::from_secs(600);

/// Most sealed frames of one recording: 64 GiB of lines, for which the seek table still fits
/// [`SKIPPABLE_MAX_BYTES`] with room. A session that writes more ends.
pub const RECORDING_FRAMES: u64 = 1 << 18;

/// Largest decompressed size of one frame that a reader accepts: one event past [`FRAME_BYTES`], whose
/// payload may grow sixfold by JSON escapes.
pub const FRAME_MAX_BYTES: usize = 2 << 20;

/// Largest stored skippable frame (metadata, checkpoint, seek table) that a reader accepts, in bytes.
pub const SKIPPABLE_MAX_BYTES: usize = 8 << 20;

/// Largest index of a recording, as it is stored, in bytes: several hundred megabytes of text. One that would be larger is
/// not made, and its recording is searched without.
pub const INDEX_BYTES: u64 = 64 << 20;

/// How long the making of one index may take: ten times what a day of busy output takes. What is slower was made to be.
pub const INDEX_PATIENCE: Duration = Duration::from_secs(600);

/// Finished recordings that may wait for their index. Each that waits holds its key in memory; further ones get none.
pub const INDEXES_WAITING: usize = 256;

/// Most recipients that a recording is sealed to: each costs a curve's multiplication when a session begins, and
/// a hundred bytes of the file.
pub const RECIPIENTS: usize = 32;

/// Longest payload of one event; longer writes become several events.
pub const EVENT_BYTES: usize = 64 << 10;

/// How often what was recorded is made durable (`fdatasync`).
pub const SYNC_EVERY: Duration = Duration::from_millis(100);

/// Bytes kept of each stream of a command without a terminal; past it only their count and
/// digest are recorded.
pub const EXEC_STREAM_BYTES: u64 = 1 << 20;

/// How long the disk of the recordings may take for one operation before the sessions end: a disk that spins up needs
/// seconds, and a person who waits longer believes the connection dead.
pub const RECORDING_PATIENCE: Duration = Duration::from_secs(10);

/// How often the disk of the recordings is looked after: [`RECORDING_PATIENCE`] is counted in these looks, and is exact to
/// one of them.
pub const DISK_LOOK: Duration = Duration::from_millis(500);

/// Free bytes that the recordings' file system must have before a session may begin.
pub const DISK_RESERVE: u64 = 64 << 20;

/// How long a store waits for the one that wrote it before: a writer that was killed is gone from the
/// kernel well within this, and one that lives stays longer.
pub const LOCK_WAIT: Duration = Duration::from_secs(1);

/// How long sessions may go on after SIGTERM before they are ended.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How long after an alert about somebody's spent quota of break-glass the next one about the same person and role comes at
/// the earliest: one tells everybody what is going on, and a loop of requests must not wake them up all night.
pub const QUOTA_ALERT_EVERY: Duration = Duration::from_secs(3600);

/// Most certificates an hour whose signature is ours and that the log does not hold, of which each is an entry: enough to
/// see what is going on, and too few to fill a disk.
pub const STRAYS_PER_HOUR: usize = 32;
