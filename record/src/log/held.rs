//! The private keys of a log.

use ssh_key::{PrivateKey, PublicKey};

use super::LogError;
use super::chain::{Chain, fingerprint};

/// The keys that somebody holds who writes a log: the newest first, then those before it.
#[derive(Clone)]
pub struct LogKeys(Vec<PrivateKey>);

impl LogKeys {
    /// The first is the newest.
    pub const fn new(keys: Vec<PrivateKey>) -> Self {
        Self(keys)
    }

    /// The first.
    pub fn newest(&self) -> Option<&PrivateKey> {
        self.0.first()
    }

    /// Their public halves.
    pub fn public(&self) -> Vec<PublicKey> {
        self.0.iter().map(|key| key.public_key().clone()).collect()
    }

    /// The one that signs, by what the log says; in a log that says nothing the first.
    pub fn signer(&self, chain: &Chain) -> Result<&PrivateKey, LogError> {
        let found = match chain.current() {
            Some(current) => self.of(current).ok_or_else(|| fingerprint(current)),
            None => self.0.first().ok_or_else(String::new),
        };
        found.map_err(|key| LogError::Key { key })
    }

    /// Those that sign notes: the signer, and those before it that are not retired, as far as they are held.
    pub fn signing<'k>(&'k self, chain: &'k Chain) -> Vec<&'k PrivateKey> {
        let first = self.0.first().filter(|_| chain.current().is_none());
        let named = chain.signing().filter_map(|key| self.of(key));
        first.into_iter().chain(named).collect()
    }

    /// The one with this public half.
    pub fn of(&self, public: &PublicKey) -> Option<&PrivateKey> {
        let mut keys = self.0.iter();
        keys.find(|key| key.public_key().key_data() == public.key_data())
    }

    /// These, and behind them what others held that is not among them.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        for key in &others.0 {
            if self.of(key.public_key()).is_none() {
                self.0.push(key.clone());
            }
        }
        self
    }
}

impl From<PrivateKey> for LogKeys {
    fn from(key: PrivateKey) -> Self {
        Self(vec![key])
    }
}
