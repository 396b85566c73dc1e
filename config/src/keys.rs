//! Where the CA's private keys are: files, an ssh-agent, or a PKCS#11 token.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

/// What a key of the CA is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyName {
    /// Signs access certificates.
    User,
    /// Signs session certificates.
    Session,
    /// Signs targets' host certificates.
    Host,
    /// Signs bastions' door certificates.
    Door,
    /// Signs the checkpoints of the issuance log.
    Log,
    /// The CA's own SSH host key.
    Identity,
}

impl KeyName {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::User,
        Self::Session,
        Self::Host,
        Self::Door,
        Self::Log,
        Self::Identity,
    ];

    /// As it is written: the name of its file, and of its table in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Session => "session",
            Self::Host => "host",
            Self::Door => "door",
            Self::Log => "log",
            Self::Identity => "identity",
        }
    }

    /// Whether it signs certificates.
    pub const fn is_authority(self) -> bool {
        !matches!(self, Self::Log | Self::Identity)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names none of the CA's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key of the CA: they are user, session, host, door, log and identity")]
pub struct NotAKeyName;

impl FromStr for KeyName {
    type Err = NotAKeyName;

    fn from_str(text: &str) -> Result<Self, NotAKeyName> {
        let mut all = Self::ALL.into_iter();
        all.find(|name| name.as_str() == text).ok_or(NotAKeyName)
    }
}

/// Where one private key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In a file of OpenSSH's format, which only the CA's own user may read.
    File {
        /// The file.
        path: PathBuf,
        /// Its passphrase, if it has one.
        passphrase: Option<Secret>,
    },
    /// In an ssh-agent (draft-ietf-sshm-ssh-agent), and so in any hardware behind one.
    Agent {
        /// The agent's socket.
        socket: PathBuf,
        /// Which of its keys.
        public: PublicKey,
    },
    /// In a PKCS#11 token.
    Token {
        /// The module: a shared library of the token's maker.
        module: PathBuf,
        /// The token's label.
        token: String,
        /// The key's label, of its private and of its public half.
        label: String,
        /// The user's PIN.
        pin: Secret,
    },
}

/// Where a passphrase or a PIN comes from. The configuration holds none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// The file of this name in `$CREDENTIALS_DIRECTORY` (`LoadCredential` in `systemd.exec(5)`).
    Credential(String),
    /// Somebody types it when the CA starts.
    Prompt,
}

/// One of the CA's keys, and the one that will follow it.
#[derive(Debug, Clone)]
pub struct KeyPlace {
    /// The one that signs.
    pub current: KeySource,
    /// The one that is announced: trusted already, and signs nothing yet.
    pub next: Option<KeySource>,
}

impl KeySource {
    /// Whether somebody has to type something before it can be used.
    pub const fn is_prompted(&self) -> bool {
        matches!(
            self,
            Self::File {
                passphrase: Some(Secret::Prompt),
                ..
            } | Self::Token {
                pin: Secret::Prompt,
                ..
            }
        )
    }
}
