//! The log's own key: the one that signs, the one that will, and those before it, as files.

use config::Config;
use config::keys::{KeyName, KeySource};
use record::keyring::{KeyChange, KeyStep};
use record::log::LogKeys;
use ssh_key::{PrivateKey, PublicKey};

use super::signers::{OLD, before, beside, following};
use super::{Keys, KeysError, bare, files, source};
use crate::ring::Ring;

/// Opens the log's keys, the one of the configuration first, and says which one is announced. What is held already is
/// not opened again, and is kept: it may be what the log is signed by until it has been told of another one.
pub(super) fn open(
    config: &Config,
    held: Option<&LogKeys>,
) -> Result<(LogKeys, Option<PublicKey>), KeysError> {
    let mut keys = Vec::new();
    for place in places(config)? {
        keys.push(opened(&place, held)?);
    }
    let next = next(config)?
        .map(|place| opened(&place, held))
        .transpose()?;
    let announced = next.as_ref().map(bare);
    keys.extend(next);
    let keys = LogKeys::new(keys);
    let keys = match held {
        Some(held) => keys.and(held),
        None => keys,
    };
    Ok((keys, announced))
}

/// The public halves of all of them, the one of the configuration first: what the CA's own log is read by beside a CA that
/// may be at any step.
pub fn log_anchors(config: &Config) -> Result<Vec<PublicKey>, KeysError> {
    let mut places = places(config)?;
    places.extend(next(config)?);
    let public = places.iter().map(|place| match place {
        KeySource::File { path, .. } => files::public_half(path),
        _ => Err(KeysError::Unmade),
    });
    public.collect()
}

/// The key of now, and those before it.
fn places(config: &Config) -> Result<Vec<KeySource>, KeysError> {
    let current = source(config, KeyName::Log)?;
    let olds = (1..=OLD).map_while(|n| beside(current, |path| before(path, n)));
    Ok(std::iter::once(current.clone()).chain(olds).collect())
}

fn next(config: &Config) -> Result<Option<KeySource>, KeysError> {
    let current = source(config, KeyName::Log)?;
    let place = config.ca.keys.get(&KeyName::Log);
    let next = place.and_then(|place| place.next.clone());
    Ok(next.or_else(|| beside(current, following)))
}

fn opened(place: &KeySource, held: Option<&LogKeys>) -> Result<PrivateKey, KeysError> {
    // The configuration's check has refused every other place.
    let KeySource::File { path, passphrase } = place else {
        return Err(KeysError::Unmade);
    };
    let there = files::public_half(path)?;
    if let Some(key) = held.and_then(|held| held.of(&there)) {
        return Ok(key.clone());
    }
    let key = files::load(path, KeyName::Log, passphrase.as_ref())?;
    match key.key_data().ed25519() {
        Some(_) => Ok(key),
        None => Err(KeysError::NotAKey {
            path: path.clone(),
            why: "it is of another kind",
        }),
    }
}

impl Keys {
    /// The same steps, with the word of the log's key before on each that lets another one follow it.
    pub(crate) fn vouched(
        &self,
        ring: &Ring,
        steps: Vec<KeyChange>,
    ) -> Result<Vec<KeyChange>, KeysError> {
        let current = ring.current(KeyName::Log);
        let mut before = current.map(|key| key.public.clone());
        let mut vouched = Vec::new();
        for step in steps {
            let follows = step.name == KeyName::Log && step.step != KeyStep::Retired;
            let Some(known) = before.clone().filter(|_| follows) else {
                if follows {
                    before = Some(bare(self.log_key()?));
                }
                vouched.push(step);
                continue;
            };
            let by = self.log.of(&known).ok_or(KeysError::Ring(LOST))?;
            let is_current = step.step == KeyStep::Current;
            vouched.push(step.vouched_by(by).map_err(|_| KeysError::Unmade)?);
            if is_current {
                before = Some(bare(self.log_key()?));
            }
        }
        Ok(vouched)
    }

    /// The one that the configuration says.
    pub(crate) fn log_key(&self) -> Result<&PrivateKey, KeysError> {
        self.log.newest().ok_or(KeysError::Unmade)
    }
}

const LOST: &str = "the log's key before the new one is not here, and has to vouch for it: put it back as `log.old-1`";
