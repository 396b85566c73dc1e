//! The keys of the CA: where the configuration says, or as the files
//! `CA_DATA/keys/{user,session,host,door,log,identity}`.
//!
//! * [`rotate`]: one key follows another.
//! * [`signers`]: the four CAs, each with the key that follows and those that were before.
//! * [`log`]: the log's own key, of which each vouches for the next.
//! * [`files`]: private keys in OpenSSH's format, which only the CA's own user may read.

mod files;
mod log;
pub mod rotate;
mod signers;

use std::io;
use std::path::PathBuf;

use config::Config;
use config::keys::{KeyName, KeySource};
use config::rules::HostTrust;
use record::log::LogKeys;
use ssh_key::{PrivateKey, PublicKey};

use crate::signer::blob;
use crate::wire::Take;

pub use files::{create_key, init_keys};
pub use log::log_anchors;
pub(crate) use signers::{Place, Signers};

/// Why the keys could not be made or loaded. Nothing is served then.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The disk's or the operator's fault.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error("{}: mode {mode:04o} lets others use this key\n  hint: chmod 600 {}; if others could read it, make new keys", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not a private key that does for this.
    #[error("{}: not a private key of OpenSSH's format that the CA can use ({why})\n  hint: `hallpass init` makes such keys", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// It is encrypted, and the configuration does not say where its passphrase is.
    #[error("{}: it has a passphrase\n  hint: say [ca.key.{name}] with file and passphrase = \"credential:NAME\" or \"prompt\"", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        name: KeyName,
    },
    /// Its passphrase or PIN is not to be had, or is wrong.
    #[error("the {name} key: its passphrase or PIN: {why}")]
    Secret {
        /// Whose.
        name: KeyName,
        /// What is wrong.
        why: String,
    },
    /// An ssh-agent or a token does not have the key, or does not answer.
    #[error("the {name} key: {why}")]
    Outside {
        /// Which key.
        name: KeyName,
        /// What is wrong.
        why: String,
    },
    /// The keys do not follow from what the log says of them.
    #[error("the CA's keys: {0}\n  hint: `hallpass keys list` shows what the log says of them")]
    Ring(&'static str),
    /// Two purposes share one key.
    #[error(
        "{first} and {second} are the same key\n  hint: each purpose has a key of its own; make a new one"
    )]
    Shared {
        /// One use of it.
        first: String,
        /// The other one.
        second: String,
    },
    /// The system gives no random bytes, or a key cannot be written down.
    #[error("a key could not be made")]
    Unmade,
}

/// Reads a plain public key in OpenSSH's one-line form that somebody else wrote: bounded, and looked at before it is
/// parsed, so that neither a certificate nor a nested one reaches the parser.
pub fn plain_key(line: &str) -> Result<PublicKey, &'static str> {
    use base64::Engine as _;
    let mut words = line.trim().splitn(3, ' ');
    let (Some(algorithm), Some(digits)) = (words.next(), words.next()) else {
        return Err("it is not a public key");
    };
    if line.len() > config::limits::KEY_BLOB_BYTES {
        return Err("it is too long");
    }
    let blob = base64::engine::general_purpose::STANDARD
        .decode(digits)
        .map_err(|_| "it is not a public key")?;
    let inside = Take(&blob).text().unwrap_or_default();
    if inside.contains("-cert-v") {
        return Err("it is a certificate, not a plain key");
    }
    if inside != algorithm || !CERTIFIABLE.contains(&inside) {
        return Err("keys of this kind are not taken");
    }
    let key = PublicKey::from_openssh(line.trim()).map_err(|_| "it is not a public key")?;
    Ok(PublicKey::from(key.key_data().clone()))
}

/// The kinds of keys that may be certified.
const CERTIFIABLE: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// The CA's keys in memory, and what signs with them.
pub(crate) struct Keys {
    pub(crate) signers: Signers,
    /// Fingerprints that somebody retired by hand.
    pub(crate) retired: Vec<String>,
    /// The log's, the one of the configuration first.
    pub(crate) log: LogKeys,
    /// The one that will sign the log.
    log_next: Option<PublicKey>,
    pub(crate) identity: PrivateKey,
}

impl Keys {
    /// Opens the keys; refuses files that others may read, and one key for two purposes.
    pub(crate) fn load(config: &Config) -> Result<Self, KeysError> {
        Self::again(config, &Signers::default(), None)
    }

    /// Opens the keys beside a CA that runs. What it holds already is not opened again, so that nobody is asked for a
    /// passphrase twice.
    pub(crate) fn again(
        config: &Config,
        held: &Signers,
        held_log: Option<&LogKeys>,
    ) -> Result<Self, KeysError> {
        let signers = Signers::open(config, held)?;
        let (log, log_next) = log::open(config, held_log)?;
        let identity = inside(config, KeyName::Identity)?;
        let keys = Self {
            signers,
            retired: files::retired(&config.ca.data)?,
            log,
            log_next,
            identity,
        };
        distinct(&keys.all())?;
        Ok(keys)
    }

