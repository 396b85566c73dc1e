//! Goes through the sealed frames of a recording, and believes none of them before it has been checked.

use std::io::Read;

use config::limits;
use config::words::SessionId;
use ssh_key::PublicKey;

use super::crypt::Vault;
use super::crypt::keys::Keys;
use super::crypt::statement::Statement;
use super::event::{self, Data, End};
use super::frame::{self, Encrypted, FrameError, SeekTable, Stored, Trailer};
use super::header::{Header, HeaderError};
use super::seal;
use crate::age::Identities;
use crate::checkpoint::{Checkpoint, NAMESPACE};
use crate::sshsig::{self, SigError};
use crate::tree::{Tree, leaf_hash};

pub use self::fault::{Fault, Problem};
pub(super) use self::sealed::open_frame;

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

    /// Checks the signature, and says whose it is.
    fn checked_key(&self, trailer: &Trailer) -> Result<Option<Vec<String>>, Problem> {
        let bad = || self.problem(Fault::Altered("a checkpoint does not fit its signature"));
        let sig = sshsig::parse(&trailer.signature).map_err(|_| bad())?;
        let canonical = sig.to_pem(ssh_key::LineEnding::LF).map_err(|_| bad())?;
        if canonical != trailer.signature {
            return Err(bad());
        }
        let own = PublicKey::from(sig.public_key().clone());
        let keys: Vec<&PublicKey> = match self.signers {
            Signers::Any => vec![&own],
            Signers::Only(list) => list.iter().map(|(_, key)| key).collect(),
        };
        let checked = sshsig::verify(
            keys,
            NAMESPACE,
            trailer.checkpoint.as_bytes(),
            &trailer.signature,
        );
        let key = checked.map_err(|e| match e {
            SigError::UnknownKey(_) => self.problem(Fault::WrongSigner(e)),
            _ => bad(),
        })?;
        Ok(match self.signers {
            Signers::Any => None,
            Signers::Only(list) => Some(
                list.iter()
                    .filter(|(_, listed)| listed == key)
                    .flat_map(|(names, _)| names.clone())
                    .collect(),
            ),
        })
    }

    /// Checks that the checkpoint speaks of this frame, at this place, in this recording.
    fn check_place(
        &mut self,
        trailer: &Trailer,
        tree: &Tree,
        stored: &[u8],
    ) -> Result<(), Problem> {
        let checkpoint = Checkpoint::parse(&trailer.checkpoint)
            .map_err(|_| self.problem(Fault::Altered("a checkpoint cannot be read")))?;
        if checkpoint.origin != seal::origin(self.session) {
            return Err(self.problem(Fault::Foreign {
                origin: checkpoint.origin,
            }));
        }
        if checkpoint.size != tree.size() {
            let found = checkpoint.size.saturating_sub(1);
            let repeated = checkpoint.size < tree.size();
            let fault = if repeated || self.comes_later(tree.size()) {
                Fault::Reordered { found }
            } else {
                Fault::FramesMissing { found }
            };
            return Err(self.problem(fault));
        }
        if checkpoint.root != tree.root() {
            // Whether a frame that cannot be opened is whole, nobody knows.
            let whole = self.keys.is_none() && frame::decompress(stored).is_ok();
            let altered = Fault::Altered("a frame is not the one that was sealed");
            return Err(self.problem(if whole { Fault::NotSealedHere } else { altered }));
        }
        Ok(())
    }

    /// Whether the rest of the file holds a checkpoint over this many frames. Only to name a fault.
    fn comes_later(&mut self, size: u64) -> bool {
        std::iter::from_fn(|| frame::read_frame(&mut self.from).ok().flatten()).any(|stored| {
            match stored {
                Stored::Trailer(payload) => Trailer::parse(&payload)
                    .and_then(|trailer| Checkpoint::parse(&trailer.checkpoint).ok())
                    .is_some_and(|checkpoint| checkpoint.size == size),
                _ => false,
            }
        })
    }

    /// Checks that the lines are a recorder's; takes the header from the first ones.
    fn check_lines(
        &mut self,
        lines: &[u8],
        at_us: &mut u64,
        signs_for: Option<&Vec<String>>,
    ) -> Result<Option<End>, Problem> {
        let content = |why: String| Fault::Content(why);
        let text = std::str::from_utf8(lines)
            .map_err(|_| self.problem(content("it is not UTF-8".into())))?;
        let mut text = text
            .strip_suffix('\n')
            .ok_or_else(|| self.problem(content("a frame ends within a line".into())))?
            .split('\n');
        if self.header.is_none() {
            let line = text.next().unwrap_or_default();
            let header = Header::from_line(line).map_err(|e| self.problem(header_fault(e)))?;
            if header.session != *self.session {
                let why = format!("its header is that of session {}", header.session);
                return Err(self.problem(content(why)));
            }
            self.header = Some(header);
        }
        self.check_signs_for(signs_for)?;
        let mut end = None;
        for line in text {
            let event =
                event::read_line(line, at_us).map_err(|e| self.problem(content(e.to_string())))?;
            if end.is_some() {
                return Err(self.problem(content("something follows the End".into())));
            }
            if let Some(event::Event {
                data: Data::End(found),
                ..
            }) = event
            {
                end = Some(found);
            }
        }
        Ok(end)
    }

    /// Checks that the bastion of the header has sealed this frame, and not another one that is trusted, too.
    fn check_signs_for(&self, signs_for: Option<&Vec<String>>) -> Result<(), Problem> {
        let said = self.statement.as_ref().map(|statement| &statement.bastion);
        let bastion = said.or(self.header.as_ref().map(|header| &header.bastion));
        match (bastion, signs_for) {
            (Some(bastion), Some(names)) if !names.iter().any(|name| name == bastion.as_str()) => {
                let why = format!("it names {bastion}, whose key has not signed it");
                Err(self.problem(Fault::Content(why)))
            }
            _ => Ok(()),
        }
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

fn header_fault(error: HeaderError) -> Fault {
    match error {
        HeaderError::TooNew(version) | HeaderError::TooOld(version) => {
            Fault::Version(format!("header {version}"))
        }
        other => Fault::Content(other.to_string()),
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
