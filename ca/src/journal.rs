//! Where lines become durable, and the proof that they are.

use record::log::{Encoded, Log, LogError, LogKeys, Position};

/// Where lines become durable.
///
/// `append` returns `Ok` only when every line survives a power loss, and gives the position behind them. After an
/// error it is unknown which of them are there, and the caller appends nothing more.
pub(crate) trait Journal: Send {
    fn append(&mut self, lines: &[Encoded]) -> Result<Position, LogError>;

    /// How far the lines reach that are durable.
    fn position(&self) -> Position;

    /// From now on holds these keys. Which of them signs is what the lines say.
    fn hold(&mut self, keys: LogKeys);
}

impl Journal for Log {
    fn append(&mut self, lines: &[Encoded]) -> Result<Position, LogError> {
        self.append_all(lines)
    }

    fn position(&self) -> Position {
        Self::position(self)
    }

    fn hold(&mut self, keys: LogKeys) {
        Self::hold(self, keys);
    }
}

/// The log's lines are durable up to here. Only a journal makes one; nothing is signed and nobody answered without it.
#[derive(Debug)]
pub(crate) struct Durable {
    position: Position,
}

impl Durable {
    /// What a journal holds that was just opened: a start syncs what it has read.
    pub(crate) fn opened(journal: &dyn Journal) -> Self {
        let position = journal.position();
        Self { position }
    }

    /// Makes these lines durable, with one sync.
    pub(crate) fn append(journal: &mut dyn Journal, lines: &[Encoded]) -> Result<Self, LogError> {
        let position = journal.append(lines)?;
        Ok(Self { position })
    }

    /// How far.
    pub(crate) const fn position(&self) -> Position {
        self.position
    }
}
