//! What each line changes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use config::words::{PersonName, RequestId, SessionId};
use record::clock::UnixTime;
use record::entry::{Authority, Entry, Line, Verdict, Whom};
use record::law::LawChange;
use record::reading::Reading;

use super::fact::{Fact, Said};
use super::retire::digest;
use super::{
    Approval, Basis, Case, Certificate, End, Gone, Grant, Session, SessionEnd, Spoken, State,
};

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

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of entry")]
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
            Entry::Reading {
                session, reading, ..
            } => {
                self.read(session, &reading);
                Ok(())
            }
            Entry::Law { change } => {
                self.told(change);
                Ok(())
            }
            Entry::Keys { steps } => self.ring.apply(&steps, at).map_err(Impossible),
            Entry::Request { source, .. } => {
                self.asked(said, source, at);
                Ok(())
            }
            Entry::Approval {
                request,
                person,
                signature,
                on_call,
            } => self.change(&request, |case| {
                case.approvals.push(Approval {
                    person,
                    at,
                    signature,
                    on_call,
                });
            }),
            Entry::Verdict {
                request,
                check,
                verdict,
                reason,
            } => {
                let spoken = Spoken {
                    check,
                    at,
                    verdict,
                    reason,
                };
                self.heard(&request, spoken)
            }
            Entry::Denial {
                request,
                person: by,
                reason,
            } => self.close(&request, End::Denied { by, reason }),
            Entry::Withdrawal { request } => self.close(&request, End::Withdrawn),
            Entry::Grant {
                request,
                until,
                approved_by,
                policy,
                on_call,
                ..
            } => {
                let grant = Grant {
                    at,
                    until,
                    basis: self.basis(&request, &approved_by),
                    approved_by,
                    policy,
                    on_call,
                };
                self.granted(&request, grant)
            }
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
            Entry::Return { request } => self.end(&request, End::Returned),
            Entry::Revocation {
                request,
                person: by,
                reason,
            } => self.end(&request, End::Revoked { by, reason }),
            Entry::SessionBegin {
                session,
                request,
                person,
                access,
                bastion,
                source,
            } => {
                let begun = Session {
                    request,
                    person,
                    access,
                    bastion,
                    source,
                    began: at,
                    certificate: None,
                    end: None,
                    alerts: BTreeSet::new(),
                };
                self.begun(session, begun)
            }
            Entry::SessionAlert {
                session, alert, on, ..
            } => {
                // One that came late is in the log alone.
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.alerts.insert((alert, on));
                }
                Ok(())
            }
            Entry::SessionEnd {
                session,
                reason,
                root,
                frames,
            } => {
                let end = SessionEnd {
                    at,
                    reason,
                    root,
                    frames,
                };
                self.over(&session, end);
                Ok(())
            }
            entry @ (Entry::Proof { .. }
            | Entry::Debt { .. }
            | Entry::Review { .. }
            | Entry::Overdue { .. }) => self.apply_glass(at, entry),
            machines => self.of_machines(at, machines),
        }
    }

    fn read(&mut self, session: SessionId, reading: &Reading) {
        match reading {
            Reading::Hold(_) => _ = self.held.insert(session),
            Reading::Release(_) => _ = self.held.remove(&session),
            Reading::Watch | Reading::Cat | Reading::Kill(_) | Reading::Erase(_) => {}
        }
    }

    fn told(&mut self, change: LawChange) {
        Arc::make_mut(&mut self.law).apply(change);
    }

    /// A check spoke; its no ends the request.
    fn heard(&mut self, request: &RequestId, spoken: Spoken) -> Possible {
        let end = (spoken.verdict == Verdict::Deny).then(|| End::Failed {
            check: spoken.check.clone(),
            reason: spoken.reason.clone(),
        });
        self.change(request, |case| case.verdicts.push(spoken))?;
        match end {
            Some(end) => self.close(request, end),
            None => Ok(()),
        }
    }

    fn asked(&mut self, said: Said, source: IpAddr, at: UnixTime) {
        let Said::Request(request, digest) = said else {
            return;
        };
        let id = request.id.clone();
        let case = Case {
            request,
            digest,
            source,
            approvals: Vec::new(),
            verdicts: Vec::new(),
            grant: None,
            end: None,
            certificate: None,
            sessions: Vec::new(),
            proof: None,
            debt: None,
        };
        self.name(Whom::Person(case.request.person.clone()));
        self.name(Whom::Target(case.request.access.target.clone()));
        if let Ok(key) = case.request.key.parse() {
            self.name(Whom::Key(key));
        }
        self.asked.count(&case.request, at);
        self.waits(&case.request.person, &id);
        self.cases.insert(id.clone(), case);
        self.due(&id);
    }

    fn name(&mut self, whom: Whom) {
        self.names.insert(whom);
    }

    fn begun(&mut self, id: SessionId, session: Session) -> Possible {
        self.name(Whom::Bastion(session.bastion.clone()));
        self.sources
            .seen(&session.person, session.source, session.began);
        let request = session.request.clone();
        self.sessions.insert(id.clone(), session);
        self.change(&request, |case| case.sessions.push(id))
    }

    fn over(&mut self, id: &SessionId, end: SessionEnd) {
        let request = self.sessions.get_mut(id).map(|session| {
            session.end = Some(end);
            session.request.clone()
        });
        if let Some(request) = request {
            self.due(&request);
        }
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

    /// What the log says now about those who approved a request, or proved that it is theirs, but for persons and keys
    /// that are shut out.
    fn basis(&self, id: &RequestId, approved_by: &[PersonName]) -> Option<Basis> {
        let request = &self.cases.get(id)?.request;
        let terms = self.law.role(&request.role)?.clone();
        let proves = request.break_glass && terms.verify;
        let still_in = |name: &&PersonName| {
            let whom = Whom::Person((*name).clone());
            self.excluded.of(&whom).is_none()
        };
        let proving = proves.then_some(&request.person);
        let known = approved_by.iter().chain(proving).filter(still_in);
        let known = known.filter_map(|name| {
            let mut own = self.law.person(name)?.clone();
            own.keys.retain(|key| !self.excluded.has_line(key));
            Some((name.clone(), own))
        });
        Some(Basis {
            terms,
            approvers: known.collect(),
        })
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
