use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config::limits;
use config::words::RequestId;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{PrivateKey, PublicKey};
use tempfile::TempDir;

use super::*;
use crate::clock::UnixTime;
use crate::entry::{Authority, Entry, Line};
use crate::keyring::{KeyChange, KeyStep};
use crate::log::{Log, LogError, LogKeys, LogView, public_name, verify_published};
use crate::tree::proof::verify_consistency;
use crate::tree::{Tree, leaf_hash};

fn key() -> PrivateKey {
    Ed25519Keypair::from_seed(&[7; 32]).into()
}

struct Site(TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Adds lines to a log.
    fn write(&self, log: &str, lines: impl Iterator<Item = u64>) {
        let mut log = Log::open(&self.at(log), key()).unwrap().log;
        for at in lines {
            let request = RequestId::from_random([0; 5]);
            let line = Line::new(UnixTime::from_secs(at), Entry::Withdrawal { request });
            log.append(&line).unwrap();
        }
        log.publish_as(public_name("ca.example.com").unwrap())
            .unwrap();
    }

    fn publisher(&self, log: &str) -> Publisher {
        Publisher::open(&self.at(log), &self.at("out"), key().public_key()).unwrap()
    }

    fn publish(&self, log: &str) -> Result<Checkpoint, PublishError> {
        let mut publisher = self.publisher(log);
        let advanced = publisher.advance()?;
        publisher.put_checkpoint(&advanced.note)?;
        Ok(advanced.checkpoint)
    }

    fn verify(&self) -> Result<u64, LogError> {
        let read = verify_published(&Dir(self.at("out")), key().public_key());
        read.map(|report| report.position.size)
    }
}

use crate::checkpoint::{Checkpoint, note};

/// Every published file with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_log_is_published_step_by_step_as_it_is_at_once() {
    let site = Site::new();
    let mut publisher = None;
    let mut next = 0;
    for size in [1, 2, 255, 256, 257, 511, 513] {
        site.write("log", next..size);
        next = size;
        let publisher = publisher.get_or_insert_with(|| site.publisher("log"));
        let advanced = publisher.advance().unwrap();
        assert_eq!(advanced.checkpoint.size, size);
        publisher.put_checkpoint(&advanced.note).unwrap();
        assert_eq!(site.verify().unwrap(), size);
    }
    drop(publisher);
    let stepwise = files(&site.at("out"));
    fs::rename(site.at("out"), site.at("stepwise")).unwrap();
    site.publish("log").unwrap();
    let at_once = files(&site.at("out"));
    // The same, but for the partial tiles of the steps.
    let names: Vec<_> = at_once.keys().map(|p| p.display().to_string()).collect();
    for (path, bytes) in &at_once {
        assert_eq!(stepwise.get(path), Some(bytes), "{names:?}");
    }
    let gone = |name: &str| !site.at("stepwise").join(name).exists();
    assert!(gone("tile/0/000.p") && gone("tile/entries/001.p"));
    // Again, and nothing changes.
    site.publish("log").unwrap();
    assert_eq!(files(&site.at("out")), at_once);
}

#[test]
fn every_old_checkpoint_is_proven_consistent_from_tiles() {
    let site = Site::new();
    site.write("log", 0..600);
    site.publish("log").unwrap();
    let text = fs::read_to_string(site.at("log").join("entries")).unwrap();
    let mut roots = vec![Tree::new().root()];
    let mut tree = Tree::new();
    for line in text.lines() {
        tree.push(leaf_hash(line.as_bytes()));
        roots.push(tree.root());
    }
    let root = |size: u64| (size, roots[usize::try_from(size).unwrap()]);
    for older in 0..=600 {
        let path = consistency(&Dir(site.at("out")), older, 600).unwrap();
        verify_consistency(root(older), root(600), &path).unwrap();
    }
}

