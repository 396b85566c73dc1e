//! What others may have done to the directory, and what only a session without end comes to.

use std::os::unix::fs::symlink;
use std::process::Command;

use config::limits;

use super::*;
use crate::recording::frame::{self, Effort, SeekTable, Trailer};
use crate::recording::seal;
use crate::tree::{Tree, leaf_hash};

fn cast(session: u8) -> String {
    format!("{}.cast.zst", id(session))
}

fn tail(session: u8, number: u32) -> String {
    format!("{}.{number:06}.tail", id(session))
}

/// A recording of one frame in a directory of its own.
fn finished(session: u8) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store
        .create(&header(id(session)), &Recipients::nobody())
        .unwrap();
    recorder.output("hello").unwrap().into_inner();
    recorder.finish(EndReason::Exit).unwrap();
    dir
}

/// A recording whose second frame another trusted bastion has signed, and which is right otherwise.
fn continued_by(other: &PrivateKey) -> Vec<u8> {
    let mut first = header(id(1)).to_line();
    let mut at_us = 0;
    let marker = Event {
        at_us: 5,
        data: Data::Marker("here".into()),
    };
    event::write_line(&mut first, &mut at_us, &marker);
    let mut second = Vec::new();
    let end = Event {
        at_us: 9,
        data: Data::End(End {
            reason: EndReason::Exit,
            exit: None,
        }),
    };
    event::write_line(&mut second, &mut at_us, &end);
    let mut bytes = frame::preamble(None);
    let (mut tree, mut table) = (Tree::new(), SeekTable::default());
    table.add(bytes.len(), 0);
    for (lines, key, times) in [(first, &*KEY, (0, 5)), (second, other, (5, 9))] {
        let stored = frame::compress(&lines, Effort::Small).unwrap();
        tree.push(leaf_hash(&stored));
        let trailer = Trailer::sign(key, seal::origin(&id(1)), &tree, times)
            .unwrap()
            .store();
        table.add(stored.len(), lines.len());
        table.add(trailer.len(), 0);
        bytes.extend(stored);
        bytes.extend(trailer);
    }
    bytes.extend(table.store());
    bytes
}

#[test]
fn promise_09_no_other_bastion_can_go_on_with_a_recording() {
    let check = |bytes: &[u8], trusted: &Trusted| verify::recording(bytes, &id(1), trusted);
    let both = trusted().and(&"other".parse().unwrap(), key(8).public_key());
    assert!(check(&continued_by(&KEY), &both).is_ok());
    let problem = check(&continued_by(&key(8)), &both).unwrap_err();
    assert_eq!(problem.frame, 1);
    assert!(
        matches!(&problem.fault, Fault::Content(why) if why == "it names bastion, whose key has not signed it"),
        "{problem}"
    );
    // A second key of the same bastion may: it was given a new one, and went on.
    let renewed = trusted().and(&signer().name, key(8).public_key());
    assert!(check(&continued_by(&key(8)), &renewed).is_ok());
}

#[test]
fn promise_09_a_gap_before_the_tails_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let copy = snapshot(dir.path());
    drop(recorder);
    let verdict = || verify::one(copy.path(), &id(1), &trusted(), None).unwrap();
    assert!(matches!(verdict(), Verdict::Unfinished(_)));
    fs::rename(copy.path().join(tail(1, 0)), copy.path().join(tail(1, 1))).unwrap();
    assert!(
        matches!(verdict(), Verdict::Bad(Problem { fault: Fault::Cut(why), .. }) if why == "its End is missing"),
    );
}

