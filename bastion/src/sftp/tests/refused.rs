//! What the role does not give, and what is not the protocol.

use super::*;

#[test]
fn what_the_role_does_not_give_never_reaches_the_target() {
    let no_reads = FileRules {
        read: false,
        ..rules()
    };
    let no_writes = FileRules {
        write: false,
        ..rules()
    };
    let there = FileRules {
        paths: vec!["/srv".to_owned()],
        ..rules()
    };
    let link = Packet::new(20)
        .u32(7)
        .string(b"/srv/a")
        .string(b"/srv/b")
        .done();
    let hard = Packet::new(EXTENDED).u32(7).string(b"hardlink@openssh.com");
    let hard = hard.string(b"/srv/a").string(b"/srv/b").done();
    let out = Packet::new(18)
        .u32(7)
        .string(b"/srv/a")
        .string(b"/tmp/b")
        .done();
    let remove = Packet::new(REMOVE).u32(7).string(b"/srv/a").done();
    for (rules, packet, why) in [
        (&no_reads, open(7, "/srv/a", 1), NO_READS),
        (&no_reads, open(7, "/srv/a", 1 | 2), NO_READS),
        (&no_writes, open(7, "/srv/a", 2), NO_WRITES),
        (&no_writes, open(7, "/srv/a", 1 | 16), NO_WRITES),
        (&no_writes, remove, NO_WRITES),
        (&no_writes, link.clone(), NO_WRITES),
        (&there, open(7, "/etc/passwd", 1), NO_PATH),
        (&there, open(7, "/srv/../etc/passwd", 1), NO_PATH),
        (&there, open(7, "a", 1), NO_PATH),
        (&there, out, NO_PATH),
        (&there, link, NO_PATH),
        (&there, hard, NO_PATH),
    ] {
        let mut sftp = running(rules.clone());
        let acts = sftp.client(&packet).unwrap();
        assert_eq!(to_target(&acts), Vec::<&Bytes>::new(), "{packet:?}");
        assert_eq!(told(&acts), Some(PERMISSION_DENIED));
        assert_eq!(
            recorded(&acts)[1],
            &FileEvent::Refused {
                n: 1,
                why: why.to_owned()
            }
        );
    }
}

#[test]
fn a_file_grows_to_the_role_s_size_and_no_further() {
    let rules = FileRules {
        largest: Some(4),
        ..rules()
    };
    for (offset, data, passes) in [
        (0, &b"abcd"[..], true),
        (0, b"abcde", false),
        (4, b"e", false),
        (u64::MAX, b"e", false),
    ] {
        let mut sftp = running(rules.clone());
        sftp.client(&open(1, "a", 2)).unwrap();
        sftp.target(&handle(1, "h")).unwrap();
        let acts = sftp.client(&write(2, "h", offset, data)).unwrap();
        assert_eq!(to_target(&acts).len(), usize::from(passes), "{offset}");
        assert_eq!(told(&acts), (!passes).then_some(PERMISSION_DENIED));
    }
}

/// Neither by many questions at once, nor by opening it once more further on.
#[test]
fn a_file_is_read_to_the_role_s_size_and_no_further() {
    let rules = FileRules {
        largest: Some(4),
        ..rules()
    };
    let opened = |id: u32, name: &str, sftp: &mut Sftp| {
        sftp.client(&open(id, "a", 1)).unwrap();
        sftp.target(&handle(id, name)).unwrap();
    };
    let mut sftp = running(rules.clone());
    opened(1, "h", &mut sftp);
    for (id, offset) in [(2, 0), (3, 2), (4, 4), (5, 6)] {
        sftp.client(&read(id, "h", offset)).unwrap();
    }
    let handed = |acts: &[Act], packet: &Bytes| acts.contains(&Act::ToClient(packet.clone()));
    for (id, whole) in [(2, true), (3, true), (4, false), (5, false)] {
        let piece = data(id, b"xy");
        let acts = sftp.target(&piece).unwrap();
        assert_eq!(handed(&acts, &piece), whole, "{id}");
        assert_eq!(told(&acts), (!whole).then_some(PERMISSION_DENIED), "{id}");
    }
    let mut again = running(rules.clone());
    opened(1, "h", &mut again);
    again.client(&read(2, "h", 3)).unwrap();
    let acts = again.target(&data(2, b"xy")).unwrap();
    assert_eq!(told(&acts), Some(PERMISSION_DENIED));
    let why = TOO_LARGE.to_owned();
    assert_eq!(recorded(&acts), [&FileEvent::Refused { n: 1, why }]);
    // A file of just this size is read to its end.
    again.client(&read(3, "h", 4)).unwrap();
    let end = Packet::new(ask::STATUS)
        .u32(3)
        .u32(EOF)
        .string(b"")
        .string(b"")
        .done();
    assert!(handed(&again.target(&end).unwrap(), &end));
    // Where a file ends, only the target knows.
    let appending = running(rules).client(&open(1, "a", 2 | 4)).unwrap();
    assert_eq!(told(&appending), Some(PERMISSION_DENIED));
}

