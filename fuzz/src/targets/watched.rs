//! What is read of other people's logs: by a monitor, by a witness, by a CA that asks one, and by a target.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use record::checkpoint::cosign::{self, WitnessKey};
use record::checkpoint::note::KeyName;
use record::checkpoint::{self, Checkpoint, note};
use record::clock::UnixTime;
use record::entry::{Entry, Line};
use record::http;
use record::log::tiles::Source;
use record::log::{LogView, ORIGIN};
use record::orders::{Orders, SignedOrders, VERSION, carried};
use record::tree::{Tree, leaf_hash};
use record::witness::Ask;
use record::{krl::Krl, sshsig};

use super::evidence::{BODY, log_name};
use super::{CA, NOW, log_key, public};

/// A published log of two entries, of which one file may be another one.
#[derive(Default)]
struct Published(BTreeMap<String, Vec<u8>>);

impl Source for Published {
    fn get(&self, path: &str, most: usize) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.clone())
    }

    fn place(&self, path: &str) -> PathBuf {
        path.into()
    }
}

const BUNDLE: &str = "tile/entries/000.p/2";

/// Its tree, the bytes of its only bundle, and its files.
fn published() -> (Tree, Vec<u8>, Published) {
    let (mut tree, mut bundle, mut hashes) = (Tree::new(), Vec::new(), Vec::new());
    for id in ["7F3K-9QMD", "7F3K-9QMF"] {
        let Ok(request) = id.parse() else { continue };
        let line = Line::new(NOW, Entry::Withdrawal { request });
        let line = line.encode().unwrap_or_default();
        let length = u16::try_from(line.len()).unwrap_or_default();
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(line.as_bytes());
        let leaf = leaf_hash(line.as_bytes());
        hashes.extend_from_slice(leaf.as_bytes());
        tree.push(leaf);
    }
    let mut files = Published::default();
    let mut put = |path: &str, bytes: &[u8]| files.0.insert(path.to_owned(), bytes.to_vec());
    put("checkpoint", signed(&tree).as_bytes());
    put("tile/0/000.p/2", &hashes);
    put(BUNDLE, &bundle);
    (tree, bundle, files)
}

/// The note of a tree.
fn signed(tree: &Tree) -> String {
    let Some(name) = log_name() else {
        return String::new();
    };
    let text = Checkpoint::of(name.as_str(), tree).to_string();
    note::sign(&name, &log_key(), &text).unwrap_or_default()
}

/// A bundle of entries, as a web server gives it to a monitor.
///
/// # Panics
///
/// Where this does not hold: what is taken has the entries that the log's key has signed.
pub fn entry_bundle(input: &[u8]) -> bool {
    let (_, bundle, mut files) = published();
    files.0.insert(BUNDLE.to_owned(), input.to_vec());
    let key = log_key();
    let taken = LogView::published(&files, key.public_key(), |_, _| {}).is_ok();
    assert!(!taken || input.starts_with(&bundle), "other entries");
    taken
}

pub(super) fn bundle_seeds() -> Vec<Vec<u8>> {
    let bundle = published().1;
    let twice = [bundle.clone(), bundle.clone()].concat();
    vec![bundle, twice]
}

/// What a monitor kept of a log, as its file has it now.
///
/// # Panics
///
/// Where this does not hold: what is taken is a checkpoint that the log's key has signed.
pub fn kept_checkpoint(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let (tree, _, files) = published();
    let key = log_key();
    let Ok(view) = LogView::published(&files, key.public_key(), |_, _| {}) else {
        return false;
    };
    let Ok(had) = view.continues(text) else {
        return false;
    };
    let says = |origin: &str| text.starts_with(&Checkpoint::of(origin, &tree).to_string());
    let name = log_name();
    let honest = says(ORIGIN) || name.is_some_and(|name| says(name.as_str()));
    assert!(honest && had == 2, "a checkpoint that nobody signed");
    true
}

pub(super) fn kept_seeds() -> Vec<Vec<u8>> {
    let (tree, ..) = published();
    let body = Checkpoint::of(ORIGIN, &tree).to_string();
    let signature = sshsig::sign(&log_key(), checkpoint::NAMESPACE, body.as_bytes());
    let own = body + &signature.unwrap_or_default();
    vec![signed(&tree).into_bytes(), own.into_bytes()]
}

/// What a log asks of a witness.
///
/// # Panics
///
/// Where this does not hold: what is taken is written in these very bytes.
pub fn witness_ask(input: &[u8]) -> bool {
    let Ok(ask) = Ask::parse(input) else {
        return false;
    };
    assert_eq!(ask.body().as_bytes(), input, "another call");
    true
}