    /// The six that are in use.
    pub(crate) fn current(&self) -> Vec<(KeyName, PublicKey)> {
        let mut keys = self.signers.public(Place::Current);
        keys.extend(self.log.newest().map(|key| (KeyName::Log, bare(key))));
        keys.push((KeyName::Identity, bare(&self.identity)));
        keys
    }

    /// Those that will be.
    pub(crate) fn announced(&self) -> Vec<(KeyName, PublicKey)> {
        let mut keys = self.signers.public(Place::Next);
        keys.extend(self.log_next.clone().map(|key| (KeyName::Log, key)));
        keys
    }

    /// Those, and the ones that are announced.
    fn all(&self) -> Vec<(KeyName, PublicKey)> {
        let mut keys = self.current();
        keys.extend(self.announced());
        keys
    }
}

/// The issuance log's keys, for whoever opens the log without serving.
pub(crate) fn log_keys(config: &Config) -> Result<LogKeys, KeysError> {
    log::open(config, None).map(|(keys, _)| keys)
}

/// Whether the CA could start with its keys: where they are, what they are, and that no key serves two purposes. What
/// somebody would have to type is not asked for: of such a file the public half is looked at, such a token is not.
pub fn check_keys(config: &Config) -> Result<(), KeysError> {
    let mut found = Vec::new();
    for name in KeyName::ALL {
        let source = source(config, name)?;
        let public = match source {
            KeySource::File { path, .. } if source.is_prompted() => Some(files::public_half(path)?),
            _ if source.is_prompted() => None,
            _ if name.is_authority() => Some(signers::open(name, source)?.public().clone()),
            _ => Some(bare(&inside(config, name)?)),
        };
        found.extend(public.map(|public| (name, public)));
    }
    distinct(&found)?;
    apart(found.iter().map(|(name, key)| (*name, key)), config)
}

/// The public half of a key as it lies there now. A token is opened for it; nothing else is.
pub fn public_half(config: &Config, name: KeyName) -> Result<PublicKey, KeysError> {
    match source(config, name)? {
        KeySource::File { path, .. } => files::public_half(path),
        KeySource::Agent { public, .. } => Ok(public.clone()),
        token @ KeySource::Token { .. } => Ok(signers::open(name, token)?.public().clone()),
    }
}

/// Refuses a configuration in which a CA's key is a person's, a bastion's or a target's.
pub(crate) fn apart<'a>(
    ours: impl IntoIterator<Item = (KeyName, &'a PublicKey)>,
    config: &Config,
) -> Result<(), KeysError> {
    let ours: Vec<_> = ours.into_iter().collect();
    let persons = config.persons.iter().flat_map(|(name, person)| {
        let named = move |key| (format!("a key of person {name}"), key);
        person.keys.iter().map(named)
    });
    let bastions = config.bastions.iter();
    let bastions =
        bastions.map(|(name, b)| (format!("the identity of bastion {name}"), &b.identity));
    let targets = config.targets.iter().flat_map(|(name, target)| {
        let keys = match &target.host {
            HostTrust::Ca => [].as_slice(),
            HostTrust::Pinned(keys) => keys.as_slice(),
        };
        let named = move |key| (format!("a host key of target {name}"), key);
        keys.iter().map(named)
    });
    for (second, key) in persons.chain(bastions).chain(targets) {
        let twin = ours
            .iter()
            .find(|(_, ours)| ours.key_data() == key.key_data());
        if let Some((name, _)) = twin {
            let first = format!("the CA's {name} key");
            return Err(KeysError::Shared { first, second });
        }
    }
    Ok(())
}

fn distinct(keys: &[(KeyName, PublicKey)]) -> Result<(), KeysError> {
    for (n, (first, key)) in keys.iter().enumerate() {
        let mut others = keys.iter().skip(n + 1);
        let twin = others.find(|(_, other)| other.key_data() == key.key_data());
        if let Some((second, _)) = twin {
            return Err(KeysError::Shared {
                first: format!("the CA's {first} key"),
                second: format!("its {second} key"),
            });
        }
    }
    Ok(())
}

/// Where a key is, and the one that follows it: as the configuration says, or the file beside it.
fn source(config: &Config, name: KeyName) -> Result<&KeySource, KeysError> {
    let place = config.ca.keys.get(&name);
    place.map(|place| &place.current).ok_or(KeysError::Unmade)
}

/// A key that this process has to hold itself.
fn inside(config: &Config, name: KeyName) -> Result<PrivateKey, KeysError> {
    match source(config, name)? {
        KeySource::File { path, passphrase } => {
            let key = files::load(path, name, passphrase.as_ref())?;
            let not = || KeysError::NotAKey {
                path: path.clone(),
                why: "it is of another kind",
            };
            key.key_data().ed25519().ok_or_else(not)?;
            Ok(key)
        }
        // The configuration's check has refused it.
        _ => Err(KeysError::Unmade),
    }
}

fn bare(key: &PrivateKey) -> PublicKey {
    PublicKey::from(key.public_key().key_data().clone())
}

#[cfg(test)]
mod tests;
