//! What was masked is kept in the recording, for others than those who open that.

use super::super::crypt::reissue::{self, ReissueError};
use super::super::crypt::statement::{Head, Statement};
use super::super::frame::{self, Encrypted, Holds, SeekTable};
use super::closed::cast;
use super::*;

const SECRET: &str = "4111-2222";

/// Who may read what was masked: whose [`identity`] 5 is.
fn officer() -> Recipients {
    Recipients::any(vec![recipient(5)]).unwrap()
}

/// Stars for the secret, as a mask gives them.
fn mask(recorder: &mut Recorder, stream: Stream) {
    let mut hidden = Vec::new();
    Hidden::add(&mut hidden, 5, SECRET.len(), SECRET.as_bytes());
    let shown = format!("card {}!\n", "*".repeat(SECRET.len()));
    let passed = recorder.masked(stream, shown, &hidden).unwrap();
    passed.into_inner();
}

fn begin(store: &RecordingStore, recipients: &Recipients, original: &Recipients) -> Recorder {
    let mut recorder = store
        .create_keeping(header(id(1)), recipients, original)
        .unwrap();
    recorder.output("said\n").unwrap().into_inner();
    mask(&mut recorder, Stream::Output);
    recorder
}

fn finished(recipients: &Recipients, original: &Recipients) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let recorder = begin(&store, recipients, original);
    recorder.finish(EndReason::Exit).unwrap();
    drop(store);
    dir
}

fn read(dir: &Path, identities: Identities) -> Result<String, ReadError> {
    let reader = Reader::open(&cast(dir), &identities.unmasking(true))?;
    let events: Vec<Event> = reader.all_events().collect::<Result<_, _>>()?;
    Ok(String::from_utf8(stream(&events, Stream::Output)).unwrap())
}

fn shown(dir: &Path, identities: &Identities) -> String {
    let reader = Reader::open(&cast(dir), identities).unwrap();
    let events: Vec<Event> = reader.all_events().map(Result::unwrap).collect();
    String::from_utf8(stream(&events, Stream::Output)).unwrap()
}

const SHOWN: &str = "said\ncard *********!\n";
const ORIGINAL: &str = "said\ncard 4111-2222!\n";

#[test]
fn what_was_masked_is_read_by_those_who_are_named_for_it_alone() {
    let both = Recipients::any(vec![recipient(3), recipient(5)]).unwrap();
    for recipients in [Recipients::nobody(), both] {
        let dir = finished(&recipients, &officer());
        assert_finished(dir.path(), &id(1));
        for identity in [identity(3), identity(5)] {
            assert_eq!(shown(dir.path(), &identity), SHOWN);
        }
        assert_eq!(read(dir.path(), identity(5)).unwrap(), ORIGINAL);
        let refused = read(dir.path(), identity(3)).unwrap_err().to_string();
        assert!(
            refused.starts_with(
                "the original of what was masked is not sealed to this key, but to SHA256:"
            ),
            "{refused}"
        );
        let bytes = fs::read(cast(dir.path())).unwrap();
        let opened = Reader::open(&cast(dir.path()), &identity(3)).unwrap();
        let lines = opened.lines(0).unwrap();
        for bytes in [bytes, lines] {
            let found = bytes.windows(9).any(|part| part == SECRET.as_bytes());
            assert!(!found);
        }
    }
    let dir = finished(&Recipients::nobody(), &officer());
    let refused = read(dir.path(), Identities::default())
        .unwrap_err()
        .to_string();
    assert!(
        refused.starts_with("the original of what was masked is sealed: give --identity"),
        "{refused}"
    );
}

#[test]
fn where_nobody_is_named_nothing_of_it_is_kept() {
    let dir = finished(&Recipients::nobody(), &Recipients::nobody());
    let events = events(dir.path(), &id(1));
    assert!(
        !events
            .iter()
            .any(|event| matches!(event.data, Data::Masked(_)))
    );
    assert_eq!(read(dir.path(), identity(5)).unwrap(), SHOWN);
}

#[test]
fn several_read_it_together_and_none_of_them_alone() {
    let two = Recipients::together(2, [5, 6, 7].map(recipient).to_vec()).unwrap();
    let dir = finished(&Recipients::nobody(), &two);
    assert_eq!(
        read(dir.path(), identity(5).and(identity(7))).unwrap(),
        ORIGINAL
    );
    let refused = read(dir.path(), identity(6)).unwrap_err().to_string();
    assert!(
        refused.starts_with(
            "the original of what was masked is opened by 2 of these together, and the keys given belong to 1:"
        ),
        "{refused}"
    );
}

/// A recording sealed with the key of another one's original, as the header of that one has it: so whoever writes to a store can make it.
fn sealed_with_the_originals_key(of: &Path) -> Vec<u8> {
    let reader = Reader::open(&cast(of), &Identities::default()).unwrap();
    let key = serde_json::to_value(&reader.header().original).unwrap();
    let keys = key["keys"].as_str().unwrap().as_bytes();
    let statement = Statement {
        session: id(1),
        bastion: signer().name,
        commitment: serde_json::from_value(key["commitment"].clone()).unwrap(),
        keys: crate::digest::Digest::of(keys),
    };
    let head = Head {
        statement: Some(statement),
        from_us: 0,
        to_us: 5,
        tail: 7,
        end: None,
    };
    let mut table = SeekTable::beginning(Some(keys.len()));
    let first = Encrypted::new(Holds::Lines, &head.line(), b"nobody opens it").stored;
    table.add(first.len(), 0);
    let last = frame::trailer(b"nobody signed it");
    table.add(last.len(), 0);
    [frame::preamble(Some(keys)), first, last, table.store()].concat()
}

