//! One function for each parser that reads what a stranger sent. It says whether the input was taken, and panics where
//! the parser breaks its law.

mod evidence;
mod recordings;
mod watched;

use std::fmt::{Debug, Display};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastion::visitor::{Entry, Shown, Trust, enter};
use config::cidr::Cidr;
use config::limits;
use config::words::{Login, PersonName, Principal, RequestId, RoleName, SessionId, TargetName};
use record::clock::UnixTime;
use record::request::APPROVAL_NAMESPACE;
use record::sshsig;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{Certificate, PrivateKey, PublicKey};

pub use evidence::{api, checkpoint, join_token, log_line, request, revocation_list, signed_note};
use evidence::{
    api_seeds, checkpoint_seeds, list_seeds, log_line_seeds, note_seeds, request_seeds, token_seeds,
};
use recordings::recording_seeds;
pub use recordings::sealed_recording;
use watched::{
    answer_seeds, ask_seeds, bundle_seeds, cosignature_seeds, kept_seeds, machine_seeds,
    orders_seeds,
};
pub use watched::{
    cosignature, entry_bundle, http_answer, kept_checkpoint, machine_line, target_orders,
    witness_ask,
};

/// A parser under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, for the command line and for messages.
    pub name: &'static str,
    /// Inputs to begin with; the first one is taken.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Gives an input to the parser: whether it was taken. Panics if a law is broken.
    pub run: fn(&[u8]) -> bool,
}

/// All of them.
pub const ALL: &[Target] = &[
    target("certificate", certificate_seeds, certificate),
    target("user-name", user_name_seeds, user_name),
    target("words", word_seeds, words),
    target("key-line", key_line_seeds, key_line),
    target("command-line", command_line_seeds, command_line),
    target("signature", signature_seeds, signature),
    target("request", request_seeds, request),
    target("api", api_seeds, api),
    target("log-line", log_line_seeds, log_line),
    target("checkpoint", checkpoint_seeds, checkpoint),
    target("note", note_seeds, signed_note),
    target("revocation-list", list_seeds, revocation_list),
    target("join-token", token_seeds, join_token),
    target("entry-bundle", bundle_seeds, entry_bundle),
    target("kept-checkpoint", kept_seeds, kept_checkpoint),
    target("witness-ask", ask_seeds, witness_ask),
    target("cosignature", cosignature_seeds, cosignature),
    target("http-answer", answer_seeds, http_answer),
    target("machine-line", machine_seeds, machine_line),
    target("orders", orders_seeds, target_orders),
    target("sealed-recording", recording_seeds, sealed_recording),
];

const fn target(name: &'static str, seeds: fn() -> Vec<Vec<u8>>, run: fn(&[u8]) -> bool) -> Target {
    Target { name, seeds, run }
}

const CA: &str = include_str!("../seeds/ca.pub");
const ALICE: &str = include_str!("../seeds/alice.pub");
const ECDSA: &str = include_str!("../seeds/ecdsa.pub");
const CERTIFICATE: &str = include_str!("../seeds/alice-cert.pub");
const SIGNATURE: &str = include_str!("../seeds/hello.sig");

/// Within the certificate's window.
const NOW: UnixTime = UnixTime::from_secs(1_795_312_324);

#[expect(
    clippy::expect_used,
    reason = "a seed of this crate that does not parse stops its tests"
)]
fn public(line: &str) -> PublicKey {
    PublicKey::from_openssh(line.trim()).expect("a public key of the seeds")
}

fn blob(line: &str) -> Vec<u8> {
    let digits = line.split_whitespace().nth(1).unwrap_or_default();
    STANDARD.decode(digits).unwrap_or_default()
}

fn log_key() -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]))
}

/// Certificates as a client sends them: bounded and parsed as russh does it, and then judged.
///
/// # Panics
///
/// Where this does not hold: none is taken but the one that the CA signed, byte for byte.
pub fn certificate(input: &[u8]) -> bool {
    if input.len() > limits::KEY_BLOB_BYTES || russh::keys::key::parse_public_key(input).is_err() {
        return false;
    }
    let Ok(read) = Certificate::from_bytes(input) else {
        return false;
    };
    let taken = judged(&read, "postgres%db1.prod").is_some();
    assert!(
        !taken || input == blob(CERTIFICATE),
        "a certificate that nobody signed"
    );
    taken
}

fn certificate_seeds() -> Vec<Vec<u8>> {
    vec![blob(CERTIFICATE), blob(ALICE), blob(ECDSA)]
}

fn judged(certificate: &Certificate, user: &str) -> Option<Entry> {
    let trust = Trust::new(&[public(CA)], &[public(ECDSA)]).ok()?;
    let own = "bastion".parse().ok()?;
    let shown = Shown {
        certificate,
        user,
        inside: None,
        source: [192, 0, 2, 7].into(),
        own: &own,
    };
    enter(shown, NOW, &trust).ok()
}

