//! What is over and has left the state, looked up in the store. What is read here is
//! shown, or refused with a better word; whose sessions that are over may be read or erased is decided on it too, as a start
//! has compared it with the log. What cannot be read refuses.

use config::limits;
use config::words::{RequestId, SessionId};
use serde::de::DeserializeOwned;

use super::Refused;
use super::hall::Hall;
use super::writer::unavailable;
use crate::state::{Case, Certificate, Key, SESSIONS, Session, State};
use crate::store::StoreError;

impl Hall {
    /// A request, whether it is over or not.
    pub(super) fn any_case(&self, state: &State, id: &RequestId) -> Result<Option<Case>, Refused> {
        match state.cases.get(id) {
            Some(here) => Ok(Some(here.clone())),
            None => self.look_up(&Key::Case(id.clone())),
        }
    }

    /// A session, whether its request is over or not.
    pub(super) fn any_session(
        &self,
        state: &State,
        id: &SessionId,
    ) -> Result<Option<Session>, Refused> {
        match state.sessions.get(id) {
            Some(here) => Ok(Some(here.clone())),
            None => self.look_up(&Key::Session(id.clone())),
        }
    }

    /// A certificate, whether it has expired or not.
    pub(super) fn any_certificate(
        &self,
        state: &State,
        serial: u64,
    ) -> Result<Option<Certificate>, Refused> {
        match state.certificates.get(&serial) {
            Some(here) => Ok(Some(here.clone())),
            None => self.look_up(&Key::Certificate(serial)),
        }
    }

    /// The newest sessions whose requests are over: at most [`limits::SESSIONS_LOOKED_AT`], and no more once `each` says
    /// no.
    pub(super) fn newest_sessions(&self, mut each: impl FnMut(SessionId, Session) -> bool) {
        let mut left = limits::SESSIONS_LOOKED_AT;
        let looked = self.store.last(SESSIONS, &mut |key, value| {
            let id = key.strip_prefix(SESSIONS).and_then(|id| id.parse().ok());
            let session = serde_json::from_slice(value).ok();
            let on = id
                .zip(session)
                .is_none_or(|(id, session)| each(id, session));
            left -= 1;
            on && left > 0
        });
        if let Err(why) = looked {
            tracing::error!(%why, "what is over cannot be looked up");
        }
    }

    fn look_up<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, Refused> {
        let read = || {
            let row = self.store.row(&key.name())?;
            let read = row.map(|row| serde_json::from_slice(&row));
            Ok(read.transpose()?)
        };
        read().map_err(|why: StoreError| {
            tracing::error!(%why, "what is over cannot be looked up");
            unavailable("its state store cannot be read")
        })
    }
}
