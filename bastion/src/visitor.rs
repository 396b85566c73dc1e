//! The one place that says whether a certificate lets somebody in.
//!
//! russh has checked that the client holds the certificate's key, that some key signed the certificate, and its
//! window. Everything else is decided here, from the certificate alone, without input or output:
//! draft-ietf-sshm-cert, `ssh-keygen(1)` CERTIFICATES.

mod passage;

use std::fmt;
use std::net::IpAddr;

use config::cidr::Cidr;
use config::limits;
use config::rules::REVIEW;
use config::words::{BastionName, Principal, TargetName, shown};
use record::clock::UnixTime;
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Certificate, EcdsaCurve, PublicKey};

use crate::permits::Permits;

pub use passage::Passage;

/// The public keys that the bastion believes: what the CA said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    user_cas: Vec<KeyData>,
    host_cas: Vec<KeyData>,
}

/// The CA named a key that no certificate of ours may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the CA's keys are none, too many, or not plain Ed25519 or ECDSA P-256 keys")]
pub struct BadTrust;

impl Trust {
    /// Takes the keys of the user CA and of the host CA, several of each while one follows another; each must be a
    /// plain Ed25519 or ECDSA P-256 key, and at most [`limits::CA_KEYS`] of each are taken.
    pub fn new(user_cas: &[PublicKey], host_cas: &[PublicKey]) -> Result<Self, BadTrust> {
        Ok(Self {
            user_cas: plain(user_cas)?,
            host_cas: plain(host_cas)?,
        })
    }

    /// Whether this key signs targets' host certificates.
    pub fn is_host_ca(&self, key: &KeyData) -> bool {
        self.host_cas.contains(key)
    }
}

fn plain(keys: &[PublicKey]) -> Result<Vec<KeyData>, BadTrust> {
    let data = keys.iter().map(|key| key.key_data().clone());
    let plain: Vec<_> = data.filter(may_certify).collect();
    let good = plain.len() == keys.len() && (1..=limits::CA_KEYS).contains(&keys.len());
    good.then_some(plain).ok_or(BadTrust)
}

/// Whether a CA may have a key of this kind: a plain one, as `ssh` and `sshd` take it by default
/// (`CASignatureAlgorithms` in `sshd_config(5)`).
fn may_certify(key: &KeyData) -> bool {
    match key {
        KeyData::Ed25519(_) => true,
        KeyData::Ecdsa(key) => key.curve() == EcdsaCurve::NistP256,
        _ => false,
    }
}

/// What a client showed, and where.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The certificate. That the client holds its key has been proven.
    pub certificate: &'a Certificate,
    /// The user name of the connection.
    pub user: &'a str,
    /// The target that the connection inside `ssh -J` is for; none on the bastion's own port.
    pub inside: Option<&'a TargetName>,
    /// The address of the person's connection to the bastion, also for the connection inside it.
    pub source: IpAddr,
    /// The bastion's own name.
    pub own: &'a BastionName,
}

/// Somebody whose certificate opens one login on one target. Made by [`enter`] alone, and used up
/// by [`crate::route`].
#[derive(Debug)]
pub struct Visitor {
    pub(crate) access: Principal,
    pub(crate) certificate: String,
    pub(crate) serial: u64,
    pub(crate) source: IpAddr,
    pub(crate) command: Option<String>,
    pub(crate) permits: Permits,
}

/// Somebody who may ask the CA to read this bastion's recordings, and do nothing else. Made by [`enter`] alone.
#[derive(Debug)]
pub struct Reviewer {
    pub(crate) access: Principal,
    pub(crate) certificate: String,
    pub(crate) source: IpAddr,
    pub(crate) command: Option<String>,
}

/// What a certificate opens.
#[derive(Debug)]
pub enum Entry {
    /// This bastion's own recordings.
    Reviewer(Reviewer),
    /// A login on a target.
    Visitor(Visitor),
    /// The way to its targets: the outer connection of `ssh -J`, or of somebody who has yet to choose one.
    Passage(Passage),
}

