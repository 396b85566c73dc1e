//! What each person waits for and has, found by person: a request never looks through those of everybody.

use config::words::{PersonName, RequestId, RoleName};
use record::clock::UnixTime;

use super::{Case, State};

impl State {
    /// The requests of a person that wait, apart from their time.
    pub(crate) fn open_of(&self, person: &PersonName) -> impl Iterator<Item = &Case> {
        let own = self.open.get(person).into_iter().flatten();
        own.filter_map(|id| self.cases.get(id))
    }

    /// The grants of a person under a role that run at this time.
    pub(crate) fn running_of(
        &self,
        person: &PersonName,
        role: &RoleName,
        now: UnixTime,
    ) -> impl Iterator<Item = &RequestId> {
        let own = self.running.get(&(person.clone(), role.clone()));
        let latest = own.into_iter().flatten().rev();
        let late = latest.take_while(move |(until, _)| *until > now);
        late.map(|(_, id)| id)
    }

    /// A request begins to wait.
    pub(super) fn waits(&mut self, person: &PersonName, id: &RequestId) {
        let own = self.open.entry(person.clone());
        own.or_default().insert(id.clone());
    }

    /// A request is granted, closed or over.
    pub(super) fn waits_no_more(&mut self, id: &RequestId) {
        let Some(case) = self.cases.get(id) else {
            return;
        };
        if let Some(own) = self.open.get_mut(&case.request.person) {
            own.remove(id);
            if own.is_empty() {
                self.open.remove(&case.request.person);
            }
        }
    }

    /// A request was granted.
    pub(super) fn runs(&mut self, id: &RequestId) {
        if let Some((own, place)) = self.cases.get(id).and_then(place) {
            self.running.entry(own).or_default().insert(place);
        }
    }

    /// A grant has ended, or is over.
    pub(super) fn runs_no_more(&mut self, id: &RequestId) {
        let Some((own, place)) = self.cases.get(id).and_then(place) else {
            return;
        };
        if let Some(held) = self.running.get_mut(&own) {
            held.remove(&place);
            if held.is_empty() {
                self.running.remove(&own);
            }
        }
    }
}

type Place = ((PersonName, RoleName), (UnixTime, RequestId));

/// Where a grant is found.
fn place(case: &Case) -> Option<Place> {
    let request = &case.request;
    let until = case.grant.as_ref()?.until;
    let own = (request.person.clone(), request.role.clone());
    Some((own, (until, request.id.clone())))
}
