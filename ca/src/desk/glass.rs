//! Break-glass: the proof that it is that person, the debt, and the review that pays it.

use std::collections::BTreeSet;
use std::time::Duration;

use config::Config;
use config::limits;
use config::rules::Role;
use config::words::{GroupName, PersonName, RequestId};
use record::clock::UnixTime;
use record::entry::Entry;
use record::request::{PROOF_NAMESPACE, Request};
use record::review::{REVIEW_NAMESPACE, Review, Seen, Verdict};
use record::sshsig;
use record::text::Remark;

use super::cases::concerning;
use super::hall::Hall;
use super::writer::{Answer, Decided, Writer};
use super::{Caller, DebtRow, OwedRow, Refused, ReviewRow, Standing};
use crate::alert::Event;
use crate::glass::Debt;
use crate::issue::Ledger as _;
use crate::policy::Why;
use crate::state::{Case, State};

impl Writer {
    /// The person who asked proves, with a signature by a token that asked for its PIN, that it is they.
    pub(super) fn prove(
        &mut self,
        caller: &Caller,
        id: &RequestId,
        signature: &str,
    ) -> Decided<Standing> {
        let config = self.hall.config();
        let case = self.own_case(&config, caller, id)?;
        self.hall.must_be_open(&self.state, &config, &case)?;
        let role = config.roles.get(&case.request.role);
        let terms = role.and_then(|role| role.break_glass.as_ref());
        let wanted = case.request.break_glass && terms.is_some_and(|terms| terms.verify);
        if !wanted || case.proof.is_some() {
            return Err(Refused::NothingToProve);
        }
        let keys = self.state.signing_keys(&config, &caller.person);
        let text = case.request.text();
        sshsig::verify_user(keys, PROOF_NAMESPACE, text.as_bytes(), signature)
            .map_err(Refused::Proof)?;
        self.commit(Entry::Proof {
            request: id.clone(),
            signature: signature.to_owned(),
        })?;
        // If only this becomes durable, the proof stands, and whoever collects next settles the request.
        let standing = self.settle(&config, id)?;
        let alarm = self.alarm(&config, &case.request, &standing);
        Ok(Answer::after(move |_| {
            alarm();
            Ok(standing)
        }))
    }

    /// What tells everybody, once it is durable, that somebody took a role before anybody approved.
    pub(super) fn alarm(
        &self,
        config: &Config,
        request: &Request,
        standing: &Standing,
    ) -> impl FnOnce() + Send + 'static {
        let hall = self.hall.clone();
        let told = match standing {
            Standing::Granted { until } if request.break_glass => {
                granted(config, request, *until).map(|event| (approvers(config, request), event))
            }
            _ => None,
        };
        move || {
            if let Some((tell, event)) = told {
                hall.alerts.tell(hall.now(), tell, event);
            }
        }
    }

    /// Before the certificate of a break-glass grant is issued, once.
    pub(super) fn owe(&mut self, case: &Case, role: &Role, until: UnixTime) -> Result<(), Refused> {
        let terms = role
            .break_glass
            .as_ref()
            .filter(|_| case.request.break_glass);
        let Some(terms) = terms.filter(|_| case.debt.is_none()) else {
            return Ok(());
        };
        self.commit(Entry::Debt {
            request: case.request.id.clone(),
            count: terms.review.count,
            from: terms.review.from.clone(),
            until: until.after(terms.review.within),
            blocks: terms.blocks,
            blocks_break_glass: terms.blocks_break_glass,
        })
        .map(drop)
    }

    /// Somebody else says what they think of what was done.
    pub(super) fn review(
        &mut self,
        caller: &Caller,
        id: &RequestId,
        (verdict, remark): (Verdict, Remark),
        signature: &str,
    ) -> Decided<DebtRow> {
        let config = self.hall.config();
        self.must_be_in(&config, caller)?;
        let said = (verdict, remark.clone());
        let review = self
            .hall
            .review_of(&self.state, &config, caller, id, said)?;
        let text = review.text();
        let keys = self.state.signing_keys(&config, &caller.person);
        sshsig::verify(keys, REVIEW_NAMESPACE, text.as_bytes(), signature)
            .map_err(Refused::ReviewSignature)?;
        self.commit(Entry::Review {
            text,
            signature: signature.to_owned(),
        })?;
        let case = self.case(&config, caller, id)?;
        let row = debt_row(&config, &case, self.hall.now()).ok_or(Refused::NothingOwed)?;
        let (hall, by) = (self.hall.clone(), caller.person.clone());
        Ok(Answer::after(move |_| {
            if verdict == Verdict::Reject {
                let tell = approvers(&config, &case.request);
                let event = Event::ReviewRejected {
                    request: case.request.id.clone(),
                    person: case.request.person.clone(),
                    reviewer: by,
                    remark,
                };
                hall.alerts.tell(hall.now(), tell, event);
            }
            Ok(row)
        }))
    }

    /// Announces that a review is overdue, once.
    pub(super) fn announce(&mut self, id: &RequestId) -> Decided<()> {
        let config = self.hall.config();
        let now = self.hall.now();
        let case = self.state.cases.get(id);
        let debt = case.and_then(|case| Some((case, case.debt.as_ref()?)));
        let due = debt.filter(|(_, debt)| debt.is_overdue(now) && !debt.announced);
        let Some((case, debt)) = due else {
            return Ok(Answer::of(()));
        };
        let request = &case.request;
        let tell = approvers(&config, request);
        let event = Event::DebtUnpaid {
            request: request.id.clone(),
            person: request.person.clone(),
            access: request.access.clone(),
            role: request.role.clone(),
            review_until: debt.until,
            review_from: debt.payers(&config, &request.person, &request.role),
            blocks: debt.blocks,
        };
        self.commit(Entry::Overdue {
            request: id.clone(),
        })?;
        let hall = self.hall.clone();
        Ok(Answer::after(move |_| {
            hall.alerts.tell(now, tell, event);
            Ok(())
        }))
    }
}

