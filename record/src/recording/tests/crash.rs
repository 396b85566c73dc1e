#[path = "crash/writers.rs"]
mod writers;

use super::*;
use std::io::Write as _;

const CRASH: End = End {
    reason: EndReason::Crash,
    exit: None,
};

#[test]
fn promise_01_every_recorded_byte_survives_a_kill_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let mut recorder = store.create(&header(id(1)), &recipients()).unwrap();
    let mut forwarded = Vec::new();
    for n in 0..40_u8 {
        clock.step(1_234_567);
        // Some of the writes fill a tail, so that the moments before and after sealing are among them.
        let bytes = if n % 8 == 7 {
            vec![b'a' + n % 26; 100_000]
        } else {
            vec![n, 0x1b, 0xff, b'x']
        };
        forwarded.extend(recorder.output(bytes).unwrap().into_inner());

        let copy = snapshot(dir.path());
        let (again, recovered) = open(copy.path());
        drop(again);
        assert_eq!(recovered.sealed.len(), 1, "{recovered:?}");
        assert_eq!(recovered.sealed[0].end, CRASH);
        let events = events(copy.path(), &id(1));
        assert_eq!(stream(&events, Stream::Output), forwarded);
        assert_eq!(the_end(&events), CRASH);
        let checked = assert_finished(copy.path(), &id(1));
        assert_eq!(checked.root, recovered.sealed[0].root);
        assert_eq!(
            checked.duration,
            Duration::from_micros(1_234_567 * (u64::from(n) + 1))
        );
    }
}

#[test]
fn promise_01_a_recorder_that_is_dropped_leaves_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &recipients()).unwrap();
    recorder.output("bytes").unwrap().into_inner();
    drop(recorder);
    // The store's thread ends it; closing the store before it could leaves it to the next start.
    drop(store);
    let (_, _) = open(dir.path());
    assert_eq!(the_end(&events(dir.path(), &id(1))), CRASH);
    assert_finished(dir.path(), &id(1));
}

#[test]
fn promise_01_recovery_itself_may_die_and_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &recipients()).unwrap();
    recorder.output("in the first tail").unwrap().into_inner();
    let killed = snapshot(dir.path());
    let first = fs::metadata(killed.path().join(format!("{}.000000.tail", id(1))))
        .unwrap()
        .len();
    let second =
        crate::recording::live::follows(1, first) + "[1.000000, \"o\", \"in the second\"]\n";
    fs::write(killed.path().join(format!("{}.000001.tail", id(1))), second).unwrap();
    let before = snapshot(killed.path());
    let (_, recovered) = open(before.path());
    let root = recovered.sealed[0].root;

    // Every prefix of what recovery writes, with the tails still there, must lead to the same recording.
    let done = fs::read(before.path().join(format!("{}.cast.zst", id(1)))).unwrap();
    let start = usize::try_from(
        fs::metadata(killed.path().join(format!("{}.cast.zst", id(1))))
            .unwrap()
            .len(),
    )
    .unwrap();
    for cut in (start..done.len()).step_by(37).chain([done.len()]) {
        let copy = snapshot(killed.path());
        fs::write(
            copy.path().join(format!("{}.cast.zst", id(1))),
            &done[..cut],
        )
        .unwrap();
        let (_, recovered) = open(copy.path());
        assert_eq!(recovered.sealed.len(), 1, "cut at {cut}: {recovered:?}");
        assert_eq!(recovered.sealed[0].root, root, "cut at {cut}");
        assert_finished(copy.path(), &id(1));
    }
}

/// The machine loses power: of what was written after the last sync, any part is there, and blocks of it may
/// be nothing but zeros.
#[test]
fn promise_05_power_loss_keeps_what_was_synced() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &recipients()).unwrap();
    recorder.output("synced: caf\u{e9}").unwrap().into_inner();
    let tail = dir.path().join(format!("{}.000000.tail", id(1)));
    let synced = fs::read(&tail).unwrap();
    for n in 0..30 {
        recorder
            .output(format!("not synced {n} {}", "y".repeat(40)))
            .unwrap()
            .into_inner();
    }
    let written = fs::read(&tail).unwrap();
    let quiet = snapshot(dir.path());

    let mut torn: Vec<Vec<u8>> = (synced.len()..=written.len())
        .step_by(7)
        .map(|cut| written[..cut].to_vec())
        .collect();
    for block in synced.len().div_ceil(512)..written.len().div_ceil(512) {
        let (from, to) = (block * 512, (block * 512 + 512).min(written.len()));
        let mut dropped = written.clone();
        dropped[from..to].fill(0);
        torn.push(dropped);
        torn.push(written[..from].to_vec());
        let mut grown = written[..from].to_vec();
        grown.resize(written.len(), 0);
        torn.push(grown);
    }
    for (n, tail) in torn.iter().enumerate() {
        let copy = snapshot(quiet.path());
        fs::write(copy.path().join(format!("{}.000000.tail", id(1))), tail).unwrap();
        let (_, recovered) = open(copy.path());
        assert!(recovered.set_aside.is_empty(), "{n}: {recovered:?}");
        assert_eq!(the_end(&events(copy.path(), &id(1))), CRASH);
        let kept = stream(&events(copy.path(), &id(1)), Stream::Output);
        assert!(kept.starts_with("synced: café".as_bytes()), "{n}: {kept:?}");
        assert_finished(copy.path(), &id(1));
    }
}

