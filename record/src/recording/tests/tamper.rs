#[path = "tamper/moved.rs"]
mod moved;

use super::*;
use crate::recording::header::HeaderError;
use std::io::Cursor;

/// Where the frames of a stored recording lie: (magic, from, to).
fn frames(bytes: &[u8]) -> Vec<(u32, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let magic = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let length = if magic == 0xFD2F_B528 {
            zstd::zstd_safe::find_frame_compressed_size(&bytes[at..]).unwrap()
        } else {
            8 + usize::try_from(u32::from_le_bytes(
                bytes[at + 4..at + 8].try_into().unwrap(),
            ))
            .unwrap()
        };
        found.push((magic, at, at + length));
        at += length;
    }
    found
}

/// A finished recording of a few frames, with its sealed value.
fn recording(session: u8, frames: u8) -> (Vec<u8>, Sealed) {
    let dir = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let (store, _) = open_with(dir.path(), clock.clone(), Box::new(OsDisk));
    let mut recorder = store.create(&header(id(session)), &recipients()).unwrap();
    for n in 0..frames {
        // Shorter than a tail's life: the last one is sealed by the End and by nothing else.
        clock.step(1_000_000);
        recorder
            .output(format!("session {session} frame {n}"))
            .unwrap()
            .into_inner();
        if n + 1 < frames {
            // The store's thread seals what is older than ten minutes.
            let tail = dir
                .path()
                .join(format!("{}.{:06}.tail", id(session), n + 1));
            clock.step(600_000_000);
            while !tail.exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    let sealed = recorder.finish(EndReason::Exit).unwrap();
    assert_eq!(sealed.frames, u64::from(frames));
    (
        fs::read(dir.path().join(format!("{}.cast.zst", id(session)))).unwrap(),
        sealed,
    )
}

fn check(bytes: &[u8]) -> Result<verify::Checked, Problem> {
    verify::recording(Cursor::new(bytes), &id(1), &trusted())
}

/// Checked bytes are good, and are the ones that the bastion finished.
fn passes(bytes: &[u8], sealed: &Sealed) -> bool {
    check(bytes).is_ok_and(|checked| checked.end.is_some() && checked.root == sealed.root)
}

#[test]
fn promise_09_every_altered_byte_is_named() {
    let (whole, sealed) = recording(1, 2);
    assert!(passes(&whole, &sealed));
    let frames = frames(&whole);
    for at in 0..whole.len() {
        // The wrapped key is not under the signatures, so that it can be destroyed and replaced.
        if frames
            .iter()
            .any(|(magic, from, to)| *magic == 0x184D_2A57 && (from + 8..*to).contains(&at))
        {
            continue;
        }
        // The third turns the escape of a newline into that of another white space.
        for flip in [0x01, 0x20, 0x1c, 0x80, 0xff] {
            let mut altered = whole.clone();
            altered[at] ^= flip;
            let problem = check(&altered).expect_err(&format!("byte {at} ^ {flip:#x} passes"));
            // The place that is named is the frame that the byte is in; with a frame goes its checkpoint.
            let frame = frames
                .iter()
                .position(|(_, from, to)| (*from..*to).contains(&at))
                .unwrap();
            let start = if frames[frame].0 == 0x184D_2A56 {
                frames[frame - 1].1
            } else {
                frames[frame].1
            };
            assert_eq!(
                problem.offset, start as u64,
                "byte {at} ^ {flip:#x}: {problem}"
            );
        }
    }
}

#[test]
fn promise_09_every_cut_is_named() {
    let (whole, _) = recording(1, 2);
    let frames = frames(&whole);
    for at in 0..whole.len() {
        match check(&whole[..at]) {
            Err(Problem {
                fault: Fault::Cut(_),
                offset,
                ..
            }) => assert!(offset <= at as u64),
            // Between two frames a recording that still runs looks the same, but for its End.
            Ok(checked) => {
                assert!(frames.iter().any(|(_, _, to)| *to == at), "cut at {at}");
                assert_eq!(checked.end, None, "cut at {at}");
            }
            other => panic!("cut at {at}: {other:?}"),
        }
        // In a directory, a recording without its End has its lines beside it, or else was cut.
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(format!("{}.cast.zst", id(1))), &whole[..at]).unwrap();
        let verdicts = verify::directory(dir.path(), &trusted(), None).unwrap();
        assert!(
            matches!(
                verdicts.as_slice(),
                [(
                    _,
                    Verdict::Bad(Problem {
                        fault: Fault::Cut(_),
                        ..
                    })
                )]
            ),
            "cut at {at}: {verdicts:?}"
        );
    }
}

#[test]
fn stock_ssh_keygen_checks_a_checkpoint() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let (whole, _) = recording(1, 1);
    let dir = tempfile::tempdir().unwrap();
    let trailer = frames(&whole)[if SEALED { 3 } else { 2 }];
    let json: serde_json::Value = serde_json::from_slice(&whole[trailer.1 + 8..trailer.2]).unwrap();
    fs::write(dir.path().join("sig"), json["signature"].as_str().unwrap()).unwrap();
    let line = format!(
        "bastion namespaces=\"checkpoint@hallpass\" {}\n",
        public().to_openssh().unwrap()
    );
    fs::write(dir.path().join("allowed"), &line).unwrap();
    let mut child = Command::new("ssh-keygen")
        .args([
            "-Y",
            "verify",
            "-n",
            "checkpoint@hallpass",
            "-I",
            "bastion",
            "-f",
        ])
        .arg(dir.path().join("allowed"))
        .arg("-s")
        .arg(dir.path().join("sig"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(json["checkpoint"].as_str().unwrap().as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());

    let trusts = Trusted::from_allowed_signers(&line).unwrap();
    assert!(verify::recording(Cursor::new(&whole), &id(1), &trusts).is_ok());
    for bad in [
        "bastion",
        "* ssh-ed25519 AAAA",
        "bastion cert-authority ssh-ed25519 AAAA",
        "b namespaces=\"x ssh-ed25519",
    ] {
        assert!(Trusted::from_allowed_signers(bad).is_err(), "{bad}");
    }
    let elsewhere = line.replace("checkpoint@", "other@");
    let trusts = Trusted::from_allowed_signers(&elsewhere).unwrap();
    assert!(matches!(
        verify::recording(Cursor::new(&whole), &id(1), &trusts)
            .unwrap_err()
            .fault,
        Fault::WrongSigner(_)
    ));
}

/// A frame around `lines`, with a checkpoint that a trusted key has signed: what a bastion that was taken over could
/// write.
fn hostile(stored: &[u8]) -> Vec<u8> {
    use crate::recording::{frame, seal};
    let mut tree = crate::tree::Tree::new();
    tree.push(crate::tree::leaf_hash(stored));
    let trailer = frame::Trailer::sign(&KEY, seal::origin(&id(1)), &tree, (0, 0)).unwrap();
    [frame::preamble(None), stored.to_vec(), trailer.store()].concat()
}

#[test]
fn promise_38_a_frame_that_grows_beyond_the_limit_is_refused() {
    use config::limits::{FRAME_MAX_BYTES, SKIPPABLE_MAX_BYTES};
    if SEALED {
        // The frames inside are the same, and only who holds the key comes to them.
        return;
    }
    let altered = |bytes: &[u8]| match check(bytes).unwrap_err().fault {
        Fault::Altered(why) => why,
        other => panic!("{other:?}"),
    };
    let compress = |size: usize| {
        use crate::recording::frame::{Effort, compress};
        compress(&vec![b' '; size], Effort::Small).unwrap()
    };
    assert_eq!(
        altered(&hostile(&compress(FRAME_MAX_BYTES + 1))),
        "a frame holds more than any that is recorded"
    );
    let content = check(&hostile(&compress(FRAME_MAX_BYTES)))
        .unwrap_err()
        .fault;
    assert!(
        matches!(&content, Fault::Content(why) if why == "a frame ends within a line"),
        "{content:?}"
    );

    // It says less than it holds.
    let mut liar = compress(100_000);
    let at = 5;
    assert_eq!(liar[4] >> 6, 2, "four bytes of size follow the descriptor");
    liar[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
    assert_eq!(altered(&hostile(&liar)), "a frame does not decompress");
    // It does not say how much it holds.
    let mut silent = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    silent.extend([3, 0, 0x10, b'x']);
    assert_eq!(
        altered(&hostile(&silent)),
        "a frame does not say how large it is"
    );

    let preamble = crate::recording::frame::preamble(None);
    let skippable = |length: u32| {
        [
            &preamble,
            &0x184D_2A56_u32.to_le_bytes()[..],
            &length.to_le_bytes(),
        ]
        .concat()
    };
    let most = u32::try_from(SKIPPABLE_MAX_BYTES).unwrap();
    assert_eq!(
        altered(&skippable(most + 1)),
        "a skippable frame is larger than any that is recorded"
    );
    assert_eq!(
        altered(&skippable(u32::MAX)),
        "a skippable frame is larger than any that is recorded"
    );
    assert!(matches!(
        check(&skippable(most)).unwrap_err().fault,
        Fault::Cut(_)
    ));
    // Blocks without end.
    let endless = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xa0][..],
        &1000_u32.to_le_bytes(),
        &[0, 0, 0].repeat(FRAME_MAX_BYTES),
    ]
    .concat();
    assert_eq!(
        altered(&[preamble, endless].concat()),
        "a frame is larger than any that is recorded"
    );
}

#[test]
fn versions_too_new_and_too_old_are_different_errors() {
    let (whole, _) = recording(1, 1);
    let mut bytes = whole;
    let at = 8 + "hallpass recording ".len();
    bytes[at] = b'2';
    assert!(matches!(check(&bytes).unwrap_err().fault, Fault::Version(version) if version == "2"));

    let line = String::from_utf8(header(id(1)).to_line()).unwrap();
    assert_eq!(Header::from_line(&line).unwrap(), header(id(1)));
    let with = |version: &str| {
        line.replace(
            "\"hallpass\":{\"version\":1",
            &format!("\"hallpass\":{{\"version\":{version}"),
        )
    };
    assert_eq!(
        Header::from_line(&with("2")).unwrap_err(),
        HeaderError::TooNew(2)
    );
    assert_eq!(
        Header::from_line(&with("0")).unwrap_err(),
        HeaderError::TooOld(0)
    );
    let second = line.replacen("\"version\":3", "\"version\":2", 1);
    assert_eq!(
        Header::from_line(&second).unwrap_err(),
        HeaderError::Asciicast(2)
    );
    let large = line.replacen("\"cols\":80", "\"cols\":1001", 1);
    assert_eq!(
        Header::from_line(&large).unwrap_err(),
        HeaderError::Size {
            cols: 1001,
            rows: 24
        }
    );
}
