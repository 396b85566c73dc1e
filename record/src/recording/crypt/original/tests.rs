use super::*;
use crate::recording::crypt::Vault;
use crate::recording::crypt::statement::Statement;
use crate::recording::event;
use crate::recording::tests::{identity, recipient};

fn session() -> SessionId {
    SessionId::from_parts(1_795_312_324_000, [9; 10])
}

fn originals() -> Originals {
    Originals {
        session: session(),
        key: ContentKey::random().unwrap(),
    }
}

/// From one byte to before another.
type Covered = (usize, usize);

/// Bytes, what is covered of them, and by how many stars each.
type Case<'a> = (&'a [u8], Vec<Covered>, usize);

/// What a mask gives that covers these ranges of the bytes, each byte by `stars` stars.
fn masked(bytes: &[u8], covered: &[Covered], stars: usize) -> (Vec<u8>, Vec<Hidden>) {
    let (mut out, mut runs) = (Vec::new(), Vec::new());
    for (n, byte) in bytes.iter().enumerate() {
        let at = out.len();
        if covered.iter().any(|(from, to)| (*from..*to).contains(&n)) {
            out.extend(std::iter::repeat_n(b'*', stars));
            Hidden::add(&mut runs, at, stars, &[*byte]);
        } else {
            out.push(*byte);
        }
    }
    (out, runs)
}

fn timed(data: Vec<Data>) -> Vec<Event> {
    let timed = data.into_iter().map(|data| Event { at_us: 7, data });
    timed.collect()
}

fn output(events: &[Event]) -> Vec<u8> {
    let bytes = events.iter().map(|event| match &event.data {
        Data::Bytes(Stream::Output, bytes) => bytes.as_slice(),
        other => panic!("{other:?}"),
    });
    bytes.collect::<Vec<_>>().concat()
}

