//! The facts that a decision rests on, gathered in one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use config::Config;
use config::words::{PersonName, RosterName};
use record::clock::UnixTime;
use record::request::Request;

use super::hall::Hall;
use crate::policy::{Asking, History, Outside};
use crate::state::{Case, State};

/// How far back break-glass grants are counted.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

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
    pub(super) fn facts(&self, state: &State, request: &Request) -> Facts {
        let now = self.now();
        let case = state.cases.get(&request.id);
        Facts {
            approvals: case.map(Case::approvers).unwrap_or_default(),
            history: history(state, request, now),
            outside: case.map(outside).unwrap_or_default(),
            now,
        }
    }
}

/// A grant runs here until its deadline by the wall clock, the later one of its two: a grant is rather counted for
/// too long than too short.
fn history(state: &State, request: &Request, now: UnixTime) -> History {
    let mut history = History::default();
    let others = state.cases.values();
    let others = others
        .filter(|case| case.request.person == request.person && case.request.id != request.id);
    for case in others {
        if case.running().is_some_and(|grant| grant.until > now) {
            let running = history.running.entry(case.request.role.clone());
            *running.or_default() += 1;
        }
        let given = case.grant.as_ref().filter(|_| case.request.break_glass);
        history.broken.extend(
            given
                .map(|grant| grant.at)
                .filter(|at| now.since(*at) < WEEK),
        );
    }
    history.broken.sort_unstable();
    history
}

/// What was heard from outside about a request.
fn outside(case: &Case) -> Outside {
    let then = case.approvals.iter();
    let then = then.map(|approval| (approval.person.clone(), approval.on_call.clone()));
    Outside {
        on_call: BTreeMap::new(),
        were_on_call: then.collect(),
        checked: case.checked(),
    }
}
