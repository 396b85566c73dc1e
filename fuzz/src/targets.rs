//! One function for each parser that reads what a stranger sent. It says whether the input was taken, and panics where
//! the parser breaks its law.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastion::visitor::{Entry, Shown, Trust, enter};
use config::cidr::Cidr;
use config::limits;
use config::words::{Login, PersonName, Principal, RequestId, RoleName, SessionId, TargetName};
use record::api::{DoorAsk, SessionAsk, SessionEnd};
use record::checkpoint::Checkpoint;
use record::checkpoint::note::{self, KeyName, NoteKey};
use record::clock::UnixTime;
use record::entry::Line;
use record::krl::{self, Krl};
use record::request::{APPROVAL_NAMESPACE, Request};
use record::sshsig;
use record::token::JoinToken;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{Certificate, PrivateKey, PublicKey};

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
    Target {
        name: "certificate",
        seeds: certificate_seeds,
        run: certificate,
    },
    Target {
        name: "user-name",
        seeds: user_name_seeds,
        run: user_name,
    },
    Target {
        name: "words",
        seeds: word_seeds,
        run: words,
    },
    Target {
        name: "key-line",
        seeds: key_line_seeds,
        run: key_line,
    },
    Target {
        name: "command-line",
        seeds: command_line_seeds,
        run: command_line,
    },
    Target {
        name: "signature",
        seeds: signature_seeds,
        run: signature,
    },
    Target {
        name: "request",
        seeds: request_seeds,
        run: request,
    },
    Target {
        name: "api",
        seeds: api_seeds,
        run: api,
    },
    Target {
        name: "log-line",
        seeds: log_line_seeds,
        run: log_line,
    },
    Target {
        name: "checkpoint",
        seeds: checkpoint_seeds,
        run: checkpoint,
    },
    Target {
        name: "note",
        seeds: note_seeds,
        run: signed_note,
    },
    Target {
        name: "revocation-list",
        seeds: list_seeds,
        run: revocation_list,
    },
    Target {
        name: "join-token",
        seeds: token_seeds,
        run: join_token,
    },
];

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
    let shown = Shown {
        certificate,
        user,
        inside: None,
        source: [192, 0, 2, 7].into(),
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
    match judged(&certificate, name) {
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
        None => false,
    }
}

fn user_name_seeds() -> Vec<Vec<u8>> {
    [
        "postgres%db1.prod",
        "root%db1.prod",
        "postgres@db1.prod",
        "alice",
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

/// The canonical text of a request.
///
/// # Panics
///
/// Where this does not hold: what is taken is written in these very bytes.
pub fn request(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let Ok(request) = Request::parse(text) else {
        return false;
    };
    assert_eq!(request.text(), text, "another text");
    true
}

fn request_seeds() -> Vec<Vec<u8>> {
    let text = |command: &str, glass: &str| {
        format!(
            "hallpass-request-v1\nid: 7F3K-9QMD\nperson: alice\n\
             key: SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDKpKaFUnBdmhR1Mc0\naccess: postgres@db1.prod\n\
             role: db-oncall\ncommand: {command}\nseconds: 900\nbreak-glass: {glass}\n\
             reason: INC-42 replication stuck\n\
             policy: sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
             asked: 2026-11-22T08:00:00Z\nexpires: 2026-11-22T09:00:00Z\n"
        )
    };
    vec![
        text("-", "no").into_bytes(),
        text("$ id -un", "yes").into_bytes(),
    ]
}

/// What a bastion says to the CA.
///
/// # Panics
///
/// Where this does not hold: what is taken is written in a form that reads back as the same.
pub fn api(input: &[u8]) -> bool {
    same::<SessionAsk>(input) | same::<SessionEnd>(input) | same::<DoorAsk>(input)
}

fn same<T: DeserializeOwned + Serialize + PartialEq>(input: &[u8]) -> bool {
    let Ok(read) = serde_json::from_slice::<T>(input) else {
        return false;
    };
    let written = serde_json::to_vec(&read).unwrap_or_default();
    assert!(
        serde_json::from_slice::<T>(&written).is_ok_and(|again| again == read),
        "another meaning"
    );
    true
}

fn api_seeds() -> Vec<Vec<u8>> {
    let session = "01JD0000000000000000000000";
    let root = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let ask = serde_json::json!({
        "session": session, "certificate": CERTIFICATE.trim(), "access": "postgres@db1.prod",
        "key": ALICE.trim(), "source": "192.0.2.7",
    });
    let end =
        serde_json::json!({ "session": session, "reason": "exit", "root": root, "frames": 3 });
    let door = serde_json::json!({ "door": "own", "key": ALICE.trim() });
    [ask, end, door]
        .map(|value| value.to_string().into_bytes())
        .into()
}

/// A line of the issuance log, as a monitor reads it.
///
/// # Panics
///
/// Where this does not hold: what is taken is written in a line that reads back as the same.
pub fn log_line(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let Ok(line) = Line::parse(text) else {
        return false;
    };
    let again = line.encode().and_then(|text| Line::parse(&text));
    assert_eq!(again.ok(), Some(line), "another line");
    true
}

fn log_line_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"v":1,"at":"2026-11-22T08:00:00Z","entry":{"withdrawal":{"request":"7F3K-9QMD"}}}"#,
        r#"{"v":1,"at":"2026-11-22T08:00:00Z","entry":{"denial":{"request":"7F3K-9QMD","person":"bob","reason":"not tonight"}}}"#,
    ]
    .map(Into::into)
    .into()
}

