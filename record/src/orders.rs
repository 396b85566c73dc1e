//! What a target is told: whom its sshd lets in, and whom no more. One answer that carries everything and the
//! signature over it, so that its parts cannot be of different moments.
//!
//! The signature is an SSHSIG by the log's key in [`NAMESPACE`], over [`SignedOrders::orders`] byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::cidr::Cidr;
use config::keys::KeyName;
use config::limits;
use config::words::{Login, TargetName};
use serde::{Deserialize, Serialize};
use ssh_key::{PrivateKey, PublicKey};

use crate::clock::UnixTime;
use crate::keyring::{KeyChange, KeyStep};
use crate::krl::{self, KrlDamage};
use crate::sshsig::{self, SigError, SignError};

/// The SSHSIG namespace of the signature.
pub const NAMESPACE: &str = "orders@hallpass";

/// The version of the orders that this program writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// What a target is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// [`VERSION`].
    pub v: u32,
    /// When the CA said so.
    pub at: UnixTime,
    /// The size of the issuance log that this follows from: it never goes down.
    pub number: u64,
    /// For which target; none for a person who asked.
    pub target: Option<TargetName>,
    /// The session CAs, OpenSSH's one-line form: several while one follows another.
    pub session_cas: Vec<String>,
    /// The keys that the next orders may be signed by, OpenSSH's one-line form.
    pub signers: Vec<String>,
    /// The accounts that some role names on this target.
    pub logins: Vec<Login>,
    /// Where bastions come from.
    pub bastions: Vec<Cidr>,
    /// The revocation list, base64.
    pub krl: String,
}

/// Orders, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedOrders {
    /// The text of [`Orders`], JSON.
    pub orders: String,
    /// The armoured SSHSIG over that text.
    pub signature: String,
    /// How the keys of the log followed one another, the newest last: a target that has slept through a change follows
    /// them from the key that it knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub succession: Vec<KeyChange>,
}

/// What a machine gets that has joined as a target, or asks for it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joined {
    /// Its host certificate, OpenSSH's one-line form.
    pub certificate: String,
    /// The keys that orders are signed by, OpenSSH's one-line form: to be pinned.
    pub signers: Vec<String>,
    /// Its first orders.
    pub orders: SignedOrders,
}

/// Orders that were checked, and the list in them. Made by [`SignedOrders::open`] alone.
#[derive(Debug)]
pub struct Opened {
    /// What was said.
    pub orders: Orders,
    /// The revocation list as sshd reads it.
    pub krl: Vec<u8>,
    /// The session CAs: at least one.
    pub session_cas: Vec<PublicKey>,
    /// The keys that the next orders may be signed by: at least one.
    pub signers: Vec<PublicKey>,
}

/// Why orders are not followed: the fault of whoever gave them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrdersError {
    /// Larger than [`limits::ORDERS_BYTES`].
    #[error("they are larger than {} bytes", limits::ORDERS_BYTES)]
    TooLarge,
    /// The signature does not count.
    #[error("{0}")]
    Signature(#[from] SigError),
    /// Written by a newer version.
    #[error("written by a newer version of hallpass (version {0}): update this machine's")]
    TooNew(u32),
    /// They do not parse.
    #[error("they cannot be read: {0}")]
    Malformed(String),
    /// A key in them is none that sshd would take.
    #[error("a key in them cannot be used: {0}")]
    Key(&'static str),
    /// The list in them would lock everybody out.
    #[error("the revocation list in them is damaged: {0}")]
    Krl(#[from] KrlDamage),
    /// The list in them has another number than they have.
    #[error("the revocation list in them is of another number")]
    Number,
}

impl Orders {
    /// Signs the orders.
    pub fn sign(&self, key: &PrivateKey) -> Result<SignedOrders, SignError> {
        let orders = serde_json::to_string(self).unwrap_or_default();
        let signature = sshsig::sign(key, NAMESPACE, orders.as_bytes())?;
        Ok(SignedOrders {
            orders,
            signature,
            succession: Vec::new(),
        })
    }
}

impl SignedOrders {
    /// Checks who signed, then reads; whose orders these are and how old, the caller checks. Besides the keys that are
    /// allowed, those count for which one of them vouches, and so on.
    pub fn open(&self, allowed: &[PublicKey]) -> Result<Opened, OrdersError> {
        if self.orders.len() > limits::ORDERS_BYTES {
            return Err(OrdersError::TooLarge);
        }
        let allowed = self.followed(allowed)?;
        sshsig::verify(&allowed, NAMESPACE, self.orders.as_bytes(), &self.signature)?;
        let orders = read(&self.orders)?;
        let list = STANDARD.decode(&orders.krl);
        let krl = list.map_err(|_| OrdersError::Malformed("the list is not base64".to_owned()))?;
        if krl::look(&krl)?.number != orders.number {
            return Err(OrdersError::Number);
        }
        Ok(Opened {
            krl,
            session_cas: keys(&orders.session_cas)?,
            signers: keys(&orders.signers)?,
            orders,
        })
    }
}

impl SignedOrders {
    /// The allowed keys, and those to which they lead.
    fn followed(&self, allowed: &[PublicKey]) -> Result<Vec<PublicKey>, OrdersError> {
        if self.succession.len() > limits::LOG_KEYS_FOLLOWED {
            return Err(OrdersError::TooLarge);
        }
        let mut allowed = allowed.to_vec();
        for next in &self.succession {
            let is_next = next.name == KeyName::Log && next.step == KeyStep::Current;
            let mut known = allowed.iter();
            if is_next && known.any(|before| next.check_vouch(before).is_ok()) {
                allowed.push(plain_key(&next.key)?);
            }
        }
        Ok(allowed)
    }
}

fn read(text: &str) -> Result<Orders, OrdersError> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let malformed = |e: serde_json::Error| OrdersError::Malformed(e.to_string());
    match serde_json::from_str(text).map_err(malformed)? {
        Versioned { v: VERSION } => serde_json::from_str(text).map_err(malformed),
        Versioned { v: 0 } => Err(OrdersError::Malformed("version 0".to_owned())),
        Versioned { v } => Err(OrdersError::TooNew(v)),
    }
}

/// Reads keys that somebody else wrote, one a line: at least one, each plain.
pub fn keys(lines: &[String]) -> Result<Vec<PublicKey>, OrdersError> {
    if lines.is_empty() {
        return Err(OrdersError::Key("there is none"));
    }
    lines.iter().map(|line| plain_key(line)).collect()
}

/// A plain key in one line, bounded and looked at before it is parsed.
pub(crate) fn plain_key(line: &str) -> Result<PublicKey, OrdersError> {
    let no = OrdersError::Key;
    if line.len() > limits::KEY_BLOB_BYTES {
        return Err(no("it is too long"));
    }
    if line.contains(['\n', '\r']) || line.contains("-cert-v") {
        return Err(no("it is not a plain key in one line"));
    }
    let key = PublicKey::from_openssh(line).map_err(|_| no("it does not parse"))?;
    if key.key_data().is_certificate() {
        return Err(no("it is a certificate"));
    }
    Ok(PublicKey::from(key.key_data().clone()))
}

/// The list in the form that orders carry it.
pub fn carried(krl: &[u8]) -> String {
    STANDARD.encode(krl)
}

#[cfg(test)]
mod tests;
