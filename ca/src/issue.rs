//! `Linted → Intent → Logged → Warranted → Signed`: each step takes what only the step before can make.
//!
//! An [`Intent`] stands in the batch of lines that is being written; only the proof that the batch is durable
//! makes it [`Logged`], and only its approvals, judged by the log alone, make it [`Warranted`]. If we die after the log has the intent, the same bytes are signed at the next call. Ed25519 is
//! deterministic, so it is the same certificate; ECDSA in hardware gives another signature under the same bytes and the
//! same serial, and both count as the one certificate that stands in the log. A signature without an intent cannot exist.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::words::{RequestId, SessionId};
use record::clock::UnixTime;
use record::entry::{Authority, Entry};
use ssh_key::PublicKey;

use crate::journal::Durable;
use crate::keys::Signers;
use crate::lint::{Linted, Whole, read_line, read_to_be_signed};
use crate::signer::{SignFault, Signer, blob};
use crate::state::{Certificate, State};
use crate::warrant::{self, Unwarranted};
use crate::wire::put;

/// Where entries are put down.
pub(crate) trait Ledger {
    /// Why an entry could not be taken.
    type Error;

    /// Takes an entry that can follow into the batch that is being written, and says how many lines the log has with
    /// it. It is not durable yet.
    fn commit(&mut self, entry: Entry) -> Result<u64, Self::Error>;
}

/// Bytes whose intent stands in the batch that is being written, or behind it: not to be signed yet.
#[derive(Debug)]
pub(crate) struct Intent {
    authority: Authority,
    serial: u64,
    bytes: Vec<u8>,
    /// The log has to be durable up to this size first.
    size: u64,
}

/// Bytes whose intent is durable in the issuance log: the only thing that is ever signed.
#[derive(Debug)]
pub(crate) struct Logged {
    authority: Authority,
    serial: u64,
    bytes: Vec<u8>,
}

/// A logged certificate whose approvals the log bears out.
#[derive(Debug)]
pub(crate) struct Warranted(Logged);