#[test]
fn a_log_that_was_rolled_back_or_forked_is_not_published_over_the_old_one() {
    let site = Site::new();
    site.write("log", 0..300);
    site.write("shorter", 0..299);
    site.write("forked", (0..3).chain(500..800));
    site.publish("log").unwrap();
    let before = files(&site.at("out"));
    let shorter = site.publish("shorter").unwrap_err();
    assert!(
        matches!(
            shorter,
            PublishError::RolledBack {
                had: 300,
                has: 299,
                ..
            }
        ),
        "{shorter}"
    );
    let forked = site.publish("forked").unwrap_err();
    assert!(matches!(forked, PublishError::Other(_)), "{forked}");
    assert_eq!(files(&site.at("out")), before);
    // Where no tile is full yet, the checkpoint finds it.
    let small = Site::new();
    small.write("log", 0..3);
    small.write("forked", [0, 1, 9, 10].into_iter());
    small.publish("log").unwrap();
    let forked = small.publish("forked").unwrap_err();
    let Some(PublishError::Other(path)) = Some(forked) else {
        panic!("a fork");
    };
    assert_eq!(path, small.at("out/checkpoint"));
}

#[test]
fn one_publishes_at_a_time() {
    let site = Site::new();
    site.write("log", 0..3);
    let _first = site.publisher("log");
    let second = Publisher::open(&site.at("log"), &site.at("out"), key().public_key());
    assert!(matches!(second, Err(PublishError::Locked(_))));
}

#[test]
fn a_publisher_that_was_killed_anywhere_is_followed_by_one_that_ends_the_same() {
    let site = Site::new();
    site.write("log", 0..258);
    site.publish("log").unwrap();
    site.write("log", 258..520);
    // Killed before the checkpoint, with a file half written.
    site.publisher("log").advance().unwrap();
    fs::write(site.at("out/.new"), "half").unwrap();
    assert_eq!(site.verify().unwrap(), 258);
    fs::write(site.at("out/tile/0/001"), "").unwrap();
    site.publish("log").unwrap();
    assert_eq!(site.verify().unwrap(), 520);
}

#[test]
fn what_was_altered_after_publishing_is_named() {
    let site = Site::new();
    site.write("log", 0..300);
    site.publish("log").unwrap();
    let out = site.at("out");
    let good = files(&out);
    for (path, bytes) in &good {
        let name = path.strip_prefix(&out).unwrap().display().to_string();
        if name == ".lock" || name == ".new" {
            continue;
        }
        let mut changed = bytes.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        fs::write(path, changed).unwrap();
        let found = site.verify().unwrap_err();
        let said = found.to_string();
        assert!(said.contains(&out.display().to_string()), "{said}");
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        site.verify().unwrap_err();
        fs::remove_file(path).unwrap();
        site.verify().unwrap_err();
        fs::write(path, bytes).unwrap();
        site.verify().unwrap();
    }
}

#[test]
fn a_partial_tile_that_is_gone_is_read_from_the_full_one() {
    let site = Site::new();
    site.write("log", 0..250);
    site.publish("log").unwrap();
    let old = fs::read(site.at("out/checkpoint")).unwrap();
    site.write("log", 250..300);
    site.publish("log").unwrap();
    fs::write(site.at("out/checkpoint"), old).unwrap();
    assert_eq!(site.verify().unwrap(), 250);
}

#[test]
fn what_a_monitor_kept_of_one_form_is_held_against_the_other() {
    let site = Site::new();
    site.write("log", 0..5);
    site.publish("log").unwrap();
    let public = key().public_key().clone();
    let own = LogView::read(&site.at("log"), &public, |_, _| {}).unwrap();
    let published = LogView::published(&Dir(site.at("out")), &public, |_, _| {}).unwrap();
    assert_eq!(own.signed(), published.signed());
    assert_eq!(published.continues(own.checkpoint().unwrap()), Ok(5));
    assert_eq!(own.continues(published.checkpoint().unwrap()), Ok(5));
    assert_eq!(own.prove(3), published.prove(3));
}

