//! Where the CA's private keys are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ssh_key::{Algorithm, EcdsaCurve, PublicKey};
use toml::Spanned;

use super::people::key;
use super::{Checked, flaw};
use crate::file;
use crate::keys::{KeyName, KeyPlace, KeySource, Secret};
use crate::words::shown;

/// Longest label of a token, in bytes (PKCS#11 3.0 §3.2, `CK_TOKEN_INFO`), and a sensible one of a key.
const LABEL_BYTES: usize = 32;

pub(super) fn keys(
    base: &Path,
    data: &Path,
    given: BTreeMap<Spanned<KeyName>, Spanned<file::Key>>,
) -> Checked<BTreeMap<KeyName, KeyPlace>> {
    let usual = |name: KeyName| KeySource::File {
        path: data.join("keys").join(name.as_str()),
        passphrase: None,
    };
    let mut keys: BTreeMap<KeyName, KeyPlace> = KeyName::ALL
        .into_iter()
        .map(|name| {
            let current = usual(name);
            let next = None;
            (name, KeyPlace { current, next })
        })
        .collect();
    for (name, table) in given {
        let at = table.span();
        let name = name.into_inner();
        let mut table = table.into_inner();
        let next = match table.next.take() {
            Some(next) => Some(following(base, name, *next)?),
            None => None,
        };
        let current = match source(base, name, at.clone(), table)? {
            Some(current) => current,
            None if next.is_some() => usual(name),
            None => return flaw(at, "this key is nowhere", PLACES),
        };
        keys.insert(name, KeyPlace { current, next });
    }
    Ok(keys)
}

const PLACES: &str = "say one of file = \"…\"; agent = \"…\" and public = \"…\"; or pkcs11 = \"…\", token, label and pin";

fn following(base: &Path, name: KeyName, next: Spanned<file::Key>) -> Checked<KeySource> {
    let at = next.span();
    let table = next.into_inner();
    if let Some(another) = &table.next {
        return flaw(
            another.span(),
            "a key that is announced has no next one",
            "announce one key at a time",
        );
    }
    match source(base, name, at.clone(), table)? {
        Some(source) => Ok(source),
        None => flaw(at, "this key is nowhere", PLACES),
    }
}

fn source(
    base: &Path,
    name: KeyName,
    at: Range<usize>,
    table: file::Key,
) -> Checked<Option<KeySource>> {
    let file::Key {
        file,
        passphrase,
        agent,
        public,
        pkcs11,
        token,
        label,
        pin,
        next: _,
    } = table;
    let path = |given: &Spanned<String>| base.join(given.get_ref());
    match (file, agent, pkcs11) {
        (Some(file), None, None) => {
            lonely(
                [public, token, label, pin],
                "only a file's passphrase goes with file",
            )?;
            let passphrase = passphrase.as_ref().map(secret).transpose()?;
            let path = path(&file);
            Ok(Some(KeySource::File { path, passphrase }))
        }
        (None, Some(agent), None) => {
            lonely(
                [passphrase, token, label, pin],
                "only public goes with agent",
            )?;
            outside(name, &agent)?;
            let Some(public) = public else {
                return flaw(
                    at,
                    "which key of the agent",
                    "say public = \"ssh-ed25519 …\"",
                );
            };
            Ok(Some(KeySource::Agent {
                socket: path(&agent),
                public: certifying(&public)?,
            }))
        }
        (None, None, Some(module)) => {
            lonely(
                [passphrase, public, None, None],
                "only token, label and pin go with pkcs11",
            )?;
            outside(name, &module)?;
            let (Some(token), Some(label), Some(pin)) = (token, label, pin) else {
                return flaw(
                    at,
                    "which key of which token, with which PIN",
                    "say token, label and pin = \"credential:NAME\"",
                );
            };
            Ok(Some(KeySource::Token {
                module: absolute(&module)?,
                token: short(token)?,
                label: short(label)?,
                pin: secret(&pin)?,
            }))
        }
        (None, None, None) => {
            lonely([passphrase, public, token, label], PLACES)?;
            lonely([pin, None, None, None], PLACES)?;
            Ok(None)
        }
        (file, agent, pkcs11) => {
            let last = pkcs11.or(agent).or(file);
            flaw(
                last.map_or(at, |last| last.span()),
                "a key is in one place",
                PLACES,
            )
        }
    }
}

/// Words of another kind of place: one that is there was meant to do something, and would do nothing.
fn lonely(given: [Option<Spanned<String>>; 4], hint: &str) -> Checked<()> {
    match given.into_iter().flatten().next() {
        Some(word) => flaw(word.span(), "this says nothing about such a key", hint),
        None => Ok(()),
    }
}

/// The log's and the identity key sign inside libraries that want the key itself.
fn outside(name: KeyName, given: &Spanned<String>) -> Checked<()> {
    if name.is_authority() {
        return Ok(());
    }
    flaw(
        given.span(),
        format!("the {name} key cannot be outside of this program"),
        "give it as a file, with a passphrase if you like",
    )
}

fn certifying(given: &Spanned<String>) -> Checked<PublicKey> {
    let key = key(given)?;
    let p256 = Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    };
    if [Algorithm::Ed25519, p256].contains(&key.algorithm()) {
        return Ok(PublicKey::from(key.key_data().clone()));
    }
    flaw(
        given.span(),
        format!("a CA's key cannot be of type {}", key.algorithm()),
        "a CA signs with Ed25519 or ECDSA P-256",
    )
}

fn absolute(module: &Spanned<String>) -> Checked<PathBuf> {
    let path = PathBuf::from(module.get_ref());
    if path.is_absolute() {
        return Ok(path);
    }
    flaw(
        module.span(),
        "a module's path is absolute",
        "its code is loaded into the CA: say exactly which file",
    )
}

fn short(label: Spanned<String>) -> Checked<String> {
    let at = label.span();
    let text = label.into_inner();
    let plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if plain && !text.is_empty() && text.len() <= LABEL_BYTES && text.trim() == text {
        return Ok(text);
    }
    flaw(
        at,
        format!("{} is not a label", shown(&text)),
        "a label is 1 to 32 printable ASCII characters",
    )
}

fn secret(given: &Spanned<String>) -> Checked<Secret> {
    let text = given.get_ref();
    if text == "prompt" {
        return Ok(Secret::Prompt);
    }
    let name = text.strip_prefix("credential:");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let good = name.filter(|name| {
        !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(plain)
    });
    match good {
        Some(name) => Ok(Secret::Credential(name.to_owned())),
        // What stands here may be the secret itself, so it is not shown.
        None => flaw(
            given.span(),
            "a secret does not stand in this file",
            "say \"credential:NAME\", with LoadCredentialEncrypted=NAME:… in the unit, or \"prompt\"",
        ),
    }
}
