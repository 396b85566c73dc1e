use proptest::prelude::*;
use record::digest::Digest;
use record::recording::{FilePath, OpenMode, Outcome, Transfer};

use super::*;
use crate::files::{NO_PATH, NO_READS, NO_WRITES, TOO_LARGE};

fn follows(command: &str, rules: FileRules) -> Scp {
    Scp::new(Head::parse(command).unwrap(), rules)
}

fn upload(command: &str) -> Scp {
    let mut scp = follows(command, FileRules::default());
    assert_eq!(
        target(&mut scp, b"\0").unwrap(),
        [Act::ToClient(Bytes::from_static(b"\0"))]
    );
    scp
}

fn download(command: &str) -> Scp {
    let mut scp = follows(command, FileRules::default());
    assert_eq!(
        client(&mut scp, b"\0").unwrap(),
        [Act::ToTarget(Bytes::from_static(b"\0"))]
    );
    scp
}

fn client(scp: &mut Scp, bytes: &'static [u8]) -> Result<Vec<Act>, Broken> {
    scp.client(&Bytes::from_static(bytes))
}

fn target(scp: &mut Scp, bytes: &'static [u8]) -> Result<Vec<Act>, Broken> {
    scp.target(&Bytes::from_static(bytes))
}

fn text(path: &str) -> FilePath {
    FilePath::from(path.as_bytes())
}

fn asked(n: u64, op: FileOp, path: &str, to: Option<&str>, open: Option<OpenMode>) -> Act {
    Act::Record(FileEvent::Asked {
        n,
        op,
        path: text(path),
        to: to.map(text),
        open,
    })
}

fn moved(n: u64, read: Option<&[u8]>, written: Option<&[u8]>, closed: bool) -> FileEvent {
    let sum = |data: &[u8]| Transfer {
        from: 0,
        bytes: data.len() as u64,
        digest: Some(Digest::of(data)),
    };
    FileEvent::Moved {
        n,
        read: read.map(sum),
        written: written.map(sum),
        closed,
    }
}

fn recorded(acts: Vec<Act>) -> Vec<FileEvent> {
    let events = acts.into_iter().filter_map(|act| match act {
        Act::Record(event) => Some(event),
        Act::ToClient(_) | Act::ToTarget(_) => None,
    });
    events.collect()
}

#[test]
fn promise_10_what_the_old_scp_writes_is_told_before_it_is_handed_on() {
    let mut scp = upload("scp -p -t /srv/a");
    client(&mut scp, b"T1 0 1 0\n").unwrap();
    target(&mut scp, b"\0").unwrap();
    let line = b"C0644 5 here\n";
    let open = Some(mode(Sends::Client));
    assert_eq!(
        client(&mut scp, line).unwrap(),
        [
            asked(1, FileOp::Open, "/srv/a", Some("here"), open),
            Act::ToTarget(Bytes::from_static(line)),
        ]
    );
    assert_eq!(target(&mut scp, b"\0").unwrap()[0], done(1, Outcome::Ok));
    // In pieces, with the last word behind them.
    client(&mut scp, b"he").unwrap();
    let rest = client(&mut scp, b"llo\0").unwrap();
    assert_eq!(
        rest,
        [
            Act::ToTarget(Bytes::from_static(b"llo")),
            Act::ToTarget(Bytes::from_static(b"\0")),
        ]
    );
    let end = target(&mut scp, b"\0").unwrap();
    assert_eq!(
        end,
        [
            Act::Record(moved(1, None, Some(b"hello"), true)),
            Act::ToClient(Bytes::from_static(b"\0")),
        ]
    );
    assert_eq!(scp.finish(), []);
}

