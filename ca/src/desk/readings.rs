//! What reviewers read at a bastion: the same certificate, the same decision and the same log as for a session.

use std::collections::BTreeSet;
use std::sync::Arc;

use config::Config;
use config::limits;
use config::rules::Reads;
use config::words::{BastionName, SessionId};
use record::api::Done;
use record::api::review::{ListAsk, Listed, Listing, Pass, ReadAsk, ReadGiven, Shown};
use record::entry::Entry;
use record::reading::Reading;

use super::Refused;
use super::bastions::known;
use super::cases::changed;
use super::hall::Hall;
use super::strays::NoCase;
use super::writer::{Answer, Decided, Writer};
use crate::issue::Ledger as _;
use crate::policy;
use crate::state::{Case, Session, State};

/// A grant to review, and whose sessions.
struct Reviewer {
    pass: Pass,
    reads: Reads,
}

impl Writer {
    /// A reviewer is about to read a session, or to end it: from now on it stands in the log.
    pub(super) fn read(&mut self, bastion: &BastionName, ask: &ReadAsk) -> Decided<ReadGiven> {
        let (pass, own) = self.may_read(bastion, ask)?;
        self.commit(Entry::Reading {
            session: ask.session.clone(),
            reading: ask.reading.clone(),
            request: pass.request.clone(),
            person: pass.person.clone(),
            bastion: bastion.clone(),
            source: ask.shown.source,
        })?;
        let session = listed(&self.state.held, ask.session.clone(), own);
        // What is left is counted when the line is durable, and nothing is shown before.
        let hall = self.hall.clone();
        Ok(Answer::after(move |_| {
            Ok(ReadGiven {
                pass: counted(&hall, pass),
                session,
            })
        }))
    }

    /// Whether [`Writer::read`] would say yes now. It promises nothing, and nothing may be shown for it.
    pub(super) fn may(&mut self, bastion: &BastionName, ask: &ReadAsk) -> Decided<Done> {
        self.may_read(bastion, ask)?;
        Ok(Answer::of(Done {}))
    }

    /// Whoever shows this may do that with the session.
    fn may_read(
        &mut self,
        bastion: &BastionName,
        ask: &ReadAsk,
    ) -> Result<(Pass, Session), Refused> {
        let Reviewer { pass, reads } = self.reviewer(bastion, &ask.shown)?;
        let found = self.hall.any_session(&self.state, &ask.session)?;
        let own =
            found.filter(|session| session.bastion == *bastion && reads.covers(&session.access));
        // One that the role does not cover is not told from one that is not there.
        let own = own.ok_or_else(|| Refused::UnknownSession(ask.session.clone()))?;
        match &ask.reading {
            Reading::Watch | Reading::Cat | Reading::Kill(_) => {}
            Reading::Erase(_) if self.state.held.contains(&ask.session) => {
                return Err(Refused::Because(
                    "the recording is held: `release` lifts that, and it is erased afterwards",
                ));
            }
            Reading::Erase(_) => {
                let case = self.hall.any_case(&self.state, &own.request)?;
                may_erase(&reads, &pass, &own, case.as_ref())?;
            }
            holds @ (Reading::Hold(_) | Reading::Release(_)) => {
                self.may_hold(&reads, &pass, (&ask.session, &own), holds)?;
            }
        }
        Ok((pass, own))
    }

    /// The sessions that a reviewer may read.
    pub(super) fn list(&mut self, bastion: &BastionName, ask: &ListAsk) -> Decided<Listing> {
        let Reviewer { pass, reads } = self.reviewer(bastion, &ask.shown)?;
        let (hall, bastion, ask) = (self.hall.clone(), bastion.clone(), ask.clone());
        Ok(Answer::after(move |_| {
            let sessions = hall.readable(&bastion, &reads, &ask);
            Ok(Listing {
                pass: counted(&hall, pass),
                sessions,
            })
        }))
    }

