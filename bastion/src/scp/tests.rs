mod refused;

use super::*;
use crate::files::{NO_PATH, NO_READS, NO_WRITES, TOO_LARGE};
use proptest::prelude::*;
use record::digest::Digest;
use record::recording::{FilePath, OpenMode, Outcome, Transfer};

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
