//! What a mask has replaced, kept in the recording and sealed to recipients of its own: whoever reads the recording sees stars, and
//! only they see what stood there.
//!
//! It has a content key of its own, wrapped in the header. Everything else is the recording's: its frames, its signatures, its
//! recovery after a crash, its uploads and its end.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::limits;
use config::recipients::Recipients;
use config::words::SessionId;
use serde::{Deserialize, Serialize};

use super::keys::Keys;
use super::{ContentKey, LockedError, Opens, said};
use crate::age::{Identities, WrapError};
use crate::digest::Digest;
use crate::recording::event::{Data, Event, EventError, Stream};

/// Most bytes of a stream, and of what stood in their place, that one [`Masked`] speaks of: with the events that follow it, it is
/// smaller than one event of [`limits::EVENT_BYTES`] may be.
const UNIT_BYTES: usize = limits::EVENT_BYTES / 4;

/// Most bytes of one [`Hidden`]: a longer run is several.
const RUN_BYTES: usize = 1024;

/// The three numbers of a run.
const RUN_HEAD: usize = 6;

/// A run of stars, and what stood there.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Where it begins among the bytes that are shown.
    pub at: usize,
    /// How many bytes of them it has: a star each.
    pub stars: usize,
    /// What stood there.
    pub bytes: Vec<u8>,
}

/// Says nothing of what stood there.
impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({} at {})", self.stars, self.at)
    }
}

impl Hidden {
    /// Adds what stood where `stars` bytes stand now, from `at`; behind the last run, or a run of its own.
    pub fn add(runs: &mut Vec<Self>, at: usize, stars: usize, bytes: &[u8]) {
        match runs.last_mut() {
            Some(last) if last.end() == at && last.bytes.len() + bytes.len() <= RUN_BYTES => {
                last.stars += stars;
                last.bytes.extend_from_slice(bytes);
            }
            _ => runs.push(Self {
                at,
                stars,
                bytes: bytes.to_vec(),
            }),
        }
    }

    const fn end(&self) -> usize {
        self.at + self.stars
    }

    /// Whether it stands in these bytes, which may be the beginning of those that it was found in. A run without a star stands
    /// before a byte, or at their end.
    const fn is_in(&self, bytes: &[u8]) -> bool {
        self.at < bytes.len() || (self.stars == 0 && self.at == bytes.len())
    }
}

/// What stood in place of some of the bytes that follow, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// The stream whose bytes follow.
    pub(in crate::recording) stream: Stream,
    /// How many of them this speaks of.
    pub(in crate::recording) bytes: usize,
    sealed: String,
}

impl Masked {
    /// The event's data.
    pub(in crate::recording) fn line(&self) -> String {
        format!("{} {} {}", self.stream.code(), self.bytes, self.sealed)
    }

    /// Reads an event's data.
    pub(in crate::recording) fn parse(data: &str) -> Result<Self, EventError> {
        let bad = EventError("what was masked is a stream, a number and base64");
        let mut parts = data.splitn(3, ' ');
        let mut part = || parts.next().ok_or(bad);
        let stream = Stream::from_code(part()?).ok_or(bad)?;
        let bytes = part()?.parse().map_err(|_| bad)?;
        let sealed = part()?.to_owned();
        if bytes > limits::EVENT_BYTES || STANDARD.decode(&sealed).is_err() {
            return Err(bad);
        }
        Ok(Self {
            stream,
            bytes,
            sealed,
        })
    }
}

/// Of the header: the key that opens what was masked, wrapped for those who may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginalKey {
    /// Of the content key, under a label of its own.
    commitment: Digest,
    /// The wrapped key, as a sealed recording holds its own, and under that label: neither passes for the other.
    keys: String,
}

impl OriginalKey {
    fn keys(&self) -> Result<Keys, LockedError> {
        let damaged = || LockedError::Damaged("it is none".into());
        Keys::parse(self.keys.as_bytes()).ok_or_else(damaged)
    }
}

