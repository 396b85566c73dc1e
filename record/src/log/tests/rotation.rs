//! One key of the log follows another: by the log alone, and only if the one before says so, twice.

use config::keys::KeyName;

use super::*;
use crate::keyring::KeyStep;
use crate::tree::Tree;

fn pair(seed: u8) -> PrivateKey {
    PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[seed; 32]))
}

fn public(seed: u8) -> PublicKey {
    PublicKey::from(pair(seed).public_key().key_data().clone())
}

fn change(name: KeyName, step: KeyStep, seed: u8) -> KeyChange {
    KeyChange {
        name,
        step,
        key: public(seed).to_openssh().unwrap(),
        vouch: None,
    }
}

fn step(step: KeyStep, seed: u8) -> KeyChange {
    change(KeyName::Log, step, seed)
}

fn by(step: KeyChange, before: u8) -> KeyChange {
    step.vouched_by(&pair(before)).unwrap()
}

fn keys(steps: Vec<KeyChange>) -> Line {
    Line::new(UnixTime::from_secs(1), Entry::Keys { steps })
}

/// The way from key 7 to key 8.
fn rotation() -> Vec<KeyChange> {
    vec![
        step(KeyStep::Current, 7),
        by(step(KeyStep::Announced, 8), 7),
        by(step(KeyStep::Current, 8), 7),
    ]
}

fn held() -> LogKeys {
    LogKeys::new(vec![pair(8), pair(7)])
}

/// A log with one step a line, published.
fn rotated(dir: &Path, steps: Vec<KeyChange>) -> Log {
    let mut log = Log::open(dir, held()).unwrap().log;
    log.publish_as("ca.example.com/hallpass".parse().unwrap())
        .unwrap();
    for step in steps {
        log.append(&keys(vec![step])).unwrap();
    }
    log
}

/// Whatever lines a thief likes, under a checkpoint of the first `size` that their key has signed.
fn forged(dir: &Path, lines: &[Line], size: usize, signer: u8) {
    let mut tree = Tree::new();
    let mut text = String::new();
    let mut body = Checkpoint::of(ORIGIN, &tree).to_string();
    for (n, line) in lines.iter().enumerate() {
        let line = line.encode().unwrap();
        tree.push(leaf_hash(line.as_bytes()));
        text += &(line + "\n");
        if n + 1 == size {
            body = Checkpoint::of(ORIGIN, &tree).to_string();
        }
    }
    let signature = sshsig::sign(&pair(signer), checkpoint::NAMESPACE, body.as_bytes()).unwrap();
    fs::write(dir.join("entries"), text).unwrap();
    fs::write(dir.join("checkpoint"), body + &signature).unwrap();
}

fn note_of(dir: &Path, seed: u8) -> Result<(), note::NoteError> {
    let text = fs::read_to_string(dir.join(NOTE)).unwrap();
    let name = "ca.example.com/hallpass".parse().unwrap();
    let key = note::NoteKey::new(name, &public(seed))?;
    key.open(&text).map(drop)
}

#[test]
fn who_knows_the_old_key_follows_to_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut steps = rotation();
    let switch = steps.pop().unwrap();
    let mut log = rotated(dir.path(), steps);
    assert_eq!(log.key().unwrap().key_data(), public(7).key_data());
    let before = LogView::read(dir.path(), &public(7), |_, _| {}).unwrap();
    assert_eq!(before.followed(), None);
    // Announced, it signs nothing.
    assert_eq!(note_of(dir.path(), 8), Err(note::NoteError::Unsigned));

    log.append(&keys(vec![switch])).unwrap();
    log.append(&line(1)).unwrap();
    assert_eq!(log.key().unwrap().key_data(), public(8).key_data());
    for known in [7, 8] {
        assert_eq!(note_of(dir.path(), known), Ok(()));
        let now = LogView::read(dir.path(), &public(known), |_, _| {}).unwrap();
        // What was kept under the old key is continued by the new one, and the other way round.
        assert_eq!(now.continues(before.checkpoint().unwrap()), Ok(2));
        assert_eq!(now.continues(now.checkpoint().unwrap()), Ok(4));
        assert_eq!(now.followed().is_some(), known == 7);
    }
    let stranger = verify_log(dir.path(), &public(9)).unwrap_err().to_string();
    assert!(
        stranger.contains("to which none of those leads"),
        "{stranger}"
    );

    // Retired, the old one signs no note, and still leads to the new one.
    log.append(&keys(vec![step(KeyStep::Retired, 7)])).unwrap();
    assert_eq!(note_of(dir.path(), 7), Err(note::NoteError::Unsigned));
    assert_eq!(note_of(dir.path(), 8), Ok(()));
    verify_log(dir.path(), &public(7)).unwrap();
    drop(log);
    // And a start goes on with the key that the log says, whatever else is held.
    let opened = Log::open(dir.path(), held()).unwrap();
    assert_eq!(opened.log.key().unwrap().key_data(), public(8).key_data());
}

