//! Sealed frames that no recorder writes, signed by a key that is trusted: what a bastion that was taken over could make.

use super::*;
use crate::recording::crypt::Vault;
use crate::recording::crypt::chunk;
use crate::recording::crypt::keys::Keys;
use crate::recording::crypt::statement::Head;
use crate::recording::frame::{self, Effort, Encrypted, Holds, SeekTable, Trailer};
use crate::recording::live::follows;
use crate::recording::seal;
use crate::tree::{Tree, leaf_hash};

/// A stored frame, and the times beside its checkpoint.
type Frame = (Vec<u8>, (u64, u64));

const END: End = End {
    reason: EndReason::Exit,
    exit: None,
};

struct Forge {
    vault: Vault,
    keys: Keys,
}

impl Forge {
    fn new() -> Self {
        let (vault, keys) = Vault::create(&id(1), &signer().name, &reviewer()).unwrap();
        Self { vault, keys }
    }

    fn head(&self, number: u64, (from_us, to_us): (u64, u64), end: Option<End>) -> Head {
        Head {
            statement: (number == 0).then(|| self.vault.statement().clone()),
            from_us,
            to_us,
            tail: 7,
            end,
        }
    }

    fn lines(&self, number: u64, head: &Head, lines: &[u8]) -> Frame {
        self.compressed(
            number,
            head,
            &frame::compress(lines, Effort::Small).unwrap(),
        )
    }

    fn compressed(&self, number: u64, head: &Head, body: &[u8]) -> Frame {
        let body = self.vault.close(number, head, body).unwrap();
        raw(Holds::Lines, &head.line(), &body, head)
    }

    /// The first frame, up to 5 µs.
    fn first(&self) -> Frame {
        let mut lines = header(id(1)).to_line();
        write(&mut lines, 0, 5, Data::Marker("here".into()));
        self.lines(0, &self.head(0, (0, 5), None), &lines)
    }

    /// The last frame, up to 9 µs, with the End that its head says.
    fn last(&self) -> Frame {
        let mut lines = Vec::new();
        write(&mut lines, 5, 9, Data::End(END));
        self.lines(1, &self.head(1, (5, 9), Some(END)), &lines)
    }

    fn recording(&self, frames: &[Frame], key: &PrivateKey) -> Vec<u8> {
        let keys = self.keys.payload();
        let mut bytes = frame::preamble(Some(&keys));
        let (mut tree, mut table) = (Tree::new(), SeekTable::beginning(Some(keys.len())));
        for (stored, times) in frames {
            tree.push(leaf_hash(stored));
            let trailer = Trailer::sign(key, seal::origin(&id(1)), &tree, *times).unwrap();
            let trailer = trailer.store();
            table.add(stored.len(), 0);
            table.add(trailer.len(), 0);
            bytes.extend(stored);
            bytes.extend(trailer);
        }
        bytes.extend(table.store());
        bytes
    }

    /// What is wrong with it, without a key and with one; nothing if it is good.
    fn judged(&self, frames: &[Frame]) -> [String; 2] {
        let bytes = self.recording(frames, &KEY);
        [trusted(), trusted().opening(Arc::new(identity(3)))].map(|trusted| {
            let checked = verify::recording(bytes.as_slice(), &id(1), &trusted);
            checked.map_or_else(|problem| problem.fault.to_string(), |_| "good".into())
        })
    }

    /// What reading it comes to.
    fn read(&self, frames: &[Frame]) -> Result<Vec<Event>, ReadError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{}.cast.zst", id(1)));
        fs::write(&path, self.recording(frames, &KEY)).unwrap();
        Reader::open(&path, &identity(3))?.all_events().collect()
    }
}

fn raw(holds: Holds, head: &[u8], body: &[u8], said: &Head) -> Frame {
    let stored = Encrypted::new(holds, head, body).stored;
    (stored, (said.from_us, said.to_us))
}

fn write(lines: &mut Vec<u8>, mut from_us: u64, at_us: u64, data: Data) {
    event::write_line(lines, &mut from_us, &Event { at_us, data });
}

fn malformed(why: &str) -> String {
    format!("the recording is not well formed: {why}")
}

#[test]
fn what_the_forge_makes_is_good_if_it_is_what_a_recorder_writes() {
    let forge = Forge::new();
    let frames = [forge.first(), forge.last()];
    assert_eq!(forge.judged(&frames), ["good", "good"]);
    assert_eq!(forge.read(&frames).unwrap().len(), 2);
}

