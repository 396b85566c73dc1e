//! What holds of a frame before it is believed: who sealed it, where it belongs, and what it says.

use std::io::Read;

use ssh_key::PublicKey;

use super::{Fault, Problem, Scan, Signers};
use crate::checkpoint::{Checkpoint, NAMESPACE};
use crate::recording::event::{self, End};
use crate::recording::frame::{self, Stored, Trailer};
use crate::recording::header::{Header, HeaderError};
use crate::recording::seal;
use crate::sshsig::{self, SigError};
use crate::tree::Tree;

impl<R: Read> Scan<'_, R> {
    /// Checks the signature, and says whose it is.
    pub(super) fn checked_key(&self, trailer: &Trailer) -> Result<Option<Vec<String>>, Problem> {
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
    pub(super) fn check_place(
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
    pub(super) fn check_lines(
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
            let found =
                event::check_line(line, at_us).map_err(|e| self.problem(content(e.to_string())))?;
            if end.is_some() {
                return Err(self.problem(content("something follows the End".into())));
            }
            end = found;
        }
        Ok(end)
    }

    /// Checks that the bastion of the header has sealed this frame, and not another one that is trusted, too.
    pub(super) fn check_signs_for(&self, signs_for: Option<&Vec<String>>) -> Result<(), Problem> {
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
}

fn header_fault(error: HeaderError) -> Fault {
    match error {
        HeaderError::TooNew(version) | HeaderError::TooOld(version) => {
            Fault::Version(format!("header {version}"))
        }
        other => Fault::Content(other.to_string()),
    }
}
