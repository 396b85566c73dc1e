//! The index of a recording says what the recording says, or is not believed.

use std::ops::ControlFlow;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::lines::{Line, Lines};
use crate::recording::crypt::reissue;
use crate::recording::index::{self, Index, IndexError, Screens};
use crate::screen::Screen;

fn cast(dir: &Path, n: u8) -> PathBuf {
    dir.join(format!("{}.cast.zst", id(n)))
}

fn index_of(dir: &Path, n: u8) -> PathBuf {
    dir.join(format!("{}.index.zst", id(n)))
}

fn opened(dir: &Path, n: u8) -> Reader {
    Reader::open(&cast(dir, n), &identity(3)).unwrap()
}

/// What reading the recording tells.
fn scanned(reader: &Reader) -> Vec<Line> {
    let mut told = Vec::new();
    let mut lines = Lines::new(reader.header(), &mut |line| told.push(line));
    for event in reader.all_events() {
        lines.take(&event.unwrap(), &mut |line| told.push(line));
    }
    lines.finish(&mut |line| told.push(line));
    told
}

fn indexed(index: &Index) -> Vec<Line> {
    let mut told = Vec::new();
    let heard = index.lines(&mut |line| {
        told.push(line.clone());
        ControlFlow::Continue(())
    });
    heard.unwrap();
    told
}

/// Each screen of the index is the one that a replay has there.
fn same_screens(reader: &Reader) {
    let screens = Screens::of(reader, &trusted()).unwrap();
    let mut screen = Screen::new(Size::DEFAULT, false);
    for chunk in 0..reader.chunks() {
        if let Some((at, known)) = screens.before(chunk).filter(|(at, _)| *at == chunk) {
            let mut known = Screen::restore(&known);
            let before = known.snapshot().unwrap();
            // What follows is drawn as onto the screen that was there.
            known.feed(b"\x1b[5;5Hx\r\ny");
            let mut played = Screen::restore(&screen.snapshot().unwrap());
            played.feed(b"\x1b[5;5Hx\r\ny");
            for row in 0..1000 {
                assert!(known.row(row).eq(played.row(row)), "chunk {at}, row {row}");
            }
            assert!(before.bytes() > 0);
        } else {
            assert_eq!(chunk, 0);
        }
        for event in reader.events(chunk).unwrap() {
            match event.data {
                Data::Bytes(Stream::Output | Stream::ErrorOutput, bytes) => screen.feed(&bytes),
                Data::Resize(size) => screen.resize(size),
                Data::File(file) => screen.feed(format!("{file}\r\n").as_bytes()),
                _ => {}
            }
        }
    }
}

/// A finished recording of what `act` does, without an index.
fn finished(
    dir: &Path,
    n: u8,
    recipients: &Recipients,
    act: impl FnOnce(&mut Recorder, &HandClock),
) {
    let clock = HandClock::default();
    let (store, _) = open_with(dir, clock.clone(), Box::new(OsDisk));
    let mut told = header(id(n));
    told.forced = Some("psql -c 'select 1'".into());
    let mut recorder = store.create(&told, recipients).unwrap();
    act(&mut recorder, &clock);
    recorder.finish(EndReason::Exit).unwrap();
}

/// Some work that tells lines of every kind, over several frames.
fn work(recorder: &mut Recorder, clock: &HandClock) {
    for n in 0..9000 {
        clock.step(7_000);
        if n == 6000 {
            let path = FilePath::from(b"/etc/passwd".as_slice());
            let asked = FileEvent::Asked {
                n: 1,
                op: FileOp::Stat,
                path,
                to: None,
                open: None,
            };
            recorder.files_left(vec![asked]).unwrap();
        }
        let text = format!("\x1b[3{}mrow {n}\x1b[0m of the caf\u{e9}\r\n", n % 8);
        recorder.output(text).unwrap().into_inner();
    }
    recorder.marker("needle").unwrap().into_inner();
    recorder
        .output("\x1b[2J\x1b[Hthe end")
        .unwrap()
        .into_inner();
}

