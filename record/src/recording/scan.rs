//! Goes through the sealed frames of a recording, and believes none of them before it has been checked.

use std::io::Read;

use config::limits;
use config::words::SessionId;
use ssh_key::PublicKey;

use super::crypt::Vault;
use super::crypt::keys::Keys;
use super::crypt::statement::Statement;
use super::event::End;
use super::frame::{self, Encrypted, FrameError, SeekTable, Stored, Trailer};
use super::header::Header;
use crate::age::Identities;
use crate::tree::{Tree, leaf_hash};

pub use self::fault::{Fault, Problem};
pub(super) use self::sealed::open_frame;

mod check;
mod fault;
mod sealed;

/// Whose signatures count.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signers<'a> {
    /// Anybody's: the frames are only to be whole. For recovery on the bastion's own disk.
    Any,
    /// These, each with the bastions it may sign for.
    Only(&'a [(Vec<String>, PublicKey)]),
}

/// One checked frame.
#[derive(Debug)]
pub(super) struct Frame {
    /// How many bytes the tail had that it was made of.
    pub(super) tail: u64,
    /// The End, if it holds it.
    pub(super) end: Option<End>,
}

/// Goes through one recording.
#[derive(Debug)]
pub(super) struct Scan<'a, R> {
    from: Counted<R>,
    session: &'a SessionId,
    signers: Signers<'a>,
    identities: Option<&'a Identities>,
    pub(super) header: Option<Header>,
    /// Of an encrypted recording.
    pub(super) keys: Option<Keys>,
    pub(super) statement: Option<Statement>,
    /// If one of the identities opens it.
    pub(super) vault: Option<Vault>,
    last_tail: u64,
    pub(super) tree: Tree,
    pub(super) table: SeekTable,
    pub(super) at_us: u64,
    /// Up to here, everything was good.
    pub(super) good: u64,
    ended: bool,
}

#[derive(Debug)]
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.bytes += n as u64;
        Ok(n)
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// A sealed frame.
    Frame(Frame),
    /// The seek table, and nothing after it.
    Finished,
    /// The end of the file, with no End before it.
    Unfinished,
}

impl<'a, R: Read> Scan<'a, R> {
    /// Reads the preamble. An encrypted recording is opened and read too if one of the identities fits.
    pub(super) fn begin(
        from: R,
        session: &'a SessionId,
        signers: Signers<'a>,
        identities: Option<&'a Identities>,
    ) -> Result<Self, Problem> {
        let mut scan = Self {
            from: Counted {
                inner: from,
                bytes: 0,
            },
            session,
            signers,
            identities,
            header: None,
            keys: None,
            statement: None,
            vault: None,
            last_tail: 0,
            tree: Tree::new(),
            table: SeekTable::default(),
            at_us: 0,
            good: 0,
            ended: false,
        };
        match scan.read()? {
            Some(Stored::Preamble { encrypted }) => {
                scan.good = scan.from.bytes;
                let keys = if encrypted {
                    Some(scan.read_keys()?)
                } else {
                    None
                };
                scan.table = SeekTable::beginning(keys.as_ref().map(|keys| keys.payload().len()));
                scan.keys = keys;
                scan.good = scan.from.bytes;
                Ok(scan)
            }
            None => Err(scan.problem(Fault::Cut("it is empty"))),
            Some(_) => Err(scan.problem(Fault::Altered("it does not begin as a recording"))),
        }
    }

    fn read_keys(&mut self) -> Result<Keys, Problem> {
        match self.read()? {
            Some(Stored::Keys(payload)) => Keys::parse(&payload)
                .ok_or_else(|| self.problem(Fault::Altered("its wrapped key cannot be read"))),
            None => Err(self.problem(Fault::Cut("its wrapped key is missing"))),
            Some(_) => Err(self.problem(Fault::Altered("its wrapped key is missing"))),
        }
    }