impl Hall {
    /// The review that this person would sign now, if they may.
    pub(super) fn review_of(
        &self,
        state: &State,
        config: &Config,
        caller: &Caller,
        id: &RequestId,
        said: (Verdict, Remark),
    ) -> Result<Review, Refused> {
        let case = concerning(self, state, config, caller, id)?;
        let debt = case.debt.as_ref().ok_or(Refused::NothingOwed)?;
        if case.request.person == caller.person {
            return Err(Refused::OwnReview);
        }
        if debt.has(&caller.person) {
            return Err(Refused::AlreadyReviewed);
        }
        if debt.is_paid() {
            return Err(Refused::NothingOwed);
        }
        if !may_review(config, &caller.person, &case, debt) {
            let payers = debt.payers(config, &case.request.person, &case.request.role);
            return Err(Refused::NotReviewer(payers));
        }
        self.must_be_over(state, &case)?;
        let seen = case.sessions.iter().map(|id| Seen {
            session: id.clone(),
            recording: state.sessions.get(id).and_then(|session| {
                let end = session.end.as_ref()?;
                Some((end.root, end.frames))
            }),
        });
        let what = (case.request.id.clone(), case.request.digest());
        Ok(Review::of(
            what,
            caller.person.clone(),
            said,
            seen.collect(),
        ))
    }

    /// Nobody can look at what is not over.
    fn must_be_over(&self, state: &State, case: &Case) -> Result<(), Refused> {
        if case.end.is_none() && !self.is_over(case) {
            return Err(Refused::StillRuns(case.limit()));
        }
        let mut open = case.sessions.iter().filter(|id| {
            let session = state.sessions.get(*id);
            session.is_some_and(|session| session.end.is_none())
        });
        let waits = self.now() < case.limit().after(limits::REVIEW_WAITS);
        match open.next().filter(|_| waits) {
            Some(session) => Err(Refused::SessionRuns(session.clone())),
            None => Ok(()),
        }
    }

