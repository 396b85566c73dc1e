//! The keys of the CA: where the configuration says, or as the files
//! `CA_DATA/keys/{user,session,host,door,log,identity}`.
//!
//! * [`files`]: private keys in OpenSSH's format, which only the CA's own user may read.

mod files;

use std::io;
use std::path::PathBuf;

use config::Config;
use config::keys::{KeyName, KeySource};
use config::rules::HostTrust;
use record::entry::Authority;
use ssh_key::{PrivateKey, PublicKey};

use crate::signer::agent::Agent;
use crate::signer::memory::InMemory;
use crate::signer::token::{Place, Token};
use crate::signer::{Signer, blob, secret};
use crate::wire::Take;

pub use files::{create_key, init_keys};

/// The public halves of the CA's keys.
#[derive(Debug, Clone)]
pub struct PublicKeys {
    /// The user CA: signs access certificates.
    pub user: PublicKey,
    /// The session CA: signs session certificates.
    pub session: PublicKey,
    /// The host CA: signs targets' host certificates.
    pub host: PublicKey,
    /// The door CA: signs bastions' door certificates.
    pub door: PublicKey,
    /// Signs the checkpoints of the issuance log.
    pub log: PublicKey,
    /// The CA's own SSH host key.
    pub identity: PublicKey,
}

impl PublicKeys {
    /// All six.
    pub const fn all(&self) -> [&PublicKey; 6] {
        [
            &self.user,
            &self.session,
            &self.host,
            &self.door,
            &self.log,
            &self.identity,
        ]
    }

    /// All six, each with its name.
    pub(crate) fn named(&self) -> Vec<(KeyName, PublicKey)> {
        let keys = self.all().into_iter().cloned();
        KeyName::ALL.into_iter().zip(keys).collect()
    }
}

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
    pub(crate) log: PrivateKey,
    pub(crate) identity: PrivateKey,
    pub(crate) public: PublicKeys,
}

/// The four CAs.
pub(crate) struct Signers {
    pub(crate) user: Box<dyn Signer>,
    pub(crate) session: Box<dyn Signer>,
    pub(crate) host: Box<dyn Signer>,
    pub(crate) door: Box<dyn Signer>,
}

impl Signers {
    pub(crate) fn of(&self, authority: Authority) -> &dyn Signer {
        let signer = match authority {
            Authority::User => &self.user,
            Authority::Session => &self.session,
            Authority::Host => &self.host,
            Authority::Door => &self.door,
        };
        signer.as_ref()
    }
}

impl Keys {
    /// Opens the six keys; refuses files that others may read, and one key for two purposes.
    pub(crate) fn load(config: &Config) -> Result<Self, KeysError> {
        let signers = Signers {
            user: open(config, KeyName::User)?,
            session: open(config, KeyName::Session)?,
            host: open(config, KeyName::Host)?,
            door: open(config, KeyName::Door)?,
        };
        let log = inside(config, KeyName::Log)?;
        let identity = inside(config, KeyName::Identity)?;
        let public = PublicKeys {
            user: signers.user.public().clone(),
            session: signers.session.public().clone(),
            host: signers.host.public().clone(),
            door: signers.door.public().clone(),
            log: bare(&log),
            identity: bare(&identity),
        };
        distinct(&public.named())?;
        Ok(Self {
            signers,
            log,
            identity,
            public,
        })
    }
}

/// The issuance log's key, for whoever opens the log without serving.
pub(crate) fn log_key(config: &Config) -> Result<PrivateKey, KeysError> {
    inside(config, KeyName::Log)
}

/// Whether the CA could start with its keys: where they are, what they are, and that no key serves two purposes. What
/// somebody would have to type is not asked for: of such a file the public half is looked at, such a token is not.
pub fn check_keys(config: &Config) -> Result<(), KeysError> {
    let mut found = Vec::new();
    for name in KeyName::ALL {
        let source = source(config, name)?;
        let public = match source {
            KeySource::File { path, .. } if source.is_prompted() => {
                Some(files::public_half(path, name)?)
            }
            _ if source.is_prompted() => None,
            _ if name.is_authority() => Some(open(config, name)?.public().clone()),
            _ => Some(bare(&inside(config, name)?)),
        };
        found.extend(public.map(|public| (name, public)));
    }
    distinct(&found)?;
    apart(&found, config)
}

/// Refuses a configuration in which a CA's key is a person's, a bastion's or a target's.
pub(crate) fn apart(ours: &[(KeyName, PublicKey)], config: &Config) -> Result<(), KeysError> {
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

fn source(config: &Config, name: KeyName) -> Result<&KeySource, KeysError> {
    let place = config.ca.keys.get(&name);
    place.map(|place| &place.current).ok_or(KeysError::Unmade)
}

/// A CA's key, wherever it is.
fn open(config: &Config, name: KeyName) -> Result<Box<dyn Signer>, KeysError> {
    let outside = |fault: crate::signer::SignFault| KeysError::Outside {
        name,
        why: fault.to_string(),
    };
    match source(config, name)? {
        KeySource::File { path, passphrase } => {
            let key = files::load(path, name, passphrase.as_ref())?;
            let signer = InMemory::new(&key).ok_or(KeysError::NotAKey {
                path: path.clone(),
                why: "it is of another kind",
            })?;
            Ok(Box::new(signer))
        }
        KeySource::Agent { socket, public } => {
            Ok(Box::new(Agent::open(socket, public).map_err(outside)?))
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
            let place = Place {
                module: module.clone(),
                token: token.clone(),
                label: label.clone(),
            };
            Ok(Box::new(Token::open(place, pin).map_err(outside)?))
        }
    }
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