/// Why a logged certificate was not released. Ours alone; nothing was given to anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IssueError {
    /// What was logged or signed is not what it should be. A defect of this program, or of the signer.
    #[error("the signed certificate does not hold: {0}")]
    Wrong(&'static str),
    /// Nobody has approved it.
    #[error(transparent)]
    Unwarranted(#[from] Unwarranted),
    /// The signer gave no signature. The intent stands, and is signed at the next call.
    #[error(transparent)]
    Unsigned(#[from] SignFault),
}

/// A certificate, signed, read again and verified.
#[derive(Debug)]
pub(crate) struct Signed {
    /// OpenSSH's one-line form, without a comment and a line feed.
    pub(crate) line: String,
    /// Its serial.
    pub(crate) serial: u64,
}

impl Linted {
    /// Puts the intent down.
    pub(crate) fn intend<L: Ledger>(
        self,
        ledger: &mut L,
        request: Option<RequestId>,
        session: Option<SessionId>,
    ) -> Result<Intent, L::Error> {
        let size = ledger.commit(Entry::Issue {
            serial: self.serial,
            authority: self.authority,
            to_be_signed: STANDARD.encode(&self.bytes),
            request,
            session,
        })?;
        Ok(Intent {
            authority: self.authority,
            serial: self.serial,
            bytes: self.bytes,
            size,
        })
    }
}

impl Intent {
    /// What was put down before, to be signed again; `size` is how many lines the log has by now.
    pub(crate) fn again(certificate: &Certificate, size: u64) -> Result<Self, IssueError> {
        let bytes = STANDARD
            .decode(&certificate.to_be_signed)
            .map_err(|_| IssueError::Wrong("its log entry is not base64"))?;
        Ok(Self {
            authority: certificate.authority,
            serial: certificate.serial,
            bytes,
            size,
        })
    }

    /// The intent is durable. If we die here, it stands without a signature, and [`Intent::again`] leads back here.
    pub(crate) fn logged(self, durable: &Durable) -> Result<Logged, IssueError> {
        if durable.position().size < self.size {
            return Err(IssueError::Wrong("its log entry is not durable"));
        }
        Ok(Logged {
            authority: self.authority,
            serial: self.serial,
            bytes: self.bytes,
        })
    }
}

impl Logged {
    /// Judges the approvals once more, by the log alone: `state` is what follows from its durable lines.
    pub(crate) fn warranted(self, state: &State) -> Result<Warranted, IssueError> {
        let certificate = state.certificates.get(&self.serial);
        let own = certificate.filter(|certificate| {
            let same = STANDARD.encode(&self.bytes) == certificate.to_be_signed;
            same && certificate.authority == self.authority
        });
        let own = own.ok_or(IssueError::Wrong("its log entry is another"))?;
        warrant::judge(state, own)?;
        Ok(Warranted(self))
    }
}

impl Warranted {
    /// Signs the logged bytes, reads the result as a stranger would, and verifies it as of `now`.
    pub(crate) fn sign(self, signers: &Signers, now: UnixTime) -> Result<Signed, IssueError> {
        let Self(logged) = self;
        let fields = read_to_be_signed(&logged.bytes)
            .ok_or(IssueError::Wrong("its log entry cannot be read"))?;
        let signer = signers
            .with_blob(logged.authority, fields.ca)
            .ok_or(IssueError::Wrong("the key of its CA is not here any more"))?;
        logged.signed(signer, now)
    }
}

impl Logged {
    /// What only [`Warranted`] may do, for tests of a certificate's form.
    #[cfg(test)]
    pub(crate) fn sign(self, signer: &dyn Signer, now: UnixTime) -> Result<Signed, IssueError> {
        self.signed(signer, now)
    }

    fn signed(self, signer: &dyn Signer, now: UnixTime) -> Result<Signed, IssueError> {
        let fields = read_to_be_signed(&self.bytes)
            .ok_or(IssueError::Wrong("its log entry cannot be read"))?;
        let algorithm = fields.algorithm.to_owned();
        if signer.public().to_bytes().as_deref() != Ok(fields.ca) {
            return Err(IssueError::Wrong(
                "it names another CA than the one that would sign",
            ));
        }
        let signature = signer.sign(&self.bytes)?;
        let mut whole = self.bytes;
        put(&mut whole, &signature);
        let line = format!("{algorithm} {}", STANDARD.encode(&whole));
        check(&line, &whole, signer.public(), now)?;
        Ok(Signed {
            line,
            serial: self.serial,
        })
    }
}

/// What any reader of the certificate would do, by another implementation than the one that wrote it; but the signature
/// is verified by ours alone, which is the stricter one, as it stands in the line that goes out.
fn check(line: &str, blob: &[u8], ca: &PublicKey, now: UnixTime) -> Result<(), IssueError> {
    let read = ssh_key::Certificate::from_openssh(line)
        .map_err(|_| IssueError::Wrong("it does not parse"))?;
    if read.to_bytes().as_deref() != Ok(blob) {
        return Err(IssueError::Wrong("it reads back as other bytes"));
    }
    if read.signature_key() != ca.key_data() {
        return Err(IssueError::Wrong("it names another CA"));
    }
    if now.secs() < read.valid_after() || now.secs() >= read.valid_before() {
        return Err(IssueError::Wrong("it is not good now"));
    }
    match read_line(line).filter(|whole| verifies(whole, ca)) {
        Some(_) => Ok(()),
        None => Err(IssueError::Wrong("its signer has signed something else")),
    }
}

/// Whether this CA's key made a certificate's signature.
pub(crate) fn verifies(whole: &Whole, ca: &PublicKey) -> bool {
    blob::holds(ca, &whole.to_be_signed, &whole.signature)
}
