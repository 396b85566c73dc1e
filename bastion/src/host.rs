//! Whether a machine is the target that it should be. There is no trust on first use.

use std::sync::Arc;

use config::words::{TargetName, shown};
use record::clock::UnixTime;
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, Certificate, EcdsaCurve, PublicKey};

use crate::visitor::Trust;

/// How a target has to prove itself.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By a host certificate of the host CA for its name.
    Ca {
        /// The host CA's keys.
        trust: Arc<Trust>,
        /// The key that the target joined with last, and that the certificate is for; none: it has not joined.
        joined: Option<PublicKey>,
    },
    /// By one of these keys.
    Pinned(Vec<PublicKey>),
}

/// What a machine showed; that it holds the key has been proven by the key exchange (RFC 4253 §8).
#[derive(Debug, Clone, Copy)]
pub enum HostShown<'a> {
    /// A plain key.
    Key(&'a PublicKey),
    /// A certificate.
    Certificate(&'a Certificate),
}

/// Why a machine is not believed to be the target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// A plain key, where the configuration says `host = "ca"`.
    #[error("it shows no host certificate")]
    NoCertificate,
    /// A certificate of another authority.
    #[error("its host certificate is not signed by this site's host CA")]
    WrongCa,
    /// A user certificate.
    #[error("it shows a user certificate as its own")]
    UserCertificate,
    /// The certificate is for other names.
    #[error("its host certificate is for {}", shown(.0))]
    OtherName(String),
    /// The certificate is for every name.
    #[error("its host certificate names no host")]
    NoName,
    /// The certificate is not valid yet.
    #[error("its host certificate is not valid before {0}")]
    NotYet(UnixTime),
    /// The certificate is not valid any more.
    #[error("its host certificate expired at {0}")]
    Expired(UnixTime),
    /// A host certificate may carry no critical option.
    #[error("its host certificate has the critical option {}", shown(.0))]
    Critical(String),
    /// The certificate's signature is wrong.
    #[error("the signature of its host certificate is wrong")]
    Signature,
    /// The certificate is for a key that the target had before, or that the host CA's key was used for behind our back.
    #[error(
        "its host certificate is for the key {0}, and it has joined with another one: if it has a new key, let it show that"
    )]
    Replaced(String),
    /// The CA knows no key of the target's.
    #[error("it has not joined: the CA has certified no host key of its")]
    NotJoined,
    /// None of the pinned keys.
    #[error("its host key is {0}, which the configuration does not list")]
    OtherKey(String),
}

/// Decides whether what was shown proves the target, now.
pub fn check(
    shown: HostShown<'_>,
    name: &TargetName,
    proof: &Proof,
    now: UnixTime,
) -> Result<(), HostFault> {
    match (proof, shown) {
        (Proof::Ca { trust, joined }, HostShown::Certificate(certificate)) => {
            certified(certificate, name, trust, now)?;
            is_of(certificate, joined.as_ref())
        }
        (Proof::Ca { .. }, HostShown::Key(_)) => Err(HostFault::NoCertificate),
        (Proof::Pinned(keys), HostShown::Key(key)) => pinned(keys, key.key_data()),
        (Proof::Pinned(keys), HostShown::Certificate(certificate)) => {
            pinned(keys, certificate.public_key())
        }
    }
}

/// The kinds of host key to ask for, one list for each attempt, so that the target shows one that can be judged.
pub fn attempts(proof: &Proof) -> Vec<Vec<Algorithm>> {
    match proof {
        Proof::Ca { .. } => vec![vec![
            Algorithm::Ed25519,
            Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP256,
            },
            Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP384,
            },
            Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP521,
            },
        ]],
        Proof::Pinned(keys) => {
            let mut kinds: Vec<Algorithm> = keys.iter().map(PublicKey::algorithm).collect();
            kinds.dedup();
            kinds.into_iter().map(|kind| vec![kind]).collect()
        }
    }
}

fn certified(
    certificate: &Certificate,
    name: &TargetName,
    trust: &Trust,
    now: UnixTime,
) -> Result<(), HostFault> {
    if !trust.is_host_ca(certificate.signature_key()) {
        return Err(HostFault::WrongCa);
    }
    if certificate.cert_type() != CertType::Host {
        return Err(HostFault::UserCertificate);
    }
    certificate
        .verify_signature()
        .map_err(|_| HostFault::Signature)?;
    let names = certificate.valid_principals();
    if names.is_empty() {
        return Err(HostFault::NoName);
    }
    if !names.iter().any(|one| one == name.as_str()) {
        return Err(HostFault::OtherName(names.join(",")));
    }
    if now.secs() < certificate.valid_after() {
        return Err(HostFault::NotYet(UnixTime::from_secs(
            certificate.valid_after(),
        )));
    }
    if now.secs() >= certificate.valid_before() {
        return Err(HostFault::Expired(UnixTime::from_secs(
            certificate.valid_before(),
        )));
    }
    match certificate.critical_options().keys().next() {
        Some(option) => Err(HostFault::Critical(option.clone())),
        None => Ok(()),
    }
}

/// Whether a certificate is for the one key that the log says is the target's now. What was issued before is good for days
/// yet, and no bastion takes it any more.
fn is_of(certificate: &Certificate, joined: Option<&PublicKey>) -> Result<(), HostFault> {
    let shown = certificate.public_key();
    match joined {
        Some(key) if key.key_data() == shown => Ok(()),
        Some(_) => {
            let fingerprint = shown.fingerprint(ssh_key::HashAlg::Sha256);
            Err(HostFault::Replaced(fingerprint.to_string()))
        }
        None => Err(HostFault::NotJoined),
    }
}

fn pinned(keys: &[PublicKey], shown: &KeyData) -> Result<(), HostFault> {
    if keys.iter().any(|key| key.key_data() == shown) {
        return Ok(());
    }
    let fingerprint = shown.fingerprint(ssh_key::HashAlg::Sha256);
    Err(HostFault::OtherKey(fingerprint.to_string()))
}
