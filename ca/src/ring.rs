//! The CA's own keys over time: a pure fold of the log, the same at a start, while running, and for a stranger.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::Config;
use config::keys::KeyName;
use config::limits;
use record::clock::UnixTime;
use record::entry::{Authority, Entry};
use record::keyring::{KeyChange, KeyStep};
use record::log::{Chain, LogView};
use serde::Serialize;
use ssh_key::{HashAlg, PublicKey};

use crate::desk::DeskError;
use crate::keys::{self, plain_key};
use crate::lint::read_to_be_signed;
use crate::state::Impossible;

/// Every key that the CA ever had, in the order in which the log first names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ring {
    keys: Vec<RingKey>,
    /// The log's own, of which each vouches for the next.
    chain: Chain,
    /// How many steps there were.
    steps: u64,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingKey {
    /// What it is for.
    pub name: KeyName,
    /// Its public half.
    pub public: PublicKey,
    /// Where it stands.
    pub standing: Standing,
    /// Since when.
    pub since: UnixTime,
    /// How many certificates it was to sign.
    pub certificates: u64,
    /// When the last of them runs out.
    pub last: Option<UnixTime>,
    blob: Vec<u8>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It will sign.
    Announced,
    /// It signs.
    Current,
    /// It signs no more; what it has signed still counts.
    Old,
    /// Nothing under it counts.
    Retired,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Announced => "announced",
            Self::Current => "current",
            Self::Old => "old",
            Self::Retired => "retired",
        })
    }
}

impl RingKey {
    /// Until when an old key is believed: the end of its last certificate, and a little for clocks that are behind. What a
    /// key of the log has signed does not run out: until it is retired.
    pub fn until(&self) -> Option<UnixTime> {
        let old = self.standing == Standing::Old && self.name != KeyName::Log;
        let last = self.last.unwrap_or(self.since);
        old.then(|| last.after(limits::CLOCK_SKEW))
    }

    /// Whether certificates under it count now.
    pub fn is_trusted(&self, now: UnixTime) -> bool {
        match self.standing {
            Standing::Announced | Standing::Current => true,
            Standing::Old if self.name == KeyName::Log => true,
            Standing::Old => self.until().is_some_and(|until| now < until),
            Standing::Retired => false,
        }
    }

    /// Its SHA-256 fingerprint as OpenSSH writes it.
    pub fn fingerprint(&self) -> String {
        self.public.fingerprint(HashAlg::Sha256).to_string()
    }
}

impl Ring {
    /// All keys.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// How many steps there were: it grows with each change of what is trusted, apart from time.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The key that signs.
    pub fn current(&self, name: KeyName) -> Option<&RingKey> {
        self.of(name).find(|key| key.standing == Standing::Current)
    }

    /// The keys that are believed now: the current one first.
    pub fn trusted(&self, name: KeyName, now: UnixTime) -> Vec<&PublicKey> {
        let mut keys: Vec<_> = self.of(name).filter(|key| key.is_trusted(now)).collect();
        keys.sort_by_key(|key| key.standing != Standing::Current);
        keys.into_iter().map(|key| &key.public).collect()
    }

    /// The key with this public half, whatever it is for and wherever it stands.
    pub fn find(&self, public: &PublicKey) -> Option<&RingKey> {
        let mut keys = self.keys.iter();
        keys.find(|key| key.public.key_data() == public.key_data())
    }

