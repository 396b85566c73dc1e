mod disk;
mod proofs;
mod rotation;

use super::*;
use crate::clock::UnixTime;
use crate::digest::Digest;
use crate::entry::{Authority, Entry};

fn key() -> PrivateKey {
    let pair = ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]);
    PrivateKey::from(pair)
}

fn line(n: u64) -> Line {
    let entry = Entry::Start {
        policy: Digest::of(&n.to_be_bytes()),
    };
    Line::new(UnixTime::from_secs(n), entry)
}

fn filled(dir: &Path, count: u64) {
    let mut log = Log::open(dir, key()).unwrap().log;
    for n in 0..count {
        log.append(&line(n)).unwrap();
    }
}

#[test]
fn what_was_appended_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 200);
    let opened = Log::open(dir.path(), key()).unwrap();
    let lines: Vec<Line> = (0..200).map(line).collect();
    assert_eq!(opened.lines, lines);
    let report = verify_log(dir.path(), key().public_key()).unwrap();
    assert_eq!(report.position, opened.log.position());
    assert_eq!(report.vouched, 200);
}

#[test]
fn promise_08_a_second_writer_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let first = Log::open(dir.path(), key()).unwrap();
    assert!(matches!(
        Log::open(dir.path(), key()),
        Err(LogError::Locked(_))
    ));
    drop(first);
    assert!(Log::open(dir.path(), key()).is_ok());
}

#[test]
fn a_torn_last_line_is_cut_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 3);
    let path = dir.path().join("entries");
    let whole = fs::read(&path).unwrap();
    let next = line(3).encode().unwrap();
    for torn in 1..=next.len() {
        let mut bytes = whole.clone();
        bytes.extend_from_slice(&next.as_bytes()[..torn]);
        fs::write(&path, &bytes).unwrap();
        let opened = Log::open(dir.path(), key()).unwrap();
        assert_eq!((opened.lines.len(), opened.cut), (3, torn as u64));
    }
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn promise_09_every_altered_byte_of_the_log_is_named() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    let path = dir.path().join("entries");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(
            verify_log(dir.path(), key().public_key()).is_err(),
            "byte {at}"
        );
        assert!(Log::open(dir.path(), key()).is_err(), "byte {at}");
    }
}

#[test]
fn promise_09_a_log_cut_below_its_checkpoint_is_named() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    let path = dir.path().join("entries");
    let whole = fs::read_to_string(&path).unwrap();
    let short: String = whole.split_inclusive('\n').take(4).collect();
    fs::write(&path, short).unwrap();
    assert!(matches!(
        Log::open(dir.path(), key()),
        Err(LogError::Shorter {
            has: 4,
            size: 5,
            ..
        })
    ));
    let mut swapped: Vec<&str> = whole.split_inclusive('\n').collect();
    swapped.swap(1, 2);
    fs::write(&path, swapped.concat()).unwrap();
    assert!(matches!(
        verify_log(dir.path(), key().public_key()),
        Err(LogError::Forked { size: 5, .. })
    ));
}

#[test]
fn promise_09_every_line_is_vouched_for_as_soon_as_it_is_answered_for() {
    let dir = tempfile::tempdir().unwrap();
    let entries = dir.path().join("entries");
    let mut log = Log::open(dir.path(), key()).unwrap().log;
    for n in 0..5 {
        log.append(&line(n)).unwrap();
    }
    let report = verify_log(dir.path(), key().public_key()).unwrap();
    assert_eq!((report.position.size, report.vouched), (5, 5));
    // While the log is in use, as after a kill, no line can be taken out and none be changed for another.
    let whole = fs::read_to_string(&entries).unwrap();
    for gone in 0..5 {
        let lines = whole.split_inclusive('\n').enumerate();
        let rest: String = lines
            .filter(|(n, _)| *n != gone)
            .map(|(_, line)| line)
            .collect();
        fs::write(&entries, rest).unwrap();
        let found = verify_log(dir.path(), key().public_key());
        assert!(
            matches!(
                found,
                Err(LogError::Shorter {
                    has: 4,
                    size: 5,
                    ..
                })
            ),
            "without line {gone}: {found:?}"
        );
    }
    fs::write(&entries, whole).unwrap();
    assert!(verify_log(dir.path(), key().public_key()).is_ok());
}

#[test]
fn promise_09_an_old_checkpoint_is_not_taken_for_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = dir.path().join("checkpoint");
    filled(dir.path(), 3);
    let old = fs::read(&checkpoint).unwrap();
    let most = limits::LOG_BATCH_LINES as u64;
    filled(dir.path(), most);
    // One batch ahead: the writer died before it had signed.
    fs::write(&checkpoint, &old).unwrap();
    assert_eq!(
        verify_log(dir.path(), key().public_key()).unwrap().vouched,
        3
    );
    assert!(Log::open(dir.path(), key()).is_ok());
    // More than one: another line could have stood in any place but the first three.
    filled(dir.path(), 1);
    fs::write(&checkpoint, &old).unwrap();
    let ahead = |found: Result<(), LogError>| {
        matches!(
            found,
            Err(LogError::Unvouched { has, size: 3, .. }) if has == 3 + most + 1
        )
    };
    assert!(ahead(verify_log(dir.path(), key().public_key()).map(drop)));
    assert!(ahead(Log::open(dir.path(), key()).map(drop)));
}

#[test]
fn promise_09_a_checkpoint_of_another_key_or_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 5);
    let other = PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[8; 32]));
    assert!(matches!(
        Log::open(dir.path(), other),
        Err(LogError::Checkpoint { .. })
    ));
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert!(matches!(
        Log::open(dir.path(), key()),
        Err(LogError::Checkpoint { .. })
    ));
}

#[test]
fn a_serial_out_of_order_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), key()).unwrap().log;
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
    assert!(matches!(
        verify_log(dir.path(), key().public_key()),
        Err(LogError::Line { line: 3, .. })
    ));
}

#[test]
fn a_line_from_a_newer_version_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 1);
    let path = dir.path().join("entries");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("{\"v\":2,\"new\":true}\n");
    fs::write(&path, text).unwrap();
    match verify_log(dir.path(), key().public_key()) {
        Err(LogError::Line { line: 2, what, .. }) => assert!(what.contains("newer version")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_byte_past_the_longest_line_is_neither_written_nor_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), key()).unwrap().log;
    let padded = |more: usize| {
        let entry = Entry::Request {
            text: "a".repeat(more),
            source: "192.0.2.7".parse().unwrap(),
        };
        Line::new(UnixTime::from_secs(1), entry)
    };
    let empty = padded(0).encode().unwrap().len();
    let most = LINE_BYTES - empty;
    let too_long = padded(most + 1);
    assert!(matches!(
        log.append(&too_long),
        Err(LogError::Unwritable(_))
    ));
    log.append(&padded(most)).unwrap();
    drop(log);
    assert!(verify_log(dir.path(), key().public_key()).is_ok());
    let path = dir.path().join("entries");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(&too_long.encode().unwrap());
    text.push('\n');
    fs::write(&path, text).unwrap();
    assert!(matches!(
        verify_log(dir.path(), key().public_key()),
        Err(LogError::Line { line: 2, .. })
    ));
}