#[test]
fn promise_09_no_other_bastion_can_go_on_with_a_sealed_recording() {
    let forge = Forge::new();
    let bytes = forge.recording(&[forge.first(), forge.last()], &key(8));
    let both = trusted().and(&"other".parse().unwrap(), key(8).public_key());
    let problem = verify::recording(bytes.as_slice(), &id(1), &both).unwrap_err();
    assert_eq!(
        problem.fault.to_string(),
        malformed("it names bastion, whose key has not signed it")
    );
}

#[test]
fn a_head_that_no_recorder_writes_is_refused_without_a_key() {
    let forge = Forge::new();
    let head = |number, times, end| forge.head(number, times, end);
    let first = || forge.first();
    let mut lines = Vec::new();
    write(&mut lines, 5, 9, Data::End(END));
    let with = |said: &Head| {
        let told = forge.judged(&[first(), forge.lines(1, said, &lines)]);
        assert_eq!(told[0], told[1]);
        told[0].clone()
    };
    let wrong_times = malformed("the times of a sealed frame are wrong");
    assert_eq!(with(&head(1, (4, 9), Some(END))), wrong_times);
    assert_eq!(with(&head(1, (5, 4), Some(END))), wrong_times);
    let misplaced = malformed("what is sealed here is said at the wrong place");
    let mut twice = head(0, (5, 9), Some(END));
    assert_eq!(with(&twice), misplaced);
    twice.statement = None;
    assert_eq!(with(&twice), "good");

    let said = head(1, (5, 9), Some(END));
    let line = String::from_utf8(said.line()).unwrap();
    let nothing = malformed("a sealed frame does not say what it is");
    let forged = [
        line.replace(':', ": "),
        line.replace("\"tail\"", "\"tale\""),
        line.replace("\"tail\":7", "\"tail\":7,\"more\":1"),
        line.replace("\"tail\":7", "\"tail\":-7"),
        line.replace("\"to_us\":9", "\"to_us\":18446744073709551616"),
        line.replace("\"to_us\":9,", ""),
        line.trim_end().to_owned(),
        "[".repeat(100_000) + "\n",
        String::new(),
    ];
    for head in forged {
        let frame = raw(Holds::Lines, head.as_bytes(), b"", &said);
        let told = forge.judged(&[first(), frame.clone()]);
        assert_eq!(told, [nothing.clone(), nothing.clone()], "{head:.80}");
        let read = forge.read(&[first(), frame]);
        assert!(
            matches!(&read, Err(ReadError::Damaged(why)) if why == "a sealed frame does not open"),
            "{read:?}"
        );
    }
}

#[test]
fn a_statement_of_another_session_or_without_its_key_is_refused() {
    let forge = Forge::new();
    let mut other = forge.head(0, (0, 5), None);
    if let Some(statement) = &mut other.statement {
        statement.session = id(2);
    }
    let told = forge.judged(&[forge.lines(0, &other, b""), forge.last()]);
    let why = malformed(&format!("it was sealed as session {}", id(2)));
    assert_eq!(told, [why.clone(), why]);
    let mut other = forge.head(0, (0, 5), None);
    if let Some(statement) = &mut other.statement {
        statement.commitment = crate::digest::Digest::of(b"another key");
    }
    let told = forge.judged(&[forge.lines(0, &other, b""), forge.last()]);
    // Nobody can say so without a key.
    assert_eq!(told[0], "good");
    assert_eq!(told[1], LockedError::Replaced.to_string());
}

/// With a key, what stands inside has to be what is said outside, and nothing there may cost more than it should.
#[test]
fn what_a_sealed_frame_holds_is_bounded_and_is_what_its_head_says() {
    let forge = Forge::new();
    let last = forge.head(1, (5, 9), Some(END));
    let mut lines = Vec::new();
    write(&mut lines, 5, 9, Data::End(END));
    let with = |frame: Frame| {
        let frames = [forge.first(), frame];
        let told = forge.judged(&frames);
        assert_eq!(told[0], "good");
        (
            told[1].clone(),
            forge.read(&frames).map(|events| events.len()),
        )
    };
    let closed = malformed("a sealed frame does not open");
    let unread = |read: Result<usize, ReadError>| matches!(read, Err(ReadError::Damaged(why)) if why == "a sealed frame does not open");
    // A frame of zeros that says it holds a gigabyte, one that holds too much, and none at all.
    let zeros = zstd::bulk::compress(&vec![b' '; config::limits::FRAME_MAX_BYTES + 1], 1).unwrap();
    for bomb in [zeros.as_slice(), b"", b"\x28\xb5\x2f\xfd"] {
        let (told, read) = with(forge.compressed(1, &last, bomb));
        assert_eq!(told, closed);
        assert!(unread(read));
    }
    // Sealed for another place, under another head, or cut within its nonce.
    let elsewhere = forge.lines(2, &last, &lines);
    let mut other = last.clone();
    other.tail = 8;
    let (body, _) = forge.lines(1, &other, &lines);
    let body = frame::encrypted(&body).unwrap();
    let (_, body) = Head::split(body.payload()).unwrap();
    let moved = raw(Holds::Lines, &last.line(), body, &last);
    let short = raw(Holds::Lines, &last.line(), &body[..23], &last);
    for frame in [elsewhere, moved, short] {
        let (told, read) = with(frame);
        assert_eq!(told, closed);
        assert!(unread(read));
    }
    // Times and an End that are others inside.
    let differs = malformed("a sealed frame holds something else than it says");
    let mut late = Vec::new();
    write(&mut late, 5, 8, Data::End(END));
    assert_eq!(with(forge.lines(1, &last, &late)).0, differs);
    let mut endless = Vec::new();
    write(&mut endless, 5, 9, Data::Marker("on".into()));
    assert_eq!(with(forge.lines(1, &last, &endless)).0, differs);
}

