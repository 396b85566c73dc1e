//! The keys of the CA as files: `CA_DATA/keys/{user,session,host,door,log,identity}`.

use std::path::{Path, PathBuf};

use ssh_key::PublicKey;

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

/// Why the keys could not be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The disk's or the operator's fault.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Makes the six keys under `data/keys`; refuses to replace one that is there.
pub fn init_keys(_data: &Path) -> Result<PublicKeys, KeysError> {
    todo!()
}