#[test]
fn only_the_key_before_can_vouch_and_only_for_this_step_and_key() {
    let vouch = |step: KeyChange, by_whom: Option<u8>| match by_whom {
        Some(seed) => by(step, seed),
        None => step,
    };
    let signers = [None, Some(7), Some(8), Some(9)];
    let mut followed = 0;
    for (announcer, switcher) in signers.iter().flat_map(|a| signers.map(|b| (*a, b))) {
        let lines = [
            keys(vec![step(KeyStep::Current, 7)]),
            keys(vec![vouch(step(KeyStep::Announced, 8), announcer)]),
            keys(vec![vouch(step(KeyStep::Current, 8), switcher)]),
        ];
        let dir = tempfile::tempdir().unwrap();
        forged(dir.path(), &lines, 3, 8);
        let read = verify_log(dir.path(), &public(7));
        let bad = if announcer == Some(7) { 3 } else { 2 };
        match (announcer, switcher, read) {
            (Some(7), Some(7), Ok(_)) => followed += 1,
            (_, _, Err(LogError::Line { line, what, .. })) => {
                assert_eq!(line, bad);
                let said = format!(
                    "the key before it has not signed it: log key {}",
                    chain::fingerprint(&public(8))
                );
                assert_eq!(what, said);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(followed, 1);
}

#[test]
fn what_does_not_follow_is_neither_written_nor_read() {
    let reused = by(step(KeyStep::Announced, 8), 7).vouch;
    let switched = |more: Vec<KeyChange>| [rotation(), more].concat();
    let begun = |more: Vec<KeyChange>| [vec![step(KeyStep::Current, 7)], more].concat();
    let cases = [
        // The announcement's signature does for nothing else.
        (
            begun(vec![
                by(step(KeyStep::Announced, 8), 7),
                KeyChange {
                    vouch: reused.clone(),
                    ..step(KeyStep::Current, 8)
                },
            ]),
            "the key before it has not signed it",
        ),
        (
            begun(vec![KeyChange {
                vouch: reused,
                ..step(KeyStep::Announced, 9)
            }]),
            "the key before it has not signed it",
        ),
        (
            begun(vec![by(step(KeyStep::Current, 8), 7)]),
            "it was not announced before it signs",
        ),
        (
            begun(vec![
                change(KeyName::Session, KeyStep::Current, 8),
                by(step(KeyStep::Announced, 8), 7),
            ]),
            "it is the CA's key for something else",
        ),
        (
            begun(vec![change(KeyName::Host, KeyStep::Announced, 7)]),
            "it is the CA's key for something else",
        ),
        (
            begun(vec![by(change(KeyName::Host, KeyStep::Announced, 9), 7)]),
            "nobody vouches for a key that is not the log's",
        ),
        // Back to the old key: neither at once, nor announced again, nor when it is retired.
        (
            switched(vec![by(step(KeyStep::Current, 7), 8)]),
            "it was not announced before it signs",
        ),
        (
            switched(vec![by(step(KeyStep::Announced, 7), 8)]),
            "it was one before, and comes back",
        ),
        (
            switched(vec![
                step(KeyStep::Retired, 7),
                by(step(KeyStep::Announced, 7), 8),
            ]),
            "it was one before, and comes back",
        ),
        (
            switched(vec![
                step(KeyStep::Retired, 7),
                by(step(KeyStep::Current, 7), 7),
            ]),
            "it was not announced before it signs",
        ),
        (
            switched(vec![step(KeyStep::Retired, 8)]),
            "it cannot be retired",
        ),
        (
            vec![by(step(KeyStep::Announced, 8), 7)],
            "nothing comes before it",
        ),
        (
            vec![by(step(KeyStep::Current, 8), 7)],
            "nothing comes before it",
        ),
    ];
    for (mut steps, why) in cases {
        let dir = tempfile::tempdir().unwrap();
        let lines: Vec<Line> = steps.iter().map(|step| keys(vec![step.clone()])).collect();
        let last = steps.pop().unwrap();
        forged(dir.path(), &lines, lines.len(), 8);
        match verify_log(dir.path(), &vec![public(7), public(8)]) {
            Err(LogError::Line { what, line, .. }) => {
                assert!(what.starts_with(why), "{what}, not {why}");
                assert_eq!(line, lines.len() as u64);
            }
            other => panic!("{why}: {other:?}"),
        }
        let dir = tempfile::tempdir().unwrap();
        let mut log = rotated(dir.path(), steps);
        match log.append(&keys(vec![last])) {
            Err(LogError::Unwritable(what)) => assert!(what.starts_with(why), "{what}, not {why}"),
            other => panic!("{why}: {other:?}"),
        }
        // And it goes on.
        log.append(&line(1)).unwrap();
    }
}

#[test]
fn a_key_that_was_followed_signs_no_log_for_those_who_know() {
    let dir = tempfile::tempdir().unwrap();
    drop(rotated(dir.path(), rotation()));
    let seen = LogView::read(dir.path(), &public(7), |_, _| {}).unwrap();
    let lines: Vec<Line> = rotation()
        .into_iter()
        .map(|step| keys(vec![step]))
        .collect();
    // A thief of the old key goes on from before it was followed, or with it all the same.
    let fork = [
        lines[..1].to_vec(),
        vec![line(1), line(2), line(3), line(4)],
    ]
    .concat();
    let other = tempfile::tempdir().unwrap();
    forged(other.path(), &fork, 5, 7);
    let leads = |found: Result<LogReport, LogError>| {
        let said = found.unwrap_err().to_string();
        assert!(said.contains("to which none of those leads"), "{said}");
    };
    leads(verify_log(other.path(), &public(8)));
    // Whoever knows the old key only, and remembers nothing, cannot tell; whoever remembers can.
    let alone = LogView::read(other.path(), &public(7), |_, _| {}).unwrap();
    let kept = alone.continues(seen.checkpoint().unwrap());
    assert!(matches!(kept, Err(ViewError::Kept(_))), "{kept:?}");
    let both = vec![public(7), public(8)];
    let alone = LogView::read(other.path(), &both, |_, _| {}).unwrap();
    let kept = alone.continues(seen.checkpoint().unwrap());
    assert_eq!(kept, Err(ViewError::Forked { had: 3 }));

    forged(other.path(), &lines, 3, 7);
    let said = verify_log(other.path(), &both).unwrap_err().to_string();
    assert!(said.contains("signed by an unknown key"), "{said}");
    // A switch that no checkpoint vouches for leads nobody: the thief can write it.
    forged(other.path(), &lines, 2, 7);
    leads(verify_log(other.path(), &public(8)));
}

#[test]
fn a_writer_that_lacks_the_key_of_the_log_stops() {
    let dir = tempfile::tempdir().unwrap();
    let steps = rotation();
    let mut log = Log::open(dir.path(), pair(7)).unwrap().log;
    for step in &steps[..2] {
        log.append(&keys(vec![step.clone()])).unwrap();
    }
    let missing = log.append(&keys(vec![steps[2].clone()]));
    assert!(
        matches!(&missing, Err(LogError::Key { key }) if *key == chain::fingerprint(&public(8))),
        "{missing:?}"
    );
    // Nothing of it was written; with the key it goes on.
    log.hold(held());
    log.append(&keys(vec![steps[2].clone()])).unwrap();
    drop(log);
    // The key's file has been changed, and the log was not told yet: the old one signs on.
    let other = tempfile::tempdir().unwrap();
    drop(rotated(other.path(), steps[..2].to_vec()));
    let log = Log::open(other.path(), held()).unwrap().log;
    assert_eq!(log.key().unwrap().key_data(), public(7).key_data());
    drop(log);
    assert!(matches!(
        Log::open(other.path(), pair(8)),
        Err(LogError::Checkpoint { .. })
    ));
}
