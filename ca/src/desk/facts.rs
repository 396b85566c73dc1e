//! The facts that a decision rests on, gathered in one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::Config;
use config::words::{PersonName, RosterName};
use record::clock::UnixTime;
use record::entry::Whom;
use record::request::Request;
use record::sshsig;

use super::hall::Hall;
use crate::history;
use crate::policy::{Asking, History, Outside};
use crate::state::{Case, State};

/// Facts of one moment about one request.
pub(super) struct Facts {
    approvals: Vec<PersonName>,
    history: History,
    outside: Outside,
    pub(super) now: UnixTime,
}

impl Facts {
    /// With the configuration and the request, all that the policy asks for.
    pub(super) fn asking<'a>(
        &'a self,
        config: &'a Config,
        request: &'a Request,
        source: IpAddr,
    ) -> Asking<'a> {
        Asking {
            config,
            request,
            source,
            approvals: &self.approvals,
            denied: None,
            history: &self.history,
            outside: &self.outside,
            now: self.now,
        }
    }

    /// Who is on call, by the rosters that the role names.
    pub(super) const fn on_call(&self) -> &BTreeMap<RosterName, BTreeSet<PersonName>> {
        &self.outside.on_call
    }

    /// The rosters that a person is on call by, of those.
    pub(super) fn on_call_of(&self, person: &PersonName) -> BTreeSet<RosterName> {
        let rosters = self.outside.on_call.iter();
        let own = rosters.filter(|(_, persons)| persons.contains(person));
        own.map(|(roster, _)| roster.clone()).collect()
    }

    /// The same for a request that stands in the log.
    pub(super) fn of<'a>(&'a self, config: &'a Config, case: &'a Case) -> Asking<'a> {
        self.asking(config, &case.request, case.source)
    }
}

impl Hall {
    /// The facts about a request that stands in the log, or is about to.
    pub(super) fn facts(&self, state: &State, config: &Config, request: &Request) -> Facts {
        let now = self.now();
        let case = state.cases.get(&request.id);
        Facts {
            approvals: case
                .map(|case| approvals(state, config, case))
                .unwrap_or_default(),
            history: history::of(state, request, now),
            outside: self.outside(config, &request.role, case),
            now,
        }
    }
}

/// Who has approved, but for those who were shut out since, or lost the key that they signed with: what somebody else
/// did with a stolen key is not theirs.
fn approvals(state: &State, config: &Config, case: &Case) -> Vec<PersonName> {
    let counting = case.approvals.iter().filter(|approval| {
        let person = &approval.person;
        let out = state.excluded.of(&Whom::Person(person.clone())).is_some();
        let key = sshsig::signer(&approval.signature).ok();
        let keys = state.signing_keys(config, person);
        !out && key.is_some_and(|key| keys.iter().any(|own| own.key_data() == key.key_data()))
    });
    counting.map(|approval| approval.person.clone()).collect()
}
