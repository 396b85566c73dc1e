//! What happens when the log, the store or the process fails at any step.

mod batches;

use super::*;
use crate::cert::Plan;
use crate::signer::{SignFault, Signer};
use crate::state::Rows;
use record::entry::Authority;
use record::log::{Encoded, LogKeys};
use ssh_key::PublicKey;
use std::sync::Mutex as SyncMutex;

/// Everything that was ever signed.
type Signed = Arc<SyncMutex<Vec<Vec<u8>>>>;

struct Counting {
    inner: Arc<dyn Signer>,
    entries: std::path::PathBuf,
    signed: Signed,
}

impl Signer for Counting {
    fn public(&self) -> &PublicKey {
        self.inner.public()
    }

    fn sign(&self, to_be_signed: &[u8]) -> Result<Vec<u8>, SignFault> {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(to_be_signed);
        let log = std::fs::read_to_string(&self.entries).unwrap();
        assert!(
            log.contains(&text),
            "it stands in the log before it is signed"
        );
        self.signed.lock().unwrap().push(to_be_signed.to_vec());
        self.inner.sign(to_be_signed)
    }
}

/// Counts down to the one call that fails, before or after it has done its work.
struct Fault {
    left: Option<usize>,
    happened: bool,
}

impl Fault {
    /// Whether this call fails, and whether its work is done.
    fn strikes(&mut self) -> (bool, bool) {
        match self.left {
            Some(0) => {
                self.left = None;
                (true, self.happened)
            }
            Some(n) => {
                self.left = Some(n - 1);
                (false, true)
            }
            None => (false, true),
        }
    }
}

/// Waits at its second batch, the first after the start's line, until it may go on; and counts the batches.
#[derive(Default)]
struct Gate {
    open: Option<std::sync::mpsc::Receiver<()>>,
    batches: Arc<SyncMutex<Vec<usize>>>,
}

struct FaultyJournal(Log, Fault, Gate);

impl Journal for FaultyJournal {
    fn append(&mut self, lines: &[Encoded]) -> Result<Position, LogError> {
        let mut batches = self.2.batches.lock().unwrap();
        if batches.len() == 1
            && let Some(gate) = self.2.open.take()
        {
            gate.recv().unwrap();
        }
        batches.push(lines.len());
        let (fails, works) = self.1.strikes();
        let done = if works {
            Some(self.0.append_all(lines)?)
        } else {
            None
        };
        done.filter(|_| !fails).ok_or(LogError::Poisoned)
    }

    fn position(&self) -> Position {
        self.0.position()
    }

    fn hold(&mut self, keys: LogKeys) {
        self.0.hold(keys);
    }
}

struct FaultyStore(Shelf, SyncMutex<Fault>);

impl FaultyStore {
    fn call(&self, work: impl FnOnce(&Shelf) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let (fails, works) = self.1.lock().unwrap().strikes();
        if works {
            work(&self.0)?;
        }
        if fails {
            return Err(StoreError::Io {
                path: "rows".into(),
                source: std::io::Error::from_raw_os_error(28),
            });
        }
        Ok(())
    }
}

impl Store for FaultyStore {
    fn position(&self) -> Result<Option<Position>, StoreError> {
        self.0.position()
    }

    fn row(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.row(key)
    }

    fn last(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.0.last(prefix, each)
    }

    fn commit(&self, position: Position, rows: Rows) -> Result<(), StoreError> {
        self.call(|shelf| shelf.commit(position, rows))
    }

    fn inventory(&self) -> Result<Box<dyn Inventory + '_>, StoreError> {
        self.0.inventory()
    }

    fn clear(&self) -> Result<(), StoreError> {
        self.0.clear()
    }

    fn fill(&self, rows: Rows) -> Result<(), StoreError> {
        self.0.fill(rows)
    }
}

