//! Where a recording's lines are: in sealed frames, and in the tails beside them.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use config::limits;
use config::words::SessionId;

use super::super::crypt::keys::Keys;
use super::super::crypt::statement::{Head, Statement};
use super::super::crypt::{Vault, chunk};
use super::super::event;
use super::super::frame::{self, Stored};
use super::super::recover::open_plain;
use super::super::scan::open_frame;
use super::super::seal;
use super::{Chunk, Place, ReadError};

/// Where a recording's lines are, and what opens them.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) session: SessionId,
    pub(super) dir: PathBuf,
    pub(super) file: File,
    /// Of an encrypted recording.
    pub(super) vault: Option<Arc<Vault>>,
}

impl Files {
    /// The wrapped content key, if the recording is encrypted.
    pub(super) fn keys(&self) -> Result<Option<Keys>, ReadError> {
        let mut from = BufReader::new(self.file.try_clone()?);
        from.rewind()?;
        match frame::read_frame(&mut from)? {
            Some(Stored::Preamble { encrypted: true }) => {}
            _ => return Ok(None),
        }
        let damaged = || ReadError::Damaged("its wrapped key cannot be read".into());
        match frame::read_frame(&mut from)? {
            Some(Stored::Keys(payload)) => Keys::parse(&payload).map(Some).ok_or_else(damaged),
            _ => Err(damaged()),
        }
    }

    /// What is said in the clear of an encrypted recording, by its first frame or its first tail.
    pub(super) fn statement(&self, chunks: &[Chunk]) -> Result<Option<Statement>, ReadError> {
        let said = match chunks.first().map(|chunk| chunk.at) {
            Some(Place::Sealed { offset, stored, .. }) => {
                let bytes = self.stored(offset, stored)?;
                frame::encrypted(&bytes).and_then(|frame| Head::split(frame.payload())?.0.statement)
            }
            _ => match self.raw_tail(0) {
                Ok(bytes) => chunk::first_line(&bytes)
                    .and_then(|line| line.strip_suffix(b"\n"))
                    .and_then(Statement::parse),
                // It was sealed meanwhile.
                Err(ReadError::Changed) => return Ok(None),
                Err(e) => return Err(e),
            },
        };
        match said {
            Some(said) if said.session == self.session => Ok(Some(said)),
            _ => Err(ReadError::Damaged("it does not say what is sealed".into())),
        }
    }

    /// Adds the tails that follow the sealed frames; says whether there was none. If the first one is removed while they are
    /// read, so may be some of those that follow, and it is as if there had been none.
    pub(super) fn tails(&self, chunks: &mut Vec<Chunk>) -> Result<bool, ReadError> {
        let sealed = chunks.len();
        let first = u32::try_from(sealed).unwrap_or(u32::MAX);
        let mut none = true;
        for number in first.. {
            let mut at_us = chunks.last().map_or(0, |chunk| chunk.to_us);
            let from_us = at_us;
            let lines = match self.tail(number) {
                Ok(lines) => lines,
                Err(ReadError::Changed) => break,
                Err(e) => return Err(e),
            };
            none = false;
            for line in lines.split(|b| *b == b'\n').skip(1) {
                let mut then = at_us;
                let good = std::str::from_utf8(line)
                    .is_ok_and(|line| event::read_line(line, &mut then).is_ok());
                if !good {
                    break;
                }
                at_us = then;
            }
            chunks.push(Chunk {
                at: Place::Tail(number),
                from_us,
                to_us: at_us,
            });
        }
        let path = seal::tail_path(&self.dir, &self.session, first);
        if !none && !path.try_exists()? {
            chunks.truncate(sealed);
            none = true;
        }
        Ok(none)
    }

    pub(super) fn lines_at(&self, at: Place) -> Result<Vec<u8>, ReadError> {
        match at {
            Place::Sealed {
                number,
                offset,
                stored,
            } => self.opened(number, &self.stored(offset, stored)?),
            Place::Tail(number) => self.tail(number),
        }
    }

    /// The lines of a sealed frame, from its stored bytes.
    pub(super) fn opened(&self, number: u64, bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
        match &self.vault {
            None => frame::decompress(bytes).map_err(|e| ReadError::Damaged(e.to_string())),
            Some(vault) => disclosed(vault, number, bytes)
                .ok_or_else(|| ReadError::Damaged("a sealed frame does not open".into())),
        }
    }

    /// The lengths of the file and of a tail; of what is not there, zero.
    pub(super) fn stored_now(&self, tail: u32) -> (u64, u64) {
        let path = seal::tail_path(&self.dir, &self.session, tail);
        let length = |metadata: io::Result<Metadata>| metadata.map_or(0, |metadata| metadata.len());
        (length(self.file.metadata()), length(fs::metadata(path)))
    }

    pub(super) fn stored(&self, offset: u64, length: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn tail(&self, number: u32) -> Result<Vec<u8>, ReadError> {
        let bytes = self.raw_tail(number)?;
        Ok(match &self.vault {
            None => bytes,
            Some(vault) => vault.tail(number, &bytes).lines,
        })
    }

    fn raw_tail(&self, number: u32) -> Result<Vec<u8>, ReadError> {
        let path = seal::tail_path(&self.dir, &self.session, number);
        let file = match open_plain(&path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(ReadError::Changed),
            Err(e) => return Err(e.into()),
        };
        let mut bytes = Vec::new();
        file.take(limits::FRAME_MAX_BYTES as u64)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn disclosed(vault: &Vault, number: u64, stored: &[u8]) -> Option<Vec<u8>> {
    let frame = frame::encrypted(stored)?;
    let (head, body) = Head::split(frame.payload())?;
    open_frame(vault, number, frame.holds, &head, body)
}
