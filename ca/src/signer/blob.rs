//! The signature inside a certificate: `string` algorithm, `string` signature (RFC 4253 §6.6), of one of two shapes:
//! Ed25519 (RFC 8709 §6) and ECDSA on NIST P-256 (RFC 5656 §3.1.2).

use ed25519_dalek::{Verifier as _, VerifyingKey};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, PublicKey, Signature};

use crate::wire::{Take, put, string};

/// The algorithm of a CA's Ed25519 key and of its signatures.
pub(crate) const ED25519: &str = "ssh-ed25519";

/// The algorithm of a CA's ECDSA key and of its signatures.
pub(crate) const P256: &str = "ecdsa-sha2-nistp256";

/// Whether a CA may have a key of this kind.
pub(crate) fn may_certify(key: &PublicKey) -> bool {
    matches!(
        key.algorithm(),
        Algorithm::Ed25519
            | Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP256
            }
    )
}

/// An Ed25519 signature in its shape.
pub(crate) fn ed25519(signature: &[u8; 64]) -> Vec<u8> {
    let mut blob = string(ED25519.as_bytes());
    put(&mut blob, signature);
    blob
}

/// An ECDSA signature in its shape, from the two numbers as 32 bytes each, as hardware gives them.
pub(crate) fn p256(numbers: &[u8; 64]) -> Vec<u8> {
    let (r, s) = numbers.split_at(32);
    let mut inner = mpint(r);
    inner.extend(mpint(s));
    let mut blob = string(P256.as_bytes());
    put(&mut blob, &inner);
    blob
}

/// A positive number as an `mpint` (RFC 4251 §5).
fn mpint(number: &[u8]) -> Vec<u8> {
    let from = number.iter().position(|byte| *byte != 0);
    let short = from.and_then(|from| number.get(from..)).unwrap_or_default();
    let high = short.first().is_some_and(|first| first & 0x80 != 0);
    let mut bytes = if high { vec![0] } else { Vec::new() };
    bytes.extend_from_slice(short);
    string(&bytes)
}

/// Whether this CA's key made this signature over these bytes, and it is spelled as OpenSSH reads it: one spelling,
/// nothing left over, no key or point of small order.
pub(crate) fn holds(ca: &PublicKey, signed: &[u8], blob: &[u8]) -> bool {
    match ca.key_data() {
        KeyData::Ed25519(key) => read_ed25519(blob).is_some_and(|signature| {
            let signature = ed25519_dalek::Signature::from_bytes(&signature);
            let key = VerifyingKey::from_bytes(&key.0);
            key.is_ok_and(|key| key.verify_strict(signed, &signature).is_ok())
        }),
        KeyData::Ecdsa(key) if key.curve() == EcdsaCurve::NistP256 => {
            read_p256(blob).is_some_and(|signature| key.verify(signed, &signature).is_ok())
        }
        _ => false,
    }
}

/// Whether a signature has the shape that a key of this algorithm gives it.
pub(crate) fn is_shaped(algorithm: &str, blob: &[u8]) -> bool {
    match algorithm {
        ED25519 => read_ed25519(blob).is_some(),
        P256 => read_p256(blob).is_some(),
        _ => false,
    }
}

fn read_ed25519(blob: &[u8]) -> Option<[u8; 64]> {
    let mut take = Take(blob);
    let named = take.text()? == ED25519;
    let field = take.string()?.try_into().ok()?;
    (named && take.is_empty()).then_some(field)
}

fn read_p256(blob: &[u8]) -> Option<Signature> {
    let mut take = Take(blob);
    let named = take.text()? == P256;
    let inner = take.string()?;
    let mut numbers = Take(inner);
    let (r, s) = (numbers.string()?, numbers.string()?);
    let spelled = [r, s].iter().all(|number| is_spelled(number));
    let whole = named && take.is_empty() && numbers.is_empty() && spelled;
    let curve = EcdsaCurve::NistP256;
    let signature = Signature::new(Algorithm::Ecdsa { curve }, inner);
    signature.ok().filter(|_| whole)
}

/// Whether it is the one spelling of a positive number of at most 32 bytes.
fn is_spelled(number: &[u8]) -> bool {
    match number {
        [] => false,
        [0, next, ..] => next & 0x80 != 0 && number.len() <= 33,
        [first, ..] => first & 0x80 == 0 && number.len() <= 32,
    }
}
