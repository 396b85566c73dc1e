//! What the lines of sessions change.

use std::collections::BTreeSet;

use config::words::SessionId;
use record::clock::UnixTime;
use record::entry::{Entry, Whom};
use record::reading::Reading;

use super::{Impossible, Possible};
use crate::state::{Session, SessionEnd, State};

impl State {
    /// Takes an entry about a session.
    pub(super) fn of_sessions(&mut self, at: UnixTime, entry: Entry) -> Possible {
        match entry {
            Entry::Reading {
                session, reading, ..
            } => {
                self.read(session, &reading);
                Ok(())
            }
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
            _ => Err(Impossible("it is none of a session")),
        }
    }

    fn read(&mut self, session: SessionId, reading: &Reading) {
        match reading {
            Reading::Hold(_) => _ = self.held.insert(session),
            Reading::Release(_) => _ = self.held.remove(&session),
            Reading::Watch | Reading::Cat | Reading::Kill(_) | Reading::Erase(_) => {}
        }
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
}