pub(super) fn ask_seeds() -> Vec<Vec<u8>> {
    let (tree, ..) = published();
    let ask = |old, proof| Ask {
        old,
        proof,
        note: signed(&tree),
    };
    let proof = vec![leaf_hash(b"a"), leaf_hash(b"b")];
    [ask(0, Vec::new()), ask(1, proof)]
        .map(|ask| ask.body().into_bytes())
        .into()
}

fn witness_name() -> Option<KeyName> {
    "w1.example.org/hallpass".parse().ok()
}

/// A note with the cosignature of a witness.
///
/// # Panics
///
/// Where this does not hold: what counts is a cosignature of this text and of this time.
pub fn cosignature(input: &[u8]) -> bool {
    let key = witness_name().and_then(|name| WitnessKey::new(name, log_key().public_key()).ok());
    let (Ok(text), Some(key)) = (std::str::from_utf8(input), key) else {
        return false;
    };
    let Ok(at) = key.cosigned(text) else {
        return false;
    };
    let body = text.rsplit_once("\n\n").map(|(body, _)| body);
    assert_eq!(body, BODY.strip_suffix('\n'), "a text that nobody cosigned");
    assert!([NOW, LATER].contains(&at), "a time that nobody cosigned");
    true
}

const LATER: UnixTime = UnixTime::from_secs(1_795_312_999);

pub(super) fn cosignature_seeds() -> Vec<Vec<u8>> {
    let Some(name) = witness_name() else {
        return Vec::new();
    };
    let line = |at| cosign::cosign(&name, &log_key(), at, BODY).unwrap_or_default();
    let (now, later) = (line(NOW), line(LATER));
    [format!("{BODY}\n{now}"), format!("{BODY}\n{now}{later}")]
        .map(String::into_bytes)
        .into()
}

/// Longest body of an answer that is asked for here, in bytes.
const MOST: usize = 64;

/// The answer of a web server, or of a witness.
///
/// # Panics
///
/// Where this does not hold: the body is what stands at the end of the answer, and not longer than was asked for.
pub fn http_answer(input: &[u8]) -> bool {
    let Ok(answer) = http::answer(input, MOST) else {
        return false;
    };
    assert!(answer.body.len() <= MOST, "a longer body");
    assert!(input.ends_with(&answer.body), "another body");
    true
}

pub(super) fn answer_seeds() -> Vec<Vec<u8>> {
    [
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 3\r\n\r\n42\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ]
    .map(Into::into)
    .into()
}

/// What a machine says that joins as a target, or is one.
///
/// # Panics
///
/// Where this does not hold: what is taken is understood as it was written.
pub fn machine_line(input: &[u8]) -> bool {
    match ca::read_machine_command(input) {
        Ok(said) => {
            assert_eq!(said.as_bytes(), input, "another command");
            true
        }
        Err(told) => {
            assert!(!told.is_empty(), "a refusal without a word");
            false
        }
    }
}

pub(super) fn machine_seeds() -> Vec<Vec<u8>> {
    ["join db1.prod", "sync", "renew"].map(Into::into).into()
}

/// Orders, as a target gets them.
///
/// # Panics
///
/// Where this does not hold: what is followed is what the log's key has signed.
pub fn target_orders(input: &[u8]) -> bool {
    let Ok(signed) = serde_json::from_slice::<SignedOrders>(input) else {
        return false;
    };
    let Ok(opened) = signed.open(&[log_key().public_key().clone()]) else {
        return false;
    };
    assert_eq!(Some(opened.orders), orders(), "orders that nobody gave");
    true
}

fn orders() -> Option<Orders> {
    let line = |key: &ssh_key::PublicKey| key.to_openssh().ok();
    Some(Orders {
        v: VERSION,
        at: NOW,
        number: 7,
        target: Some("db1.prod".parse().ok()?),
        session_cas: vec![line(&public(CA))?],
        signers: vec![line(log_key().public_key())?],
        logins: vec!["postgres".parse().ok()?],
        bastions: Vec::new(),
        krl: carried(&Krl::new(7, NOW).encode().ok()?),
    })
}

pub(super) fn orders_seeds() -> Vec<Vec<u8>> {
    let signed = orders().and_then(|orders| orders.sign(&log_key()).ok());
    vec![serde_json::to_vec(&signed).unwrap_or_default()]
}