#[test]
fn promise_10_what_the_old_scp_reads_is_told_before_it_is_handed_on() {
    let mut scp = download("scp -r -f /srv/app");
    let acts = target(&mut scp, b"D0755 0 app\n").unwrap();
    assert_eq!(acts[0], asked(1, FileOp::List, "/srv/app", None, None));
    client(&mut scp, b"\0").unwrap();
    let acts = target(&mut scp, b"C0600 3 a\n").unwrap();
    assert_eq!(
        acts[0],
        asked(
            2,
            FileOp::Open,
            "/srv/app/a",
            None,
            Some(mode(Sends::Target))
        )
    );
    client(&mut scp, b"\0").unwrap();
    let acts = target(&mut scp, b"abc\0").unwrap();
    assert_eq!(
        acts[1..],
        [
            Act::Record(moved(2, Some(b"abc"), None, true)),
            Act::ToClient(Bytes::from_static(b"\0")),
        ]
    );
    client(&mut scp, b"\0").unwrap();
    // A file without contents, one that cannot be read, and the end of the directory.
    target(&mut scp, b"C0600 0 b\n").unwrap();
    client(&mut scp, b"\0").unwrap();
    assert_eq!(
        recorded(target(&mut scp, b"\0").unwrap()),
        [moved(3, None, None, true)]
    );
    client(&mut scp, b"\0").unwrap();
    let acts = target(&mut scp, b"\x01scp: /srv/app/c: Permission denied\n").unwrap();
    assert_eq!(acts[1], done(4, Outcome::PermissionDenied));
    target(&mut scp, b"E\n").unwrap();
    client(&mut scp, b"\0").unwrap();
    let acts = target(&mut scp, b"C0600 0 z\n").unwrap();
    assert_eq!(
        acts[0],
        asked(5, FileOp::Open, "/srv/z", None, Some(mode(Sends::Target))),
        "outside of it"
    );
}

#[test]
fn where_it_goes_is_said_as_far_as_it_is_known() {
    for (command, path, to) in [
        ("scp -t /tmp", "/tmp", Some("x")),
        ("scp -d -t /tmp", "/tmp/x", None),
        ("scp -t /tmp/", "/tmp/x", None),
        ("scp -t .", "./x", None),
        ("scp -t ~", "~/x", None),
        ("scp -t a b", "a b", Some("x")),
    ] {
        let mut scp = upload(command);
        let acts = client(&mut scp, b"C0644 0 x\n").unwrap();
        let open = Some(mode(Sends::Client));
        assert_eq!(acts[0], asked(1, FileOp::Open, path, to, open), "{command}");
    }
    let mut scp = upload("scp -r -t /tmp");
    client(&mut scp, b"D0755 0 d\n").unwrap();
    target(&mut scp, b"\0").unwrap();
    let acts = client(&mut scp, b"D0755 0 e\n").unwrap();
    assert_eq!(acts[0], asked(2, FileOp::Mkdir, "/tmp", Some("d/e"), None));
}

#[test]
fn what_fails_is_told_as_it_failed() {
    // The target does not take the file: the client goes on to the next one.
    let mut scp = upload("scp -t /srv/a");
    client(&mut scp, b"C0644 5 a\n").unwrap();
    let acts = target(&mut scp, b"\x01scp: /srv/a: Permission denied\n").unwrap();
    assert_eq!(acts[0], done(1, Outcome::PermissionDenied));
    client(&mut scp, b"C0644 1 b\n").unwrap();
    target(&mut scp, b"\0").unwrap();
    // It takes it, and its disk is full.
    client(&mut scp, b"x\0").unwrap();
    let acts = target(&mut scp, b"\x01scp: /srv/a: No space left on device\n").unwrap();
    assert_eq!(acts[0], done(2, Outcome::Failed));
    let scattered = Some(Transfer {
        from: 0,
        bytes: 1,
        digest: None,
    });
    let Act::Record(FileEvent::Moved { written, .. }) = &acts[1] else {
        panic!("{acts:?}");
    };
    assert_eq!(*written, scattered);
    // The target cannot read on.
    let mut scp = download("scp -f /srv/a");
    target(&mut scp, b"C0644 1 a\n").unwrap();
    client(&mut scp, b"\0").unwrap();
    let acts = target(&mut scp, b"x\x01scp: /srv/a: Input/output error\n").unwrap();
    assert_eq!(acts[1], done(1, Outcome::Failed));
    let Act::Record(FileEvent::Moved { read, .. }) = &acts[2] else {
        panic!("{acts:?}");
    };
    assert_eq!(*read, scattered);
    // There is nothing to read.
    let mut scp = download("scp -f /none");
    let acts = target(&mut scp, b"\x01scp: /none: No such file or directory\n").unwrap();
    assert_eq!(
        acts[..2],
        [
            asked(1, FileOp::Open, "/none", None, Some(mode(Sends::Target))),
            done(1, Outcome::NoSuchFile),
        ]
    );
}