/// Why what was masked cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginalError {
    /// There is none.
    #[error(
        "the recording has no original: what its session masked, if anything, was kept nowhere (mask-original in a role)"
    )]
    None,
    /// It is sealed to others.
    #[error("{}", locked(.0))]
    Locked(LockedError),
    /// It was replaced or damaged.
    #[error("the original of what was masked is damaged at {0} µs: see hallpass verify")]
    Damaged(u64),
}

fn locked(e: &LockedError) -> String {
    let what = "the original of what was masked";
    match e {
        LockedError::NoIdentity(of) => format!(
            "{what} is sealed: give --identity with the private key of one of {}",
            said(of)
        ),
        LockedError::NotForYou(of) => {
            format!("{what} is not sealed to this key, but to {}", said(of))
        }
        LockedError::TooFew { have, need, of } => format!(
            "{what} is opened by {need} of these together, and the keys given belong to {have}: {}",
            said(of)
        ),
        other => format!("{what} cannot be read: {other}"),
    }
}

/// Seals and opens what was masked in one session.
#[derive(Debug)]
pub(in crate::recording) struct Originals {
    session: SessionId,
    key: ContentKey,
}

impl Originals {
    /// Makes a key for a new recording, and wraps it.
    pub(in crate::recording) fn create(
        session: &SessionId,
        recipients: &Recipients,
    ) -> Result<(Self, OriginalKey), WrapError> {
        let key = ContentKey::random()?;
        let keys = Keys::wrap(recipients, &key, Opens::Original)?.payload();
        let wrapped = OriginalKey {
            commitment: key.commitment(session, Opens::Original),
            keys: String::from_utf8_lossy(&keys).into_owned(),
        };
        let session = session.clone();
        Ok((Self { session, key }, wrapped))
    }

    /// Unwraps a recording's.
    pub(in crate::recording) fn open(
        session: &SessionId,
        wrapped: &OriginalKey,
        identities: &Identities,
    ) -> Result<Self, LockedError> {
        let key = wrapped.keys()?.unwrap(identities, Opens::Original)?;
        if key.commitment(session, Opens::Original) != wrapped.commitment {
            return Err(LockedError::Replaced);
        }
        let session = session.clone();
        Ok(Self { session, key })
    }

    /// The events of some bytes: before those that were masked stands what stood there.
    pub(in crate::recording) fn events(
        &self,
        stream: Stream,
        bytes: &[u8],
        hidden: &[Hidden],
    ) -> io::Result<Vec<Data>> {
        let mut events = Vec::new();
        for (bytes, runs) in units(bytes, hidden) {
            if !runs.is_empty() {
                events.push(Data::Masked(self.seal(stream, bytes.len(), &runs)?));
            }
            let pieces = super::super::event::pieces(bytes);
            events.extend(pieces.into_iter().map(|p| Data::Bytes(stream, p.to_vec())));
        }
        Ok(events)
    }

    /// The events with what was masked in its place.
    pub(in crate::recording) fn unmask(
        &self,
        events: Vec<Event>,
    ) -> Result<Vec<Event>, OriginalError> {
        let mut open = Vec::new();
        let mut shown = Vec::new();
        for Event { at_us, data } in events {
            let data = match data {
                Data::Masked(masked) => {
                    let runs = self
                        .disclose(&masked)
                        .ok_or(OriginalError::Damaged(at_us))?;
                    let mut unit = Unit::new(&masked, runs);
                    let now = unit.unmask(&[]);
                    open.retain(|other: &Unit| other.stream != unit.stream);
                    open.push(unit);
                    Data::Bytes(masked.stream, now)
                }
                Data::Bytes(stream, bytes) => {
                    let unit = open.iter_mut().find(|unit| unit.stream == stream);
                    Data::Bytes(stream, unit.map_or(bytes.clone(), |u| u.unmask(&bytes)))
                }
                other => other,
            };
            if !matches!(&data, Data::Bytes(_, bytes) if bytes.is_empty()) {
                shown.push(Event { at_us, data });
            }
        }
        Ok(shown)
    }