/// Why a certificate opens nothing. What it says may be shown to the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A key without a certificate, or with one that russh drops before we see it because its time is not now.
    #[error(
        "no access certificate that is valid now was shown: ask for one with `ssh ca request LOGIN@TARGET`"
    )]
    BareKey,
    /// The bastion has not heard from its CA yet.
    #[error(
        "the CA cannot be reached; nothing was opened; try again, or ask on call to look at `hallpass ca`"
    )]
    NoTrust,
    /// Larger than any certificate of ours ([`limits::KEY_BLOB_BYTES`]).
    #[error("the certificate is too large")]
    TooLarge,
    /// Signed by something else than a plain Ed25519 or ECDSA P-256 key, for example by a key that is itself certified.
    #[error("the certificate is not signed by a plain Ed25519 or ECDSA P-256 key")]
    CaKind,
    /// Signed by a key that is not the user CA.
    #[error("the certificate is not signed by this site's user CA")]
    WrongCa,
    /// A host certificate.
    #[error("this is a host certificate; an access certificate is wanted")]
    HostCertificate,
    /// A certificate for a key that is itself a certificate.
    #[error("the certificate is for a key that is itself a certificate")]
    Nested,
    /// A certificate for a key of one of the CAs, which logs in nowhere.
    #[error("the certificate is for a CA's own key")]
    CaKey,
    /// It is for another key than the one that was proven on this connection.
    #[error("the certificate is for another key than the one that you have shown")]
    OtherKey,
    /// The signature does not belong to it.
    #[error("the certificate's signature is wrong")]
    Signature,
    /// It is not valid yet.
    #[error("the certificate is not valid before {0}")]
    NotYet(UnixTime),
    /// It is not valid any more.
    #[error("the certificate expired at {0}: ask for a new one with `ssh ca request LOGIN@TARGET`")]
    Expired(UnixTime),
    /// It names nobody, and would be for everybody.
    #[error("the certificate names no principal")]
    NoPrincipals,
    /// It names more than OpenSSH reads ([`limits::PRINCIPALS`]).
    #[error("the certificate names more than {} principals", limits::PRINCIPALS)]
    TooManyPrincipals,
    /// One of its names is not `LOGIN@TARGET`.
    #[error("the certificate names {}, which is not LOGIN@TARGET", shown(.0))]
    Principal(String),
    /// It is for something else.
    #[error("the certificate is not for {asked}; it is for {held}")]
    NotFor {
        /// What was asked for, escaped.
        asked: String,
        /// What the certificate is for.
        held: Held,
    },
    /// It has a critical option that the bastion does not know.
    #[error("the certificate has the critical option {}, which is not known here", shown(.0))]
    UnknownOption(String),
    /// It wants a PIN or a fingerprint at each login, which cannot be seen from here.
    #[error("the certificate asks for verify-required, which this bastion cannot check")]
    VerifyRequired,
    /// Its `source-address` is not a list of address blocks.
    #[error("the certificate's source-address cannot be read")]
    BadSourceAddress,
    /// It is for other addresses.
    #[error("the certificate is not for connections from {0}")]
    Source(IpAddr),
    /// Its `force-command` is empty or too long.
    #[error("the certificate's force-command cannot be used")]
    BadCommand,
}

/// The principals of a certificate, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held(Vec<Principal>);

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter();
        if let Some(first) = rest.next() {
            write!(f, "{first}")?;
        }
        rest.by_ref()
            .take(3)
            .try_for_each(|one| write!(f, ", {one}"))?;
        match rest.count() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Decides what a certificate opens, now. Whatever is not known refuses.
pub fn enter(shown: Shown<'_>, now: UnixTime, trust: &Trust) -> Result<Entry, Refusal> {
    let certificate = shown.certificate;
    let blob = signed_by(certificate, trust)?;
    within(certificate, now)?;
    let principals = principals(certificate)?;
    let command = options(certificate, shown.source)?;
    let Some(access) = asked(shown) else {
        let first = principals.first().cloned().ok_or(Refusal::NoPrincipals)?;
        let mut targets: Vec<TargetName> = principals.into_iter().map(|one| one.target).collect();
        targets.sort();
        targets.dedup();
        return Ok(Entry::Passage(Passage {
            targets,
            source: shown.source,
            certificate: blob,
            access: first,
            until: UnixTime::from_secs(certificate.valid_before()),
            key: certificate.public_key().clone(),
        }));
    };
    match access {
        Ok(access) if principals.contains(&access) && is_review(shown, &access) => {
            Ok(Entry::Reviewer(Reviewer {
                access,
                certificate: blob,
                source: shown.source,
                command,
            }))
        }
        Ok(access) if principals.contains(&access) => Ok(Entry::Visitor(Visitor {
            access,
            certificate: blob,
            serial: certificate.serial(),
            source: shown.source,
            command,
            permits: Permits::of(certificate),
        })),
        Ok(access) => Err(Refusal::NotFor {
            asked: access.to_string(),
            held: Held(principals),
        }),
        Err(asked) => Err(Refusal::NotFor {
            asked,
            held: Held(principals),
        }),
    }
}

