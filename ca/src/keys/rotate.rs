//! Changing a key of the CA where it lies: `P.next` is announced, takes the place of `P`, and `P` becomes `P.old-N`.
//!
//! Each step is one rename of a whole file. What it means for others is decided by the CA when it reads the files again
//! (at a start, or when it is told to reload), and stands in the log from then on. If we die in between, the same
//! command again finishes it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use config::Config;
use config::keys::{KeyName, KeySource, Secret};
use ssh_key::{HashAlg, PublicKey};

use super::signers::{before, following};
use super::{KeysError, files, source};

/// Why a key's files were not changed. The operator's side.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The keys themselves.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The disk's fault.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is in an agent or a token.
    #[error(
        "the {0} key is where the configuration says, and this program changes neither an agent, nor a token, nor the configuration\n  hint: make the new key there, name it in [ca.key.{0}.next], and reload the CA: it is announced; later name it in [ca.key.{0}] instead, and reload again: it signs; `hallpass keys list` shows each step"
    )]
    Outside(KeyName),
    /// It cannot be changed while the CA runs.
    #[error(
        "the identity key is not changed this way: it is the CA's SSH host key, which people, bastions and targets have pinned"
    )]
    Identity,
    /// One key is announced already.
    #[error("{} is announced already\n  hint: `hallpass keys switch {name}` lets it sign, `hallpass keys retire {name}` takes it back", path.display())]
    Announced {
        /// The file.
        path: PathBuf,
        /// Whose.
        name: KeyName,
    },
    /// None is announced.
    #[error("no key is announced for {0}\n  hint: `hallpass keys rotate {0}` makes one")]
    NotAnnounced(KeyName),
    /// Another program is changing the keys.
    #[error("{}: another program is changing the keys", .0.display())]
    Busy(PathBuf),
    /// There are too many old ones.
    #[error("too many old keys of {0}: retire them first with `hallpass keys retire`")]
    TooMany(KeyName),
}

/// Makes the key that follows, or takes it from a file; says where it lies, and what its public half is.
pub fn announce(
    config: &Config,
    name: KeyName,
    from: Option<&Path>,
) -> Result<(PathBuf, PublicKey), RotateError> {
    let _alone = alone(config)?;
    let (path, passphrase) = file(config, name)?;
    let next = following(path);
    if next.exists() {
        return Err(RotateError::Announced { path: next, name });
    }
    let public = match from {
        Some(from) => taken(from, &next, name, passphrase)?,
        None => files::create_like(path, &next, name, passphrase)?,
    };
    sync(&next)?;
    Ok((next, public))
}

/// Lets the announced key sign from the CA's next reload on; the one before is kept as an old one.
pub fn switch(config: &Config, name: KeyName) -> Result<PublicKey, RotateError> {
    let _alone = alone(config)?;
    let (path, _) = file(config, name)?;
    let next = following(path);
    if !next.exists() {
        return Err(RotateError::NotAnnounced(name));
    }
    let public = files::public_half(&next)?;
    let mut free = (1..=super::signers::OLD).map(|n| before(path, n));
    let old = free.find(|old| !old.exists());
    let old = old.ok_or(RotateError::TooMany(name))?;
    let io = |source| RotateError::Io {
        path: path.to_owned(),
        source,
    };
    fs::hard_link(path, &old).map_err(io)?;
    // If we die here, the current key has two names, of which one is passed over; the next try takes a third.
    fs::rename(&next, path).map_err(io)?;
    // If we die here, the key signs, and its public half beside it is the one before: nothing is judged by that file.
    let _ = fs::rename(dot_pub(&next), dot_pub(path));
    sync(path)?;
    Ok(public)
}

/// Puts down that a key is retired, and takes its file away if there is one.
pub fn retire(config: &Config, name: KeyName, public: &PublicKey) -> Result<(), RotateError> {
    let _alone = alone(config)?;
    let list = config.ca.data.join("keys").join(files::RETIRED);
    let io = |source| RotateError::Io {
        path: list.clone(),
        source,
    };
    let fingerprint = public.fingerprint(HashAlg::Sha256);
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(&list);
    let mut file = file.map_err(io)?;
    writeln!(file, "{fingerprint}").map_err(io)?;
    file.sync_all().map_err(io)?;
    // If we die here, the key is retired at the next reload, and its file lies there unused.
    if let KeySource::File { path, .. } = source(config, name)? {
        let olds = (1..=super::signers::OLD).map(|n| before(path, n));
        for old in olds.chain([following(path)]).filter(|old| old.exists()) {
            if files::public_half(&old)?.key_data() == public.key_data() {
                fs::remove_file(&old).map_err(io)?;
                let _ = fs::remove_file(dot_pub(&old));
            }
        }
    }
    sync(&list)
}

fn file(config: &Config, name: KeyName) -> Result<(&Path, Option<&Secret>), RotateError> {
    if name == KeyName::Identity {
        return Err(RotateError::Identity);
    }
    let place = config.ca.keys.get(&name);
    match source(config, name)? {
        KeySource::File { path, passphrase } if place.is_some_and(|p| p.next.is_none()) => {
            Ok((path, passphrase.as_ref()))
        }
        _ => Err(RotateError::Outside(name)),
    }
}

/// A key that somebody brings: it has to be one that the CA could use, and it is copied, not moved.
fn taken(
    from: &Path,
    next: &Path,
    name: KeyName,
    passphrase: Option<&Secret>,
) -> Result<PublicKey, RotateError> {
    files::load(from, name, passphrase)?;
    let public = files::public_half(from)?;
    let io = |source| RotateError::Io {
        path: from.to_owned(),
        source,
    };
    let text = zeroize::Zeroizing::new(fs::read(from).map_err(io)?);
    files::write_new(next, &text, 0o600)?;
    files::write_public(next, &public)?;
    Ok(public)
}

/// Nobody else changes the keys while this is held.
fn alone(config: &Config) -> Result<File, RotateError> {
    let path = config.ca.data.join("keys/lock");
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(&path);
    let file = file.map_err(|source| RotateError::Io {
        path: path.clone(),
        source,
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(RotateError::Busy(path)),
    }
}

fn dot_pub(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn sync(path: &Path) -> Result<(), RotateError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    Ok(files::sync_dir(dir)?)
}
