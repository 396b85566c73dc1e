//! What file transfers are held to.

/// Largest packet of a file transfer, in bytes: OpenSSH's `SFTP_MAX_MSG_LENGTH`.
pub const SFTP_PACKET_BYTES: usize = 256 << 10;

/// Requests of a file transfer that wait for an answer: clients that fill long lines keep a few hundred.
pub const SFTP_REQUESTS: usize = 2048;

/// Files and directories that one transfer has open at once: as many as OpenSSH's server allows.
pub const SFTP_HANDLES: usize = 1024;

/// Longest handle of an open file, in bytes (draft-ietf-secsh-filexfer-02 §6.2).
pub const SFTP_HANDLE_BYTES: usize = 256;

/// Bytes of an open file that are kept until the gap before them is filled, so that they are hashed in the file's
/// order; past it the file has no digest.
pub const SFTP_AHEAD_BYTES: usize = 4 << 20;

/// Directories that a role's `files` may name.
pub const FILE_PATHS: usize = 64;

/// Longest line of the old `scp` protocol, in bytes: the buffer of OpenSSH's own `scp`.
pub const SCP_LINE_BYTES: usize = 16 << 10;

/// Longest path that the old `scp` is followed to, in bytes, from the directory that was asked for on: Linux's `PATH_MAX`, past which
/// no `scp` copies anything.
pub const SCP_PATH_BYTES: usize = 4096;