/// What the user name asks for: none for a way through; a principal, or the escaped name if it is none.
fn asked(shown: Shown<'_>) -> Option<Result<Principal, String>> {
    let (login, target) = match (shown.inside, shown.user.split_once('%')) {
        (Some(target), _) => (shown.user, target.as_str()),
        (None, Some((login, target))) => (login, target),
        (None, None) if shown.user == REVIEW => (REVIEW, shown.own.as_str()),
        (None, None) => return None,
    };
    // A login or target with an `@` in it does not parse, so what is put together here cannot be taken apart
    // in another place.
    let principal = format!("{login}@{target}").parse::<Principal>();
    Some(principal.map_err(|_| config::words::shown(&format!("{login}@{target}"))))
}

/// Whether the bastion itself is what is accessed. It is never inside `ssh -J`, where each name is a target's.
fn is_review(shown: Shown<'_>, access: &Principal) -> bool {
    shown.inside.is_none()
        && access.login.as_str() == REVIEW
        && access.target.as_str() == shown.own.as_str()
}

/// The certificate's text, once type, signer, size and signature are right.
fn signed_by(certificate: &Certificate, trust: &Trust) -> Result<String, Refusal> {
    let bytes = certificate.to_bytes().map_err(|_| Refusal::Signature)?;
    if bytes.len() > limits::KEY_BLOB_BYTES {
        return Err(Refusal::TooLarge);
    }
    if !may_certify(certificate.signature_key()) {
        return Err(Refusal::CaKind);
    }
    if !trust.user_cas.contains(certificate.signature_key()) {
        return Err(Refusal::WrongCa);
    }
    if certificate.cert_type() != CertType::User {
        return Err(Refusal::HostCertificate);
    }
    if !is_plain(certificate.public_key()) {
        return Err(Refusal::Nested);
    }
    let mut ours = trust.user_cas.iter().chain(&trust.host_cas);
    if ours.any(|ca| ca == certificate.public_key()) {
        return Err(Refusal::CaKey);
    }
    certificate
        .verify_signature()
        .map_err(|_| Refusal::Signature)?;
    certificate.to_openssh().map_err(|_| Refusal::Signature)
}

fn is_plain(key: &KeyData) -> bool {
    matches!(
        key,
        KeyData::Ed25519(_)
            | KeyData::Ecdsa(_)
            | KeyData::SkEd25519(_)
            | KeyData::SkEcdsaSha2NistP256(_)
    )
}

/// Valid if after ≤ now < before.
fn within(certificate: &Certificate, now: UnixTime) -> Result<(), Refusal> {
    if now.secs() < certificate.valid_after() {
        return Err(Refusal::NotYet(UnixTime::from_secs(
            certificate.valid_after(),
        )));
    }
    if now.secs() >= certificate.valid_before() {
        return Err(Refusal::Expired(UnixTime::from_secs(
            certificate.valid_before(),
        )));
    }
    Ok(())
}

fn principals(certificate: &Certificate) -> Result<Vec<Principal>, Refusal> {
    let given = certificate.valid_principals();
    if given.is_empty() {
        return Err(Refusal::NoPrincipals);
    }
    if given.len() > limits::PRINCIPALS {
        return Err(Refusal::TooManyPrincipals);
    }
    given
        .iter()
        .map(|one| one.parse().map_err(|_| Refusal::Principal(one.clone())))
        .collect()
}

/// Checks the critical options, and gives the forced command. Extensions only widen what a plain sshd would
/// allow; here the role says what is allowed, so none is looked at.
fn options(certificate: &Certificate, source: IpAddr) -> Result<Option<String>, Refusal> {
    let mut command = None;
    for (name, value) in certificate.critical_options().iter() {
        match name.as_str() {
            "force-command" if value.is_empty() || value.len() > limits::COMMAND_BYTES => {
                return Err(Refusal::BadCommand);
            }
            "force-command" => command = Some(value.clone()),
            "source-address" => from(value, source)?,
            "verify-required" => return Err(Refusal::VerifyRequired),
            other => return Err(Refusal::UnknownOption(other.to_owned())),
        }
    }
    Ok(command)
}

fn from(list: &str, source: IpAddr) -> Result<(), Refusal> {
    let blocks: Result<Vec<Cidr>, _> = list.split(',').map(str::parse).collect();
    let blocks = blocks.map_err(|_| Refusal::BadSourceAddress)?;
    if blocks.iter().any(|block| block.contains(source)) {
        Ok(())
    } else {
        Err(Refusal::Source(source))
    }
}

#[cfg(test)]
mod tests;
