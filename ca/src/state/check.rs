//! Which line may follow which.

use config::words::{BastionName, RequestId, SessionId};
use record::clock::UnixTime;
use record::entry::{Authority, Entry};
use record::reading::Reading;
use record::retention::Rule;

use super::State;
use super::fact::{Fact, Said};
use super::fold::{Impossible, Possible, must};

impl State {
    /// Whether an entry can follow.
    pub(super) fn check(&self, fact: &Fact) -> Possible {
        match &fact.entry {
            Entry::Start { .. }
            | Entry::Groups { .. }
            | Entry::Stray { .. }
            | Entry::SessionAlert { .. }
            | Entry::Law { .. } => Ok(()),
            Entry::Keys { steps } => self.ring.check(steps).map_err(Impossible),
            Entry::Request { .. } => match &fact.said {
                Said::Request(request, _) => {
                    must(!self.cases.contains_key(&request.id), "the request exists")
                }
                _ => Err(Impossible("the request does not parse")),
            },
            Entry::Approval {
                request, person, ..
            } => {
                let case = self.open(request)?;
                must(
                    *person != case.request.person,
                    "a person approves their own request",
                )?;
                must(
                    !case.approvers().contains(person),
                    "a person approves twice",
                )
            }
            Entry::Denial {
                request, person, ..
            } => {
                let case = self.open(request)?;
                must(
                    *person != case.request.person,
                    "a person denies their own request",
                )
            }
            Entry::Verdict { request, check, .. } => {
                let decided = self.open(request)?.has_decided(check);
                must(!decided, "a check decides twice")
            }
            Entry::Withdrawal { request } => self.open(request).map(drop),
            Entry::Grant {
                request,
                digest,
                approved_by,
                ..
            } => {
                let case = self.open(request)?;
                must(*digest == case.digest, "the grant is for another text")?;
                let approvers = case.approvers();
                let all = approved_by.iter().all(|person| approvers.contains(person));
                must(all, "the grant names somebody who has not approved")
            }
            Entry::Issue { .. } => self.check_issue(fact),
            Entry::Return { request } | Entry::Revocation { request, .. } => {
                let running = self.case(request)?.running();
                must(running.is_some(), "there is no running grant")
            }
            Entry::SessionBegin {
                session,
                request,
                person,
                access,
                ..
            } => {
                must(!self.sessions.contains_key(session), "the session exists")?;
                let case = self.case(request)?;
                must(case.running().is_some(), "there is no running grant")?;
                must(
                    *person == case.request.person,
                    "the session is another person's",
                )?;
                must(
                    *access == case.request.access,
                    "the session is for another access",
                )
            }
            Entry::Reading { .. } => self.check_reading(&fact.entry),
            Entry::Expiry {
                session,
                bastion,
                rule,
                ..
            } => self.check_expiry(fact.at, session, bastion, *rule),
            Entry::SessionEnd { session, .. } => must(
                self.session(session)?.end.is_none(),
                "the session has ended",
            ),
            Entry::Proof { .. }
            | Entry::Debt { .. }
            | Entry::Review { .. }
            | Entry::Overdue { .. } => self.check_glass(&fact.entry),
            machines => self.check_machines(machines),
        }
    }

    fn check_reading(&self, entry: &Entry) -> Possible {
        let Entry::Reading {
            session,
            reading,
            request,
            person,
            bastion,
            ..
        } = entry
        else {
            return Ok(());
        };
        self.check_held(session, reading)?;
        let case = self.case(request)?;
        must(case.running().is_some(), "there is no running grant")?;
        let asked = &case.request;
        must(*person == asked.person, "the grant is another person's")?;
        let here = asked.access.target.as_str() == bastion.as_str();
        must(here, "the grant is for something else than this bastion")
    }

    fn check_held(&self, session: &SessionId, reading: &Reading) -> Possible {
        let held = self.held.contains(session);
        match reading {
            Reading::Hold(_) => must(!held, "the recording is held already"),
            Reading::Erase(_) => must(!held, "the recording is held"),
            Reading::Release(_) => must(held, "nobody holds the recording"),
            Reading::Watch | Reading::Cat | Reading::Kill(_) => Ok(()),
        }
    }

    /// Of a session that has left the state, its bastion and its end were looked up in the store.
    fn check_expiry(
        &self,
        at: UnixTime,
        session: &SessionId,
        bastion: &BastionName,
        rule: Rule,
    ) -> Possible {
        must(!self.held.contains(session), "the recording is held")?;
        let Some(own) = self.sessions.get(session) else {
            return Ok(());
        };
        must(own.bastion == *bastion, "the session is another bastion's")?;
        let end = own.end.as_ref();
        let end = end.ok_or(Impossible("the session has not ended"))?;
        match rule {
            Rule::Age(age) => must(at.since(end.at).as_secs() >= age, "it is not old enough"),
            Rule::Size(_) => Ok(()),
        }
    }

    fn check_issue(&self, fact: &Fact) -> Possible {
        let Entry::Issue {
            serial,
            authority,
            request,
            session,
            ..
        } = &fact.entry
        else {
            return Ok(());
        };
        must(
            *serial == self.next_serial(),
            "the serial is not the next one",
        )?;
        let ca = match &fact.said {
            Said::Certificate(Some(written)) => Some(&*written.ca),
            _ => None,
        };
        let by = self.ring.check_issue(*authority, ca);
        by.map_err(Impossible)?;
        self.check_basis(*authority, request.as_ref(), session.as_ref())
    }

    fn check_basis(
        &self,
        authority: Authority,
        request: Option<&RequestId>,
        session: Option<&SessionId>,
    ) -> Possible {
        match (authority, request, session) {
            (Authority::User, Some(request), None) => {
                let case = self.case(request)?;
                must(case.running().is_some(), "there is no running grant")?;
                must(case.certificate.is_none(), "the grant has its certificate")
            }
            (Authority::Session, Some(request), Some(session)) => {
                let begun = self.session(session)?;
                must(
                    begun.request == *request,
                    "the session runs under another grant",
                )?;
                must(
                    begun.certificate.is_none(),
                    "the session has its certificate",
                )
            }
            (Authority::Host | Authority::Door, None, None) => Ok(()),
            _ => Err(Impossible("the certificate rests on the wrong thing")),
        }
    }
}