#[test]
fn what_is_cut_off_says_how_far_it_went() {
    let mut scp = upload("scp -t up");
    client(&mut scp, b"C0644 9 up\n").unwrap();
    target(&mut scp, b"\0").unwrap();
    client(&mut scp, b"abc").unwrap();
    assert_eq!(scp.finish(), [moved(1, None, Some(b"abc"), false)]);
    assert_eq!(scp.finish(), []);
}

fn ruled() -> FileRules {
    FileRules {
        paths: vec!["/srv/app".to_owned()],
        largest: Some(4),
        ..FileRules::default()
    }
}

#[test]
fn a_command_that_the_role_does_not_give_is_refused_before_it_runs() {
    let no_reads = FileRules {
        read: false,
        ..FileRules::default()
    };
    let no_writes = FileRules {
        write: false,
        ..FileRules::default()
    };
    let any = FileRules::default();
    let told_why = |command: &str, rules: &FileRules, commands| {
        let head = Head::parse(command).unwrap();
        refusal(&head, rules, commands).map(|(events, why)| {
            let [
                FileEvent::Asked { n: 1, .. },
                FileEvent::Refused { n: 1, why: told },
            ] = &events[..]
            else {
                panic!("{events:?}");
            };
            assert_eq!(told, why);
            why
        })
    };
    let not_plain = told_why("scp -f /srv/app/*", &ruled(), true).unwrap();
    assert!(not_plain.contains("the target's shell"), "{not_plain}");
    for (command, rules, commands, why) in [
        ("scp -f /x", &no_reads, true, Some(NO_READS)),
        ("scp -t /x", &no_reads, true, None),
        ("scp -t /x", &no_writes, true, Some(NO_WRITES)),
        ("scp -f /x", &no_writes, true, None),
        ("scp -f /srv/app/x", &ruled(), true, None),
        ("scp -r -t '/srv/app/x y'", &ruled(), false, None),
        ("scp -f /srv/apple", &ruled(), true, Some(NO_PATH)),
        ("scp -f /srv/app/../x", &ruled(), true, Some(NO_PATH)),
        ("scp -t app", &ruled(), true, Some(NO_PATH)),
        ("scp -t ~/app", &ruled(), true, Some(NO_PATH)),
        ("scp -f '/srv/app/$x", &ruled(), true, Some(not_plain)),
        (
            "scp -f /srv/app/a /etc/shadow",
            &ruled(),
            true,
            Some(not_plain),
        ),
        ("scp -f *", &any, true, None),
        ("scp -f *", &any, false, Some(not_plain)),
        ("scp -f x", &any, false, None),
    ] {
        assert_eq!(told_why(command, rules, commands), why, "{command}");
    }
}