/// Each speaks of few enough bytes, and of those that follow it to where an event ends.
fn assert_bounded(events: &[Data]) {
    let mut left = 0;
    for data in events {
        match data {
            Data::Masked(masked) => {
                assert_eq!(left, 0, "the one before has all of its bytes");
                assert!(masked.bytes <= UNIT_BYTES, "{}", masked.bytes);
                left = masked.bytes;
            }
            Data::Bytes(_, bytes) if left > 0 => left = left.checked_sub(bytes.len()).unwrap(),
            Data::Bytes(..) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(left, 0);
}

#[test]
fn what_was_masked_comes_back_whatever_it_was_and_wherever_it_stood() {
    let all: Vec<u8> = (0..100_000_u32)
        .map(|n| b'a' + u8::try_from(n % 23).unwrap())
        .collect();
    let invalid = [b"\xff\xfe 4111 \x00".as_slice(), &[0xc3; 300]].concat();
    let every = |n: usize, length: usize| (0..length).step_by(n).map(|at| (at, at + 1)).collect();
    let cases: [Case<'_>; 9] = [
        (
            b"card 4111 1111 1111 1111\r\n",
            vec![(5, 9), (10, 14), (15, 19), (20, 24)],
            1,
        ),
        (b"4111", vec![(0, 4)], 1),
        (b"before 4111", vec![(7, 11)], 2),
        (b"x\xcc\x81y", vec![(1, 3)], 0),
        (b"ends\xcc\x81", vec![(4, 6)], 0),
        (&invalid, vec![(3, 7), (8, 9)], 1),
        (&all, vec![(0, 100_000)], 1),
        (&all, vec![(3, 70_000), (70_001, 99_999)], 2),
        (&all[..10_000], every(2, 10_000), 1),
    ];
    for (bytes, covered, stars) in cases {
        let (shown, runs) = masked(bytes, &covered, stars);
        let originals = originals();
        let events = originals.events(Stream::Output, &shown, &runs).unwrap();
        let stars: Vec<Event> = timed(events.clone())
            .into_iter()
            .filter(|event| !matches!(event.data, Data::Masked(_)))
            .collect();
        assert_eq!(
            output(&stars),
            shown,
            "the stream is the one that was shown"
        );
        let back = originals.unmask(timed(events.clone())).unwrap();
        assert_eq!(output(&back), bytes);
        assert_bounded(&events);
        // Through the lines of a recording.
        let (mut lines, mut at_us) = (Vec::new(), 0);
        for event in timed(events) {
            let before = lines.len();
            event::write_line(&mut lines, &mut at_us, &event);
            if matches!(event.data, Data::Masked(_)) {
                assert!(lines.len() - before < 2 * UNIT_BYTES);
            }
        }
        at_us = 0;
        let text = String::from_utf8(lines).unwrap();
        let read = text
            .lines()
            .map(|line| event::read_line(line, &mut at_us).unwrap().unwrap());
        assert_eq!(output(&originals.unmask(read.collect()).unwrap()), bytes);
    }
}

#[test]
fn a_stream_that_is_cut_keeps_nothing_of_what_is_cut_off() {
    let (shown, runs) = masked(b"4111 4242", &[(0, 4), (5, 9)], 1);
    let originals = originals();
    let kept = originals
        .events(Stream::Output, &shown[..4], &runs)
        .unwrap();
    let kept = originals.unmask(timed(kept)).unwrap();
    assert_eq!(output(&kept), b"4111");
    let none = originals.events(Stream::Output, &[], &runs).unwrap();
    assert_eq!(none, []);
}

#[test]
fn what_was_masked_opens_nowhere_else() {
    let (shown, runs) = masked(b"4111 4242", &[(0, 4), (5, 9)], 1);
    let originals = originals();
    let events = originals.events(Stream::Output, &shown, &runs).unwrap();
    let Some(Data::Masked(good)) = events.first().cloned() else {
        panic!("{events:?}");
    };
    let damaged = Err(OriginalError::Damaged(7));
    let alone = |masked| timed(vec![Data::Masked(masked)]);
    assert!(originals.unmask(alone(good.clone())).is_ok());
    let mut stream = good.clone();
    stream.stream = Stream::ErrorOutput;
    let mut bytes = good.clone();
    bytes.bytes += 1;
    let mut sealed = good.clone();
    sealed.sealed = STANDARD.encode([0; 80]);
    for other in [stream, bytes, sealed] {
        assert_eq!(originals.unmask(alone(other)), damaged);
    }
    let foreign = super::Originals {
        session: SessionId::from_parts(1_795_312_324_000, [8; 10]),
        key: ContentKey::from_bytes(&originals.key.bytes().to_vec().into()).unwrap(),
    };
    assert_eq!(foreign.unmask(alone(good)), damaged);
}

#[test]
fn its_key_is_none_of_a_recording_and_none_of_a_recording_is_its() {
    let recipients = Recipients::any(vec![recipient(5)]).unwrap();
    let (own, mut wrapped) = Originals::create(&session(), &recipients).unwrap();
    assert!(Originals::open(&session(), &wrapped, &identity(5)).is_ok());
    // Even wrapped as a recording's, it does not fit what was said of it.
    let keys = Keys::wrap(&recipients, &own.key, Opens::Recording).unwrap();
    let said = Statement {
        session: session(),
        bastion: "b1".parse().unwrap(),
        commitment: wrapped.commitment,
        keys: Digest::of(&keys.payload()),
    };
    let opened = Vault::open(&keys, &said, &identity(5));
    assert_eq!(opened.unwrap_err(), LockedError::Replaced);
    wrapped.keys = String::from_utf8(keys.payload()).unwrap();
    let opened = Originals::open(&session(), &wrapped, &identity(5));
    let why = "it is of something else".to_owned();
    assert_eq!(opened.unwrap_err(), LockedError::Damaged(why));
}

#[test]
fn what_is_no_masked_event_is_refused_before_it_is_opened() {
    for bad in [
        "",
        "o",
        "o 4",
        "x 4 AAAA",
        "o four AAAA",
        "o 4 !",
        "o 65537 AAAA",
    ] {
        assert!(Masked::parse(bad).is_err(), "{bad}");
    }
    assert!(Masked::parse("e 65536 AAAA").is_ok());
}

#[test]
fn nothing_of_it_is_told_by_debugging() {
    let (_, runs) = masked(b"4111", &[(0, 4)], 1);
    assert_eq!(format!("{runs:?}"), "[Hidden(4 at 0)]");
}