/// The later tail was written out by the kernel and the end of the earlier one was not.
#[test]
fn promise_05_lines_after_a_gap_are_not_taken_for_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &recipients()).unwrap();
    recorder.output("first").unwrap().into_inner();
    let quiet = snapshot(dir.path());
    let first = quiet.path().join(format!("{}.000000.tail", id(1)));
    let length = fs::metadata(&first).unwrap().len();
    let mut second = crate::recording::live::follows(1, length + 100);
    second.push_str("[0.000000, \"o\", \"second\"]\n");
    fs::write(quiet.path().join(format!("{}.000001.tail", id(1))), &second).unwrap();

    let (_, recovered) = open(quiet.path());
    assert_eq!(recovered.set_aside.len(), 1);
    assert!(
        recovered.set_aside[0]
            .why
            .contains("a power loss left a gap"),
        "{recovered:?}"
    );
    assert_eq!(
        stream(&events(quiet.path(), &id(1)), Stream::Output),
        b"first"
    );
    let aside = quiet.path().join(format!("aside/{}.000001.tail", id(1)));
    assert_eq!(fs::read_to_string(aside).unwrap(), second);
    assert_finished(quiet.path(), &id(1));
}

#[test]
fn promise_05_a_session_that_never_began_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let recorder = store.create(&header(id(1)), &recipients()).unwrap();
    let quiet = snapshot(dir.path());
    drop(recorder);
    let tail = fs::read(quiet.path().join(format!("{}.000000.tail", id(1)))).unwrap();
    for cut in 0..tail.len() {
        let copy = snapshot(quiet.path());
        fs::write(
            copy.path().join(format!("{}.000000.tail", id(1))),
            &tail[..cut],
        )
        .unwrap();
        let (_, recovered) = open(copy.path());
        assert_eq!(
            recovered.never_began,
            [id(1)],
            "cut at {cut}: {recovered:?}"
        );
        assert!(
            verify::directory(copy.path(), &trusted(), None)
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn a_corrupt_recording_is_set_aside_and_blocks_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    for n in 1..=3 {
        let mut recorder = store.create(&header(id(n)), &recipients()).unwrap();
        recorder.output("bytes").unwrap().into_inner();
        std::mem::forget(recorder);
    }
    let quiet = snapshot(dir.path());
    let broken = quiet.path().join(format!("{}.000000.tail", id(2)));
    fs::write(&broken, "this is no header\n").unwrap();
    let (_, recovered) = open(quiet.path());
    let sealed: Vec<_> = recovered
        .sealed
        .iter()
        .map(|sealed| sealed.session.clone())
        .collect();
    assert_eq!(sealed, [id(1), id(3)]);
    assert_eq!(recovered.set_aside.len(), 1);
    assert_eq!(recovered.set_aside[0].session, id(2));
    assert!(recovered.set_aside[0].why.starts_with("its first line "));
    assert!(
        quiet
            .path()
            .join(format!("aside/{}.cast.zst", id(2)))
            .exists()
    );
    let (_, again) = open(quiet.path());
    assert!(
        again.sealed.is_empty() && again.set_aside.is_empty(),
        "{again:?}"
    );
    for (session, verdict) in verify::directory(quiet.path(), &trusted(), None).unwrap() {
        let aside = matches!(verdict, Verdict::SetAside);
        assert!(
            verdict.is_good() || aside && session == id(2),
            "{session}: {verdict:?}"
        );
    }
}

#[test]
fn a_finished_recording_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let recorder = store.create(&header(id(1)), &recipients()).unwrap();
    let sealed = recorder.finish(EndReason::Exit).unwrap();
    drop(store);
    let path = dir.path().join(format!("{}.cast.zst", id(1)));
    let before = fs::read(&path).unwrap();
    assert_eq!(before.len() as u64, sealed.bytes);
    let (_, recovered) = open(dir.path());
    assert!(recovered.sealed.is_empty(), "{recovered:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let logged = BTreeMap::from([(id(1), sealed.root)]);
    let verdicts = verify::directory(dir.path(), &trusted(), Some(&logged)).unwrap();
    assert!(
        matches!(verdicts.as_slice(), [(_, Verdict::Good(_))]),
        "{verdicts:?}"
    );
}

#[test]
fn an_end_without_its_seek_table_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store
        .create(&header(id(1)), &recipients())
        .unwrap()
        .finish(EndReason::Exit)
        .unwrap();
    drop(store);
    let path = dir.path().join(format!("{}.cast.zst", id(1)));
    let whole = fs::read(&path).unwrap();
    // One entry for each frame; the wrapped key is one of them.
    let entries = if SEALED { 4 } else { 3 };
    let table = 8 + entries * 8 + 9;
    for cut in whole.len() - table..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (_, recovered) = open(dir.path());
        assert_eq!(recovered.sealed.len(), 1, "cut at {cut}");
        assert_eq!(recovered.sealed[0].end.reason, EndReason::Exit);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn promise_07_event_times_never_decrease_whatever_the_clocks_do() {
    const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    clock.wall_ms.store(20 * YEAR_MS, Ordering::Relaxed);
    clock.step(5_000_000);
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let mut recorder = store.create(&header(id(1)), &recipients()).unwrap();
    for (wall, us) in [
        (20 * YEAR_MS + 3_600_000, 6_000_000),
        (10 * YEAR_MS, 6_000_001),
        (30 * YEAR_MS, 2),
        (0, 7_000_000),
    ] {
        clock.wall_ms.store(wall, Ordering::Relaxed);
        clock.us.store(us, Ordering::Relaxed);
        recorder.output("x").unwrap().into_inner();
    }
    recorder.finish(EndReason::Exit).unwrap();
    let times: Vec<u64> = events(dir.path(), &id(1))
        .iter()
        .map(|event| event.at_us)
        .collect();
    assert_eq!(
        times,
        [1_000_000, 1_000_001, 1_000_001, 2_000_000, 2_000_000]
    );
    assert_finished(dir.path(), &id(1));
}