fn made(dir: &Path, n: u8) -> Vec<u8> {
    index::build(&opened(dir, n), &signer(), &|| true).unwrap();
    fs::read(index_of(dir, n)).unwrap()
}

#[test]
fn an_index_tells_what_the_recording_tells() {
    for recipients in [Recipients::nobody(), reviewer()] {
        let dir = tempfile::tempdir().unwrap();
        finished(dir.path(), 1, &recipients, work);
        let reader = opened(dir.path(), 1);
        assert!(Index::of(&reader, &trusted()).is_none());
        let bytes = made(dir.path(), 1);
        let index = Index::of(&reader, &trusted()).unwrap();
        let told = scanned(&reader);
        assert!(told.len() > 9000 && reader.chunks() > 1);
        assert_eq!(indexed(&index), told);
        same_screens(&reader);
        assert!(verify::strangers(dir.path()).unwrap().is_empty());

        let shows = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
        let read = std::process::Command::new("zstd")
            .args(["-dcq"])
            .stdin(fs::File::open(index_of(dir.path(), 1)).unwrap())
            .output()
            .unwrap();
        if recipients.is_empty() {
            let text = String::from_utf8(read.stdout).unwrap();
            assert!(text.starts_with("0 c psql -c 'select 1'\n"), "{text}");
            assert!(text.contains(" m needle\n"));
            assert_eq!(text.matches("m needle").count(), 1);
        } else {
            assert_eq!(read.stdout, b"");
            assert!(!shows(b"needle") && !shows(b"psql"));
        }
    }
}

/// Whoever can write to the directory, and has no bastion's key, can make a search slower and hide nothing.
#[test]
fn an_index_that_is_not_the_bastions_for_these_frames_is_not_believed() {
    for recipients in [Recipients::nobody(), reviewer()] {
        let dir = tempfile::tempdir().unwrap();
        let act = |text: &'static str| {
            move |recorder: &mut Recorder, _: &HandClock| {
                recorder.output(text).unwrap().into_inner();
            }
        };
        finished(dir.path(), 1, &recipients, act("here is the needle"));
        finished(dir.path(), 2, &recipients, act("here is hay"));
        let (one, two) = (made(dir.path(), 1), made(dir.path(), 2));
        let path = index_of(dir.path(), 1);
        let reader = opened(dir.path(), 1);
        let believed = || Index::of(&reader, &trusted()).is_some();
        assert!(believed());
        // Another recording's, whole, cut at each byte, and with each bit altered.
        fs::write(&path, &two).unwrap();
        assert!(!believed());
        for at in 0..one.len() {
            fs::write(&path, &one[..at]).unwrap();
            assert!(!believed(), "cut at {at}");
            let mut altered = one.clone();
            altered[at] ^= 1 << (at % 8);
            fs::write(&path, altered).unwrap();
            assert!(!believed(), "altered at {at}");
        }
        fs::write(&path, [one.as_slice(), b"x"].concat()).unwrap();
        assert!(!believed());
        // What was signed, behind many frames that hold nothing.
        let magic = 0x184D_2A56_u32.to_le_bytes();
        let signed = one.windows(4).rposition(|part| part == magic).unwrap();
        let nothing = super::super::frame::screen(b"").repeat(10_000);
        fs::write(&path, [&one[..25], &nothing, &one[signed..]].concat()).unwrap();
        assert!(!believed());
        // By a key that is not trusted, or by nobody's.
        let forger = Signer {
            name: signer().name,
            key: key(8),
        };
        index::build(&opened(dir.path(), 1), &forger, &|| true).unwrap();
        assert!(!believed());
        fs::write(&path, &one).unwrap();
        assert!(believed());
        assert!(Index::of(&opened(dir.path(), 1), &Trusted::nobody()).is_none());
        let other = Trusted::nobody().and(&"other".parse().unwrap(), &public());
        assert!(Index::of(&opened(dir.path(), 1), &other).is_none());
    }
}