#[test]
fn a_file_that_the_role_does_not_give_is_refused_by_name_and_nothing_passes_any_more() {
    let complains = |why: &str| Act::ToClient(complaint(why));
    // Up: too large.
    let mut scp = follows("scp -t /srv/app/x", ruled());
    target(&mut scp, b"\0").unwrap();
    let acts = client(&mut scp, b"C0644 5 x\n").unwrap();
    assert_eq!(
        acts[1..],
        [
            Act::Record(told::refused(1, TOO_LARGE)),
            complains(TOO_LARGE)
        ]
    );
    assert_eq!(complaint("no"), b"\x02hallpass: no\n"[..]);
    assert_eq!(client(&mut scp, b"12345\0C0644 1 y\n").unwrap(), []);
    assert_eq!(target(&mut scp, b"\0").unwrap(), []);
    // Just as large as it may be.
    let mut scp = follows("scp -t /srv/app/x", ruled());
    target(&mut scp, b"\0").unwrap();
    let acts = client(&mut scp, b"C0644 4 x\n").unwrap();
    assert!(
        matches!(acts[..], [Act::Record(_), Act::ToTarget(_)]),
        "{acts:?}"
    );
    // Down: too large, and elsewhere than it was asked for.
    for (line, why) in [
        (&b"C0644 5 x\n"[..], TOO_LARGE),
        (b"C0644 1 y\n", ""),
        (b"C0644 1 x\n", ""),
    ] {
        let mut scp = follows("scp -f /srv/app/x", ruled());
        client(&mut scp, b"\0").unwrap();
        let acts = target(&mut scp, line).unwrap();
        let refused = acts.contains(&complains(why));
        assert_eq!(refused, !why.is_empty(), "{acts:?}");
    }
    let mut scp = follows("scp -r -f /srv/app", ruled());
    client(&mut scp, b"\0").unwrap();
    let acts = target(&mut scp, b"C0644 1 other\n").unwrap();
    assert_eq!(
        acts[1..],
        [Act::Record(told::refused(1, NO_PATH)), complains(NO_PATH)]
    );
}

#[test]
fn whoever_speaks_out_of_turn_ends_the_session_by_its_name() {
    let mut scp = follows("scp -t x", FileRules::default());
    assert_eq!(
        client(&mut scp, b"C0644 1 x\n"),
        Err(Broken::ScpClient),
        "not ready"
    );
    let mut scp = follows("scp -t x", FileRules::default());
    assert_eq!(
        target(&mut scp, b"Welcome to db1!\n"),
        Err(Broken::ScpTarget)
    );
    let mut scp = follows("scp -f x", FileRules::default());
    assert_eq!(
        target(&mut scp, b"C0644 1 x\n"),
        Err(Broken::ScpTarget),
        "nobody is ready"
    );
    for bytes in [
        &b"C0644 1 ../x\n"[..],
        b"C0644 1 a/b\n",
        b"D0755 0 d\n",
        b"E\n",
        b"X\n",
        b"\0\n",
        b"C0644 1 x\nx",
        b"T1 0 1 0\nT1 0 1 0\n",
    ] {
        let mut scp = upload("scp -t x");
        assert_eq!(client(&mut scp, bytes), Err(Broken::ScpClient), "{bytes:?}");
    }
    let mut scp = upload("scp -t x");
    assert_eq!(
        target(&mut scp, b"\0"),
        Err(Broken::ScpTarget),
        "nothing was said"
    );
    client(&mut scp, b"C0644 1 x\n").unwrap();
    assert_eq!(target(&mut scp, b"ok\n"), Err(Broken::ScpTarget));
    let mut scp = upload("scp -t x");
    client(&mut scp, b"C0644 1 x\n").unwrap();
    target(&mut scp, b"\0").unwrap();
    assert_eq!(
        client(&mut scp, b"xy"),
        Err(Broken::ScpClient),
        "more than its contents"
    );
}

