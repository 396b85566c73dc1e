use ssh_key::private::Ed25519Keypair;
use tempfile::TempDir;

use super::*;
use crate::checkpoint::cosign::WitnessKey;
use crate::checkpoint::note;
use crate::tree::leaf_hash;
use crate::tree::proof::consistency;

const ORIGIN: &str = "ca.example.com/hallpass";

fn key(seed: u8) -> PrivateKey {
    Ed25519Keypair::from_seed(&[seed; 32]).into()
}

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn leaves(count: u64, branch: u64) -> Vec<Hash> {
    let leaf = |n: u64| leaf_hash(&(n + if n >= 2 { branch } else { 0 }).to_be_bytes());
    (0..count).map(leaf).collect()
}

/// A checkpoint of a log that turns into this branch at its third entry.
fn note_of(origin: &str, signer: u8, count: u64, branch: u64) -> String {
    let mut tree = Tree::new();
    for leaf in leaves(count, branch) {
        tree.push(leaf);
    }
    let body = Checkpoint::of(origin, &tree).to_string();
    note::sign(&name(origin), &key(signer), &body).unwrap()
}

fn ask(old: u64, count: u64, branch: u64) -> Ask {
    let old_size = usize::try_from(old).unwrap();
    Ask {
        old,
        proof: consistency(&leaves(count, branch), old_size).unwrap_or_default(),
        note: note_of(ORIGIN, 1, count, branch),
    }
}

struct Witness {
    dir: TempDir,
    logs: Vec<NoteKey>,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    No(#[from] No),
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Witness {
    fn new() -> Self {
        let log = NoteKey::new(name(ORIGIN), key(1).public_key()).unwrap();
        Self {
            dir: tempfile::tempdir().unwrap(),
            logs: vec![log],
        }
    }

    /// One call, by a process that has just started.
    fn call(&self, ask: &Ask) -> Result<String, No> {
        let mut memory = Memory::open(self.dir.path()).unwrap();
        let last = |origin: &KeyName| Ok::<_, Fault>(memory.last(origin)?);
        let ask = Ask::parse(ask.body().as_bytes())?;
        let consistent = match judge(ask, &self.logs, last) {
            Ok(consistent) => consistent,
            Err(Fault::No(no)) => return Err(no),
            Err(fault) => panic!("{fault}"),
        };
        let kept = memory.keep(consistent).unwrap();
        Ok(kept
            .cosign(&name("w1"), &key(9), UnixTime::from_secs(5))
            .unwrap())
    }
}

#[test]
fn promise_09_a_witness_cosigns_what_continues_and_nothing_else() {
    let witness = Witness::new();
    let public = WitnessKey::new(name("w1"), key(9).public_key()).unwrap();
    let line = witness.call(&ask(0, 3, 0)).unwrap();
    let note = note_of(ORIGIN, 1, 3, 0) + &line;
    assert_eq!(public.cosigned(&note), Ok(UnixTime::from_secs(5)));
    // The same again, and further.
    witness.call(&ask(3, 3, 0)).unwrap();
    witness.call(&ask(3, 7, 0)).unwrap();

    // Back, forked at the same size, forked and longer.
    assert_eq!(witness.call(&ask(3, 5, 0)), Err(No::Conflict(7)));
    assert_eq!(witness.call(&ask(0, 9, 0)), Err(No::Conflict(7)));
    assert_eq!(witness.call(&ask(7, 7, 100)), Err(No::Fork { size: 7 }));
    let forked = witness.call(&ask(7, 9, 100)).unwrap_err();
    assert!(matches!(forked, No::Inconsistent(_)), "{forked}");
    let shrunk = witness.call(&ask(7, 6, 0)).unwrap_err();
    assert_eq!(shrunk.status(), 400);
    // A proof too many, or one too few.
    let mut long = ask(7, 9, 0);
    long.proof.push(leaf_hash(b"more"));
    assert_eq!(witness.call(&long).unwrap_err().status(), 422);
    let mut short = ask(7, 9, 0);
    short.proof.pop();
    assert_eq!(witness.call(&short).unwrap_err().status(), 422);
    // And after all that the honest log goes on.
    witness.call(&ask(7, 9, 0)).unwrap();
}

#[test]
fn only_the_logs_it_watches_and_only_by_their_keys() {
    let witness = Witness::new();
    let call = |note: String| {
        let (old, proof) = (0, Vec::new());
        witness.call(&Ask { old, proof, note }).unwrap_err()
    };
    assert_eq!(call(note_of("other.example/log", 1, 3, 0)), No::UnknownLog);
    assert_eq!(call(note_of(ORIGIN, 2, 3, 0)), No::Unsigned);
    let broken = note_of(ORIGIN, 1, 3, 0).replace("\n3\n", "\n4\n");
    assert_eq!(call(broken), No::Unsigned);
    let statuses = [No::UnknownLog, No::Unsigned, No::Conflict(1)].map(|no| no.status());
    assert_eq!(statuses, [404, 403, 409]);
}

#[test]
fn what_is_not_a_call_is_refused() {
    let body = ask(3, 7, 0).body();
    assert_eq!(Ask::parse(body.as_bytes()).unwrap(), ask(3, 7, 0));
    let hash = leaf_hash(b"x").to_string() + "\n";
    let bad = [
        String::new(),
        body.replace("old 3", "old 03"),
        body.replace("old 3", "old -3"),
        body.replace("old 3", "new 3"),
        body.replace("old 3\n", ""),
        body.replace("\n\n", "\n"),
        body.replacen("=\n", "\n", 1),
        body.replacen("old 3\n", &format!("old 3\n{}", hash.repeat(64)), 1),
        body + &"x".repeat(BODY_BYTES),
    ];
    for bad in bad {
        let read = Ask::parse(bad.as_bytes());
        assert!(matches!(read, Err(No::Malformed(_))), "{bad:.200}");
    }
    assert!(Ask::parse(&[0xff]).is_err());
}

#[test]
fn a_witness_whose_memory_is_damaged_cosigns_nothing() {
    let witness = Witness::new();
    witness.call(&ask(0, 3, 0)).unwrap();
    let memory = Memory::open(witness.dir.path()).unwrap();
    let second = Memory::open(witness.dir.path());
    assert!(matches!(second, Err(MemoryError::Locked(_))));
    let path = memory.path(ORIGIN);
    for damage in ["", "x", "other\n3\nAAAA\n\n"] {
        std::fs::write(&path, damage).unwrap();
        let last = memory.last(&name(ORIGIN));
        assert!(matches!(last, Err(MemoryError::Damaged(_))), "{damage}");
    }
}