#[test]
fn an_index_is_believed_for_the_bytes_that_it_was_made_of() {
    let dir = tempfile::tempdir().unwrap();
    finished(dir.path(), 1, &Recipients::nobody(), |recorder, _| {
        recorder.output("hay").unwrap().into_inner();
    });
    let hay = made(dir.path(), 1);
    let other = tempfile::tempdir().unwrap();
    finished(other.path(), 1, &Recipients::nobody(), |recorder, _| {
        recorder.output("needle").unwrap().into_inner();
    });
    // The same session's name, and another recording under it.
    fs::write(index_of(other.path(), 1), hay).unwrap();
    let reader = opened(other.path(), 1);
    assert!(Index::of(&reader, &trusted()).is_none());
    assert!(scanned(&reader).iter().any(|line| line.text == "needle"));
}

#[test]
fn only_a_finished_recording_of_the_signer_gets_an_index() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = store.create(&header(id(1)), &Recipients::nobody()).unwrap();
    recorder.output("still").unwrap().into_inner();
    let refused = |signer: &Signer| index::build(&opened(dir.path(), 1), signer, &|| true);
    assert!(matches!(refused(&signer()), Err(IndexError::Unfinished)));
    recorder.finish(EndReason::Exit).unwrap();
    let other = Signer {
        name: "other".parse().unwrap(),
        key: key(8),
    };
    assert!(matches!(refused(&other), Err(IndexError::Another(name)) if name == "bastion"));
    assert!(!index_of(dir.path(), 1).exists());
}

#[test]
fn an_index_that_is_too_large_or_takes_too_long_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    finished(dir.path(), 1, &Recipients::nobody(), work);
    let reader = opened(dir.path(), 1);
    let size = made(dir.path(), 1).len() as u64;
    fs::remove_file(index_of(dir.path(), 1)).unwrap();
    let bounded = |most| index::bounded(&reader, &signer(), &|| true, most);
    assert!(matches!(bounded(size - 1), Err(IndexError::Large)));
    let stopped = index::build(&reader, &signer(), &|| false);
    assert!(matches!(stopped, Err(IndexError::Stopped)));
    let left = listing(dir.path());
    assert!(left.keys().all(|name| !name.contains("index")), "{left:?}");
    bounded(size).unwrap();
    assert!(Index::of(&reader, &trusted()).is_some());
}

#[test]
fn a_link_in_the_place_of_an_index_leads_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    finished(dir.path(), 1, &Recipients::nobody(), |_, _| ());
    let precious = dir.path().join("precious");
    fs::write(&precious, "mine").unwrap();
    for name in ["index.part", "index.zst"] {
        let link = dir.path().join(format!("{}.{name}", id(1)));
        std::os::unix::fs::symlink(&precious, link).unwrap();
    }
    made(dir.path(), 1);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "mine");
    assert!(Index::of(&opened(dir.path(), 1), &trusted()).is_some());
}

fn wait_for(path: &Path) {
    for _ in 0..2000 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{} is not made", path.display());
}

#[test]
fn a_store_makes_the_index_of_each_session_that_has_ended() {
    for recipients in [Recipients::nobody(), reviewer()] {
        let dir = tempfile::tempdir().unwrap();
        let (store, recovered) = open(dir.path());
        fs::write(dir.path().join(format!("{}.index.part", id(9))), "x").unwrap();
        store.keep_indexes(&recovered).unwrap();
        let mut recorder = store.create(&header(id(1)), &recipients).unwrap();
        recorder.output("needle").unwrap().into_inner();
        assert!(!index_of(dir.path(), 1).exists());
        recorder.finish(EndReason::Exit).unwrap();
        wait_for(&index_of(dir.path(), 1));
        let reader = opened(dir.path(), 1);
        let index = Index::of(&reader, &trusted()).unwrap();
        assert_eq!(indexed(&index), scanned(&reader));
        // What an earlier process left was removed.
        assert!(!dir.path().join(format!("{}.index.part", id(9))).exists());
        // One that is dropped gets its index as well: the store ends it.
        drop(store.create(&header(id(2)), &recipients).unwrap());
        wait_for(&index_of(dir.path(), 2));
        drop(store);
        assert_finished(dir.path(), &id(1));
    }
}

