//! The facts that a decision rests on, gathered in one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::Config;
use config::words::{PersonName, RosterName};
use record::clock::UnixTime;
use record::entry::Whom;
use record::request::Request;

use super::hall::Hall;
use crate::policy::{Asking, History, Outside, Owed};
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
            approvals: case.map(|case| approvals(state, case)).unwrap_or_default(),
            history: history(state, request, now),
            outside: self.outside(config, &request.role, case),
            now,
        }
    }
}

/// Who has approved, but for those who were shut out since.
fn approvals(state: &State, case: &Case) -> Vec<PersonName> {
    let mut approvers = case.approvers();
    approvers.retain(|name| state.excluded.of(&Whom::Person(name.clone())).is_none());
    approvers
}

/// A grant runs here until its deadline by the wall clock, the later one of its two: a grant is rather counted for
/// too long than too short.
fn history(state: &State, request: &Request, now: UnixTime) -> History {
    let mut history = History {
        broken: state.glass.taken(&request.person, &request.role, now),
        ..History::default()
    };
    let own = state.cases_of(&request.person);
    for case in own.filter(|case| case.request.id != request.id) {
        if case.running().is_some_and(|grant| grant.until > now) {
            let running = history.running.entry(case.request.role.clone());
            *running.or_default() += 1;
        }
    }
    let unpaid = state.glass.unpaid();
    let unpaid = unpaid.filter_map(|id| state.cases.get(id));
    for case in unpaid.filter(|case| case.request.person == request.person) {
        if let Some(debt) = &case.debt {
            let owed = Owed {
                until: debt.until,
                from: debt.from.clone(),
                blocks: debt.blocks,
                blocks_break_glass: debt.blocks_break_glass,
            };
            history.owed.insert(case.request.id.clone(), owed);
        }
    }
    let own = state.cases.get(&request.id);
    history.proven = own.is_some_and(|case| case.proof.is_some());
    history
}