/// A tail that is kept as it stands is checked batch by batch, without a key.
#[test]
fn a_sealed_tail_that_no_bastion_leaves_is_refused_without_a_key() {
    let forge = Forge::new();
    let batch = |index: u32, to_us: u64, end: Option<&End>| {
        let mut lines = Vec::new();
        write(&mut lines, 5, to_us, Data::Marker("on".into()));
        forge.vault.chunk(1, index, to_us, end, &lines).unwrap()
    };
    let first_line = follows(1, 7).into_bytes();
    let tail = |first: &[u8], batches: &[Vec<u8>], to_us: u64, end: Option<End>| {
        let body = [first, &batches.concat()].concat();
        let mut head = forge.head(1, (5, to_us), end);
        head.tail = body.len() as u64;
        raw(Holds::Chunks, &head.line(), &body, &head)
    };
    let judged = |frame: Frame| forge.judged(&[forge.first(), frame])[0].clone();
    let crash = || {
        Some(End {
            reason: EndReason::Crash,
            exit: None,
        })
    };
    let two = [batch(0, 6, None), batch(1, 9, None)];
    assert_eq!(judged(tail(&first_line, &two, 9, crash())), "good");
    let none = malformed("a sealed frame is not the tail that it says it is");
    let refused = |frame: Frame| assert_eq!(judged(frame), none);
    refused(tail(&follows(1, 8).into_bytes(), &two, 9, crash()));
    refused(tail(&follows(2, 7).into_bytes(), &two, 9, crash()));
    refused(tail(b"", &two, 9, crash()));
    refused(tail(&first_line, &two, 8, crash()));
    let backwards = [batch(0, 9, None), batch(1, 6, None)];
    refused(tail(&first_line, &backwards, 6, crash()));
    let early = [batch(0, 4, None)];
    refused(tail(&first_line, &early, 9, crash()));
    // An End within, and another one said; one that something follows; two.
    let ends = [batch(0, 6, None), batch(1, 9, Some(&END))];
    assert_eq!(judged(tail(&first_line, &ends, 9, Some(END))), "good");
    refused(tail(&first_line, &ends, 9, crash()));
    refused(tail(
        &first_line,
        &[batch(0, 6, Some(&END)), batch(1, 9, None)],
        9,
        Some(END),
    ));
    refused(tail(
        &first_line,
        &[batch(0, 6, Some(&END)), batch(1, 9, Some(&END))],
        9,
        Some(END),
    ));
    // Cut at each byte of the last batch, and altered there.
    let good = [first_line.as_slice(), &two.concat()].concat();
    let at = good.len() - two[1].len();
    for cut in at + 1..good.len() {
        refused(tail(&good[..cut], &[], 9, crash()));
        let mut altered = good.clone();
        altered[cut] ^= 1;
        refused(tail(&altered, &[], 9, crash()));
    }
    // A batch that says it is longer than any.
    let mut long = good.clone();
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    refused(tail(&long, &[], 9, crash()));
    assert_eq!(chunk::read(&long[first_line.len()..]).0.len(), 1);
}

#[test]
fn a_sealed_frame_that_says_it_is_longer_than_any_is_refused_unread() {
    let forge = Forge::new();
    let (mut stored, _) = forge.first();
    stored[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let bytes = [frame::preamble(Some(&forge.keys.payload())), stored].concat();
    let problem = verify::recording(bytes.as_slice(), &id(1), &trusted()).unwrap_err();
    assert_eq!(
        problem.fault.to_string(),
        "the recording was altered: a skippable frame is larger than any that is recorded"
    );
}
