//! Private keys as files: OpenSSH's format, and nobody else's to read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use config::keys::{KeyName, Secret};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::{KeysError, bare, blob};
use crate::signer::secret;

/// Largest private key file that is read, in bytes: an Ed25519 key has 400.
const KEY_FILE_BYTES: u64 = 16 << 10;

/// Makes the six keys under `data/keys`; refuses to replace one that is there.
pub fn init_keys(data: &Path) -> Result<(), KeysError> {
    let dir = data.join("keys");
    make_dir(&dir)?;
    for name in KeyName::ALL {
        create_key(&dir.join(name.as_str()), &format!("hallpass {name}"))?;
    }
    sync_dir(&dir)
}

/// Makes one Ed25519 key as a file of mode 0600 with its public half beside it as `.pub`; refuses to replace
/// one that is there.
pub fn create_key(path: &Path, comment: &str) -> Result<PublicKey, KeysError> {
    let key = fresh(comment)?;
    write_key(path, &key)
}

/// Makes one as [`create_key`] does, under the same passphrase as the key that it follows: one that does not open that key was
/// mistyped, and nobody would ever open the new one.
pub(super) fn create_like(
    before: &Path,
    path: &Path,
    name: KeyName,
    passphrase: Option<&Secret>,
) -> Result<PublicKey, KeysError> {
    let key = fresh(&format!("hallpass {name}"))?;
    let Some(passphrase) = passphrase else {
        return write_key(path, &key);
    };
    let wrong = |why: String| KeysError::Secret { name, why };
    let what = format!("passphrase of {}", before.display());
    let secret = secret::read(passphrase, &what).map_err(|why| wrong(why.to_string()))?;
    let follows = read(before)?;
    if follows.is_encrypted() && follows.decrypt(secret.as_bytes()).is_err() {
        return Err(wrong("it does not open the key".to_owned()));
    }
    let sealed = key.encrypt(&mut ssh_key::getrandom::SysRng, secret.as_bytes());
    write_key(path, &sealed.map_err(|_| KeysError::Unmade)?)
}

fn fresh(comment: &str) -> Result<PrivateKey, KeysError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| KeysError::Unmade)?;
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    key.set_comment(comment);
    Ok(key)
}

fn write_key(path: &Path, key: &PrivateKey) -> Result<PublicKey, KeysError> {
    let text = key
        .to_openssh(LineEnding::LF)
        .map_err(|_| KeysError::Unmade)?;
    write_new(path, text.as_bytes(), 0o600)?;
    let public = key.public_key().clone();
    write_public(path, &public)?;
    Ok(public)
}

/// Writes the public half beside a private key.
pub(super) fn write_public(path: &Path, public: &PublicKey) -> Result<(), KeysError> {
    let line = public.to_openssh().map_err(|_| KeysError::Unmade)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    write_new(Path::new(&beside), format!("{line}\n").as_bytes(), 0o644)
}

/// Reads a plain private key of a kind that the CA uses, with its passphrase if it has one.
pub(super) fn load(
    path: &Path,
    name: KeyName,
    passphrase: Option<&Secret>,
) -> Result<PrivateKey, KeysError> {
    let key = read(path)?;
    if !key.is_encrypted() {
        return Ok(key);
    }
    let Some(passphrase) = passphrase else {
        let path = path.to_owned();
        return Err(KeysError::Encrypted { path, name });
    };
    let wrong = |why: String| KeysError::Secret { name, why };
    let what = format!("passphrase of {}", path.display());
    let secret = secret::read(passphrase, &what).map_err(|why| wrong(why.to_string()))?;
    let opened = key.decrypt(secret.as_bytes());
    let opened = opened.map_err(|_| wrong("it does not open the key".to_owned()))?;
    // The public half stands outside of what is encrypted, where anybody could have changed it.
    if bare(&opened) != bare(&key) {
        let path = path.to_owned();
        let why = "its public half belongs to another key";
        return Err(KeysError::NotAKey { path, why });
    }
    Ok(opened)
}

/// The fingerprints in `DATA/keys/retired`, one a line: keys that somebody retired by hand.
pub(super) fn retired(data: &Path) -> Result<Vec<String>, KeysError> {
    let path = data.join("keys").join(RETIRED);
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| KeysError::Io { path, source })?,
    };
    Ok(text.lines().map(str::to_owned).collect())
}

/// The file of retired keys' fingerprints.
pub(super) const RETIRED: &str = "retired";

/// The public half of a private key, which an encrypted one shows too.
pub(super) fn public_half(path: &Path) -> Result<PublicKey, KeysError> {
    read(path).map(|key| bare(&key))
}

fn read(path: &Path) -> Result<PrivateKey, KeysError> {
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
    // Room for all of it: a string that grows would leave copies behind.
    let room = usize::try_from(KEY_FILE_BYTES).unwrap_or_default() + 64;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(KEY_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(io)?;
    if text.contains("-cert-v") {
        return Err(not("it is a certificate"));
    }
    let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| not("it does not parse"))?;
    if key.public_key().key_data().is_certificate() || !blob::may_certify(key.public_key()) {
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

pub(super) fn sync_dir(dir: &Path) -> Result<(), KeysError> {
    let synced = File::open(dir).and_then(|file| file.sync_all());
    synced.map_err(|source| KeysError::Io {
        path: dir.to_owned(),
        source,
    })
}

pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeysError> {
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
