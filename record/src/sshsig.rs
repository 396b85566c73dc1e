//! SSHSIG signatures ([PROTOCOL.sshsig]), as `ssh-keygen -Y sign` makes and `-Y verify` checks them.
//!
//! What `ssh-keygen -Y verify` refuses is refused here, and more. `ssh-key` checks Ed25519 with dalek's `verify`, which
//! like OpenSSH 9.2 accepts keys and points of small order; here `verify_strict` decides, which refuses them. An S that
//! is not reduced is refused, which OpenSSH 9.2 accepts. For keys on a token, the touch flag must be set
//! ([PROTOCOL.u2f]): `sshd` wants it by default, while `ssh-keygen -Y verify` of 9.2 does not look.
//!
//! [PROTOCOL.sshsig]: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig
//! [PROTOCOL.u2f]: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.u2f

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::limits;
use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};
use ssh_key::encoding::Decode as _;
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// The algorithms whose keys may sign. Certificates are not among them: whose key it is, our
/// configuration says, and a nested certificate is never even parsed.
const ALGORITHMS: [&[u8]; 6] = [
    b"ssh-ed25519",
    b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521",
    b"sk-ssh-ed25519@openssh.com",
    b"sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigError {
    /// The signer's side: larger than any signature ([`limits::SSHSIG_BYTES`]).
    #[error("too long for an SSH signature")]
    TooLong,
    /// The signer's side: not an SSHSIG of version 1 that OpenSSH would read.
    #[error("not an SSH signature: {0}")]
    Malformed(&'static str),
    /// The signer's side: made by a kind of key that is not accepted.
    #[error("signed by a kind of key that is not accepted")]
    Algorithm,
    /// The signer's side: made for another purpose.
    #[error("signed for namespace {0}")]
    Namespace(String),
    /// A good form, by a key that nobody listed. Holds its SHA-256 fingerprint.
    #[error("signed by an unknown key, {0}")]
    UnknownKey(String),
    /// A known key is named, and it has not signed this message.
    #[error("the signature does not belong to this text")]
    Invalid,
    /// The token signed without anybody touching it.
    #[error("signed without a touch of the token")]
    NoTouch,
    /// A key that is on no token cannot say that its owner was there.
    #[error("signed with a key that is not on a token")]
    NoToken,
    /// The token signed without asking who touches it.
    #[error("signed without the PIN of the token")]
    NoVerification,
}

/// Why a message could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("this key cannot sign")]
pub struct SignError(#[from] ssh_key::Error);

/// Signs `message` for `namespace`, over its SHA-512, armoured with lines that end in `\n`.
pub fn sign(key: &PrivateKey, namespace: &str, message: &[u8]) -> Result<String, SignError> {
    Ok(key
        .sign(namespace, HashAlg::Sha512, message)?
        .to_pem(LineEnding::LF)?)
}

/// Checks an armoured signature over `message`, and says which of the `allowed` keys made it.
pub fn verify<'k>(
    allowed: impl IntoIterator<Item = &'k PublicKey>,
    namespace: &str,
    message: &[u8],
    armoured: &str,
) -> Result<&'k PublicKey, SigError> {
    let sig = parse(armoured)?;
    if sig.namespace() != namespace {
        return Err(SigError::Namespace(config::words::shown(sig.namespace())));
    }
    let key = allowed
        .into_iter()
        .find(|key| key.key_data() == sig.public_key())
        .ok_or_else(|| {
            SigError::UnknownKey(sig.public_key().fingerprint(HashAlg::Sha256).to_string())
        })?;
    let signed =
        SshSig::signed_data(namespace, sig.hash_alg(), message).map_err(|_| SigError::Invalid)?;
    check(&sig, namespace, message, &signed)?;
    Ok(key)
}

/// [`verify`], by a key on a token that asked for its PIN, or looked at a finger, before it signed: its flag of user
/// verification (0x04, [WebAuthn §6.1]) is set beside that of a touch. The token signs its flags too.
///
/// [WebAuthn §6.1]: https://www.w3.org/TR/webauthn-2/#sctn-authenticator-data
pub fn verify_user<'k>(
    allowed: impl IntoIterator<Item = &'k PublicKey>,
    namespace: &str,
    message: &[u8],
    armoured: &str,
) -> Result<&'k PublicKey, SigError> {
    let key = verify(allowed, namespace, message, armoured)?;
    if !on_token(key) {
        return Err(SigError::NoToken);
    }
    let sig = parse(armoured)?;
    let (_, trailer) = touched(sig.signature())?;
    match trailer.first() {
        Some(flags) if flags & 4 == 4 => Ok(key),
        _ => Err(SigError::NoVerification),
    }
}

