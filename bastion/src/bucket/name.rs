//! What the objects are called: `PREFIX/BASTION/SESSION.cast.zst`, and `PREFIX/BASTION/SESSION.index.zst` beside it.

use config::words::{BastionName, SessionId};

/// Which object of which bastion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The session.
    pub session: SessionId,
    /// The bastion that wrote it.
    pub bastion: BastionName,
    /// What it is of the session.
    pub part: Part,
}

/// What an object holds of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The recording.
    Recording,
    /// Its index, where it has one: to be searched and sought by, and never missed.
    Index,
}

impl Part {
    /// What its name ends with.
    const fn ending(self) -> &'static str {
        match self {
            Self::Recording => ".cast.zst",
            Self::Index => ".index.zst",
        }
    }
}

impl Name {
    /// The name of a recording.
    pub const fn recording(session: SessionId, bastion: BastionName) -> Self {
        Self {
            session,
            bastion,
            part: Part::Recording,
        }
    }

    /// The name of the same session's index.
    #[must_use]
    pub fn index(&self) -> Self {
        Self {
            part: Part::Index,
            ..self.clone()
        }
    }

    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}{}", self.session, self.part.ending())
    }

    /// Where it lies below the bucket's prefix.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.bastion, self.file())
    }

    /// The recording that lies there, below the bucket's prefix; none if it is something else.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (bastion, file) = path.split_once('/')?;
        let session = file.strip_suffix(Part::Recording.ending())?.parse().ok()?;
        Some(Self::recording(session, bastion.parse().ok()?))
    }
}
