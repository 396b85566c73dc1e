//! The doors: under which names the bastion shows itself, and the certificates that say so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::words::TargetName;
use record::api::{Door, DoorAsk};
use record::clock::{Clock, UnixTime};
use ssh_key::{Certificate, PrivateKey};

use crate::ca_link::{CaError, CaLink};

/// How often certificates are looked at for their renewal.
const LOOK: Duration = Duration::from_secs(60);

/// The door key, which lives as long as this process, and its certificates: under the bastion's own name
/// (none) and under targets' names.
pub(crate) struct Doors {
    key: PrivateKey,
    link: Arc<CaLink>,
    clock: Arc<dyn Clock>,
    held: Mutex<BTreeMap<Option<TargetName>, Held>>,
}

#[derive(Clone)]
struct Held {
    certificate: Certificate,
    renew: UnixTime,
    until: UnixTime,
}

impl Doors {
    pub(crate) fn new(key: PrivateKey, link: Arc<CaLink>, clock: Arc<dyn Clock>) -> Self {
        Self {
            key,
            link,
            clock,
            held: Mutex::default(),
        }
    }

    /// The door key.
    pub(crate) fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The certificate for a door: the one that is held, or one that the CA gives now.
    pub(crate) async fn certificate(
        &self,
        door: Option<&TargetName>,
    ) -> Result<Certificate, CaError> {
        let door = door.cloned();
        let held = self
            .held()
            .get(&door)
            .filter(|held| self.clock.wall() < held.until)
            .cloned();
        match held {
            Some(held) => Ok(held.certificate),
            None => self.fetch(door).await,
        }
    }

    /// Renews what is past half its life, for ever. One that cannot be renewed is used to its end.
    pub(crate) async fn renew(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.clock.wall();
            let due: Vec<_> = self
                .held()
                .iter()
                .filter(|(_, held)| held.renew <= now)
                .map(|(door, _)| door.clone())
                .collect();
            for door in due {
                if let Err(e) = self.fetch(door).await {
                    tracing::warn!("a door certificate is not renewed: {e}");
                }
            }
        }
    }

    async fn fetch(&self, door: Option<TargetName>) -> Result<Certificate, CaError> {
        let unusable = |what: &str| CaError::Gone(format!("its door certificate {what}"));
        let key = self.key.public_key();
        let ask = DoorAsk {
            door: door.clone().map_or(Door::Own, Door::Target),
            key: key.to_openssh().map_err(|_| unusable("has no key"))?,
        };
        let now = self.clock.wall();
        let given = self.link.door(&ask).await?;
        let certificate = Certificate::from_openssh(&given.certificate)
            .map_err(|_| unusable("cannot be read"))?;
        if certificate.public_key() != key.key_data() {
            return Err(unusable("is for another key"));
        }
        let renew = now.after(given.until.since(now) / 2);
        let held = Held {
            certificate: certificate.clone(),
            renew,
            until: given.until,
        };
        self.held().insert(door, held);
        Ok(certificate)
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Option<TargetName>, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