#[test]
fn lines_and_paths_are_bounded() {
    let name = "x".repeat(limits::SCP_LINE_BYTES);
    let long = |length: usize| Bytes::from(format!("\x01{}", &name[..length]));
    let mut scp = upload("scp -t x");
    assert_eq!(scp.client(&long(limits::SCP_LINE_BYTES - 1)), Ok(vec![]));
    assert_eq!(client(&mut scp, b"x"), Err(Broken::ScpClient));
    let mut scp = upload("scp -r -t x");
    let mut deeper = |length: usize| {
        let entered = scp.client(&Bytes::from(format!("D0755 0 {}\n", &name[..length])));
        target(&mut scp, b"\0").map(|_| entered.is_ok())
    };
    let half = limits::SCP_PATH_BYTES / 2;
    assert_eq!(deeper(half), Ok(true));
    assert_eq!(deeper(half - 1), Ok(true));
    let mut scp = upload("scp -r -t x");
    let line = format!("D0755 0 {}\n", &name[..=limits::SCP_PATH_BYTES]);
    assert_eq!(scp.client(&Bytes::from(line)), Err(Broken::ScpClient));
}

proptest! {
    /// However the bytes are cut on their way, the same is recorded, and the same bytes are handed on.
    #[test]
    fn cuts_change_nothing(cuts in prop::collection::vec(1_usize..12, 1..40)) {
        let source = [
            &b"T1 0 1 0\n"[..], b"D0755 0 d\n", b"C0644 20 a\n", b"01234567890123456789\0", b"C0644 0 b\n", b"\0",
            b"\x01local: gone\n", b"E\n",
        ];
        let run = |cuts: &[usize]| {
            let (mut scp, mut cut) = (upload("scp -r -p -t x"), cuts.iter().cycle());
            let (mut events, mut passed) = (Vec::new(), Vec::new());
            for line in source {
                let mut rest = Bytes::from_static(line);
                while !rest.is_empty() {
                    let piece = rest.split_to((*cut.next().unwrap()).min(rest.len()));
                    for act in scp.client(&piece).unwrap() {
                        match act {
                            Act::ToTarget(bytes) => passed.extend_from_slice(&bytes),
                            Act::Record(event) => events.push(event),
                            Act::ToClient(_) => panic!("refused"),
                        }
                    }
                }
                if line.first() != Some(&1) {
                    events.extend(recorded(target(&mut scp, b"\0").unwrap()));
                }
            }
            (events, passed)
        };
        let (events, passed) = run(&cuts);
        prop_assert_eq!(&passed, &source.concat());
        prop_assert_eq!(events, run(&[usize::MAX]).0);
    }

    /// Whatever either side sends, it is refused by name or passes as it came, and what waits is bounded.
    #[test]
    fn whatever_comes_passes_as_it_is_or_not_at_all(
        writes: bool,
        said in prop::collection::vec((any::<bool>(), prop_oneof![
            Just(b"\0".to_vec()), Just(b"C0644 3 a\n".to_vec()), Just(b"abc\0".to_vec()), Just(b"D0755 0 d\n".to_vec()),
            Just(b"E\n".to_vec()), Just(b"T1 0 1 0\n".to_vec()), Just(b"\x01no\n".to_vec()), Just(b"\x02no\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..20),
        ]), 0..40),
    ) {
        let mut scp = follows(if writes { "scp -r -t x" } else { "scp -r -f x" }, ruled());
        let (mut came, mut went) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        for (up, bytes) in said {
            let bytes = Bytes::from(bytes);
            came[usize::from(up)].extend_from_slice(&bytes);
            let acts = if up { scp.client(&bytes) } else { scp.target(&bytes) };
            let Ok(acts) = acts else { break };
            for act in acts {
                match act {
                    Act::ToTarget(bytes) => went[1].extend_from_slice(&bytes),
                    Act::ToClient(bytes) => went[0].extend_from_slice(&bytes),
                    Act::Record(_) => {}
                }
            }
            if scp.turn == Turn::Over {
                break;
            }
            prop_assert!(scp.said.len() <= limits::SCP_LINE_BYTES);
            prop_assert!(came[0].starts_with(&went[0]) && came[1].starts_with(&went[1]));
        }
    }
}