/// The user name of a connection to the bastion, `LOGIN%TARGET`, with a good certificate.
///
/// # Panics
///
/// Where this does not hold: it opens nothing but what the certificate names.
pub fn user_name(input: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(input) else {
        return false;
    };
    let Ok(certificate) = Certificate::from_openssh(CERTIFICATE.trim()) else {
        return false;
    };
    let entry = judged(&certificate, name);
    assert!(
        !matches!(entry, Some(Entry::Reviewer(_))),
        "a certificate for a session opens the recordings"
    );
    match entry {
        Some(Entry::Visitor(_)) => {
            assert_eq!(name, "postgres%db1.prod", "it opens what was not granted");
            true
        }
        Some(Entry::Passage(_)) => {
            assert!(
                !name.contains('%'),
                "a way through for a name with a target"
            );
            false
        }
        Some(Entry::Reviewer(_)) | None => false,
    }
}

fn user_name_seeds() -> Vec<Vec<u8>> {
    [
        "postgres%db1.prod",
        "root%db1.prod",
        "postgres@db1.prod",
        "alice",
        "review",
        "review%bastion",
    ]
    .map(Into::into)
    .into()
}

/// The words that people type.
///
/// # Panics
///
/// Where this does not hold: what is taken prints as it was read, has no character that could end a word, a line or a path, and reads back.
pub fn words(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let taken = [
        exact::<Principal>(text),
        exact::<Login>(text),
        exact::<TargetName>(text),
        exact::<PersonName>(text),
        exact::<RoleName>(text),
        exact::<RequestId>(text),
        exact::<SessionId>(text),
    ];
    let any = taken.contains(&true);
    assert!(
        !any || text
            .chars()
            .all(|c| c.is_ascii_graphic() && !"/\\,*?!\"'%".contains(c)),
        "a word with a character that means something: {text:?}"
    );
    any | exact::<Cidr>(text)
}

/// Whether a word is taken; then it prints as what reads back as itself.
fn exact<T: FromStr + Display + PartialEq + Debug>(text: &str) -> bool {
    let Ok(word) = text.parse::<T>() else {
        return false;
    };
    let printed = word.to_string();
    assert!(
        printed.parse::<T>().is_ok_and(|again| again == word),
        "{text:?} prints as {printed:?}"
    );
    true
}

fn word_seeds() -> Vec<Vec<u8>> {
    [
        "postgres@db1.prod",
        "postgres",
        "db1.prod",
        "alice",
        "db-oncall",
        "7F3K-9QMD",
        "01JD0000000000000000000000",
        "10.0.0.0/8",
        "2001:db8::/32",
    ]
    .map(Into::into)
    .into()
}

/// A public key in OpenSSH's one-line form, as a bastion or a target sends it.
///
/// # Panics
///
/// Where this does not hold: what is taken is a plain key that reads back.
pub fn key_line(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let Ok(key) = ca::keys::plain_key(text) else {
        return false;
    };
    assert!(!key.key_data().is_certificate(), "a certificate for a key");
    let again = key
        .to_openssh()
        .ok()
        .and_then(|line| ca::keys::plain_key(&line).ok());
    assert_eq!(again.as_ref(), Some(&key), "it reads back as another key");
    true
}

fn key_line_seeds() -> Vec<Vec<u8>> {
    [ALICE, ECDSA, CA, CERTIFICATE].map(Into::into).into()
}

/// The command line of `ssh ca …`.
///
/// # Panics
///
/// Where this does not hold: it is a command, or the answer says how to type one.
pub fn command_line(input: &[u8]) -> bool {
    match ca::read_command(input) {
        Ok(()) => true,
        Err(told) => {
            assert!(!told.is_empty(), "a refusal without a word");
            false
        }
    }
}

fn command_line_seeds() -> Vec<Vec<u8>> {
    [
        "request postgres@db1.prod --for 15m --reason INC-42 it's full",
        "request root@db1.prod --break-glass --reason 'INC-42' --command systemctl status 'a b'",
        "approve 7F3K-9QMD",
        "deny 7F3K-9QMD --reason not tonight",
        "sessions --target db1.prod --json",
        "krl --signature",
        "help request",
    ]
    .map(Into::into)
    .into()
}

/// An approval as it is pasted.
///
/// # Panics
///
/// Where this does not hold: what verifies is a signature of this text by this key; its bytes are the ones that were made.
pub fn signature(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let key = public(ALICE);
    let taken = sshsig::verify([&key], APPROVAL_NAMESPACE, b"hello", text).is_ok();
    let bytes = |armoured: &str| -> String {
        let body = armoured
            .trim()
            .trim_start_matches("-----BEGIN SSH SIGNATURE-----");
        body.trim_end_matches("-----END SSH SIGNATURE-----")
            .split_whitespace()
            .collect()
    };
    assert!(
        !taken || bytes(text) == bytes(SIGNATURE),
        "a signature that nobody made"
    );
    taken
}

fn signature_seeds() -> Vec<Vec<u8>> {
    let other = sshsig::sign(&log_key(), APPROVAL_NAMESPACE, b"hello").unwrap_or_default();
    vec![SIGNATURE.into(), other.into_bytes()]
}
