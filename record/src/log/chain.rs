//! The log's own keys over time, by the log alone: each key but the first is vouched for by the one before it.
//!
//! Whoever knows one key of the chain can follow it to the newest one, and believes no key that the one before has not
//! signed: neither because it stands in the log, nor because it signs what is shown. A key that was followed never signs
//! again.

use config::keys::KeyName;
use ssh_key::{HashAlg, PublicKey};

use crate::entry::Entry;
use crate::keyring::{KeyChange, KeyStep};
use crate::orders::plain_key;

/// The keys that somebody believes before they have read anything: one, or the few that `hallpass trust` lists while one
/// follows another.
pub trait Anchors {
    /// The keys.
    fn keys(&self) -> &[PublicKey];
}

impl Anchors for PublicKey {
    fn keys(&self) -> &[PublicKey] {
        std::slice::from_ref(self)
    }
}

impl Anchors for Vec<PublicKey> {
    fn keys(&self) -> &[PublicKey] {
        self
    }
}

impl Anchors for [PublicKey] {
    fn keys(&self) -> &[PublicKey] {
        self
    }
}

/// The chain, as far as a log was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    links: Vec<Link>,
    /// Keys that will sign.
    announced: Vec<PublicKey>,
    /// Every key of the CA that the log names, and what for.
    named: Vec<(PublicKey, KeyName)>,
}

/// A key that signs, or has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Link {
    key: PublicKey,
    /// The step by which it began, with the word of the key before.
    step: KeyChange,
    /// The size of the smallest tree that it signs.
    from: u64,
    retired: bool,
}

/// Why a key does not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}: log key {key}")]
pub struct Broken {
    /// What is wrong.
    pub why: &'static str,
    /// Which key, by its fingerprint.
    pub key: String,
}

impl Chain {
    /// Takes an entry; its leaf makes the tree `size` leaves large. After an error nothing of the log is believed.
    pub fn take(&mut self, entry: &Entry, size: u64) -> Result<(), Broken> {
        let Entry::Keys { steps } = entry else {
            return Ok(());
        };
        steps.iter().try_for_each(|change| self.step(change, size))
    }

    /// Takes one step of one of the CA's keys.
    pub fn step(&mut self, change: &KeyChange, size: u64) -> Result<(), Broken> {
        let key = plain_key(&change.key).map_err(|_| Broken {
            why: "it cannot be read",
            key: config::words::shown(&change.key),
        })?;
        let no = |why| Broken {
            why,
            key: fingerprint(&key),
        };
        let known = self.named.iter().find(|(named, _)| same(named, &key));
        let known = known.map(|(_, name)| *name);
        if known.is_some_and(|name| name != change.name) {
            return Err(no("it is the CA's key for something else"));
        }
        if known.is_none() {
            self.named.push((key.clone(), change.name));
        }
        if change.name != KeyName::Log {
            let alone = change.vouch.is_none();
            return alone
                .then_some(())
                .ok_or_else(|| no("nobody vouches for a key that is not the log's"));
        }
        match (change.step, self.current()) {
            (KeyStep::Announced, Some(before)) => {
                if known.is_some() {
                    return Err(no("it was one before, and comes back"));
                }
                change.check_vouch(before).map_err(|_| no(UNSIGNED))?;
                self.announced.push(key);
            }
            (KeyStep::Current, None) if change.vouch.is_none() => self.begin(key, change, size),
            (KeyStep::Current, Some(before)) => {
                if !self.announced.iter().any(|next| same(next, &key)) {
                    return Err(no("it was not announced before it signs"));
                }
                change.check_vouch(before).map_err(|_| no(UNSIGNED))?;
                self.announced.retain(|next| !same(next, &key));
                self.begin(key, change, size);
            }
            (KeyStep::Retired, _) => self
                .retire(&key)
                .ok_or_else(|| no("it cannot be retired"))?,
            _ => return Err(no("nothing comes before it")),
        }
        Ok(())
    }

    fn begin(&mut self, key: PublicKey, step: &KeyChange, from: u64) {
        self.links.push(Link {
            key,
            step: step.clone(),
            from,
            retired: false,
        });
    }

    fn retire(&mut self, key: &PublicKey) -> Option<()> {
        let before = self.announced.len();
        self.announced.retain(|next| !same(next, key));
        if self.announced.len() < before {
            return Some(());
        }
        let (_, olds) = self.links.split_last_mut()?;
        let old = olds.iter_mut().find(|link| same(&link.key, key))?;
        old.retired = true;
        Some(())
    }

    /// The key that signs; none in a log that does not tell its keys.
    pub fn current(&self) -> Option<&PublicKey> {
        self.links.last().map(|link| &link.key)
    }

    /// The keys that sign notes: the current one first, then those before it that are not retired, so that whoever
    /// knows an older one can still read them.
    pub fn signing(&self) -> impl Iterator<Item = &PublicKey> {
        let links = self.links.iter().rev().enumerate();
        let signing = links.filter(|(behind, link)| *behind == 0 || !link.retired);
        signing.map(|(_, link)| &link.key)
    }

    /// The steps by which each key but the first began: what leads somebody who has slept from the key that they know to
    /// the newest one, without the log.
    pub fn succession(&self) -> impl DoubleEndedIterator<Item = &KeyChange> {
        self.links.iter().skip(1).map(|link| &link.step)
    }

    /// The keys of which one must have signed a checkpoint of so many leaves, for somebody who believes `anchors`.
    ///
    /// In a log that tells its keys it is the one that signed then, and that one only if an anchor leads to it: a key
    /// that was followed cannot sign a log that goes on without its followers, before somebody who knows them.
    pub(super) fn signers(&self, size: u64, anchors: &[PublicKey]) -> Vec<PublicKey> {
        let then = self.links.partition_point(|link| link.from <= size);
        let reached = self.links.get(..then).unwrap_or_default();
        match reached.last() {
            Some(signer) if reached.iter().any(|link| is_in(&link.key, anchors)) => {
                vec![signer.key.clone()]
            }
            Some(_) => Vec::new(),
            // Before the log told its first key, that key signed, or one that is believed.
            None => {
                let first = self.links.first().map(|link| link.key.clone());
                anchors.iter().cloned().chain(first).collect()
            }
        }
    }

    /// Every key that ever signed the log, and those that are believed anyhow.
    pub(super) fn ever(&self, anchors: &[PublicKey]) -> Vec<PublicKey> {
        let links = self.links.iter().map(|link| link.key.clone());
        links.chain(anchors.iter().cloned()).collect()
    }
}

const UNSIGNED: &str = "the key before it has not signed it";

fn is_in(key: &PublicKey, list: &[PublicKey]) -> bool {
    list.iter().any(|one| same(one, key))
}

fn same(one: &PublicKey, other: &PublicKey) -> bool {
    one.key_data() == other.key_data()
}

/// As OpenSSH writes it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
