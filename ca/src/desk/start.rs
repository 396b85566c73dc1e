//! From the log to a desk: every line is folded, one after the other, and the store is held against what follows.
//!
//! The log is right, unless it lacks what the store has seen. History is not held in memory: what leaves the state is
//! compared with its row and dropped.

use std::sync::Arc;

use config::Config;
use record::clock::{Clock, UnixTime};
use record::entry::Line;
use record::keyring::KeyChange;
use record::log::{Log, LogError, LogKeys, Position, Unread};
use record::tree::{Hash, Tree};
use ssh_key::PrivateKey;

use super::batch;
use super::hall::Hall;
use super::rules;
use super::writer::{Answer, Writer};
use super::{DeskError, Impossible, StoreError};
use crate::journal::Journal;
use crate::keys::{self, Keys, KeysError};
use crate::ring::Ring;
use crate::state::{Gone, Read, Rows, State};
use crate::store::{Inventory, Shelf, Store};

/// Rows that are put at once while the store is made again; so few in tests that they meet several parts.
const ROWS: usize = if cfg!(test) { 2 } else { 4096 };

/// A desk whose writer does not run yet.
pub(super) struct Opened {
    pub(super) writer: Writer,
    pub(super) identity: PrivateKey,
}

impl Opened {
    /// Loads the keys, checks and locks the log, compares or mends the store.
    pub(super) fn open(config: Arc<Config>, clock: Arc<dyn Clock>) -> Result<Self, DeskError> {
        let keys = Keys::load(&config)?;
        // The log's lock first: a store that somebody else has open looks broken.
        let unread = Unread::lock(&config.ca.data.join("log"))?;
        let store: Arc<dyn Store> = Arc::new(Shelf::open(&config.ca.data.join("store"))?);
        let (mut log, state) = read(unread, keys.log.clone(), store.as_ref())?;
        let name = record::log::public_name(&config.ca.address.host).map_err(LogError::from)?;
        log.publish_as(name)?;
        Self::assemble(config, clock, keys, state, Box::new(log), store)
    }

    /// Puts the parts together.
    pub(super) fn assemble(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        keys: Keys,
        state: State,
        journal: Box<dyn Journal>,
        store: Arc<dyn Store>,
    ) -> Result<Self, DeskError> {
        let steps = rules::steps(&state.ring, &keys)?;
        apart(&state.ring, &steps, &config)?;
        let signing = (keys.signers, keys.log);
        let hall = Arc::new(Hall::new(config, state, clock, signing, store));
        let mut writer = Writer::new(hall, journal);
        batch::alone(&mut writer, |writer| {
            let config = writer.hall.config();
            writer.begin_to_serve(&config, steps)?;
            Ok(Answer::of(()))
        })
        .map_err(DeskError::Unavailable)?;
        Ok(Self {
            writer,
            identity: keys.identity,
        })
    }
}

/// Refuses a configuration in which a key that the CA ever had, or is about to have, is somebody else's.
pub(super) fn apart(ring: &Ring, steps: &[KeyChange], config: &Config) -> Result<(), KeysError> {
    let mut ring = ring.clone();
    ring.apply(steps, UnixTime::from_secs(0))
        .map_err(KeysError::Ring)?;
    let ours = ring.keys().iter().map(|key| (key.name, &key.public));
    keys::apart(ours, config)
}

/// Reads the log into a state, and brings the store to where it is.
pub(super) fn read(
    unread: Unread,
    keys: LogKeys,
    store: &dyn Store,
) -> Result<(Log, State), DeskError> {
    let seen = match store.position() {
        // What it has seen may be the only trace of lines that the log has lost.
        Err(why) if !why.is_damage() => return Err(why.into()),
        read => readable(read).flatten(),
    };
    let mut audit = Audit::new(store, seen);
    let (log, cut) = unread.read_ahead(keys, Read::of, |line, read, leaf| {
        audit.take(line, read, leaf);
    })?;
    if cut > 0 {
        tracing::warn!(
            bytes = cut,
            "the log's last line was torn, and nobody was answered on it: it is cut"
        );
    }
    let state = audit.finish(&log)?;
    Ok((log, state))
}