/// Whether a key lives on a token (`sk-` keys).
pub fn on_token(key: &PublicKey) -> bool {
    matches!(
        key.key_data(),
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_)
    )
}

/// Reads an armoured signature without believing any of it.
pub fn parse(armoured: &str) -> Result<SshSig, SigError> {
    if armoured.len() > limits::SSHSIG_BYTES {
        return Err(SigError::TooLong);
    }
    let blob = dearmour(armoured)?;
    let algorithm = key_algorithm(&blob).ok_or(SigError::Malformed("its key cannot be found"))?;
    if !ALGORITHMS.contains(&algorithm) {
        return Err(SigError::Algorithm);
    }
    let mut rest = blob.as_slice();
    let sig =
        SshSig::decode(&mut rest).map_err(|_| SigError::Malformed("its fields do not parse"))?;
    if sig.version() != SshSig::VERSION {
        return Err(SigError::Malformed("its version is not 1"));
    }
    if !rest.is_empty() {
        return Err(SigError::Malformed("something follows it"));
    }
    if !sig.reserved().is_empty() {
        return Err(SigError::Malformed("its reserved field is in use"));
    }
    Ok(sig)
}

/// The key that an armoured signature says made it. Nothing is verified: for signatures that were, before.
pub fn signer(armoured: &str) -> Result<PublicKey, SigError> {
    Ok(PublicKey::from(parse(armoured)?.public_key().clone()))
}

/// As OpenSSH does, takes any white space between the two marker lines.
fn dearmour(armoured: &str) -> Result<Vec<u8>, SigError> {
    let body = armoured
        .trim_ascii()
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_suffix(END))
        .ok_or(SigError::Malformed("it has no begin or end line"))?;
    let digits: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD
        .decode(digits)
        .map_err(|_| SigError::Malformed("it is not base64"))
}

/// The algorithm's name inside the key inside the blob, found without parsing the key.
fn key_algorithm(blob: &[u8]) -> Option<&[u8]> {
    let rest = blob.strip_prefix(b"SSHSIG")?;
    let (_version, rest) = rest.split_at_checked(4)?;
    let (key, _) = string(rest)?;
    let (algorithm, _) = string(key)?;
    Some(algorithm)
}

/// One `string` of RFC 4251 §5, and what follows it.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn check(sig: &SshSig, namespace: &str, message: &[u8], signed: &[u8]) -> Result<(), SigError> {
    let signature = sig.signature();
    match sig.public_key() {
        KeyData::Ed25519(key) if signature.algorithm() == Algorithm::Ed25519 => {
            ed25519(&key.0, signed, signature.as_bytes())
        }
        KeyData::SkEd25519(sk) if signature.algorithm() == Algorithm::SkEd25519 => {
            let (bare, trailer) = touched(signature)?;
            let mut asserted = Sha256::digest(sk.application()).to_vec();
            asserted.extend_from_slice(trailer);
            asserted.extend_from_slice(&Sha256::digest(signed));
            ed25519(&sk.public_key().0, &asserted, bare)
        }
        key @ KeyData::SkEcdsaSha2NistP256(_)
            if signature.algorithm() == Algorithm::SkEcdsaSha2NistP256 =>
        {
            touched(signature)?;
            ecdsa(key, namespace, message, sig)
        }
        key @ KeyData::Ecdsa(ec)
            if signature.algorithm() == (Algorithm::Ecdsa { curve: ec.curve() }) =>
        {
            ecdsa(key, namespace, message, sig)
        }
        _ => Err(SigError::Invalid),
    }
}

fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> Result<(), SigError> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| SigError::Invalid)?;
    let signature =
        ed25519_dalek::Signature::from_slice(signature).map_err(|_| SigError::Invalid)?;
    key.verify_strict(message, &signature)
        .map_err(|_| SigError::Invalid)
}

fn ecdsa(key: &KeyData, namespace: &str, message: &[u8], sig: &SshSig) -> Result<(), SigError> {
    PublicKey::from(key.clone())
        .verify(namespace, message, sig)
        .map_err(|_| SigError::Invalid)
}

/// Splits a token's signature into the bare one and its trailer (a byte of flags, a counter of
/// four bytes); refuses one whose user-presence flag (0x01) is not set.
fn touched(signature: &Signature) -> Result<(&[u8], &[u8]), SigError> {
    let bytes = signature.as_bytes();
    let at = bytes.len().checked_sub(5).ok_or(SigError::Invalid)?;
    let (bare, trailer) = bytes.split_at_checked(at).ok_or(SigError::Invalid)?;
    match trailer.first() {
        Some(flags) if flags & 1 == 1 => Ok((bare, trailer)),
        _ => Err(SigError::NoTouch),
    }
}

#[cfg(test)]
mod tests;
