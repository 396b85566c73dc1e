//! A line of the log with what its text says: read once, however often it is taken.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::{Entry, Line};
use record::request::Request;

use super::State;
use super::fold::{Impossible, Possible, must};
use super::retire::Gone;
use crate::lint::read_to_be_signed;

/// A line that was read.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(super) at: UnixTime,
    pub(super) entry: Entry,
    pub(super) said: Said,
}

/// What a line's text says beyond its fields.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Nothing,
    /// The request, and the digest of its text.
    Request(Arc<Request>, Digest),
    /// What the log needs to know of a certificate; none if it cannot be read.
    Certificate(Option<Written>),
}

/// What the log needs to know of a certificate.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// The wire form of its CA's key.
    pub(super) ca: Vec<u8>,
    /// It is good until here.
    pub(super) before: UnixTime,
}

/// What a line's text says, before it is taken; or why it can follow nothing.
#[derive(Debug)]
pub(crate) struct Read(Possible<Said>);

impl Read {
    /// Reads a line. It needs no other one, and so may be done beforehand.
    pub(crate) fn of(line: &Line) -> Self {
        Self(Said::of(line))
    }
}

impl Said {
    fn of(line: &Line) -> Possible<Self> {
        Ok(match &line.entry {
            Entry::Request { text, .. } => {
                let request = Request::parse(text);
                let request = request.map_err(|_| Impossible("the request does not parse"))?;
                // One text is one request.
                Self::Request(Arc::new(request), Digest::of(text.as_bytes()))
            }
            Entry::Issue { to_be_signed, .. } => {
                let bytes = STANDARD.decode(to_be_signed);
                let bytes = bytes.map_err(|_| Impossible("the certificate is not base64"))?;
                Self::Certificate(read_to_be_signed(&bytes).map(|fields| Written {
                    ca: fields.ca.to_vec(),
                    before: UnixTime::from_secs(fields.before),
                }))
            }
            _ => Self::Nothing,
        })
    }
}

impl Fact {
    /// Reads a line.
    pub(crate) fn of(line: Line) -> Possible<Self> {
        let read = Read::of(&line);
        Self::after(line, read)
    }

    /// A line, with what was read of it before.
    fn after(line: Line, read: Read) -> Possible<Self> {
        Ok(Self {
            at: line.at,
            entry: line.entry,
            said: read.0?,
        })
    }

    /// Its entry.
    pub(crate) const fn entry(&self) -> &Entry {
        &self.entry
    }
}

/// A line that a state has taken: every state that stood where that one stood can take it.
#[derive(Debug)]
pub(crate) struct Taken {
    fact: Fact,
    /// How many lines there were with it.
    size: u64,
}

impl Taken {
    /// Its entry.
    pub(crate) const fn entry(&self) -> &Entry {
        self.fact.entry()
    }
}

impl State {
    /// Takes a line as [`Self::apply`] does, of which this was read before.
    pub(crate) fn apply_read(&mut self, line: Line, read: Read) -> Possible<Vec<Gone>> {
        self.follow(Fact::after(line, read)?)
    }

    /// Takes a line as [`Self::apply`] does, for another state to take it after this one.
    pub(crate) fn lead(&mut self, fact: Fact) -> Possible<Taken> {
        self.follow(fact.clone())?;
        let size = self.size;
        Ok(Taken { fact, size })
    }

    /// Takes a line that another state took where this one stands now: it is not checked again.
    pub(crate) fn catch_up(&mut self, taken: Taken) -> Possible<Vec<Gone>> {
        must(taken.size == self.size + 1, "it is taken out of order")?;
        let gone = self.retire(taken.fact.at);
        self.take(taken.fact)?;
        Ok(gone)
    }
}
