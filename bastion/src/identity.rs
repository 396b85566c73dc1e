//! The keys of a bastion: the one that it is known by, and fresh ones.

use std::io;
use std::path::{Path, PathBuf};

use config::words::BastionName;
use config::{limits, rules};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{PrivateKey, PublicKey};
use zeroize::Zeroizing;

/// The file with the CA's public host key, in the bastion's directory: what the bastion believes to be its CA.
pub const CA_HOST_KEY: &str = "ca_host_key.pub";

/// Why the identity of a bastion or the pinned key of its CA cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("{}: {source}\n  hint: `hallpass init` writes it; copy it from there", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others could have read the private key.
    #[error("{}: others may read this key (mode {mode:03o})\n  hint: chmod 600 {}", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not an OpenSSH key without a passphrase.
    #[error("{}: not an OpenSSH key without a passphrase: {source}\n  hint: ssh-keygen -t ed25519 -N '' -f {}", path.display(), path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ssh_key::Error,
    },
    /// The configuration names another key.
    #[error("{}: not the identity that the configuration names for this bastion\n  hint: correct identity = \"…\", or use the right key file", path.display())]
    Another {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the identity key, which nobody else may have been able to read, and compares it with the configuration.
pub fn load(path: &Path, configured: &PublicKey) -> Result<PrivateKey, IdentityError> {
    use std::os::unix::fs::MetadataExt as _;

    let unreadable = |source| IdentityError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mode = std::fs::metadata(path).map_err(unreadable)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let text = Zeroizing::new(read_small(path).map_err(unreadable)?);
    let key =
        PrivateKey::from_openssh(text.as_bytes()).map_err(|source| IdentityError::NotAKey {
            path: path.to_owned(),
            source,
        })?;
    if key.public_key().key_data() != configured.key_data() {
        return Err(IdentityError::Another {
            path: path.to_owned(),
        });
    }
    Ok(key)
}

/// Checks the key files of a bastion, without starting it: their modes, and that they are what the configuration says.
pub fn check_identity(_: &BastionName, bastion: &rules::Bastion) -> Result<(), IdentityError> {
    load(&bastion.data.join("identity"), &bastion.identity)?;
    load_public(&bastion.data.join(CA_HOST_KEY))?;
    Ok(())
}

/// Reads a public key, one line in OpenSSH's form.
pub fn load_public(path: &Path) -> Result<PublicKey, IdentityError> {
    let text = read_small(path).map_err(|source| IdentityError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    PublicKey::from_openssh(text.trim()).map_err(|source| IdentityError::NotAKey {
        path: path.to_owned(),
        source,
    })
}

/// Makes an Ed25519 key that lives in memory only.
pub fn fresh() -> Result<PrivateKey, getrandom::Error> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut_slice())?;
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed));
    // Only an encrypted key is refused there.
    PrivateKey::new(pair, "").map_err(|_| getrandom::Error::UNEXPECTED)
}

fn read_small(path: &Path) -> io::Result<String> {
    use std::io::Read as _;

    let mut text = String::new();
    std::fs::File::open(path)?
        .take(limits::KEY_BLOB_BYTES as u64)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(mode: u32, key: &PrivateKey) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        std::fs::write(
            &path,
            key.to_openssh(ssh_key::LineEnding::LF).unwrap().as_bytes(),
        )
        .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    #[test]
    fn promise_44_a_key_that_others_may_read_is_refused() {
        let key = fresh().unwrap();
        let (_dir, path) = written(0o600, &key);
        assert!(load(&path, key.public_key()).is_ok());
        for mode in [0o640, 0o604, 0o660, 0o610] {
            let (_dir, path) = written(mode, &key);
            let refused = load(&path, key.public_key());
            assert!(
                matches!(refused, Err(IdentityError::TooOpen { .. })),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn another_key_than_the_configured_one_is_refused() {
        let (key, other) = (fresh().unwrap(), fresh().unwrap());
        let (_dir, path) = written(0o600, &key);
        assert!(matches!(
            load(&path, other.public_key()),
            Err(IdentityError::Another { .. })
        ));
    }
}