    /// The log's own keys, of which each vouches for the next.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    fn of(&self, name: KeyName) -> impl Iterator<Item = &RingKey> {
        self.keys.iter().filter(move |key| key.name == name)
    }

    /// The steps that lead from here to these keys. Nothing is retired by being absent, apart from an announcement
    /// that was taken back; `retired` are the fingerprints that somebody has retired by hand.
    pub(crate) fn towards(
        &self,
        current: &[(KeyName, PublicKey)],
        announced: &[(KeyName, PublicKey)],
        retired: &[String],
    ) -> Vec<KeyChange> {
        let mut steps = Vec::new();
        let mut step = |name, step, key: &PublicKey| {
            let key = key.to_openssh().unwrap_or_default();
            steps.push(KeyChange {
                name,
                step,
                key,
                vouch: None,
            });
        };
        for (name, key) in current {
            let known = self.find(key);
            if !known
                .is_some_and(|known| known.name == *name && known.standing == Standing::Current)
            {
                step(*name, KeyStep::Current, key);
            }
        }
        for (name, key) in announced {
            let known = self.find(key);
            if !known
                .is_some_and(|known| known.name == *name && known.standing != Standing::Retired)
            {
                step(*name, KeyStep::Announced, key);
            }
        }
        let held = |key: &RingKey| {
            let mut all = current.iter().chain(announced);
            all.any(|(_, held)| held.key_data() == key.public.key_data())
        };
        for key in &self.keys {
            let gone = match key.standing {
                Standing::Announced => !held(key),
                Standing::Old | Standing::Current => {
                    !held(key) && retired.contains(&key.fingerprint())
                }
                Standing::Retired => false,
            };
            if gone {
                step(key.name, KeyStep::Retired, &key.public);
            }
        }
        steps
    }

    /// Why these steps cannot follow, if they cannot.
    pub(crate) fn check(&self, changes: &[KeyChange]) -> Result<(), &'static str> {
        let mut after = self.clone();
        for change in changes {
            after.step(change, UnixTime::from_secs(0))?;
        }
        Ok(())
    }

    /// Takes steps that were checked.
    pub(crate) fn apply(
        &mut self,
        changes: &[KeyChange],
        at: UnixTime,
    ) -> Result<(), &'static str> {
        changes.iter().try_for_each(|change| self.step(change, at))
    }

    fn step(&mut self, change: &KeyChange, at: UnixTime) -> Result<(), &'static str> {
        let public = plain_key(&change.key)?;
        // From which size of the log on it signs matters to whoever holds a checkpoint, and not here.
        self.chain.step(change, 0).map_err(|broken| broken.why)?;
        let known = self.find(&public).map(|key| (key.name, key.standing));
        if known.is_some_and(|(name, _)| name != change.name) {
            return Err("it is the CA's key for something else");
        }
        let standing = match (change.step, known.map(|(_, standing)| standing)) {
            (_, Some(Standing::Retired)) => return Err("a retired key comes back"),
            (KeyStep::Announced, None) => Standing::Announced,
            (KeyStep::Current, None | Some(Standing::Announced | Standing::Old)) => {
                Standing::Current
            }
            (KeyStep::Retired, Some(Standing::Announced | Standing::Old)) => Standing::Retired,
            _ => return Err("the key's step does not follow from where it stands"),
        };
        if standing == Standing::Current {
            for before in &mut self.keys {
                if before.name == change.name && before.standing == Standing::Current {
                    before.standing = Standing::Old;
                    before.since = at;
                }
            }
        }
        match self.at(&public) {
            Some(key) => {
                key.standing = standing;
                key.since = at;
            }
            None => self.keys.push(RingKey {
                name: change.name,
                blob: public.to_bytes().map_err(|_| "the key cannot be written")?,
                public,
                standing,
                since: at,
                certificates: 0,
                last: None,
            }),
        }
        self.steps += 1;
        Ok(())
    }

    fn at(&mut self, public: &PublicKey) -> Option<&mut RingKey> {
        let mut keys = self.keys.iter_mut();
        keys.find(|key| key.public.key_data() == public.key_data())
    }

    /// Whether the key that a certificate names may sign for this authority now. A log from before the CA told its
    /// keys says nothing about them. `ca` is the wire form of the key; none if the certificate cannot be read.
    pub(crate) fn check_issue(
        &self,
        authority: Authority,
        ca: Option<&[u8]>,
    ) -> Result<(), &'static str> {
        let Some(current) = self.current(name_of(authority)) else {
            return Ok(());
        };
        let good = ca.ok_or("the certificate cannot be read")? == current.blob;
        good.then_some(()).ok_or("the certificate names another CA")
    }

    /// Whether certificates under the key that this one names count now.
    pub(crate) fn believes(&self, to_be_signed: &str, now: UnixTime) -> bool {
        let bytes = STANDARD.decode(to_be_signed).unwrap_or_default();
        let fields = read_to_be_signed(&bytes);
        fields.is_some_and(|fields| {
            let mut keys = self.keys.iter();
            keys.any(|key| key.blob == fields.ca && key.is_trusted(now))
        })
    }

    /// Counts a certificate.
    pub(crate) fn issued(&mut self, to_be_signed: &str) {
        let bytes = STANDARD.decode(to_be_signed).unwrap_or_default();
        if let Some(fields) = read_to_be_signed(&bytes) {
            self.count(fields.ca, UnixTime::from_secs(fields.before));
        }
    }

    /// Counts a certificate of this CA that is good until then.
    pub(crate) fn count(&mut self, ca: &[u8], before: UnixTime) {
        let mut keys = self.keys.iter_mut();
        if let Some(key) = keys.find(|key| key.blob == ca) {
            key.certificates += 1;
            key.last = key.last.max(Some(before));
        }
    }
}

/// The name of an authority's key.
pub(crate) const fn name_of(authority: Authority) -> KeyName {
    match authority {
        Authority::User => KeyName::User,
        Authority::Session => KeyName::Session,
        Authority::Host => KeyName::Host,
        Authority::Door => KeyName::Door,
    }
}

/// What the log says of the CA's own keys, read beside a CA that may be running; nothing if the CA has never started.
pub fn ring(config: &Config) -> Result<Ring, DeskError> {
    let dir = config.ca.data.join("log");
    let mut ring = Ring::default();
    if !dir.join("entries").exists() {
        return Ok(ring);
    }
    let key = keys::log_anchors(config)?;
    let mut wrong = None;
    LogView::read(&dir, &key, |index, line| {
        let done = match &line.entry {
            Entry::Keys { steps } => ring.apply(steps, line.at),
            Entry::Issue { to_be_signed, .. } => {
                ring.issued(to_be_signed);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(why) = done {
            wrong.get_or_insert((index, why));
        }
    })?;
    match wrong {
        Some((index, why)) => Err(DeskError::Line {
            line: usize::try_from(index)
                .unwrap_or(usize::MAX)
                .saturating_add(1),
            why: Impossible(why),
        }),
        None => Ok(ring),
    }
}

/// The keys of one CA that others have to believe now: what the log says, or, before the CA has ever started, the one
/// that it will start with.
pub fn believed(
    config: &Config,
    name: KeyName,
    now: UnixTime,
) -> Result<Vec<PublicKey>, DeskError> {
    let ring = ring(config)?;
    let told: Vec<_> = ring.trusted(name, now).into_iter().cloned().collect();
    if told.is_empty() {
        return Ok(vec![keys::public_half(config, name)?]);
    }
    Ok(told)
}

#[cfg(test)]
mod tests;
