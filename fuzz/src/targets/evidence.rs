//! What is written to be believed later, and read by whoever got hold of it: requests, the bastion's calls, the log, its
//! checkpoints, lists and tokens.

use record::api::{DoorAsk, SessionAsk, SessionEnd};
use record::checkpoint::Checkpoint;
use record::checkpoint::note::{self, KeyName, NoteKey};
use record::entry::Line;
use record::krl::{self, Krl};
use record::request::Request;
use record::token::JoinToken;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ALICE, CA, CERTIFICATE, NOW, log_key, public};

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

pub(super) fn request_seeds() -> Vec<Vec<u8>> {
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

pub(super) fn api_seeds() -> Vec<Vec<u8>> {
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

pub(super) fn log_line_seeds() -> Vec<Vec<u8>> {
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

pub(super) const BODY: &str =
    "ca.internal/hallpass\n42\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

pub(super) fn checkpoint_seeds() -> Vec<Vec<u8>> {
    vec![
        BODY.into(),
        "a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".into(),
    ]
}

pub(super) fn log_name() -> Option<KeyName> {
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

pub(super) fn note_seeds() -> Vec<Vec<u8>> {
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

pub(super) fn list_seeds() -> Vec<Vec<u8>> {
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

pub(super) fn token_seeds() -> Vec<Vec<u8>> {
    vec![JoinToken::from_random([9; 32]).reveal().into_bytes()]
}