#[test]
fn promise_09_what_was_set_aside_is_not_passed_over() {
    let dir = finished(1);
    let path = dir.path().join(cast(1));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    fs::write(dir.path().join(tail(1, 7)), "x").unwrap();
    let mut altered = whole;
    altered[40] ^= 1;
    altered.truncate(altered.len() - 1);
    fs::write(&path, altered).unwrap();
    let (_, recovered) = open(dir.path());
    assert_eq!(recovered.set_aside.len(), 1);
    let verdicts = verify::directory(dir.path(), &trusted(), None).unwrap();
    assert!(
        matches!(verdicts.as_slice(), [(session, Verdict::SetAside)] if *session == id(1)),
        "{verdicts:?}"
    );
}

#[test]
fn names_that_nothing_checks_are_told() {
    let dir = finished(1);
    fs::write(dir.path().join(format!("{}.old", cast(1))), "x").unwrap();
    fs::create_dir(dir.path().join("aside")).unwrap();
    assert_eq!(
        verify::strangers(dir.path()).unwrap(),
        [std::ffi::OsString::from(format!("{}.old", cast(1)))]
    );
}

/// What is no file under a recording's name: reading it must neither wait for ever nor keep the others from being
/// recovered and checked.
#[test]
fn what_is_no_file_blocks_no_other() {
    let dir = finished(3);
    let fifo = dir.path().join(cast(1));
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    fs::create_dir(dir.path().join(cast(2))).unwrap();
    symlink("nowhere", dir.path().join(cast(4))).unwrap();
    let (_, recovered) = open(dir.path());
    let told: Vec<_> = recovered
        .set_aside
        .iter()
        .map(|aside| &aside.session)
        .collect();
    assert_eq!(told, [&id(1), &id(2), &id(4)]);
    for (session, verdict) in verify::directory(dir.path(), &trusted(), None).unwrap() {
        assert_eq!(
            verdict.is_good(),
            session == id(3),
            "{session}: {verdict:?}"
        );
    }
    assert!(matches!(
        Reader::open(&fifo, &Identities::default()),
        Err(crate::recording::reader::ReadError::Io(_))
    ));
}

#[test]
fn promise_01_lines_are_never_removed_with_a_lost_file() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    recorder.output("evidence").unwrap().into_inner();
    let copy = snapshot(dir.path());
    fs::write(copy.path().join(cast(1)), "").unwrap();
    let (_, recovered) = open(copy.path());
    assert!(recovered.never_began.is_empty());
    let [aside] = recovered.set_aside.as_slice() else {
        panic!("{recovered:?}");
    };
    assert_eq!(
        aside.why,
        "its lines have no recording to be sealed into; its files are in aside/"
    );
    let lines = fs::read_to_string(copy.path().join("aside").join(tail(1, 0))).unwrap();
    assert!(lines.contains("evidence"));
}

#[test]
fn a_seek_table_of_the_longest_recording_can_be_read() {
    let mut table = SeekTable::default();
    table.add(29, 0);
    for _ in 0..limits::RECORDING_FRAMES {
        table.add(1, 1);
        table.add(1, 0);
    }
    let stored = table.store();
    assert!(matches!(
        frame::read_frame(&mut stored.as_slice()),
        Ok(Some(frame::Stored::Seek(payload))) if payload == table.payload()
    ));
}

#[test]
fn a_session_without_end_ends_while_it_can_still_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    let last = u32::try_from(limits::RECORDING_FRAMES - 1).unwrap();
    recorder.live().pretend(last - 1);
    recorder.output("still").unwrap().into_inner();
    recorder.live().pretend(last);
    assert!(matches!(recorder.output("more"), Err(RecordError::Long)));
    recorder.live().pretend(0);
    assert!(matches!(recorder.output("more"), Err(RecordError::Failed)));
    recorder.finish(EndReason::Recorder).unwrap();
    assert_finished(dir.path(), &id(1));
}

#[test]
fn promise_43_no_key_stands_in_debug_output() {
    // The seed's bytes, as a list, as hexadecimal digits and as they are stored.
    let shown = format!("{:?} {:#?}", signer(), signer());
    for secret in ["7, 7, 7", "0707", "BwcHBw", "PRIVATE"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
