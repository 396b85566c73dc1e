//! Turns a tail into a sealed frame. The running store and the recovery after a crash both come through here.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::limits;
use config::words::{BastionName, SessionId};
use ssh_key::PrivateKey;

use super::crypt::Vault;
use super::crypt::keys::Keys;
use super::crypt::statement::{Head, Statement};
use super::disk::Disk;
use super::event::End;
use super::frame::{self, Effort, Encrypted, Holds, SeekTable, Trailer};
use crate::digest::Digest;
use crate::sshsig::SignError;
use crate::tree::{Tree, leaf_hash};

/// Most bytes of a tail: it is left for the next one at [`limits::FRAME_BYTES`], the event that passes that mark
/// may grow sixfold by its escapes, and the End's lines follow.
pub(super) const TAIL_BYTES: u64 =
    (limits::FRAME_BYTES + 6 * limits::EVENT_BYTES + (16 << 10)) as u64;

/// Room that a running recording keeps aside for its last frames, should they not compress, beside that for its seek table as it is
/// by then: so a full disk does not keep it from its End. A batch takes no other frame when it is past [`TAIL_BYTES`], so that each one fits;
/// and what waits behind it when the disk is full adds 16 bytes each to the table.
const RESERVE: u64 = 2 * TAIL_BYTES + (64 << 10);

/// Who signs the recordings.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The bastion's name.
    pub name: BastionName,
    /// Its identity key.
    pub key: PrivateKey,
}

/// A finished recording: what the CA's log remembers of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The session.
    pub session: SessionId,
    /// The root over all its frames.
    pub root: Digest,
    /// How many frames there are.
    pub frames: u64,
    /// The size of the file, in bytes.
    pub bytes: u64,
    /// From the first event to the last.
    pub duration: Duration,
    /// How it ended.
    pub end: End,
}

/// Why a tail was not sealed. Nothing is lost: the tail stands.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    /// The disk's fault; the same call may succeed later.
    #[error("cannot write a sealed frame: {0}")]
    Write(io::Error),
    /// The disk's fault, and nobody knows what it holds now.
    #[error("cannot make a sealed frame durable: {0}")]
    Sync(io::Error),
    /// The key's fault.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// The name that a recording's checkpoints speak of.
pub(super) fn origin(session: &SessionId) -> String {
    format!("hallpass/recording/{session}")
}

/// Where a recording's sealed frames stand.
pub(super) fn cast_path(dir: &Path, session: &SessionId) -> PathBuf {
    dir.join(format!("{session}.cast.zst"))
}

/// Where the lines of a frame stand until it is sealed.
pub(super) fn tail_path(dir: &Path, session: &SessionId, number: u32) -> PathBuf {
    dir.join(format!("{session}.{number:06}.tail"))
}

/// What a frame is made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    /// Lines that anybody may read.
    Clear(&'a [u8]),
    /// Lines that the recipients may read, from a tail of so many bytes.
    Closed {
        vault: &'a Vault,
        lines: &'a [u8],
        tail: u64,
    },
    /// An encrypted tail, whose lines the one that seals it cannot read; and what is said of the recording.
    Kept {
        statement: &'a Statement,
        tail: &'a [u8],
    },
}

impl Content<'_> {
    /// The stored frame, and how many bytes stock `zstd -d` makes of it.
    fn store(
        self,
        number: u64,
        (from_us, to_us): (u64, u64),
        end: Option<&End>,
        effort: Effort,
    ) -> io::Result<(Vec<u8>, usize)> {
        let head = |statement: &Statement, tail| Head {
            statement: (number == 0).then(|| statement.clone()),
            from_us,
            to_us,
            tail,
            end: end.cloned(),
        };
        match self {
            Self::Clear(lines) => Ok((frame::compress(lines, effort)?, lines.len())),
            Self::Closed { vault, lines, tail } => {
                let head = head(vault.statement(), tail);
                let body = vault.close(number, &head, &frame::compress(lines, effort)?)?;
                Ok((Encrypted::new(Holds::Lines, &head.line(), &body).stored, 0))
            }
            Self::Kept { statement, tail } => {
                let head = head(statement, tail.len() as u64);
                Ok((Encrypted::new(Holds::Chunks, &head.line(), tail).stored, 0))
            }
        }
    }
}

/// The sealed part of a recording that still grows.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) session: SessionId,
    pub(super) file: File,
    /// Up to here the file holds whole sealed frames; what may stand past it does not count.
    pub(super) length: u64,
    pub(super) tree: Tree,
    pub(super) table: SeekTable,
    /// The time of the last sealed event.
    pub(super) at_us: u64,
}