/// A desk whose nth write to the log or the store fails.
fn faulty(
    world: &World,
    log: Fault,
    store: Fault,
    signed: &Signed,
) -> Result<Arc<Desk>, DeskError> {
    gated(world, log, store, signed, Gate::default())
}

fn gated(
    world: &World,
    log: Fault,
    store: Fault,
    signed: &Signed,
    gate: Gate,
) -> Result<Arc<Desk>, DeskError> {
    let data = world.path().join("ca");
    let mut keys = Keys::load(&world.config()).unwrap();
    keys.signers = keys.signers.map(|inner| {
        Arc::new(Counting {
            inner,
            entries: data.join("log/entries"),
            signed: signed.clone(),
        })
    });
    let unread = record::log::Unread::lock(&data.join("log")).unwrap();
    let shelf = Shelf::open(&data.join("store")).unwrap();
    let (real, state) = start::read(unread, keys.log.clone(), &shelf)?;
    Desk::serve(Opened::assemble(
        world.config(),
        world.clock.clone(),
        keys,
        state,
        Box::new(FaultyJournal(real, log, gate)),
        Arc::new(FaultyStore(shelf, SyncMutex::new(store))),
    )?)
}

/// The whole day: ask, approve, collect, a door, a session, its end.
async fn day(desk: &Desk) -> Result<(), Refused> {
    let alice = caller("alice", "alice");
    let id = desk.request(&alice, ask("postgres@db1.prod")).await?.id;
    approve(desk, &id, "bob", "bob").await?;
    let issued = desk.collect(&alice, &id).await?;
    let door = api::DoorAsk {
        door: api::Door::Own,
        key: line("door"),
    };
    desk.door(&gate(), door).await?;
    desk.open_session(&gate(), session_ask(1, &issued.certificate))
        .await?;
    let end = api::SessionEnd {
        session: session(1),
        reason: "exit".to_owned(),
        root: Digest::of(b"root"),
        frames: 1,
    };
    desk.end_session(&gate(), end).await?;
    Ok(())
}

/// The batches of the day, the start's line among them.
const WRITES: usize = 7;

fn none() -> Fault {
    Fault {
        left: None,
        happened: false,
    }
}

fn intents(world: &World) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let lines = world.lines();
    let issues = lines.iter().filter_map(|line| match &line.entry {
        Entry::Issue { to_be_signed, .. } => Some(to_be_signed),
        _ => None,
    });
    issues
        .map(|text| {
            base64::engine::general_purpose::STANDARD
                .decode(text)
                .unwrap()
        })
        .collect()
}

#[tokio::test]
async fn promise_21_whatever_fails_nothing_is_signed_that_the_log_does_not_hold() {
    for in_log in [true, false] {
        for happened in [false, true] {
            for n in 0..=WRITES {
                let world = World::new();
                let signed = Signed::default();
                let fault = Fault {
                    left: Some(n),
                    happened,
                };
                let (log, store) = if in_log {
                    (fault, none())
                } else {
                    (none(), fault)
                };
                let done = match faulty(&world, log, store, &signed) {
                    Ok(desk) => {
                        let done = day(&desk).await;
                        if done.is_err() {
                            let refused = desk
                                .request(&caller("alice", "alice"), ask("viewer@db1.prod"))
                                .await;
                            assert!(
                                matches!(refused, Err(Refused::Unavailable(_))),
                                "promise 22: after a failure nothing is taken"
                            );
                        }
                        done
                    }
                    Err(DeskError::Unavailable(why)) => Err(why),
                    Err(other) => panic!("{other}"),
                };
                assert_eq!(done.is_ok(), n == WRITES, "write {n}: {done:?}");
                let logged = intents(&world);
                let signed = signed.lock().unwrap().clone();
                assert!(
                    signed.iter().all(|bytes| logged.contains(bytes)),
                    "write {n}"
                );
                assert!(signed.len() <= logged.len(), "write {n}");
                // And a restart goes on from what the log says.
                let desk = world.open();
                let again = SessionFilter::default();
                drop(desk.sessions(&caller("alice", "alice"), &again));
                asked(&desk).await;
            }
        }
    }
}

