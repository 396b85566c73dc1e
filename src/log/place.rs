//! Which log is looked at: the CA's own directory, a published one, or one on a web server.

use std::io;
use std::path::{Path, PathBuf};

use record::entry::Line;
use record::http::Url;
use record::log::tiles::{Dir, Source};
use record::log::{LogError, LogReport, LogView, verify_log, verify_published};
use ssh_key::PublicKey;

use crate::evidence;
use crate::failure::{Failure, Result};

/// A log that can be read.
pub(crate) enum Place {
    /// `entries`, `checkpoint` and `checkpoint.note`, as the CA writes them.
    Own(PathBuf),
    /// Tiles.
    Published(Box<dyn Source>),
}

impl Place {
    /// Recognises a log by where it is and what lies there.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let text = path.to_string_lossy();
        if text.starts_with("http://") || text.starts_with("https://") {
            let url: Url = text
                .parse()
                .map_err(|e| Failure::new(format!("{text}: {e}")))?;
            return Ok(Self::Published(Box::new(url)));
        }
        if Dir::is_published(path) {
            return Ok(Self::Published(Box::new(Dir(path.to_owned()))));
        }
        if evidence::is_log(path) {
            return Ok(Self::Own(path.to_owned()));
        }
        Err(Failure::new(format!(
            "{} is not the directory of an issuance log",
            path.display()
        )))
    }

    /// Whether a path is the address of a web server.
    pub(crate) fn is_remote(path: &Path) -> bool {
        matches!(path.to_str(), Some(text) if text.starts_with("http://") || text.starts_with("https://"))
    }

    /// Reads and checks all of it, and hands over each entry.
    pub(crate) fn read(
        &self,
        keys: &[PublicKey],
        each: impl FnMut(u64, Line),
    ) -> std::result::Result<LogView, LogError> {
        match self {
            Self::Own(dir) => LogView::read(dir, keys, each),
            Self::Published(source) => LogView::published(source.as_ref(), keys, each),
        }
    }

    /// Reads and checks all of it.
    pub(crate) fn verify(&self, keys: &[PublicKey]) -> std::result::Result<LogReport, LogError> {
        match self {
            Self::Own(dir) => verify_log(dir, keys),
            Self::Published(source) => verify_published(source.as_ref(), keys),
        }
    }
}

/// Whether an error is about getting at the log, rather than about what it says.
pub(crate) fn is_out_of_reach(why: &LogError) -> bool {
    matches!(why, LogError::Io { source, .. } if source.kind() != io::ErrorKind::InvalidData)
}