impl Cast {
    /// Begins a recording, with the wrapped content key if it is to be encrypted. Fails if one of this name exists, so
    /// that none is ever overwritten.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &Path,
        session: &SessionId,
        keys: Option<&Keys>,
    ) -> io::Result<Self> {
        let file = disk.create(&cast_path(dir, session))?;
        let keys = keys.map(Keys::payload);
        let preamble = frame::preamble(keys.as_deref());
        disk.write(&file, &preamble, 0)?;
        let table = SeekTable::beginning(keys.map(|keys| keys.len()));
        let length = preamble.len() as u64;
        Ok(Self {
            session: session.clone(),
            file,
            length,
            tree: Tree::new(),
            table,
            at_us: 0,
        })
    }

    /// Keeps room for the last frames, and for the seek table behind them: at [`limits::RECORDING_FRAMES`] that has 4 MiB.
    pub(super) fn reserve(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.reserve(&self.file, self.length, RESERVE + self.table.stored_bytes())
    }

    /// The number of the tail that is sealed next.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.tree.size()).unwrap_or(u32::MAX)
    }

    /// Seals the content of tail [`Self::next`], whose last event was at `to_us`. With an End, the seek table follows.
    ///
    /// After an error nothing has changed that counts: the same call again writes over the same place.
    pub(super) fn seal(
        &mut self,
        disk: &dyn Disk,
        signer: &Signer,
        content: Content<'_>,
        to_us: u64,
        end: Option<&End>,
    ) -> Result<(), SealError> {
        let mut batch = self.batch();
        batch.add(signer, content, to_us, end, Effort::Small)?;
        self.write(disk, batch)
    }

    /// Begins frames that are written and made durable at once.
    pub(super) fn batch(&self) -> Batch {
        Batch {
            session: self.session.clone(),
            stored: Vec::new(),
            tree: self.tree.clone(),
            table: self.table.clone(),
            at_us: self.at_us,
            last: false,
        }
    }

    /// Writes the frames of a batch that was begun since the last one was written. Returns when they are durable.
    ///
    /// After an error nothing has changed that counts: the next batch is written over the same place.
    pub(super) fn write(&mut self, disk: &dyn Disk, batch: Batch) -> Result<(), SealError> {
        let length = self.length + batch.stored.len() as u64;
        disk.write(&self.file, &batch.stored, self.length)
            .map_err(SealError::Write)?;
        // If we die here, the frames stand twice: in part or whole in this file, and in their tails. Recovery keeps
        // those here that are whole and signed, cuts the rest off and seals their tails again.
        if batch.last {
            self.file.set_len(length).map_err(SealError::Write)?;
            // Gives back the reserve. If we die here, nothing has changed that a reader sees.
        }
        disk.sync(&self.file).map_err(SealError::Sync)?;
        // From here on the tails are not needed. If we die here, recovery removes them.
        self.length = length;
        (self.tree, self.table, self.at_us) = (batch.tree, batch.table, batch.at_us);
        Ok(())
    }

    /// Writes the seek table after a sealed End, where it is missing.
    pub(super) fn finish(&mut self, disk: &dyn Disk) -> Result<(), SealError> {
        let table = self.table.store();
        let length = self.length + table.len() as u64;
        disk.write(&self.file, &table, self.length)
            .map_err(SealError::Write)?;
        self.file.set_len(length).map_err(SealError::Write)?;
        disk.sync(&self.file).map_err(SealError::Sync)?;
        self.length = length;
        Ok(())
    }

    /// What the finished recording is remembered by.
    pub(super) fn sealed(&self, end: End) -> Sealed {
        Sealed {
            session: self.session.clone(),
            root: Digest::from_bytes(*self.tree.root().as_bytes()),
            frames: self.tree.size(),
            bytes: self.length,
            duration: Duration::from_micros(self.at_us),
            end,
        }
    }
}

/// Frames that are sealed and not written.
#[derive(Debug)]
pub(super) struct Batch {
    session: SessionId,
    stored: Vec<u8>,
    tree: Tree,
    table: SeekTable,
    at_us: u64,
    /// It holds the End.
    last: bool,
}

impl Batch {
    /// The number of the tail that is sealed next.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.tree.size()).unwrap_or(u32::MAX)
    }

    /// How many bytes it is.
    pub(super) fn len(&self) -> u64 {
        self.stored.len() as u64
    }

    /// Seals the content of tail [`Self::next`], whose last event was at `to_us`. With an End, the seek table follows, and
    /// nothing else may. After an error the batch is as it was.
    pub(super) fn add(
        &mut self,
        signer: &Signer,
        content: Content<'_>,
        to_us: u64,
        end: Option<&End>,
        effort: Effort,
    ) -> Result<(), SealError> {
        let times = (self.at_us, to_us);
        let (frame, lines) = content
            .store(self.tree.size(), times, end, effort)
            .map_err(SealError::Write)?;
        let mut tree = self.tree.clone();
        tree.push(leaf_hash(&frame));
        let trailer = Trailer::sign(&signer.key, origin(&self.session), &tree, times)?.store();
        self.table.add(frame.len(), lines);
        self.table.add(trailer.len(), 0);
        self.stored.extend_from_slice(&frame);
        self.stored.extend_from_slice(&trailer);
        self.last = end.is_some();
        if self.last {
            self.stored.extend_from_slice(&self.table.store());
        }
        (self.tree, self.at_us) = (tree, to_us);
        Ok(())
    }
}
