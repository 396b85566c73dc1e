mod refused;

use super::rules::EOF;
use super::*;
use crate::files::{NO_PATH, NO_READS, NO_WRITES};
use proptest::prelude::*;
use record::recording::Outcome;

const OPEN: u8 = 3;

const CLOSE: u8 = 4;

const READ: u8 = 5;

const WRITE: u8 = 6;

const REMOVE: u8 = 13;

const EXTENDED: u8 = 200;

fn rules() -> FileRules {
    FileRules::default()
}

/// A transfer whose versions have been said.
fn running(rules: FileRules) -> Sftp {
    let mut sftp = Sftp::new(rules);
    sftp.client(&Packet::new(ask::INIT).u32(3).done()).unwrap();
    sftp.target(&Packet::new(ask::VERSION).u32(3).done())
        .unwrap();
    sftp
}

fn open(id: u32, path: &str, flags: u32) -> Bytes {
    Packet::new(OPEN)
        .u32(id)
        .string(path.as_bytes())
        .u32(flags)
        .u32(0)
        .done()
}

fn handle(id: u32, handle: &str) -> Bytes {
    Packet::new(ask::HANDLE)
        .u32(id)
        .string(handle.as_bytes())
        .done()
}

fn close(id: u32, handle: &str) -> Bytes {
    Packet::new(CLOSE).u32(id).string(handle.as_bytes()).done()
}

fn ok(id: u32) -> Bytes {
    Packet::new(ask::STATUS)
        .u32(id)
        .u32(0)
        .string(b"")
        .string(b"")
        .done()
}

fn at(packet: Packet, offset: u64) -> Packet {
    let (high, low) = (
        u32::try_from(offset >> 32).unwrap(),
        u32::try_from(offset & 0xffff_ffff).unwrap(),
    );
    packet.u32(high).u32(low)
}

fn write(id: u32, handle: &str, offset: u64, data: &[u8]) -> Bytes {
    at(Packet::new(WRITE).u32(id).string(handle.as_bytes()), offset)
        .string(data)
        .done()
}

fn read(id: u32, handle: &str, offset: u64) -> Bytes {
    at(Packet::new(READ).u32(id).string(handle.as_bytes()), offset)
        .u32(32768)
        .done()
}

fn data(id: u32, data: &[u8]) -> Bytes {
    Packet::new(ask::DATA).u32(id).string(data).done()
}

fn to_target(acts: &[Act]) -> Vec<&Bytes> {
    let sent = acts.iter().filter_map(|act| match act {
        Act::ToTarget(bytes) => Some(bytes),
        _ => None,
    });
    sent.collect()
}

fn recorded(acts: &[Act]) -> Vec<&FileEvent> {
    let events = acts.iter().filter_map(|act| match act {
        Act::Record(event) => Some(event),
        _ => None,
    });
    events.collect()
}

/// The status that the client is told, if it is told one.
fn told(acts: &[Act]) -> Option<u32> {
    acts.iter().find_map(|act| match act {
        Act::ToClient(bytes) if bytes[4] == ask::STATUS => {
            Some(u32::from_be_bytes(bytes[9..13].try_into().unwrap()))
        }
        _ => None,
    })
}

#[test]
fn promise_10_a_download_is_told_before_it_is_handed_on_and_summed_up_when_it_is_closed() {
    let mut sftp = running(rules());
    let asked = sftp.client(&open(1, "/etc/passwd", 1)).unwrap();
    let mode = OpenMode {
        read: true,
        write: false,
        append: false,
        create: false,
        truncate: false,
    };
    let path = FilePath::Text("/etc/passwd".to_owned());
    assert_eq!(
        asked,
        [
            Act::Record(FileEvent::Asked {
                n: 1,
                op: FileOp::Open,
                path,
                to: None,
                open: Some(mode)
            }),
            Act::ToTarget(open(1, "/etc/passwd", 1)),
        ]
    );
    let answered = sftp.target(&handle(1, "h")).unwrap();
    assert_eq!(
        answered[0],
        Act::Record(FileEvent::Done {
            n: 1,
            outcome: Outcome::Ok
        })
    );
    // Two reads, answered the other way round.
    sftp.client(&read(2, "h", 0)).unwrap();
    sftp.client(&read(3, "h", 5)).unwrap();
    sftp.target(&data(3, b" there")).unwrap();
    sftp.target(&data(2, b"hello")).unwrap();
    sftp.client(&close(4, "h")).unwrap();
    let closed = sftp.target(&ok(4)).unwrap();
    let digest = Some(record::digest::Digest::of(b"hello there"));
    let read = Some(record::recording::Transfer {
        from: 0,
        bytes: 11,
        digest,
    });
    let moved = FileEvent::Moved {
        n: 1,
        read,
        written: None,
        closed: true,
    };
    assert_eq!(closed, [Act::Record(moved), Act::ToClient(ok(4))]);
    assert_eq!(sftp.finish(), []);
}

#[test]
fn what_nobody_closed_is_summed_up_at_the_end() {
    let mut sftp = running(rules());
    sftp.client(&open(1, "up", 2 | 8)).unwrap();
    sftp.target(&handle(1, "h")).unwrap();
    sftp.client(&write(2, "h", 0, b"abc")).unwrap();
    let digest = Some(record::digest::Digest::of(b"abc"));
    let written = Some(record::recording::Transfer {
        from: 0,
        bytes: 3,
        digest,
    });
    assert_eq!(
        sftp.finish(),
        [FileEvent::Moved {
            n: 1,
            read: None,
            written,
            closed: false
        }]
    );
}
