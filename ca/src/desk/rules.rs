//! What the log is told when the CA begins to serve, or to serve otherwise: its own keys, and who may approve what.

use std::sync::Arc;

use config::Config;
use config::keys::KeyName;
use record::api;
use record::digest::Digest;
use record::entry::Entry;
use record::keyring::KeyChange;
use record::law::Law;
use ssh_key::PublicKey;

use super::Refused;
use super::hall::Hall;
use super::writer::Writer;
use crate::issue::Ledger as _;
use crate::keys::{Keys, KeysError};
use crate::ring::Ring;

impl Writer {
    /// Puts down that the CA serves under this configuration, and what has changed in its keys and its law.
    pub(super) fn begin_to_serve(
        &mut self,
        config: &Arc<Config>,
        steps: Vec<KeyChange>,
    ) -> Result<(), Refused> {
        self.tell_keys(steps)?;
        self.tell_law(config)?;
        let policy = Digest::of(config.text.as_bytes());
        self.commit(Entry::Start { policy }).map(drop)
    }

    /// Puts down what has changed in the CA's keys.
    pub(super) fn tell_keys(&mut self, steps: Vec<KeyChange>) -> Result<(), Refused> {
        if steps.is_empty() {
            return Ok(());
        }
        self.commit(Entry::Keys { steps }).map(drop)
    }

    /// Puts down what has changed in who may approve what: before each grant, so that the log alone can tell whose
    /// approvals it needed, whatever has changed the configuration.
    pub(super) fn tell_law(&mut self, config: &Arc<Config>) -> Result<(), Refused> {
        let policy = self.hall.policy(config);
        if self.told == Some(policy) {
            return Ok(());
        }
        let law = Law::of(config);
        for change in self.state.law.towards(&law) {
            self.commit(Entry::Law { change })?;
        }
        self.told = Some(policy);
        Ok(())
    }
}

/// The steps from what the log says to the keys that were opened; refuses keys that cannot follow.
pub(super) fn steps(ring: &Ring, keys: &Keys) -> Result<Vec<KeyChange>, KeysError> {
    let steps = ring.towards(&keys.current(), &keys.announced(), &keys.retired);
    let steps = keys.vouched(ring, steps)?;
    ring.check(&steps).map_err(KeysError::Ring)?;
    Ok(steps)
}

impl Hall {
    /// What a bastion trusts.
    pub(super) fn trust(&self) -> api::Trust {
        let lines = |keys: Vec<PublicKey>| {
            let lines = keys.iter().map(|key| key.to_openssh().unwrap_or_default());
            lines.collect()
        };
        api::Trust {
            user_cas: lines(self.believed(KeyName::User)),
            host_cas: lines(self.believed(KeyName::Host)),
            keys: self.state().ring.steps(),
        }
    }

    /// The keys of one CA that count now, the current one first.
    pub(super) fn believed(&self, name: KeyName) -> Vec<PublicKey> {
        let now = self.now();
        let state = self.state();
        state.ring.trusted(name, now).into_iter().cloned().collect()
    }
}