#[test]
fn whoever_shares_a_recording_hands_on_no_key_of_an_original() {
    let eve = Recipients::any(vec![recipient(4)]).unwrap();
    let two = Recipients::together(2, [5, 6, 7].map(recipient).to_vec()).unwrap();
    let both = identity(5).and(identity(6));
    let none = "a share of it is none";
    for (original, officer, why) in [
        (&officer(), &identity(5), "it has another length"),
        (&two, &identity(5), none),
        (&two, &both, none),
    ] {
        let dir = finished(&Recipients::nobody(), original);
        let forged = sealed_with_the_originals_key(dir.path());
        fs::write(cast(dir.path()), forged).unwrap();
        let copies = tempfile::tempdir().unwrap();
        let to = cast(copies.path());
        let shared = reissue::share(&cast(dir.path()), officer, &eve, &to);
        assert!(
            matches!(&shared, Err(ReissueError::Locked(LockedError::Damaged(told))) if told == why),
            "{shared:?}"
        );
        assert!(!to.exists());
    }
}

#[test]
fn it_is_destroyed_with_the_key_of_the_recording() {
    let dir = finished(&officer(), &officer());
    assert_eq!(read(dir.path(), identity(5)).unwrap(), ORIGINAL);
    reissue::erase(&cast(dir.path())).unwrap();
    assert_finished(dir.path(), &id(1));
    let refused = read(dir.path(), identity(5));
    assert!(matches!(
        refused,
        Err(ReadError::Locked(LockedError::Erased))
    ));
}

#[test]
fn what_had_been_masked_before_a_crash_is_there_after_it() {
    for recipients in [Recipients::nobody(), officer()] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(dir.path());
        let recorder = begin(&store, &recipients, &officer());
        assert_eq!(
            read(dir.path(), identity(5)).unwrap(),
            ORIGINAL,
            "while it runs"
        );
        let copy = snapshot(dir.path());
        let (after, _) = open(copy.path());
        assert_finished(copy.path(), &id(1));
        assert_eq!(read(copy.path(), identity(5)).unwrap(), ORIGINAL);
        drop((after, recorder));
    }
}

#[test]
fn what_had_no_star_is_kept_where_no_byte_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = begin(&store, &Recipients::nobody(), &officer());
    let mut hidden = Vec::new();
    Hidden::add(&mut hidden, 0, 0, "\u{301}".as_bytes());
    let passed = recorder.masked(Stream::Output, b"", &hidden).unwrap();
    passed.into_inner();
    recorder.finish(EndReason::Exit).unwrap();
    assert_finished(dir.path(), &id(1));
    assert_eq!(shown(dir.path(), &identity(5)), SHOWN);
    let original = read(dir.path(), identity(5)).unwrap();
    assert_eq!(original, format!("{ORIGINAL}\u{301}"));
}

#[test]
fn each_frame_has_what_was_masked_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut recorder = begin(&store, &Recipients::nobody(), &officer());
    // All of it masked, in pieces that end where no frame does.
    let secret: String = (b'a'..=b's')
        .cycle()
        .take(1_500_000)
        .map(char::from)
        .collect();
    let (mut rest, mut length) = (secret.as_bytes(), 1009);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(length.min(rest.len()));
        (rest, length) = (after, 1009 + (length + 997) % 7001);

        let mut hidden = Vec::new();
        for (at, byte) in part.iter().enumerate() {
            Hidden::add(&mut hidden, at, 1, &[*byte]);
        }
        let stars = vec![b'*'; part.len()];
        let passed = recorder.masked(Stream::Output, stars, &hidden).unwrap();
        passed.into_inner();
    }
    recorder.finish(EndReason::Exit).unwrap();
    assert_finished(dir.path(), &id(1));
    let reader = Reader::open(&cast(dir.path()), &identity(5).unmasking(true)).unwrap();
    assert!(reader.chunks() > 5, "{}", reader.chunks());
    // From the last to the first: each is read alone.
    let mut parts = Vec::new();
    for chunk in (0..reader.chunks()).rev() {
        parts.push(stream(&reader.events(chunk).unwrap(), Stream::Output));
        let lines = String::from_utf8(reader.lines(chunk).unwrap()).unwrap();
        assert!(!lines.contains("**"), "{chunk}");
    }
    parts.reverse();
    assert!(
        String::from_utf8(parts.concat())
            .unwrap()
            .ends_with(&secret)
    );
}

#[test]
fn a_command_keeps_as_much_of_it_as_of_its_output() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut exec = header(id(1));
    (exec.kind, exec.term) = (Kind::Exec, None);
    let nobody = Recipients::nobody();
    let mut recorder = store.create_keeping(exec, &nobody, &officer()).unwrap();
    let most = usize::try_from(config::limits::EXEC_STREAM_BYTES).unwrap();
    recorder.output(vec![b'x'; most - 8]).unwrap().into_inner();
    mask(&mut recorder, Stream::Output);
    mask(&mut recorder, Stream::Output);
    mask(&mut recorder, Stream::ErrorOutput);
    recorder.finish(EndReason::Exit).unwrap();
    let original = read(dir.path(), identity(5)).unwrap();
    assert!(
        original.ends_with("xcard 4111-2222"),
        "{}",
        &original[most - 20..]
    );
    let reader = Reader::open(&cast(dir.path()), &identity(5).unmasking(true)).unwrap();
    let events: Vec<Event> = reader.all_events().map(Result::unwrap).collect();
    assert_eq!(stream(&events, Stream::ErrorOutput), b"card 4111-2222!\n");
}
