//! Finding a request for somebody who may know of it, and where it has to stand.

use config::Config;
use config::words::{PersonName, RequestId};
use record::clock::UnixTime;

use super::glass;
use super::hall::Hall;
use super::writer::Writer;
use super::{Caller, Refused, Standing};
use crate::policy::Why;
use crate::state::{Case, State};

impl Writer {
    /// A request that this person may know of, unless they were shut out meanwhile. Any other one does not exist for
    /// them.
    pub(super) fn case(
        &self,
        config: &Config,
        caller: &Caller,
        id: &RequestId,
    ) -> Result<Case, Refused> {
        self.must_be_in(config, caller)?;
        concerning(&self.hall, &self.state, config, caller, id)
    }

    /// A request of this person.
    pub(super) fn own_case(
        &self,
        config: &Config,
        caller: &Caller,
        id: &RequestId,
    ) -> Result<Case, Refused> {
        let case = self.case(config, caller, id)?;
        if case.request.person == caller.person {
            Ok(case)
        } else {
            Err(Refused::NotYours(case.request.person.clone()))
        }
    }
}

impl Hall {
    /// Whether it still waits, for whatever it is.
    pub(super) fn must_be_open(
        &self,
        state: &State,
        config: &Config,
        case: &Case,
    ) -> Result<(), Refused> {
        match self.standing_of(state, config, case) {
            Standing::Waiting { .. } | Standing::Unproven { .. } => Ok(()),
            other => Err(Refused::Closed(other)),
        }
    }

    /// The deadline of a grant that runs.
    pub(super) fn must_run(
        &self,
        state: &State,
        config: &Config,
        case: &Case,
    ) -> Result<UnixTime, Refused> {
        match self.standing_of(state, config, case) {
            Standing::Granted { until } => Ok(until),
            Standing::Waiting { needs, checks, .. } => Err(Refused::Waiting(needs, checks)),
            Standing::Unproven { .. } => Err(Refused::Unproven(case.request.id.clone())),
            other => Err(Refused::Closed(other)),
        }
    }
}

/// A request that this person may know of.
pub(super) fn concerning(
    hall: &Hall,
    state: &State,
    config: &Config,
    caller: &Caller,
    id: &RequestId,
) -> Result<Case, Refused> {
    let case = any_case(hall, state, id)?;
    if concerns(config, &caller.person, &case) {
        Ok(case)
    } else {
        Err(Refused::UnknownRequest(id.clone()))
    }
}

pub(super) fn any_case(hall: &Hall, state: &State, id: &RequestId) -> Result<Case, Refused> {
    let case = hall.any_case(state, id)?;
    case.ok_or_else(|| Refused::UnknownRequest(id.clone()))
}

/// Whether a request concerns a person: the one who asks, those who could approve, those who hold the role, and
/// those who have approved.
pub(super) fn concerns(config: &Config, person: &PersonName, case: &Case) -> bool {
    if case.request.person == *person || case.approvers().contains(person) {
        return true;
    }
    let debt = case.debt.as_ref();
    if debt.is_some_and(|debt| glass::may_review(config, person, case, debt)) {
        return true;
    }
    let role = config.roles.get(&case.request.role);
    let (Some(role), Some(person)) = (role, config.persons.get(person)) else {
        return false;
    };
    role.approved_by(&person.groups) || !role.groups.is_disjoint(&person.groups)
}

pub(super) fn changed(why: Why) -> Refused {
    match why {
        Why::Expired => Refused::Closed(Standing::Expired),
        Why::TooManyLive { .. } | Why::Closed { .. } | Why::Quota { .. } | Why::Owes { .. } => {
            Refused::NotNow(why.to_string())
        }
        other => Refused::PolicyChanged(other.to_string()),
    }
}
