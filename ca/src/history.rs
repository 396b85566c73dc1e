//! What the log says about a person who asks, gathered for the policy.

use record::clock::UnixTime;
use record::request::Request;

use crate::policy::{History, Owed};
use crate::state::State;

/// A grant runs here until its deadline by the wall clock, the later one of its two: a grant is rather counted for
/// too long than too short.
pub(crate) fn of(state: &State, request: &Request, now: UnixTime) -> History {
    let mut history = History {
        broken: state.glass.taken(&request.person, &request.role, now),
        ..History::default()
    };
    let running = state.running_of(&request.person, &request.role, now);
    let others = running.filter(|id| **id != request.id).count();
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    history.running.insert(request.role.clone(), others);
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
