//! The keys of the CA as files: `CA_DATA/keys/{user,session,host,door,log,identity}`, each an
//! OpenSSH private key that only the CA's own user may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use config::Config;
use config::rules::HostTrust;
use ed25519_dalek::SigningKey;
use record::entry::Authority;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::issue::{InMemory, Signer};
use crate::wire::Take;

/// Largest private key file that is read, in bytes: an Ed25519 key has 400.
const KEY_FILE_BYTES: u64 = 16 << 10;

/// The names of the six files.
const NAMES: [&str; 6] = ["user", "session", "host", "door", "log", "identity"];

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

    /// The public halves that stand in a data directory, each read from its private key.
    pub fn load(data: &Path) -> Result<Self, KeysError> {
        Keys::load(data).map(|keys| keys.public)
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
    /// It is not a plain, unencrypted Ed25519 private key in OpenSSH's format.
    #[error("{}: not an unencrypted Ed25519 private key of OpenSSH's format ({why})\n  hint: `hallpass init` makes such keys", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
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

/// Makes the six keys under `data/keys`; refuses to replace one that is there.
pub fn init_keys(data: &Path) -> Result<PublicKeys, KeysError> {
    let dir = data.join("keys");
    make_dir(&dir)?;
    for name in NAMES {
        create_key(&dir.join(name), &format!("hallpass {name}"))?;
    }
    sync_dir(&dir)?;
    PublicKeys::load(data)
}

/// Makes one Ed25519 key as a file of mode 0600 with its public half beside it as `.pub`; refuses to replace
/// one that is there.
pub fn create_key(path: &Path, comment: &str) -> Result<PublicKey, KeysError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| KeysError::Unmade)?;
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    key.set_comment(comment);
    let text = key
        .to_openssh(LineEnding::LF)
        .map_err(|_| KeysError::Unmade)?;
    write_new(path, text.as_bytes(), 0o600)?;
    let public = key.public_key().clone();
    let line = public.to_openssh().map_err(|_| KeysError::Unmade)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    write_new(Path::new(&beside), format!("{line}\n").as_bytes(), 0o644)?;
    Ok(public)
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
    pub(crate) fn of(&mut self, authority: Authority) -> &mut dyn Signer {
        let signer = match authority {
            Authority::User => &mut self.user,
            Authority::Session => &mut self.session,
            Authority::Host => &mut self.host,
            Authority::Door => &mut self.door,
        };
        signer.as_mut()
    }
}

impl Keys {
    /// Reads the six keys; refuses files that others may read, and one key for two purposes.
    pub(crate) fn load(data: &Path) -> Result<Self, KeysError> {
        let dir = data.join("keys");
        let [user, session, host, door, log, identity] =
            NAMES.map(|name| load_key(&dir.join(name)));
        let (user, session, host, door) = (user?, session?, host?, door?);
        let (log, identity) = (log?, identity?);
        let public = PublicKeys {
            user: bare(&user),
            session: bare(&session),
            host: bare(&host),
            door: bare(&door),
            log: bare(&log),
            identity: bare(&identity),
        };
        distinct(&public)?;
        let signers = Signers {
            user: signer(&user)?,
            session: signer(&session)?,
            host: signer(&host)?,
            door: signer(&door)?,
        };
        Ok(Self {
            signers,
            log,
            identity,
            public,
        })
    }
}

/// Whether the CA could start with its key files: their modes, what they hold, and that no key serves two purposes.
pub fn check_keys(config: &Config) -> Result<(), KeysError> {
    apart(&PublicKeys::load(&config.ca.data)?, config)
}

/// Refuses a configuration in which a CA's key is a person's, a bastion's or a target's.
pub(crate) fn apart(public: &PublicKeys, config: &Config) -> Result<(), KeysError> {
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
        for (name, ours) in NAMES.into_iter().zip(public.all()) {
            if ours.key_data() == key.key_data() {
                let first = format!("the CA's {name} key");
                return Err(KeysError::Shared { first, second });
            }
        }
    }
    Ok(())
}

fn bare(key: &PrivateKey) -> PublicKey {
    PublicKey::from(key.public_key().key_data().clone())
}

fn distinct(public: &PublicKeys) -> Result<(), KeysError> {
    let named: Vec<_> = NAMES.into_iter().zip(public.all()).collect();
    for (n, (first, key)) in named.iter().enumerate() {
        let twin = named.iter().skip(n + 1).find(|(_, other)| other == key);
        if let Some((second, _)) = twin {
            return Err(KeysError::Shared {
                first: format!("keys/{first}"),
                second: format!("keys/{second}"),
            });
        }
    }
    Ok(())
}

fn signer(key: &PrivateKey) -> Result<Box<dyn Signer>, KeysError> {
    let pair = key.key_data().ed25519().ok_or(KeysError::Unmade)?;
    let signing = SigningKey::try_from(pair).map_err(|_| KeysError::Unmade)?;
    Ok(Box::new(InMemory::new(signing, bare(key))))
}

fn load_key(path: &Path) -> Result<PrivateKey, KeysError> {
    let io = |source| KeysError::Io {
        path: path.to_owned(),
        source,
    };
    let not = |why| KeysError::NotAKey {
        path: path.to_owned(),
        why,
    };
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(KeysError::TooOpen { path, mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(KEY_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(io)?;
    if text.contains("-cert-v") {
        return Err(not("it is a certificate"));
    }
    let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| not("it does not parse"))?;
    if key.is_encrypted() {
        return Err(not("it has a passphrase"));
    }
    if key.key_data().ed25519().is_none() || key.public_key().key_data().is_certificate() {
        return Err(not("it is of another kind"));
    }
    Ok(key)
}

fn make_dir(dir: &Path) -> Result<(), KeysError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| KeysError::Io {
        path: dir.to_owned(),
        source,
    })
}

fn sync_dir(dir: &Path) -> Result<(), KeysError> {
    let synced = File::open(dir).and_then(|file| file.sync_all());
    synced.map_err(|source| KeysError::Io {
        path: dir.to_owned(),
        source,
    })
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeysError> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(mode);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        // The mask of the process can only take permissions away; a public half gets them back.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()
    });
    written.map_err(|source| KeysError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