/// Makes the state store again from the log alone. The CA must not run.
pub fn rebuild(config: &Config) -> Result<u64, DeskError> {
    let keys = keys::log_keys(config)?;
    let unread = Unread::lock(&config.ca.data.join("log"))?;
    // Read whole and found good before anything is touched.
    let (log, _) = unread.read(keys, |_, _| {})?;
    let store = Shelf::open(&config.ca.data.join("store"))?;
    make_again(&log, &store)?;
    Ok(log.position().size)
}

/// The fold of a log's lines, and how the store compares with it on the way.
struct Audit<'a> {
    state: State,
    wrong: Option<DeskError>,
    store: &'a dyn Store,
    seen: Option<Position>,
    tree: Tree,
    /// The store's rows, while they are what they have to be.
    rows: Option<Box<dyn Inventory + 'a>>,
}

impl<'a> Audit<'a> {
    fn new(store: &'a dyn Store, seen: Option<Position>) -> Self {
        let rows = seen.and_then(|_| readable(store.inventory()));
        Self {
            state: State::default(),
            wrong: None,
            store,
            seen,
            tree: Tree::new(),
            rows,
        }
    }

    fn take(&mut self, line: Line, read: Read, leaf: Hash) {
        if self.wrong.is_some() {
            return;
        }
        self.tree.push(leaf);
        match apply(&mut self.state, line, read) {
            Ok(gone) if readable(self.compare(&gone)) == Some(true) => {}
            Ok(_) => self.rows = None,
            Err(wrong) => self.wrong = Some(wrong),
        }
    }

    fn compare(&mut self, gone: &[Gone]) -> Result<bool, StoreError> {
        let (Some(rows), Some(seen)) = (&mut self.rows, self.seen) else {
            return Ok(false);
        };
        for gone in gone {
            let (key, value) = gone.row()?;
            if !rows.next(&key, &value)? {
                return Ok(false);
            }
        }
        Ok(self.state.size != seen.size || self.tree.root() == seen.root)
    }

    fn finish(self, log: &Log) -> Result<State, DeskError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let position = log.position();
        if let Some(seen) = self.seen.filter(|seen| seen.size > position.size) {
            return Err(DeskError::Behind {
                log: position.size,
                store: seen.size,
            });
        }
        let whole = self.rows.and_then(|rows| readable(rows.whole()));
        if whole != Some(true) {
            if let Some(seen) = self.seen {
                tracing::warn!(
                    store = seen.size,
                    log = position.size,
                    "the state store differs from the log: it is made again"
                );
            }
            make_again(log, self.store)?;
        } else if self.seen != Some(position) {
            self.store.commit(position, Rows::new())?;
        }
        Ok(self.state)
    }
}

/// What the store says; nothing if it cannot be read.
fn readable<T>(read: Result<T, StoreError>) -> Option<T> {
    let warn = |why: &StoreError| tracing::warn!(%why, "the state store cannot be read");
    read.inspect_err(warn).ok()
}

/// Fills the store from the log, a part at a time. It has no position until it is whole.
fn make_again(log: &Log, store: &dyn Store) -> Result<(), DeskError> {
    store.clear()?;
    let (mut state, mut rows, mut wrong) = (State::default(), Rows::new(), None);
    log.read_again(|line, _| {
        if wrong.is_none() {
            wrong = put(&mut state, &mut rows, line, store).err();
        }
    })?;
    match wrong {
        Some(wrong) => Err(wrong),
        None => Ok(store.commit(log.position(), rows)?),
    }
}

fn put(state: &mut State, rows: &mut Rows, line: Line, store: &dyn Store) -> Result<(), DeskError> {
    let read = Read::of(&line);
    for gone in apply(state, line, read)? {
        rows.push(gone.row().map_err(StoreError::Row)?);
    }
    if rows.len() >= ROWS {
        store.fill(std::mem::take(rows))?;
    }
    Ok(())
}

fn apply(state: &mut State, line: Line, read: Read) -> Result<Vec<Gone>, DeskError> {
    let number = usize::try_from(state.size + 1).unwrap_or(usize::MAX);
    let wrong = |why: Impossible| DeskError::Line { line: number, why };
    state.apply_read(line, read).map_err(wrong)
}