    /// What waits for a review: by this person, and by others of what this person did; the most urgent first.
    pub(super) fn owed(&self, caller: &Caller) -> Vec<OwedRow> {
        let config = self.config();
        let state = self.state();
        let now = self.now();
        let cases = state.glass.unpaid().filter_map(|id| state.cases.get(id));
        let mut rows: Vec<_> = cases
            .filter_map(|case| {
                let debt = case.debt.as_ref()?;
                let for_you =
                    may_review(&config, &caller.person, case, debt) && !debt.has(&caller.person);
                let request = &case.request;
                (for_you || request.person == caller.person).then(|| OwedRow {
                    id: request.id.clone(),
                    person: request.person.clone(),
                    access: request.access.clone(),
                    role: request.role.clone(),
                    reason: request.reason.clone(),
                    sessions: case.sessions.len() as u64,
                    from: debt.payers(&config, &request.person, &request.role),
                    until: debt.until,
                    overdue: debt.is_overdue(now),
                    ready: self.must_be_over(&state, case).is_ok(),
                    for_you,
                })
            })
            .collect();
        rows.sort_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)));
        rows
    }

    /// The debts that are to be announced now, and how long until the next one; none if there is none.
    pub(super) fn due(&self) -> (Vec<RequestId>, Option<Duration>) {
        let (state, now) = (self.state(), self.now());
        let cases = state.glass.unpaid().filter_map(|id| state.cases.get(id));
        let open = cases.filter_map(|case| {
            let debt = case.debt.as_ref().filter(|debt| !debt.announced)?;
            Some((case.request.id.clone(), debt.until))
        });
        let (due, later): (Vec<_>, Vec<_>) = open.partition(|(_, until)| now >= *until);
        let next = later.iter().map(|(_, until)| until.since(now)).min();
        (due.into_iter().map(|(id, _)| id).collect(), next)
    }
}

/// The debt of a request, for people.
pub(super) fn debt_row(config: &Config, case: &Case, now: UnixTime) -> Option<DebtRow> {
    let debt = case.debt.as_ref()?;
    let reviews = debt.reviews.iter().map(|review| ReviewRow {
        person: review.person.clone(),
        at: review.at,
        verdict: review.verdict,
        remark: review.remark.clone(),
        text: review.text.clone(),
        signature: review.signature.clone(),
    });
    Some(DebtRow {
        count: debt.count,
        from: debt.payers(config, &case.request.person, &case.request.role),
        until: debt.until,
        paid: debt.is_paid(),
        overdue: debt.is_overdue(now),
        blocks: debt.blocks,
        reviews: reviews.collect(),
    })
}

/// Whether this person could pay a debt: somebody else, in one of its groups.
pub(super) fn may_review(config: &Config, person: &PersonName, case: &Case, debt: &Debt) -> bool {
    let request = &case.request;
    let payers = debt.payers(config, &request.person, &request.role);
    let own = config.persons.get(person);
    request.person != *person
        && own.is_some_and(|own| payers.iter().any(|group| own.groups.contains(group)))
}

/// What a refusal for break-glass tells the approvers, if it tells them anything.
pub(super) fn refused(
    config: &Config,
    request: &Request,
    why: &Why,
) -> Option<(Vec<PersonName>, Event)> {
    let Why::Quota { free, .. } = why else {
        return None;
    };
    let event = Event::Quota {
        person: request.person.clone(),
        role: request.role.clone(),
        access: request.access.clone(),
        reason: request.reason.clone(),
        free: *free,
    };
    Some((approvers(config, request), event))
}

fn granted(config: &Config, request: &Request, until: UnixTime) -> Option<Event> {
    let role = config.roles.get(&request.role)?;
    let review = &role.break_glass.as_ref()?.review;
    Some(Event::BreakGlass {
        request: request.id.clone(),
        person: request.person.clone(),
        access: request.access.clone(),
        role: request.role.clone(),
        reason: request.reason.clone(),
        until,
        review_until: until.after(review.within),
        review_from: review.from.clone(),
    })
}

/// Everybody else who approves the role or reviews what is done under it.
pub(super) fn approvers(config: &Config, request: &Request) -> Vec<PersonName> {
    let Some(role) = config.roles.get(&request.role) else {
        return Vec::new();
    };
    let mut groups: BTreeSet<GroupName> = role.approvers().into_iter().collect();
    let terms = role.break_glass.iter();
    groups.extend(terms.flat_map(|terms| terms.review.from.clone()));
    let persons = config.persons.iter();
    let persons = persons
        .filter(|(name, person)| **name != request.person && !person.groups.is_disjoint(&groups));
    persons.map(|(name, _)| name.clone()).collect()
}