    fn seal(&self, stream: Stream, bytes: usize, runs: &[Hidden]) -> io::Result<Masked> {
        let mut plain = Vec::new();
        let mut end = 0;
        for run in runs {
            for number in [run.at - end, run.stars, run.bytes.len()] {
                let number = u16::try_from(number)
                    .map_err(|_| io::Error::other("too much is masked at once"))?;
                plain.extend(number.to_le_bytes());
            }
            plain.extend_from_slice(&run.bytes);
            end = run.end();
        }
        let sealed = self.key.encrypt(&self.bound(stream, bytes), &plain)?;
        Ok(Masked {
            stream,
            bytes,
            sealed: STANDARD.encode(sealed),
        })
    }

    fn disclose(&self, masked: &Masked) -> Option<VecDeque<Hidden>> {
        let sealed = STANDARD.decode(&masked.sealed).ok()?;
        let bound = self.bound(masked.stream, masked.bytes);
        let plain = self.key.decrypt(&bound, &sealed)?;
        let (mut rest, mut end) = (plain.as_slice(), 0);
        let mut runs = VecDeque::new();
        while !rest.is_empty() {
            let mut number = || {
                let (number, left) = rest.split_first_chunk()?;
                rest = left;
                Some(usize::from(u16::from_le_bytes(*number)))
            };
            let (gap, stars, length) = (number()?, number()?, number()?);
            let (bytes, left) = rest.split_at_checked(length)?;
            rest = left;
            let bytes = bytes.to_vec();
            let run = Hidden {
                at: end + gap,
                stars,
                bytes,
            };
            end = run.end();
            runs.push_back(run);
        }
        (end <= masked.bytes).then_some(runs)
    }

    /// What a sealed run is bound to: it opens in no other session, before no other stream, and before no other number of bytes.
    fn bound(&self, stream: Stream, bytes: usize) -> Vec<u8> {
        let (session, code) = (&self.session, stream.code());
        format!("hallpass original 1\n{session}\n{code} {bytes}\n").into_bytes()
    }
}

/// The bytes that a [`Masked`] speaks of, while they come.
struct Unit {
    stream: Stream,
    at: usize,
    runs: VecDeque<Hidden>,
    /// Stars whose run has been shown.
    stars: usize,
}

impl Unit {
    fn new(masked: &Masked, runs: VecDeque<Hidden>) -> Self {
        Self {
            stream: masked.stream,
            at: 0,
            runs,
            stars: 0,
        }
    }

    /// The next bytes of the stream, as they were.
    fn unmask(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        loop {
            while let Some(run) = self.runs.front().filter(|run| run.at <= self.at) {
                out.extend_from_slice(&run.bytes);
                self.stars += run.stars;
                self.runs.pop_front();
            }
            let Some((byte, left)) = rest.split_first() else {
                return out;
            };
            if self.stars > 0 {
                self.stars -= 1;
            } else {
                out.push(*byte);
            }
            (rest, self.at) = (left, self.at + 1);
        }
    }
}

/// Cuts bytes into those in which nothing was masked, and those with what was; its places count from their beginning.
fn units<'a>(bytes: &'a [u8], hidden: &[Hidden]) -> Vec<(&'a [u8], Vec<Hidden>)> {
    let mut units = Vec::new();
    let mut start = 0;
    let mut rest = hidden;
    // What is cut off from a stream that is not kept whole is not kept here either.
    while let Some(first) = rest.first().filter(|run| run.is_in(bytes)) {
        let mut size = 0;
        let fits = |run: &&Hidden| {
            size += RUN_HEAD + run.bytes.len();
            run.is_in(bytes) && run.end() - first.at <= UNIT_BYTES && size <= UNIT_BYTES
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (own, left) = rest.split_at(count.min(rest.len()));
        let end = own.last().map_or(first.at, Hidden::end).min(bytes.len());
        units.push((bytes.get(start..first.at).unwrap_or_default(), Vec::new()));
        let runs = own.iter().map(|run| Hidden {
            at: run.at - first.at,
            stars: run.stars.min(end - run.at),
            bytes: run.bytes.clone(),
        });
        units.push((bytes.get(first.at..end).unwrap_or_default(), runs.collect()));
        (start, rest) = (end, left);
    }
    units.push((bytes.get(start..).unwrap_or_default(), Vec::new()));
    units
}

#[cfg(test)]
mod tests;