/// The body of a checkpoint.
///
/// # Panics
///
/// Where this does not hold: what is taken is written in these very bytes.
pub fn checkpoint(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let Ok(read) = Checkpoint::parse(text) else {
        return false;
    };
    assert_eq!(read.to_string(), text, "another checkpoint");
    true
}

const BODY: &str = "ca.internal/hallpass\n42\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

fn checkpoint_seeds() -> Vec<Vec<u8>> {
    vec![
        BODY.into(),
        "a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".into(),
    ]
}

fn log_name() -> Option<KeyName> {
    "ca.internal/hallpass".parse().ok()
}

/// A signed note.
///
/// # Panics
///
/// Where this does not hold: what opens is the text that was signed.
pub fn signed_note(input: &[u8]) -> bool {
    let key = log_name().and_then(|name| NoteKey::new(name, log_key().public_key()).ok());
    let (Ok(text), Some(key)) = (std::str::from_utf8(input), key) else {
        return false;
    };
    let Ok(opened) = key.open(text) else {
        return false;
    };
    assert_eq!(opened, BODY, "a text that nobody signed");
    true
}

fn note_seeds() -> Vec<Vec<u8>> {
    let signed = log_name().and_then(|name| note::sign(&name, &log_key(), BODY).ok());
    vec![signed.unwrap_or_default().into_bytes()]
}

/// A revocation list, as a target looks at it before it installs it.
///
/// # Panics
///
/// Where this does not hold: what is taken ends where its last section ends, so that a byte more is refused.
pub fn revocation_list(input: &[u8]) -> bool {
    let Ok(_) = krl::look(input) else {
        return false;
    };
    assert!(
        krl::look(&[input, &[1]].concat()).is_err(),
        "half a section is taken"
    );
    true
}

fn list_seeds() -> Vec<Vec<u8>> {
    let mut list = Krl::new(7, NOW);
    let ca = public(CA);
    let full = list
        .revoke_ranges(&ca, [1..=4, 10..=10, 15..=999])
        .and_then(|list| list.revoke_key(&public(ALICE)))
        .and_then(|list| list.revoke_key_id(&ca, "hallpass:7F3K-9QMD:alice"))
        .and_then(|list| list.encode());
    vec![
        full.unwrap_or_default(),
        Krl::new(1, NOW).encode().unwrap_or_default(),
    ]
}

/// A target's join token.
///
/// # Panics
///
/// Where this does not hold: what is taken shows itself as it was typed.
pub fn join_token(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let Ok(token) = text.parse::<JoinToken>() else {
        return false;
    };
    assert_eq!(token.reveal(), text, "another token");
    true
}

fn token_seeds() -> Vec<Vec<u8>> {
    vec![JoinToken::from_random([9; 32]).reveal().into_bytes()]
}