    /// Reads and checks what comes next.
    pub(super) fn step(&mut self) -> Result<Step, Problem> {
        match self.read()? {
            None if self.ended => Err(self.problem(Fault::Cut("its seek table is missing"))),
            None => Ok(Step::Unfinished),
            Some(Stored::Lines(_) | Stored::Encrypted(_)) if self.ended => {
                Err(self.problem(Fault::Altered("a frame follows the End")))
            }
            Some(Stored::Lines(stored)) => self.frame(&stored, None).map(Step::Frame),
            Some(Stored::Encrypted(frame)) => {
                self.frame(&frame.stored, Some(&frame)).map(Step::Frame)
            }
            Some(Stored::Seek(_)) if !self.ended => {
                Err(self.problem(Fault::Cut("its End is missing")))
            }
            Some(Stored::Seek(payload)) => self.finish(&payload),
            Some(Stored::Trailer(_)) => {
                Err(self.problem(Fault::Altered("a checkpoint stands without its frame")))
            }
            Some(Stored::Preamble { .. } | Stored::Keys(_)) => {
                Err(self.problem(Fault::Altered("another recording begins")))
            }
        }
    }

    fn read(&mut self) -> Result<Option<Stored>, Problem> {
        frame::read_frame(&mut self.from).map_err(|e| self.unreadable(e))
    }

    fn unreadable(&self, error: FrameError) -> Problem {
        self.problem(match error {
            FrameError::Cut => Fault::Cut("the file ends within a frame"),
            FrameError::Foreign(why) => Fault::Altered(why),
            FrameError::Version(version) => Fault::Version(version),
            FrameError::Io(e) => Fault::Io(e),
        })
    }

    fn problem(&self, fault: Fault) -> Problem {
        Problem {
            offset: self.good,
            frame: self.tree.size(),
            at_us: self.at_us,
            fault,
        }
    }

    fn frame(&mut self, stored: &[u8], encrypted: Option<&Encrypted>) -> Result<Frame, Problem> {
        let trailer = match self.read()? {
            Some(Stored::Trailer(payload)) => Trailer::parse(&payload)
                .ok_or_else(|| self.problem(Fault::Altered("a checkpoint cannot be read")))?,
            None => return Err(self.problem(Fault::Cut("a frame has no checkpoint"))),
            Some(_) => return Err(self.problem(Fault::Altered("a frame has no checkpoint"))),
        };
        if self.tree.size() >= limits::RECORDING_FRAMES {
            return Err(self.problem(Fault::Altered(
                "it has more frames than any that is recorded",
            )));
        }
        let mut tree = self.tree.clone();
        tree.push(leaf_hash(stored));
        let key = self.checked_key(&trailer)?;
        self.check_place(&trailer, &tree, stored)?;
        if encrypted.is_some() != self.keys.is_some() {
            return Err(self.problem(Fault::Altered("its preamble was put before other frames")));
        }
        let mut at_us = self.at_us;
        let (end, lines, tail) = if let Some(frame) = encrypted {
            let (end, tail) = self.check_encrypted(frame, &mut at_us, key.as_ref())?;
            (end, 0, tail)
        } else {
            let lines = frame::decompress(stored).map_err(|e| self.unreadable(e))?;
            let end = self.check_lines(&lines, &mut at_us, key.as_ref())?;
            (end, lines.len(), lines.len() as u64)
        };
        if (trailer.from_us, trailer.to_us) != (self.at_us, at_us) {
            return Err(self.problem(Fault::Altered("the times beside a checkpoint are wrong")));
        }

        self.table.add(stored.len(), lines);
        self.table
            .add(size(self.from.bytes - self.good) - stored.len(), 0);
        self.tree = tree;
        self.at_us = at_us;
        self.good = self.from.bytes;
        self.ended = end.is_some();
        self.last_tail = tail;
        Ok(Frame { tail, end })
    }

    fn number(&self) -> u32 {
        u32::try_from(self.tree.size()).unwrap_or(u32::MAX)
    }

    fn finish(&mut self, payload: &[u8]) -> Result<Step, Problem> {
        if payload != self.table.payload() {
            return Err(self.problem(Fault::Altered("its seek table is wrong")));
        }
        let good = self.from.bytes;
        let mut rest = [0; 1];
        match self.from.read(&mut rest) {
            Ok(0) => {
                self.good = good;
                Ok(Step::Finished)
            }
            Ok(_) => {
                self.good = good;
                Err(self.problem(Fault::Altered("something follows its end")))
            }
            Err(e) => Err(self.problem(Fault::Io(e))),
        }
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
