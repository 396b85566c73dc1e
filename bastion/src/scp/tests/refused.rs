//! What the role does not give, and what is not the protocol.

use super::*;

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