#[test]
fn what_is_not_known_is_answered_and_not_guessed() {
    let mut sftp = running(rules());
    let copy = Packet::new(EXTENDED)
        .u32(1)
        .string(b"copy-data")
        .string(b"h")
        .done();
    let acts = sftp.client(&copy).unwrap();
    assert_eq!((told(&acts), to_target(&acts)), (Some(UNSUPPORTED), vec![]));
    let more = Packet::new(REMOVE).u32(2).string(b"a").string(b"b").done();
    let acts = sftp.client(&more).unwrap();
    assert_eq!((told(&acts), to_target(&acts)), (Some(BAD_MESSAGE), vec![]));
    let unopened = sftp.client(&write(3, "never", 0, b"x")).unwrap();
    assert_eq!(
        (told(&unopened), to_target(&unopened)),
        (Some(FAILURE), vec![])
    );
}

#[test]
fn only_known_extensions_are_offered() {
    let mut sftp = Sftp::new(rules());
    sftp.client(&Packet::new(ask::INIT).u32(6).done()).unwrap();
    let version = Packet::new(ask::VERSION).u32(3);
    let known = version.string(b"limits@openssh.com").string(b"1");
    let offered = known.string(b"copy-data").string(b"1").done();
    let expected = Packet::new(ask::VERSION)
        .u32(3)
        .string(b"limits@openssh.com")
        .string(b"1");
    assert_eq!(
        sftp.target(&offered).unwrap(),
        [Act::ToClient(expected.done())]
    );
}

#[test]
fn a_side_that_does_not_speak_sftp_ends_the_session_by_its_name() {
    let fresh = || Sftp::new(rules());
    assert_eq!(fresh().client(b"GET / HTTP/1.1\r\n"), Err(Broken::Client));
    assert_eq!(fresh().client(&[0; 9]), Err(Broken::Client));
    assert_eq!(
        fresh().client(&open(1, "a", 1)),
        Err(Broken::Client),
        "before its version"
    );
    assert_eq!(fresh().target(b"Welcome to db1!\n"), Err(Broken::Target));
    let mut sftp = running(rules());
    assert_eq!(
        sftp.target(&ok(9)),
        Err(Broken::Target),
        "an answer to nothing"
    );
    sftp.client(&read_dir(1)).unwrap();
    assert_eq!(
        sftp.client(&read_dir(1)),
        Err(Broken::Client),
        "one identifier twice"
    );
    assert_eq!(
        sftp.target(&handle(1, "h")),
        Err(Broken::Target),
        "a handle nobody asked for"
    );
    let long = u32::try_from(limits::SFTP_PACKET_BYTES + 1).unwrap();
    assert_eq!(
        running(rules()).client(&long.to_be_bytes()),
        Err(Broken::Client)
    );
}

fn read_dir(id: u32) -> Bytes {
    Packet::new(12).u32(id).string(b"h").done()
}

#[test]
fn requests_and_handles_are_bounded() {
    let mut sftp = running(rules());
    for id in 0..u32::try_from(limits::SFTP_REQUESTS).unwrap() {
        sftp.client(&read_dir(id)).unwrap();
    }
    assert_eq!(sftp.client(&read_dir(u32::MAX)), Err(Broken::TooMany));
    let mut sftp = running(rules());
    for id in 0..u32::try_from(limits::SFTP_HANDLES).unwrap() {
        sftp.client(&open(id, "a", 1)).unwrap();
        sftp.target(&handle(id, &id.to_string())).unwrap();
    }
    assert_eq!(sftp.client(&open(u32::MAX, "a", 1)), Err(Broken::TooMany));
    let mut sftp = running(rules());
    sftp.client(&open(1, "a", 1)).unwrap();
    let long = "h".repeat(limits::SFTP_HANDLE_BYTES + 1);
    assert_eq!(sftp.target(&handle(1, &long)), Err(Broken::Target));
}

proptest! {
    /// However the bytes are cut on their way, the same is recorded and handed on, in the same order.
    #[test]
    fn cuts_change_nothing(cuts in prop::collection::vec(1_usize..50, 1..60)) {
        let mut packets = vec![Packet::new(ask::INIT).u32(3).done()];
        let mut whole = Sftp::new(rules());
        let mut expected = whole.client(&packets[0]).unwrap();
        let version = Packet::new(ask::VERSION).u32(3).done();
        whole.target(&version).unwrap();
        packets.extend([open(1, "a", 1), open(2, "\u{202e}b", 2), read_dir(3), Packet::new(REMOVE).u32(4).string(b"\xff").done()]);
        for packet in &packets[1..] {
            expected.extend(whole.client(packet).unwrap());
        }
        let mut sftp = Sftp::new(rules());
        let mut acts = sftp.client(&packets[0]).unwrap();
        sftp.target(&version).unwrap();
        let bytes = packets[1..].concat();
        let (mut at, mut cut) = (0, cuts.iter().cycle());
        while at < bytes.len() {
            let end = (at + cut.next().unwrap()).min(bytes.len());
            acts.extend(sftp.client(&bytes[at..end]).unwrap());
            at = end;
        }
        prop_assert_eq!(acts, expected);
    }

    /// Whatever either side sends, it is refused by name or understood; nothing is handed to the target without having
    /// been understood, so that what passes reads the same again.
    #[test]
    fn whatever_comes_is_understood_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0_u8..=255, target: bool) {
        let mut sftp = running(rules());
        let mut framed = u32::try_from(bytes.len() + 1).unwrap().to_be_bytes().to_vec();
        framed.push(kind);
        framed.extend(&bytes);
        let done = if target { sftp.target(&framed) } else { sftp.client(&framed) };
        if let Ok(acts) = done {
            for passed in to_target(&acts) {
                let mut fields = Fields(&passed[9..]);
                prop_assert!(matches!(ask::read(passed[4], &mut fields), Read::Known(_)));
            }
        }
    }
}