#[tokio::test]
async fn promise_21_an_intent_without_a_signature_becomes_that_very_certificate() {
    let world = World::new();
    let signed = Signed::default();
    let desk = world.open();
    let id = granted(&desk).await;
    drop(desk);
    // The append of the intent has happened, and the CA died before it knew.
    let fault = Fault {
        left: Some(1),
        happened: true,
    };
    let desk = faulty(&world, fault, none(), &signed).unwrap();
    let alice = caller("alice", "alice");
    assert!(desk.collect(&alice, &id).await.is_err());
    assert_eq!(signed.lock().unwrap().len(), 0);
    drop(desk);
    let [intent] = <[Vec<u8>; 1]>::try_from(intents(&world)).unwrap();
    let issued = collected(&world.open(), &id).await;
    let read = crate::lint::read_line(&issued.certificate).unwrap();
    assert_eq!(read.to_be_signed, intent);
    assert_eq!(world.issues(Authority::User), 1);
}

#[tokio::test]
async fn promise_22_a_log_that_lost_lines_stops_the_start() {
    let world = World::new();
    let desk = world.open();
    granted(&desk).await;
    drop(desk);
    let log = world.path().join("ca/log");
    std::fs::rename(&log, world.path().join("gone")).unwrap();
    assert!(matches!(world.try_open(), Err(DeskError::Behind { .. })));
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::rename(world.path().join("gone"), &log).unwrap();
    assert!(world.try_open().is_ok());
}

#[tokio::test]
async fn promise_08_a_second_desk_on_the_same_log_refuses() {
    let world = World::new();
    let desk = world.open();
    assert!(matches!(
        world.try_open(),
        Err(DeskError::Log(LogError::Locked(_)))
    ));
    let refused = crate::host::certify(
        world.config(),
        world.clock.clone(),
        &"db1.prod".parse().unwrap(),
        &line("hostkey"),
    );
    assert!(matches!(refused, Err(DeskError::Log(LogError::Locked(_)))));
    drop(desk);
}

#[tokio::test]
async fn promise_23_the_signed_bytes_are_the_linted_and_the_logged_bytes() {
    let world = World::new();
    let signed = Signed::default();
    let desk = faulty(&world, none(), none(), &signed).unwrap();
    day(&desk).await.unwrap();
    assert_eq!(*signed.lock().unwrap(), intents(&world));
    assert_eq!(signed.lock().unwrap().len(), 3);
    // Lint hands on the bytes that it has read, and they are what comes out.
    let plan = Plan {
        authority: Authority::Door,
        subject: crate::testing::public("x"),
        serial: 7,
        key_id: "hallpass:door:gate:gate".to_owned(),
        principals: vec!["gate".to_owned()],
        after: world.clock.wall(),
        before: world.clock.wall().after(Duration::from_secs(60)),
        force_command: None,
        source_address: Vec::new(),
        permits: [].into(),
    };
    let ca = super::ca(&desk, KeyName::Door);
    let unsigned = plan.build(&ca, &[9; 32]).unwrap();
    let bytes = unsigned.bytes.clone();
    assert_eq!(crate::lint::lint(unsigned, &ca).unwrap().bytes, bytes);
}

#[tokio::test]
async fn promise_22_after_a_panic_nothing_is_taken_until_a_restart() {
    let world = World::new();
    let desk = world.open();
    let defect = desk.run(|_: &mut Writer| -> Decided<()> { panic!("a defect") });
    assert!(matches!(defect.await, Err(Refused::Unavailable(_))));
    let alice = caller("alice", "alice");
    let refused = desk.request(&alice, ask("postgres@db1.prod")).await;
    assert!(matches!(refused, Err(Refused::Unavailable(_))));
    drop(desk);
    asked(&world.open()).await;
}
