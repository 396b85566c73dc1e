//! Persons and their keys.

use std::collections::BTreeMap;
use std::ops::Range;

use ssh_key::PublicKey;
use toml::Spanned;

use super::{Checked, flaw};
use crate::rules::Person;
use crate::words::PersonName;
use crate::{file, limits};

pub(super) fn persons(
    given: BTreeMap<Spanned<PersonName>, file::Person>,
) -> Checked<BTreeMap<PersonName, Person>> {
    let mut persons: BTreeMap<PersonName, Person> = BTreeMap::new();
    for (name, person) in given {
        if person.keys.get_ref().is_empty() {
            return flaw(
                person.keys.span(),
                format!("{} has no key", name.get_ref()),
                "add the person's public key, as `ssh-add -L` prints it, or remove the person",
            );
        }
        let mut keys: Vec<PublicKey> = Vec::new();
        for text in person.keys.get_ref() {
            let parsed = key(text)?;
            if keys.iter().any(|own| own.key_data() == parsed.key_data()) {
                return flaw(
                    text.span(),
                    "this key stands here twice",
                    "remove one of the two",
                );
            }
            let owner = persons
                .iter()
                .find(|(_, p)| p.keys.iter().any(|k| k.key_data() == parsed.key_data()));
            if let Some((other, _)) = owner {
                return flaw(
                    text.span(),
                    format!("this key is {other}'s already"),
                    "a key proves one person: give each person keys of their own",
                );
            }
            keys.push(parsed);
        }
        let groups = person.groups.into_iter().map(Spanned::into_inner).collect();
        persons.insert(name.into_inner(), Person { groups, keys });
    }
    Ok(persons)
}

pub(super) fn key(given: &Spanned<String>) -> Checked<PublicKey> {
    key_text(given.get_ref(), given.span())
}

pub(super) fn key_text(text: &str, at: Range<usize>) -> Checked<PublicKey> {
    let hint = "paste one line as `ssh-add -L` or a .pub file shows it; certificates and RSA keys are not taken";
    if text.len() > limits::KEY_BLOB_BYTES {
        return flaw(at, "this is too long for a public key", hint);
    }
    match PublicKey::from_openssh(text.trim()) {
        Ok(key) if supported(&key) => Ok(key),
        Ok(key) => flaw(
            at,
            format!("keys of type {} are not taken", key.algorithm()),
            hint,
        ),
        Err(_) => flaw(at, "this is not a public key", hint),
    }
}

fn supported(key: &PublicKey) -> bool {
    use ssh_key::Algorithm::{Ecdsa, Ed25519, SkEcdsaSha2NistP256, SkEd25519};
    matches!(
        key.algorithm(),
        Ed25519 | SkEd25519 | Ecdsa { .. } | SkEcdsaSha2NistP256
    )
}
