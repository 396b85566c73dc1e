//! `Linted → Logged → Signed`: each step takes what only the step before can make.
//!
//! If we die after the log has the intent, the same bytes are signed at the next call; Ed25519
//! is deterministic, so it is the same certificate. A signature without an intent cannot exist.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::words::{RequestId, SessionId};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use record::clock::UnixTime;
use record::entry::{Authority, Entry};
use ssh_key::{HashAlg, PublicKey};

use crate::lint::{Linted, Whole, read_to_be_signed};
use crate::state::Certificate;
use crate::wire::{put, string};

/// The private half of one of the four CAs.
///
/// It signs exactly the bytes that it is given, the same bytes with the same signature each time
/// (Ed25519, RFC 8032), and never any that do not stand in the issuance log: [`Logged`] is the
/// only way to it.
pub(crate) trait Signer: Send {
    /// The public half.
    fn public(&self) -> &PublicKey;
    /// Signs.
    fn sign(&mut self, to_be_signed: &[u8]) -> [u8; 64];
}

/// A CA's key in the memory of this process.
pub(crate) struct InMemory {
    key: SigningKey,
    public: PublicKey,
}

impl InMemory {
    pub(crate) const fn new(key: SigningKey, public: PublicKey) -> Self {
        Self { key, public }
    }
}

impl Signer for InMemory {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&mut self, to_be_signed: &[u8]) -> [u8; 64] {
        self.key.sign(to_be_signed).to_bytes()
    }
}

/// Where intents are made durable.
pub(crate) trait Ledger {
    /// Why an entry could not be made durable.
    type Error;

    /// Returns `Ok` only when the entry is durable in the issuance log.
    fn commit(&mut self, entry: Entry) -> Result<(), Self::Error>;
}

/// Bytes whose intent is durable in the issuance log: the only thing that is ever signed.
#[derive(Debug)]
pub(crate) struct Logged {
    authority: Authority,
    serial: u64,
    bytes: Vec<u8>,
}

/// Why a logged certificate was not released. Ours alone; nothing was given to anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signed certificate does not hold: {0}")]
pub(crate) struct IssueError(&'static str);

/// A certificate, signed, read again and verified.
#[derive(Debug)]
pub(crate) struct Signed {
    /// OpenSSH's one-line form, without a comment and a line feed.
    pub(crate) line: String,
    /// Its serial.
    pub(crate) serial: u64,
}

impl Linted {
    /// Makes the intent durable.
    pub(crate) fn log<L: Ledger>(
        self,
        ledger: &mut L,
        request: Option<RequestId>,
        session: Option<SessionId>,
    ) -> Result<Logged, L::Error> {
        ledger.commit(Entry::Issue {
            serial: self.serial,
            authority: self.authority,
            to_be_signed: STANDARD.encode(&self.bytes),
            request,
            session,
        })?;
        // If we die here, the intent stands without a signature, and `Logged::again` signs it.
        Ok(Logged {
            authority: self.authority,
            serial: self.serial,
            bytes: self.bytes,
        })
    }
}

impl Logged {
    /// What stands in the log already, to be signed again.
    pub(crate) fn again(certificate: &Certificate) -> Result<Self, IssueError> {
        let bytes = STANDARD
            .decode(&certificate.to_be_signed)
            .map_err(|_| IssueError("its log entry is not base64"))?;
        Ok(Self {
            authority: certificate.authority,
            serial: certificate.serial,
            bytes,
        })
    }

    /// Who has to sign.
    pub(crate) const fn authority(&self) -> Authority {
        self.authority
    }

    /// Signs the logged bytes, reads the result as a stranger would, and verifies it as of `now`.
    pub(crate) fn sign(self, signer: &mut dyn Signer, now: UnixTime) -> Result<Signed, IssueError> {
        let fields =
            read_to_be_signed(&self.bytes).ok_or(IssueError("its log entry cannot be read"))?;
        let algorithm = fields.algorithm.to_owned();
        let ours = signer
            .public()
            .to_bytes()
            .map_err(|_| IssueError("its CA cannot be written"))?;
        if fields.ca != ours {
            return Err(IssueError(
                "it names another CA than the one that would sign",
            ));
        }
        let signature = signer.sign(&self.bytes);
        let mut blob = self.bytes;
        let mut wrapped = string(b"ssh-ed25519");
        put(&mut wrapped, &signature);
        put(&mut blob, &wrapped);
        let line = format!("{algorithm} {}", STANDARD.encode(&blob));
        check(&line, &blob, signer.public(), now)?;
        Ok(Signed {
            line,
            serial: self.serial,
        })
    }
}

/// What any reader of the certificate would do, by another implementation than the one that wrote it.
fn check(line: &str, blob: &[u8], ca: &PublicKey, now: UnixTime) -> Result<(), IssueError> {
    let read =
        ssh_key::Certificate::from_openssh(line).map_err(|_| IssueError("it does not parse"))?;
    if read.to_bytes().as_deref() != Ok(blob) {
        return Err(IssueError("it reads back as other bytes"));
    }
    let fingerprint = ca.fingerprint(HashAlg::Sha256);
    read.validate_at(now.secs(), &[fingerprint])
        .map_err(|_| IssueError("it does not verify, or is not good now"))
}

/// Whether this CA's key made a certificate's signature.
pub(crate) fn verifies(whole: &Whole, ca: &PublicKey) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&whole.signature);
    let key = ca.key_data().ed25519();
    let key = key.and_then(|key| VerifyingKey::from_bytes(&key.0).ok());
    key.is_some_and(|key| key.verify_strict(&whole.to_be_signed, &signature).is_ok())
}
