//! What is over leaves the state, so that it does not grow with the log.
//!
//! A request leaves it when its time and [`limits::CLOCK_SKEW`] are over by the time of a line, nobody owes a review of it
//! and none of its sessions runs; its sessions leave with it. A certificate leaves it when it has expired. Which line
//! that is follows from the lines alone, so that each fold of the log drops the same at the same place; what was dropped
//! can be looked up in the store, and nothing is ever decided in its favour.

use std::collections::VecDeque;

use config::limits;
use config::words::{RequestId, SessionId};
use record::clock::UnixTime;

use super::rows::Key;
use super::{Case, Certificate, Session, State};
use crate::glass::Debt;

/// Something that left the state, as it was last.
#[derive(Debug)]
pub(crate) enum Gone {
    Case(Box<Case>),
    Session(SessionId, Box<Session>),
    Certificate(Certificate),
}

impl Gone {
    /// What it is found by.
    fn key(&self) -> Key {
        match self {
            Self::Case(case) => Key::Case(case.request.id.clone()),
            Self::Session(id, _) => Key::Session(id.clone()),
            Self::Certificate(certificate) => Key::Certificate(certificate.serial),
        }
    }

    /// Its row in the store: it is never another again.
    pub(crate) fn row(&self) -> Result<(String, Vec<u8>), serde_json::Error> {
        let value = match self {
            Self::Case(case) => serde_json::to_vec(case),
            Self::Session(_, session) => serde_json::to_vec(session),
            Self::Certificate(certificate) => serde_json::to_vec(certificate),
        };
        Ok((self.key().name(), value?))
    }
}

/// What may be over at some time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Case(RequestId),
    Certificate(u64),
}

/// The grants that ended before their deadline, in order. Those at the front that have left the state are counted only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    gone: u64,
    ids: VecDeque<RequestId>,
}

impl Ended {
    /// How many ever ended.
    pub(crate) fn count(&self) -> u64 {
        self.gone + self.ids.len() as u64
    }

    /// Those that are still here.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RequestId> {
        self.ids.iter()
    }

    /// Those of them that came after the first `count`.
    pub(crate) fn after(&self, count: u64) -> impl Iterator<Item = &RequestId> {
        let skip = usize::try_from(count.saturating_sub(self.gone)).unwrap_or(usize::MAX);
        self.ids.iter().skip(skip)
    }

    pub(super) fn push(&mut self, id: RequestId) {
        self.ids.push_back(id);
    }
}

impl State {
    /// Looks at a request again once its time is over.
    pub(super) fn due(&mut self, id: &RequestId) {
        if let Some(case) = self.cases.get(id) {
            let at = case.limit().after(limits::CLOCK_SKEW);
            self.due.insert((at, Due::Case(id.clone())));
        }
    }

    /// Its time is another one from now on.
    pub(super) fn not_due(&mut self, id: &RequestId) {
        if let Some(case) = self.cases.get(id) {
            let at = case.limit().after(limits::CLOCK_SKEW);
            self.due.remove(&(at, Due::Case(id.clone())));
        }
    }

    /// Looks at a certificate again once it has expired; one that cannot be read stays.
    pub(super) fn certificate_due(&mut self, serial: u64, before: UnixTime) {
        let at = before.after(limits::CLOCK_SKEW);
        self.due.insert((at, Due::Certificate(serial)));
    }

    /// Lets go of what is over at the time of a line that is about to be taken. Were that time the latest that the log
    /// has seen, a clock that once stepped far ahead would end every request for good.
    pub(super) fn retire(&mut self, at: UnixTime) -> Vec<Gone> {
        let mut gone = Vec::new();
        while self.due.first().is_some_and(|(due, _)| *due < at) {
            match self.due.pop_first() {
                Some((_, Due::Case(id))) => self.retire_case(&id, at, &mut gone),
                Some((_, Due::Certificate(serial))) => {
                    if let Some(certificate) = self.certificates.remove(&serial) {
                        self.access.remove(&digest(&certificate));
                        gone.push(Gone::Certificate(certificate));
                    }
                }
                None => break,
            }
        }
        gone
    }

    fn retire_case(&mut self, id: &RequestId, at: UnixTime, gone: &mut Vec<Gone>) {
        if !self
            .cases
            .get(id)
            .is_some_and(|case| self.is_over(case, at))
        {
            return;
        }
        self.waits_no_more(id);
        self.runs_no_more(id);
        let Some(case) = self.cases.remove(id) else {
            return;
        };
        for session in &case.sessions {
            if let Some(over) = self.sessions.remove(session) {
                gone.push(Gone::Session(session.clone(), Box::new(over)));
            }
        }
        gone.push(Gone::Case(Box::new(case)));
        while let Some(first) = self.ended.ids.front()
            && !self.cases.contains_key(first)
        {
            self.ended.ids.pop_front();
            self.ended.gone += 1;
        }
    }

    /// Whether nothing can happen to a request any more. What keeps it here brings it up again when it ends.
    fn is_over(&self, case: &Case, at: UnixTime) -> bool {
        let ended = |id| self.sessions.get(id).is_none_or(|one| one.end.is_some());
        case.limit().after(limits::CLOCK_SKEW) < at
            && case.debt.as_ref().is_none_or(Debt::is_paid)
            && case.sessions.iter().all(ended)
    }
}

/// What an access certificate is found by.
pub(super) fn digest(certificate: &Certificate) -> record::digest::Digest {
    record::digest::Digest::of(certificate.to_be_signed.as_bytes())
}