#[test]
fn another_key_of_the_log_is_followed_while_it_is_published() {
    let site = Site::new();
    let (old, new) = (key(), PrivateKey::from(Ed25519Keypair::from_seed(&[8; 32])));
    let keys = LogKeys::new(vec![new.clone(), old.clone()]);
    let mut log = Log::open(&site.at("log"), keys).unwrap().log;
    log.publish_as(public_name("ca.example.com").unwrap())
        .unwrap();
    let step = |step, key: &PrivateKey| KeyChange {
        name: config::keys::KeyName::Log,
        step,
        key: PublicKey::from(key.public_key().key_data().clone())
            .to_openssh()
            .unwrap(),
        vouch: None,
    };
    let vouched = |kind| step(kind, &new).vouched_by(&old).unwrap();
    let mut publisher = None;
    for change in [
        step(KeyStep::Current, &old),
        vouched(KeyStep::Announced),
        vouched(KeyStep::Current),
    ] {
        let steps = vec![change];
        log.append(&Line::new(UnixTime::from_secs(1), Entry::Keys { steps }))
            .unwrap();
        // One publisher, which knew the old key only when it began.
        let publisher = publisher.get_or_insert_with(|| site.publisher("log"));
        let advanced = publisher.advance().unwrap();
        publisher.put_checkpoint(&advanced.note).unwrap();
    }
    assert_eq!(site.verify().unwrap(), 3);
    let out = Dir(site.at("out"));
    verify_published(&out, new.public_key()).unwrap();
    let read = LogView::published(&out, old.public_key(), |_, _| {}).unwrap();
    assert!(read.followed().is_some());
    // The old key alone signs nothing more: what it signed is no longer believed of a log that has gone on.
    let note = fs::read_to_string(site.at("out/checkpoint")).unwrap();
    let kept: String = {
        let (text, lines) = note.rsplit_once("\n\n").unwrap();
        let second = lines.lines().nth(1).unwrap();
        format!("{text}\n\n{second}\n")
    };
    fs::write(site.at("out/checkpoint"), kept).unwrap();
    let said = site.verify().unwrap_err().to_string();
    assert!(said.contains("has not signed this note"), "{said}");
}

/// A source that sends more than was asked for.
struct Flood;

impl Source for Flood {
    fn get(&self, _: &str, most: usize) -> io::Result<Vec<u8>> {
        Ok(vec![b'x'; most])
    }

    fn place(&self, path: &str) -> PathBuf {
        path.into()
    }
}

#[test]
fn a_hostile_source_is_refused() {
    let read = verify_published(&Flood, key().public_key());
    assert!(matches!(read, Err(LogError::Checkpoint { .. })));
    // What it gives is hashes, and they prove nothing.
    let (older, newer) = ((3, leaf_hash(b"a")), (10, leaf_hash(b"b")));
    let path = consistency(&Flood, 3, 10).unwrap();
    verify_consistency(older, newer, &path).unwrap_err();
    let dir = Site::new();
    fs::write(dir.at("x"), "12345").unwrap();
    assert!(Dir(dir.at("")).get("x", 4).is_err());
    assert_eq!(Dir(dir.at("")).get("x", 5).unwrap(), b"12345");
}

/// A checkpoint, and entries without end.
struct Endless(String);

impl Source for Endless {
    fn get(&self, path: &str, _: usize) -> io::Result<Vec<u8>> {
        if path == CHECKPOINT {
            return Ok(self.0.clone().into_bytes());
        }
        panic!("{path} is read of a log that nobody has signed");
    }

    fn place(&self, path: &str) -> PathBuf {
        path.into()
    }
}

#[test]
fn a_stranger_s_size_is_not_followed_without_end() {
    let name = public_name("ca.example.com").unwrap();
    let checkpoint = Checkpoint {
        origin: name.to_string(),
        size: limits::LOG_FOLLOWED_ENTRIES + 1,
        root: leaf_hash(b"x"),
    };
    let stranger = PrivateKey::from(Ed25519Keypair::from_seed(&[9; 32]));
    let note = note::sign(&name, &stranger, &checkpoint.to_string()).unwrap();
    let read = verify_published(&Endless(note), key().public_key());
    let said = read.unwrap_err().to_string();
    assert!(said.contains("too long to follow"), "{said}");
}

#[test]
fn serials_and_authorities_are_read_from_tiles_too() {
    let site = Site::new();
    let mut log = Log::open(&site.at("log"), key()).unwrap().log;
    log.publish_as(public_name("a").unwrap()).unwrap();
    for serial in [1, 2, 4] {
        let entry = Entry::Issue {
            serial,
            authority: Authority::User,
            to_be_signed: String::new(),
            request: None,
            session: None,
        };
        log.append(&Line::new(UnixTime::from_secs(1), entry))
            .unwrap();
    }
    drop(log);
    site.publish("log").unwrap();
    let said = site.verify().unwrap_err().to_string();
    assert!(
        said.contains("tile/entries/000.p/3:3: has serial 4 where 3 follows"),
        "{said}"
    );
}
