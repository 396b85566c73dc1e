//! Frames and whole recordings in another's place.

use super::*;

/// Puts a recording together from numbered parts: its preamble, its pairs of frame and checkpoint, its seek table.
fn pairs(bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>, Vec<u8>) {
    let frames = frames(bytes);
    let part = |range: &[(u32, usize, usize)]| bytes[range[0].1..range[range.len() - 1].2].to_vec();
    let first = if SEALED { 2 } else { 1 };
    let middle = &frames[first..frames.len() - 1];
    (
        part(&frames[..first]),
        middle.chunks(2).map(part).collect(),
        part(&frames[frames.len() - 1..]),
    )
}

fn assemble(preamble: &[u8], pairs: &[&Vec<u8>], table: &[u8]) -> Vec<u8> {
    let middle: Vec<u8> = pairs.iter().flat_map(|pair| pair.iter().copied()).collect();
    [preamble, &middle, table].concat()
}

#[test]
fn promise_09_frames_out_of_order_are_named() {
    let (whole, sealed) = recording(1, 4);
    let (preamble, parts, table) = pairs(&whole);
    let [a, b, c, d] = parts.as_slice() else {
        panic!("{} frames", parts.len())
    };
    let fault = |order: &[&Vec<u8>]| {
        let problem = check(&assemble(&preamble, order, &table)).unwrap_err();
        (problem.frame, problem.fault)
    };
    assert!(passes(&assemble(&preamble, &[a, b, c, d], &table), &sealed));
    assert!(matches!(
        fault(&[a, c, b, d]),
        (1, Fault::Reordered { found: 2 })
    ));
    assert!(matches!(
        fault(&[b, a, c, d]),
        (0, Fault::Reordered { found: 1 })
    ));
    assert!(matches!(
        fault(&[a, a, b, c, d]),
        (1, Fault::Reordered { found: 0 })
    ));
    assert!(matches!(
        fault(&[a, b, c, d, d]),
        (4, Fault::Altered("a frame follows the End"))
    ));
    assert!(matches!(
        fault(&[a, c, d]),
        (1, Fault::FramesMissing { found: 2 })
    ));
    assert!(matches!(
        fault(&[b, c, d]),
        (0, Fault::FramesMissing { found: 1 })
    ));
    assert!(matches!(
        fault(&[a, b, c]),
        (3, Fault::Cut("its End is missing"))
    ));
    assert!(matches!(fault(&[]), (0, Fault::Cut("its End is missing"))));
}

#[test]
fn promise_09_frames_from_elsewhere_are_named() {
    let (whole, _) = recording(1, 3);
    let (other, _) = recording(2, 3);
    let (preamble, parts, table) = pairs(&whole);
    let (_, others, other_table) = pairs(&other);
    for n in 0..3 {
        let mut spliced: Vec<&Vec<u8>> = parts.iter().collect();
        spliced[n] = &others[n];
        let problem = check(&assemble(&preamble, &spliced, &table)).unwrap_err();
        assert_eq!(problem.frame, n as u64);
        assert!(
            matches!(&problem.fault, Fault::Foreign { origin } if origin.ends_with(id(2).as_str())),
            "{problem}"
        );
    }
    // The whole of another recording under this one's name.
    let all: Vec<&Vec<u8>> = others.iter().collect();
    assert!(matches!(
        check(&assemble(&preamble, &all, &other_table))
            .unwrap_err()
            .fault,
        Fault::Foreign { .. }
    ));
    // A frame of another recording under this one's checkpoint.
    let (place, foreign) = (frames(&whole), frames(&other));
    let first = if SEALED { 2 } else { 1 };
    let mixed = [
        &whole[..place[first].1],
        &other[foreign[first].1..foreign[first].2],
        &whole[place[first].2..],
    ]
    .concat();
    let problem = check(&mixed).unwrap_err();
    assert_eq!(problem.frame, 0);
    // Whether a frame that nobody here can open is whole, nobody knows.
    let named = match problem.fault {
        Fault::NotSealedHere => !SEALED,
        Fault::Altered("a frame is not the one that was sealed") => SEALED,
        _ => false,
    };
    assert!(named, "{problem}");
    // Something after the end.
    let longer = [whole.as_slice(), &other].concat();
    assert!(matches!(
        check(&longer).unwrap_err().fault,
        Fault::Altered("something follows its end")
    ));
}

#[test]
fn promise_09_another_signer_is_named() {
    let (whole, _) = recording(1, 1);
    let stranger = key(9).public_key().clone();
    let trusts = Trusted::nobody().and(&signer().name, &stranger);
    let problem = verify::recording(Cursor::new(&whole), &id(1), &trusts).unwrap_err();
    assert!(
        matches!(
            problem.fault,
            Fault::WrongSigner(crate::sshsig::SigError::UnknownKey(_))
        ),
        "{problem}"
    );
    // A bastion cannot sign a recording that says it is another one's.
    let trusts = Trusted::nobody().and(&"other".parse().unwrap(), &public());
    let problem = verify::recording(Cursor::new(&whole), &id(1), &trusts).unwrap_err();
    assert!(
        matches!(&problem.fault, Fault::Content(why) if why.contains("it names bastion")),
        "{problem}"
    );
}

#[test]
fn promise_09_recordings_removed_added_and_replaced_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (one, sealed) = recording(1, 1);
    let (two, sealed_two) = recording(2, 1);
    let path = |n: u8| dir.path().join(format!("{}.cast.zst", id(n)));
    let mut logged = BTreeMap::from([(id(1), sealed.root), (id(2), sealed_two.root)]);
    let judge = |logged: &BTreeMap<SessionId, crate::digest::Digest>| {
        verify::directory(dir.path(), &trusted(), Some(logged)).unwrap()
    };
    fs::write(path(1), &one).unwrap();
    fs::write(path(2), &two).unwrap();
    assert!(matches!(
        judge(&logged).as_slice(),
        [(_, Verdict::Good(_)), (_, Verdict::Good(_))]
    ));

    fs::remove_file(path(1)).unwrap();
    let verdicts = judge(&logged);
    assert!(
        matches!(verdicts.as_slice(), [(gone, Verdict::Missing), (_, Verdict::Good(_))] if *gone == id(1))
    );

    // The same session recorded otherwise: good by itself.
    fs::write(path(1), recording(1, 2).0).unwrap();
    assert!(matches!(
        judge(&logged).as_slice(),
        [(_, Verdict::OtherRoot { .. }), (_, Verdict::Good(_))]
    ));

    logged.remove(&id(2));
    assert!(matches!(judge(&logged)[1].1, Verdict::NotInLog(_)));
}
