//! What a file transfer does: one line for what was asked, one for what came of it.
//!
//! Operations are those of SFTP version 3
//! ([draft-ietf-secsh-filexfer-02](https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02)) and of
//! OpenSSH's extensions to it; what the old `scp` protocol does is told in the same words. What is moved is not kept: a
//! recording holds its size and SHA-256.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::words::shown;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One line about files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum FileEvent {
    /// The person's client asked; written before the target hears of it.
    Asked {
        /// The operation's number within the session.
        n: u64,
        /// What.
        op: FileOp,
        /// The path as the client sent it.
        path: FilePath,
        /// The second path of operations that have one. Of what the old `scp` writes: what it is called in `path`, if that
        /// is a directory; otherwise it takes its place. The target alone knows which.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        to: Option<FilePath>,
        /// How a file is opened.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        open: Option<OpenMode>,
    },
    /// What came of it; written before the client hears of it.
    Done {
        /// The operation's number.
        n: u64,
        /// The outcome.
        outcome: Outcome,
    },
    /// The role does not give it: the target never heard of it.
    Refused {
        /// The operation's number.
        n: u64,
        /// Why.
        why: String,
    },
    /// What went through an opened file until it was closed, or the session ended.
    Moved {
        /// The number of the operation that opened it.
        n: u64,
        /// What was read, if anything was.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        read: Option<Transfer>,
        /// What was written, if anything was.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        written: Option<Transfer>,
        /// Whether the client closed it, and did not just go away.
        closed: bool,
    },
}

/// What is done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOp {
    /// Opens a file.
    Open,
    /// Opens a directory, to list it.
    List,
    /// Asks for a path's attributes, and follows a link.
    Stat,
    /// Asks for a path's attributes, and does not follow a link.
    Lstat,
    /// Changes a path's attributes: mode, owner, times, size.
    Setstat,
    /// Changes an opened file's attributes; the path is the one that it was opened under.
    Fsetstat,
    /// Removes a file.
    Remove,
    /// Makes a directory.
    Mkdir,
    /// Removes a directory.
    Rmdir,
    /// Asks what a path is in full.
    Realpath,
    /// Renames; the second path is the new one.
    Rename,
    /// Reads a symbolic link.
    Readlink,
    /// Makes a symbolic link: the first path is what it holds, the second where it stands.
    Symlink,
    /// Makes a hard link; the second path is the new one.
    Hardlink,
    /// Asks about the file system under a path.
    Statvfs,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the protocol's flags"
)]
pub struct OpenMode {
    /// To be read.
    pub read: bool,
    /// To be written.
    pub write: bool,
    /// Each write goes to its end.
    pub append: bool,
    /// It is made if it is not there.
    pub create: bool,
    /// What it holds is thrown away.
    pub truncate: bool,
}

/// A path, byte for byte: a text where it is UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilePath {
    /// It is UTF-8.
    Text(String),
    /// It is not: base64 of its bytes.
    Base64(String),
}

impl From<&[u8]> for FilePath {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }
}

/// What the target answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It did it.
    Ok,
    /// There is no such file.
    NoSuchFile,
    /// The account may not.
    PermissionDenied,
    /// It could not, and gave no better reason.
    Failed,
    /// It does not know how.
    Unsupported,
}

/// How much of a file went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Where in the file it began, in bytes.
    pub from: u64,
    /// How many bytes went through.
    pub bytes: u64,
    /// Their SHA-256, if they went through once each, without a gap.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
}

/// One line that a person reads; whatever a path holds, it is text without control characters.
impl fmt::Display for FileEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked {
                n,
                op,
                path,
                to,
                open,
            } => {
                write!(f, "[{n}] {} {path}", op.word())?;
                if let Some(to) = to {
                    let word = match op {
                        FileOp::Open | FileOp::Mkdir => "as",
                        _ => "to",
                    };
                    write!(f, " {word} {to}")?;
                }
                open.map_or(Ok(()), |open| write!(f, " {open}"))
            }
            Self::Done { n, outcome } => write!(f, "[{n}] {}", outcome.words()),
            Self::Refused { n, why } => write!(f, "[{n}] refused: {why}"),
            Self::Moved {
                n,
                read,
                written,
                closed,
            } => {
                write!(f, "[{n}] {}", if *closed { "closed" } else { "cut off" })?;
                for (word, moved) in [("read", read), ("written", written)] {
                    if let Some(moved) = moved {
                        write!(f, ", {word} {moved}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl FileOp {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Stat => "stat",
            Self::Lstat => "lstat",
            Self::Setstat => "set attributes of",
            Self::Fsetstat => "set attributes of the open",
            Self::Remove => "remove",
            Self::Mkdir => "make directory",
            Self::Rmdir => "remove directory",
            Self::Realpath => "resolve",
            Self::Rename => "rename",
            Self::Readlink => "read link",
            Self::Symlink => "link",
            Self::Hardlink => "hard link",
            Self::Statvfs => "file system of",
        }
    }
}

impl Outcome {
    const fn words(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::NoSuchFile => "no such file",
            Self::PermissionDenied => "permission denied by the target",
            Self::Failed => "failed",
            Self::Unsupported => "not supported by the target",
        }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&shown(text)),
            Self::Base64(digits) => write!(f, "base64:{}", shown(digits)),
        }
    }
}

impl fmt::Display for OpenMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.read, "read"),
            (self.write, "write"),
            (self.append, "append"),
            (self.create, "create"),
            (self.truncate, "truncate"),
        ];
        let words: Vec<_> = words.iter().filter(|(is, _)| *is).collect();
        let words: Vec<_> = words.iter().map(|(_, word)| *word).collect();
        write!(f, "to {}", words.join(", "))
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes)?;
        if self.from > 0 {
            write!(f, " from byte {} on", self.from)?;
        }
        match self.digest {
            Some(digest) => write!(f, " {digest}"),
            None => f.write_str(" (not in one piece: no digest)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_files_is_text_whatever_the_path_holds() {
        let path = FilePath::from(&b"/srv/\x1b[2J\n"[..]);
        let to = Some(FilePath::from(&b"\xff"[..]));
        let asked = FileEvent::Asked {
            n: 7,
            op: FileOp::Rename,
            path,
            to,
            open: None,
        };
        assert_eq!(
            asked.to_string(),
            "[7] rename \"/srv/\\u{1b}[2J\\n\" to base64:\"/w==\""
        );
        let text = serde_json::to_string(&asked).unwrap();
        assert_eq!(serde_json::from_str::<FileEvent>(&text).unwrap(), asked);
    }
}
