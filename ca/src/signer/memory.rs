//! A CA's key in the memory of this process.

use ed25519_dalek::{Signer as _, SigningKey};
use ssh_key::encoding::Encode as _;
use ssh_key::private::KeypairData;
use ssh_key::{EcdsaCurve, PrivateKey, PublicKey, Signature};

use super::{SignFault, Signer, blob};

/// A key that was read from a file.
pub(crate) struct InMemory {
    key: Key,
    public: PublicKey,
}

enum Key {
    Ed25519(Box<SigningKey>),
    P256(Box<PrivateKey>),
}

impl InMemory {
    /// Takes a plain key; none if it is of a kind that no CA has.
    pub(crate) fn new(key: &PrivateKey) -> Option<Self> {
        let public = PublicKey::from(key.public_key().key_data().clone());
        let key = match key.key_data() {
            KeypairData::Ed25519(pair) => Key::Ed25519(Box::new(SigningKey::try_from(pair).ok()?)),
            KeypairData::Ecdsa(pair) if pair.curve() == EcdsaCurve::NistP256 => {
                Key::P256(Box::new(key.clone()))
            }
            _ => return None,
        };
        Some(Self { key, public })
    }
}

impl Signer for InMemory {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn is_quick(&self) -> bool {
        true
    }

    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SignFault> {
        match &self.key {
            Key::Ed25519(key) => Ok(blob::ed25519(&key.sign(to_be_signed).to_bytes())),
            Key::P256(key) => {
                let fault = || SignFault("the key in memory cannot sign".to_owned());
                let signature: Signature = key.try_sign(to_be_signed).map_err(|_| fault())?;
                signature.encode_vec().map_err(|_| fault())
            }
        }
    }
}