    /// Whoever shows this certificate at this bastion may review there, now.
    fn reviewer(&mut self, bastion: &BastionName, shown: &Shown) -> Result<Reviewer, Refused> {
        let config: Arc<Config> = self.hall.config();
        known(&self.state, &config, bastion)?;
        let found = self
            .hall
            .case_of_certificate(&self.state, &shown.certificate);
        let case = match found {
            Ok((case, _)) => case,
            Err(NoCase::Refused(why)) => return Err(why),
            Err(NoCase::Stray(stray)) => {
                return Err(self.stray(&stray, bastion, &shown.access, shown.source));
            }
        };
        let request = &case.request;
        if request.access != shown.access || request.access.target.as_str() != bastion.as_str() {
            return Err(Refused::OtherAccess {
                given: request.access.clone(),
                asked: shown.access.clone(),
            });
        }
        let until = self.hall.must_run(&self.state, &config, &case)?;
        let facts = self.hall.facts(&self.state, &config, request);
        let (role, _) = policy::stands(&facts.of(&config, &case)).map_err(changed)?;
        if !role.reachable_from(shown.source) {
            return Err(Refused::Elsewhere {
                role: request.role.clone(),
                sources: role.sources.clone(),
                address: shown.source,
            });
        }
        let reads = role.reads.clone().ok_or(Refused::Because(
            "the grant is for a session, and lets nobody read recordings",
        ))?;
        let pass = Pass {
            request: request.id.clone(),
            person: request.person.clone(),
            role: request.role.clone(),
            until,
            left_ms: 0,
        };
        Ok(Reviewer { pass, reads })
    }
}

/// A role that says so destroys the key of a recording that is finished, of somebody else's session that nobody has yet to
/// look at.
fn may_erase(
    reads: &Reads,
    pass: &Pass,
    session: &Session,
    case: Option<&Case>,
) -> Result<(), Refused> {
    if !reads.erases {
        return Err(Refused::Because(
            "the role reads recordings and erases none: that takes one with erase = true",
        ));
    }
    if session.person == pass.person {
        return Err(Refused::Because(
            "nobody erases the recording of their own session: ask somebody else",
        ));
    }
    let debt = case.and_then(|case| case.debt.as_ref());
    if debt.is_some_and(|debt| !debt.is_paid()) {
        return Err(Refused::Because(
            "it was taken with break-glass, and its review is owed still: it is erased afterwards",
        ));
    }
    if session.end.is_none() {
        return Err(Refused::Because(
            "the session has not ended: what is left of it is erased afterwards (`kill` ends it)",
        ));
    }
    Ok(())
}

impl Hall {
    /// The newest of a bastion's sessions that may be read.
    fn readable(&self, bastion: &BastionName, reads: &Reads, ask: &ListAsk) -> Vec<Listed> {
        let wanted = |session: &Session| {
            session.bastion == *bastion
                && reads.covers(&session.access)
                && ask
                    .person
                    .as_ref()
                    .is_none_or(|only| *only == session.person)
                && ask
                    .target
                    .as_ref()
                    .is_none_or(|only| *only == session.access.target)
                && !(ask.live && session.end.is_some())
        };
        let held = self.state().held.clone();
        if let Some(id) = &ask.session {
            let found = self.any_session(&self.state(), id).ok().flatten();
            let found = found.filter(wanted);
            return found
                .map(|session| listed(&held, id.clone(), session))
                .into_iter()
                .collect();
        }
        let here = |state: &State| {
            let found = state.sessions.iter().rev();
            let found = found.filter(|(_, session)| wanted(session));
            let found = found.take(limits::REVIEW_ROWS);
            found
                .map(|(id, session)| listed(&held, id.clone(), session.clone()))
                .collect::<Vec<_>>()
        };
        let mut rows = here(&self.state());
        // Those of the state may be older than all of these.
        let most = rows.len() + limits::REVIEW_ROWS;
        // What has ended and left the state.
        self.newest_sessions(|id, session| {
            if wanted(&session) && rows.iter().all(|row| row.session != id) {
                rows.push(listed(&held, id, session));
            }
            rows.len() < most
        });
        rows.sort_by(|a, b| b.session.cmp(&a.session));
        rows.truncate(limits::REVIEW_ROWS);
        rows
    }
}

fn counted(hall: &Hall, pass: Pass) -> Pass {
    let left = hall.left(&pass.request, pass.until);
    Pass {
        left_ms: u64::try_from(left.as_millis()).unwrap_or(0),
        ..pass
    }
}

fn listed(held: &BTreeSet<SessionId>, id: SessionId, session: Session) -> Listed {
    Listed {
        held: held.contains(&id),
        session: id,
        person: session.person,
        access: session.access,
        began: session.began,
        ended: session.end.map(|end| end.reason),
    }
}
