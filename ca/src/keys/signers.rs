//! The four CAs: for each the key that signs, the one that will follow, and those that were before.
//!
//! A key file `P` is followed by `P.next` if that is there, and came after `P.old-1`, `P.old-2` and so on. An old key
//! signs nothing new: it is kept for certificates that were logged under it and not collected yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::Config;
use config::keys::{KeyName, KeySource};
use record::entry::Authority;
use ssh_key::PublicKey;

use super::{KeysError, files, source};
use crate::ring::name_of;
use crate::signer::agent::Agent;
use crate::signer::memory::InMemory;
use crate::signer::token::{self, Token};
use crate::signer::{SignFault, Signer, secret};

/// Most old keys of one CA that are kept.
pub(super) const OLD: u32 = 16;

/// Where a key stands among those of its CA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// It signs.
    Current,
    /// It will sign.
    Next,
    /// It signed.
    Old,
}

/// What signs for the four CAs.
#[derive(Clone, Default)]
pub(crate) struct Signers(Vec<Held>);

#[derive(Clone)]
struct Held {
    name: KeyName,
    place: Place,
    source: KeySource,
    signer: Arc<dyn Signer>,
    /// The public half as it stands in certificates.
    blob: Vec<u8>,
}

impl Signers {
    /// Opens what the configuration and the files beside it say; what is held already is taken over.
    pub(super) fn open(config: &Config, held: &Self) -> Result<Self, KeysError> {
        let mut all = Self::default();
        for name in KeyName::ALL.into_iter().filter(|name| name.is_authority()) {
            let current = source(config, name)?;
            all.add(name, Place::Current, current.clone(), held)?;
            let next = config
                .ca
                .keys
                .get(&name)
                .and_then(|place| place.next.clone());
            if let Some(next) = next.or_else(|| beside(current, following)) {
                all.add(name, Place::Next, next, held)?;
            }
            for n in 1..=OLD {
                let old = beside(current, |path| before(path, n));
                let Some(old) = old else {
                    break;
                };
                all.add(name, Place::Old, old, held)?;
            }
            all.keep(name, held);
        }
        Ok(all)
    }

    fn add(
        &mut self,
        name: KeyName,
        place: Place,
        source: KeySource,
        held: &Self,
    ) -> Result<(), KeysError> {
        let signer = match held.with(name, &source)? {
            Some(signer) => signer,
            None => open(name, &source)?,
        };
        if self.find(name, signer.public()).is_none() {
            let blob = signer.public().to_bytes().map_err(|_| KeysError::Unmade)?;
            self.0.push(Held {
                name,
                place,
                source,
                signer,
                blob,
            });
        }
        Ok(())
    }

    /// What was held and is not there any more still signs what was logged under it.
    fn keep(&mut self, name: KeyName, held: &Self) {
        for before in held.0.iter().filter(|held| held.name == name) {
            if before.place != Place::Next && self.find(name, before.signer.public()).is_none() {
                let mut old = before.clone();
                old.place = Place::Old;
                self.0.push(old);
            }
        }
    }

    /// The signer of a source that is held already, if it is still the same key there.
    fn with(
        &self,
        name: KeyName,
        source: &KeySource,
    ) -> Result<Option<Arc<dyn Signer>>, KeysError> {
        let own = self.0.iter().filter(|held| held.name == name);
        let found = match source {
            KeySource::File { path, .. } => {
                let there = files::public_half(path)?;
                let mut own = own;
                own.find(|held| held.signer.public().key_data() == there.key_data())
            }
            KeySource::Agent { socket, public } => {
                let mut own = own;
                own.find(|held| matches!(&held.source, KeySource::Agent { socket: s, public: p } if s == socket && p == public))
            }
            // Nobody is there to type its PIN again.
            KeySource::Token { .. } if source.is_prompted() => {
                let mut own = own;
                own.find(|held| held.source == *source)
            }
            // A token may have lost its session, and may hold another key under the same label.
            KeySource::Token { .. } => None,
        };
        Ok(found.map(|held| held.signer.clone()))
    }

    /// The key that signs for an authority.
    pub(crate) fn of(&self, authority: Authority) -> Option<&dyn Signer> {
        let name = name_of(authority);
        let mut all = self.0.iter();
        let held = all.find(|held| held.name == name && held.place == Place::Current);
        held.map(|held| held.signer.as_ref())
    }

    /// Whether none of them is a device that may keep whoever asks waiting.
    pub(crate) fn are_quick(&self) -> bool {
        self.0.iter().all(|held| held.signer.is_quick())
    }

    /// The key of an authority whose public half is this blob: what was logged under it is signed by it, also when
    /// another one has become current since.
    pub(crate) fn with_blob(&self, authority: Authority, blob: &[u8]) -> Option<&dyn Signer> {
        let name = name_of(authority);
        let mut all = self.0.iter();
        let held =
            all.find(|held| held.name == name && held.place != Place::Next && held.blob == blob);
        held.map(|held| held.signer.as_ref())
    }

    /// The public halves of the keys in one place.
    pub(crate) fn public(&self, place: Place) -> Vec<(KeyName, PublicKey)> {
        let own = self.0.iter().filter(|held| held.place == place);
        own.map(|held| (held.name, held.signer.public().clone()))
            .collect()
    }

    fn find(&self, name: KeyName, public: &PublicKey) -> Option<&Held> {
        let mut all = self.0.iter();
        all.find(|held| held.name == name && held.signer.public().key_data() == public.key_data())
    }

    /// The same keys behind other signers.
    #[cfg(test)]
    pub(crate) fn map(mut self, behind: impl Fn(Arc<dyn Signer>) -> Arc<dyn Signer>) -> Self {
        for held in &mut self.0 {
            held.signer = behind(held.signer.clone());
        }
        self
    }
}

/// The file that announces the one after `path`.
pub(super) fn following(path: &Path) -> PathBuf {
    with(path, ".next")
}

/// The file of the `n`th key before `path`.
pub(super) fn before(path: &Path, n: u32) -> PathBuf {
    with(path, &format!(".old-{n}"))
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A file beside another one, under the same passphrase, if it is there.
pub(super) fn beside(current: &KeySource, name: impl Fn(&Path) -> PathBuf) -> Option<KeySource> {
    let KeySource::File { path, passphrase } = current else {
        return None;
    };
    let path = name(path);
    let passphrase = passphrase.clone();
    path.exists()
        .then_some(KeySource::File { path, passphrase })
}

/// A CA's key, wherever it is.
pub(super) fn open(name: KeyName, source: &KeySource) -> Result<Arc<dyn Signer>, KeysError> {
    let outside = |fault: SignFault| KeysError::Outside {
        name,
        why: fault.to_string(),
    };
    match source {
        KeySource::File { path, passphrase } => {
            let key = files::load(path, name, passphrase.as_ref())?;
            let signer = InMemory::new(&key).ok_or(KeysError::NotAKey {
                path: path.clone(),
                why: "it is of another kind",
            })?;
            Ok(Arc::new(signer))
        }
        KeySource::Agent { socket, public } => {
            Ok(Arc::new(Agent::open(socket, public).map_err(outside)?))
        }
        KeySource::Token {
            module,
            token,
            label,
            pin,
        } => {
            let pin = secret::read(pin, &format!("PIN of the token {token}"));
            let pin = pin.map_err(|why| KeysError::Secret {
                name,
                why: why.to_string(),
            })?;
            let place = token::Place {
                module: module.clone(),
                token: token.clone(),
                label: label.clone(),
            };
            Ok(Arc::new(Token::open(place, pin).map_err(outside)?))
        }
    }
}
