//! What each line changes.

mod cases;
mod sessions;

use std::sync::Arc;

use config::words::{RequestId, SessionId};
use record::entry::{Authority, Entry, Line, Whom};
use record::law::LawChange;

use super::fact::{Fact, Said};
use super::retire::digest;
use super::{Case, Certificate, End, Gone, Session, State};

/// A line that cannot follow from the lines before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot follow from what stands before it: {0}")]
pub struct Impossible(pub(crate) &'static str);

pub(super) type Possible<T = ()> = Result<T, Impossible>;

pub(super) fn must(good: bool, what: &'static str) -> Possible {
    if good { Ok(()) } else { Err(Impossible(what)) }
}

impl State {
    /// Lets go of what is over at the line's time, which it hands over; then takes the line, if it can follow.
    pub(crate) fn apply(&mut self, line: Line) -> Possible<Vec<Gone>> {
        self.follow(Fact::of(line)?)
    }

    pub(super) fn follow(&mut self, fact: Fact) -> Possible<Vec<Gone>> {
        let gone = self.retire(fact.at);
        self.check(&fact)?;
        self.take(fact)?;
        Ok(gone)
    }

    pub(super) fn take(&mut self, fact: Fact) -> Possible {
        let Fact { at, entry, said } = fact;
        self.last = Some(at);
        self.size += 1;
        match entry {
            // A renewal's certificate follows.
            Entry::Start { .. }
            | Entry::Renewal { .. }
            | Entry::Groups { .. }
            | Entry::Expiry { .. }
            | Entry::Stray { .. } => Ok(()),
            Entry::Law { change } => {
                self.told(change);
                Ok(())
            }
            Entry::Keys { steps } => self.ring.apply(&steps, at).map_err(Impossible),
            Entry::Issue {
                serial,
                authority,
                to_be_signed,
                request,
                session,
            } => {
                let certificate = Certificate {
                    serial,
                    authority,
                    at,
                    to_be_signed,
                    request,
                    session,
                };
                self.issued(certificate, &said);
                Ok(())
            }
            Entry::Request { .. }
            | Entry::Approval { .. }
            | Entry::Verdict { .. }
            | Entry::Denial { .. }
            | Entry::Withdrawal { .. }
            | Entry::Grant { .. }
            | Entry::Return { .. }
            | Entry::Revocation { .. } => self.of_cases(at, entry, said),
            Entry::Reading { .. }
            | Entry::SessionBegin { .. }
            | Entry::SessionAlert { .. }
            | Entry::SessionEnd { .. } => self.of_sessions(at, entry),
            entry @ (Entry::Proof { .. }
            | Entry::Debt { .. }
            | Entry::Review { .. }
            | Entry::Overdue { .. }) => self.apply_glass(at, entry),
            machines => self.of_machines(at, machines),
        }
    }

    fn told(&mut self, change: LawChange) {
        Arc::make_mut(&mut self.law).apply(change);
    }

    fn name(&mut self, whom: Whom) {
        self.names.insert(whom);
    }

    fn issued(&mut self, certificate: Certificate, said: &Said) {
        let serial = certificate.serial;
        if let Said::Certificate(Some(written)) = said {
            self.ring.count(&written.ca, written.before);
            self.certificate_due(serial, written.before);
        }
        match (
            certificate.authority,
            &certificate.request,
            &certificate.session,
        ) {
            (Authority::User, Some(request), _) => {
                self.access.insert(digest(&certificate), serial);
                if let Some(case) = self.cases.get_mut(request) {
                    case.certificate = Some(serial);
                }
            }
            (_, _, Some(session)) => {
                if let Some(begun) = self.sessions.get_mut(session) {
                    begun.certificate = Some(serial);
                }
            }
            (Authority::Host, None, None) => self.machines.certified(&certificate),
            _ => {}
        }
        self.serial = serial;
        self.certificates.insert(serial, certificate);
    }

    pub(super) fn change(&mut self, id: &RequestId, change: impl FnOnce(&mut Case)) -> Possible {
        let case = self.cases.get_mut(id);
        change(case.ok_or(Impossible("there is no such request"))?);
        Ok(())
    }

    /// Ends a request that was not granted.
    pub(super) fn close(&mut self, id: &RequestId, end: End) -> Possible {
        self.waits_no_more(id);
        self.change(id, |case| case.end = Some(end))
    }

    /// Ends a running grant.
    pub(super) fn end(&mut self, id: &RequestId, end: End) -> Possible {
        self.runs_no_more(id);
        self.ended.push(id.clone());
        self.change(id, |case| case.end = Some(end))
    }

    pub(super) fn case(&self, id: &RequestId) -> Possible<&Case> {
        let case = self.cases.get(id);
        case.ok_or(Impossible("there is no such request"))
    }

    pub(super) fn open(&self, id: &RequestId) -> Possible<&Case> {
        let case = self.case(id)?;
        must(case.is_open(), "the request is closed")?;
        Ok(case)
    }

    pub(super) fn session(&self, id: &SessionId) -> Possible<&Session> {
        let session = self.sessions.get(id);
        session.ok_or(Impossible("there is no such session"))
    }
}