#[test]
fn a_recording_that_a_crash_has_ended_gets_its_index_if_it_can_be_read() {
    for (recipients, readable) in [(Recipients::nobody(), true), (reviewer(), false)] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(dir.path());
        let mut recorder = store.create(&header(id(1)), &recipients).unwrap();
        recorder.output("needle").unwrap().into_inner();
        let killed = snapshot(dir.path());
        let (again, recovered) = open(killed.path());
        again.keep_indexes(&recovered).unwrap();
        let mut after = again.create(&header(id(2)), &recipients).unwrap();
        after.output("hay").unwrap().into_inner();
        after.finish(EndReason::Exit).unwrap();
        wait_for(&index_of(killed.path(), 2));
        assert_eq!(index_of(killed.path(), 1).exists(), readable);
        // A recipient can have it made.
        made(killed.path(), 1);
        assert!(Index::of(&opened(killed.path(), 1), &trusted()).is_some());
    }
}

#[test]
fn the_index_of_an_erased_recording_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    finished(dir.path(), 1, &reviewer(), work);
    let index = made(dir.path(), 1);
    reissue::erase(&cast(dir.path(), 1)).unwrap();
    assert!(!index_of(dir.path(), 1).exists());
    // Somebody has kept a copy: what opens it is gone with the recording's key.
    fs::write(index_of(dir.path(), 1), index).unwrap();
    assert!(matches!(
        Reader::open(&cast(dir.path(), 1), &identity(3)),
        Err(ReadError::Locked(LockedError::Erased))
    ));
    assert_finished(dir.path(), &id(1));
}

/// One thing that a session does.
fn deed() -> impl Strategy<Value = (u32, Vec<u8>)> {
    let word = prop_oneof![
        4 => "[a-c ]{1,12}".prop_map(String::into_bytes),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just("caf\u{e9} \u{8907}\u{1f600}".as_bytes().to_vec()),
        2 => (1..12_u8, 1..40_u8).prop_map(|(row, col)| format!("\x1b[{row};{col}H").into_bytes()),
        1 => (1..9_u8).prop_map(|n| format!("\x1b[{n}K\x1b[{n}P\x1b[{n}L").into_bytes()),
        1 => Just(b"\x1b[2J\x1b[H".to_vec()),
        1 => Just(b"\x1b[?1049h".to_vec()),
        1 => Just(b"\x1b[?1049l".to_vec()),
        1 => Just(b"\x1b[3;8r".to_vec()),
        1 => Just(b"\x1bc".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    (0..60_000_u32, word)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_a_session_does_its_index_tells_the_same(
        deeds in proptest::collection::vec(deed(), 0..200),
        closed in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let recipients = if closed { reviewer() } else { Recipients::nobody() };
        finished(dir.path(), 1, &recipients, |recorder, clock| {
            for (n, (us, bytes)) in deeds.iter().enumerate() {
                if n % 50 == 25 {
                    // So that there is another frame, and a screen at its beginning.
                    recorder.output("ab c\r\n".repeat(50_000)).unwrap().into_inner();
                }
                clock.step(u64::from(*us));
                recorder.output(bytes).unwrap().into_inner();
                if us % 17 == 0 {
                    recorder.resize(20 + us % 60, 4 + us % 20).unwrap().into_inner();
                }
            }
        });
        made(dir.path(), 1);
        let reader = opened(dir.path(), 1);
        let index = Index::of(&reader, &trusted()).unwrap();
        prop_assert_eq!(indexed(&index), scanned(&reader));
        same_screens(&reader);
    }
}
