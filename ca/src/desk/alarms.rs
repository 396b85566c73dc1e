//! Alerts of sessions: into the log first, then to whoever has to hear of them.

use std::net::IpAddr;

use config::limits;
use config::rules::Role;
use config::words::{AlertName, BastionName, PersonName};
use record::api;
use record::entry::Entry;

use super::Refused;
use super::hall::Hall;
use super::strays::concerned;
use super::writer::{Answer, Decided, Writer, unavailable};
use crate::alert::Event;
use crate::issue::Ledger as _;

/// What a session from an address that the person was not seen at is called.
const NEW_SOURCE: &str = "new-source";

impl Writer {
    /// A bastion tells of something that happened in a session of its own.
    pub(super) fn session_alert(
        &mut self,
        bastion: &BastionName,
        alert: api::SessionAlert,
    ) -> Decided<api::Done> {
        let begun = self.hall.any_session(&self.state, &alert.session)?;
        let own = begun.filter(|session| session.bastion == *bastion);
        let own = own.ok_or_else(|| Refused::UnknownSession(alert.session.clone()))?;
        if own.alerts.contains(&(alert.alert.clone(), alert.on)) {
            return Ok(Answer::of(api::Done {}));
        }
        if own.alerts.len() >= limits::ALERTS_PER_SESSION {
            return Err(Refused::Because(
                "the session has as many alerts as one may",
            ));
        }
        self.commit(Entry::SessionAlert {
            session: alert.session,
            alert: alert.alert,
            on: alert.on,
            ended: alert.ended,
        })?;
        Ok(Answer::of(api::Done {}))
    }

    /// The alert that a session from this address is, if the role wants to hear of it. Asked before the session begins.
    pub(super) fn new_source(
        &self,
        role: &Role,
        person: &PersonName,
        source: IpAddr,
    ) -> Result<Option<AlertName>, Refused> {
        let Some(within) = role.new_source else {
            return Ok(None);
        };
        let now = self.hall.now();
        if !self.state.sources.is_new(person, source, now, within) {
            return Ok(None);
        }
        let name = NEW_SOURCE.parse();
        name.map(Some)
            .map_err(|_| unavailable("its own alert has no name"))
    }
}

/// Tells whoever approves the role, may shut out, or watches the whole, once the log has it; the person not.
pub(super) fn tell(hall: &Hall, entry: &Entry) {
    let Entry::SessionAlert {
        session,
        alert,
        on,
        ended,
    } = entry
    else {
        return;
    };
    let state = hall.state();
    let Ok(Some(own)) = hall.any_session(&state, session) else {
        tracing::error!(%session, %alert, "an alert of a session that is not found");
        return;
    };
    let config = hall.config();
    let role = state.cases.get(&own.request).map(|case| &case.request.role);
    let role = role.and_then(|name| config.roles.get(name));
    let approves = |name: &PersonName| {
        let person = config.persons.get(name);
        role.zip(person)
            .is_some_and(|(role, person)| role.approved_by(&person.groups))
    };
    let mut tell = concerned(&config);
    tell.extend(config.persons.keys().filter(|name| approves(name)).cloned());
    tell.sort();
    tell.dedup();
    tell.retain(|name| *name != own.person);
    let event = Event::SessionAlert {
        session: session.clone(),
        person: own.person,
        access: own.access,
        bastion: own.bastion,
        source: own.source,
        alert: alert.clone(),
        on: *on,
        ended: *ended,
    };
    drop(state);
    hall.alerts.tell(hall.now(), tell, event);
}
