//! What signs for a CA: a key in memory, an ssh-agent, or a PKCS#11 token, behind one trait.
//!
//! * [`memory`]: keys that were read from files.
//! * [`agent`]: a strict and bounded client of an ssh-agent.
//! * [`token`]: a key in a PKCS#11 token, each with a thread of its own.
//! * [`secret`]: passphrases and PINs.
//! * [`blob`]: the two shapes of signature that a CA makes, read strictly.

pub(crate) mod agent;
pub(crate) mod blob;
pub(crate) mod memory;
pub(crate) mod secret;

pub use self::secret::typed;
pub(crate) mod token;

use ssh_key::PublicKey;

/// The private half of one of the four CAs.
///
/// It signs exactly the bytes that it is given, and never any that do not stand in the issuance log:
/// [`crate::issue::Logged`] is the only way to it. Several threads may ask at once; it answers within
/// [`config::limits::SIGNER_ANSWER`] for each that waits before it, with a signature or with a fault, and after a
/// fault the same bytes may be given to it again. Ed25519 gives the same signature each time (RFC 8032); ECDSA on
/// hardware does not, and each of its signatures is as good as the other: what is one certificate is decided by the
/// bytes that stand in the log. Whoever asks verifies what comes back: a signer is not believed.
pub(crate) trait Signer: Send + Sync {
    /// The public half: a plain Ed25519 or ECDSA P-256 key.
    fn public(&self) -> &PublicKey;
    /// Signs; the signature in the shape that stands in a certificate ([`blob`]).
    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SignFault>;
    /// Whether it answers at once and asks nobody, so that several answers may wait for it one after the other.
    fn is_quick(&self) -> bool {
        false
    }
}

/// Why nothing was signed: which device, and what it said. The operator's side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SignFault(pub(crate) String);

#[cfg(test)]
mod tests;
