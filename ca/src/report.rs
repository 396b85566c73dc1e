//! The standing review of access: who asked, got, used and never used what, in a period. Pure.
//!
//! A request counts in the period in which it was asked, with all that became of it until now. What was refused at
//! once never became a request, and is not counted.

mod csv;

use std::collections::{BTreeMap, BTreeSet};

use config::Config;
use config::words::{PersonName, Principal, RequestId, RoleName, SessionId, TargetName};
use record::clock::UnixTime;
use record::entry::{Authority, Entry, Line};
use record::request::Request;
use record::review::{Review, Verdict};
use record::text::{Reason, Remark};
use serde::Serialize;

pub(crate) use csv::{requests as requests_csv, rows as rows_csv};

/// What the report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// From this moment on …
    pub since: UnixTime,
    /// … and before this one.
    pub until: UnixTime,
    /// Only of this person.
    pub person: Option<PersonName>,
    /// Only under this role.
    pub role: Option<RoleName>,
    /// Only on this target.
    pub target: Option<TargetName>,
}

/// Who did what in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// From this moment on …
    pub since: UnixTime,
    /// … and before this one.
    pub until: UnixTime,
    /// For each person and each role that they hold or asked for.
    pub rows: Vec<Row>,
    /// The roles under which there was no session.
    pub unused_roles: Vec<RoleName>,
    /// Every request, in the order in which they were asked.
    pub requests: Vec<RequestRow>,
}

/// What one person did under one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Who.
    pub person: PersonName,
    /// Under which role.
    pub role: RoleName,
    /// Whether they hold it now.
    pub held: bool,
    /// How often they asked.
    pub asked: u64,
    /// How often it was granted.
    pub granted: u64,
    /// How often somebody said no, or nobody said yes in time.
    pub not_granted: u64,
    /// How many grants had a session.
    pub used: u64,
    /// How many sessions there were.
    pub sessions: u64,
    /// When the last one began.
    pub last_used: Option<UnixTime>,
    /// How often it was taken before its approval.
    pub break_glass: u64,
    /// How many of these wait for a review …
    pub owed: u64,
    /// … and of how many the review is overdue.
    pub overdue: u64,
}

/// One request, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RequestRow {
    /// Its identifier.
    pub request: RequestId,
    /// Who asked.
    pub person: PersonName,
    /// Under which role.
    pub role: RoleName,
    /// What for.
    pub access: Principal,
    /// When.
    pub asked: UnixTime,
    /// Why.
    pub reason: Reason,
    /// Whether it was to be taken before its approval.
    pub break_glass: bool,
    /// Until when it was granted.
    pub granted_until: Option<UnixTime>,
    /// By whose approvals.
    pub approved_by: Vec<PersonName>,
    /// How it ended before its time: `denied`, `withdrawn`, `returned` or `revoked`.
    pub ended: Option<&'static str>,
    /// Whether the certificate was collected.
    pub collected: bool,
    /// The sessions.
    pub sessions: u64,
    /// When the last one began.
    pub last_used: Option<UnixTime>,
    /// By when it has or had to be reviewed.
    pub review_until: Option<UnixTime>,
    /// Whether as many persons have reviewed it as have to.
    pub reviewed: bool,
    /// The reviews.
    pub reviews: Vec<Said>,
    #[serde(skip)]
    reviewers: u32,
}

/// One review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Said {
    /// Who.
    pub person: PersonName,
    /// What they said.
    pub verdict: Verdict,
    /// And why.
    pub remark: Remark,
}

impl RequestRow {
    /// Whether its review waits.
    pub const fn is_owed(&self) -> bool {
        self.review_until.is_some() && !self.reviewed
    }

    /// Whether its review is past its deadline.
    pub fn is_overdue(&self, now: UnixTime) -> bool {
        self.is_owed() && self.review_until.is_some_and(|until| now >= until)
    }
}

/// Reads a log line by line.
pub(crate) struct Reader {
    scope: Scope,
    asked: BTreeMap<RequestId, RequestRow>,
    order: Vec<RequestId>,
    sessions: BTreeSet<SessionId>,
}

impl Reader {
    pub(crate) const fn new(scope: Scope) -> Self {
        Self {
            scope,
            asked: BTreeMap::new(),
            order: Vec::new(),
            sessions: BTreeSet::new(),
        }
    }

    /// Takes the next line.
    pub(crate) fn take(&mut self, line: Line) {
        let at = line.at;
        match line.entry {
            Entry::Request { text, .. } => self.ask(at, &text),
            Entry::Grant {
                request,
                until,
                approved_by,
                ..
            } => self.change(&request, |asked| {
                asked.granted_until = Some(until);
                asked.approved_by = approved_by;
            }),
            Entry::Issue {
                authority: Authority::User,
                request: Some(request),
                ..
            } => self.change(&request, |asked| asked.collected = true),
            Entry::SessionBegin {
                request, session, ..
            } => {
                let new = u64::from(self.sessions.insert(session));
                self.change(&request, |asked| {
                    asked.sessions += new;
                    asked.last_used = Some(at);
                });
            }
            Entry::Denial { request, .. } => self.end(&request, "denied"),
            Entry::Withdrawal { request } => self.end(&request, "withdrawn"),
            Entry::Return { request } => self.end(&request, "returned"),
            Entry::Revocation { request, .. } => self.end(&request, "revoked"),
            Entry::Debt {
                request,
                count,
                until,
                ..
            } => self.change(&request, |asked| {
                asked.review_until = Some(until);
                asked.reviewers = count;
            }),
            Entry::Review { text, .. } => self.review(&text),
            _ => {}
        }
    }

    /// The report, with the zeros of what people hold now and did not use.
    pub(crate) fn close(mut self, config: &Config, now: UnixTime) -> Report {
        let order = std::mem::take(&mut self.order);
        let requests: Vec<RequestRow> = order
            .iter()
            .filter_map(|id| self.asked.remove(id))
            .collect();
        let mut rows = self.held(config);
        for asked in &requests {
            let own = (asked.person.clone(), asked.role.clone());
            let row = rows
                .entry(own)
                .or_insert_with_key(|own| Row::empty(own, false));
            row.count(asked, now);
        }
        let roles = config.roles.iter();
        let roles = roles.filter(|(name, role)| {
            let target = self.scope.target.as_ref();
            self.scope.role.as_ref().is_none_or(|only| only == *name)
                && target.is_none_or(|only| role.targets.contains(only))
        });
        let used = |name: &RoleName| {
            rows.values()
                .any(|row| row.role == *name && row.sessions > 0)
        };
        Report {
            since: self.scope.since,
            until: self.scope.until,
            unused_roles: roles
                .map(|(name, _)| name.clone())
                .filter(|name| !used(name))
                .collect(),
            rows: rows.into_values().collect(),
            requests,
        }
    }

    fn ask(&mut self, at: UnixTime, text: &str) {
        let scope = &self.scope;
        // The CA never writes one that does not parse.
        let Ok(request) = Request::parse(text) else {
            return;
        };
        let wanted = (scope.since..scope.until).contains(&at)
            && scope
                .person
                .as_ref()
                .is_none_or(|only| *only == request.person)
            && scope.role.as_ref().is_none_or(|only| *only == request.role)
            && scope
                .target
                .as_ref()
                .is_none_or(|only| *only == request.access.target);
        if !wanted {
            return;
        }
        let asked = RequestRow {
            request: request.id.clone(),
            person: request.person,
            role: request.role,
            access: request.access,
            asked: at,
            reason: request.reason,
            break_glass: request.break_glass,
            granted_until: None,
            approved_by: Vec::new(),
            ended: None,
            collected: false,
            sessions: 0,
            last_used: None,
            review_until: None,
            reviewed: false,
            reviews: Vec::new(),
            reviewers: 0,
        };
        self.order.push(request.id.clone());
        self.asked.insert(request.id, asked);
    }

    fn review(&mut self, text: &str) {
        let Ok(review) = Review::parse(text) else {
            return;
        };
        self.change(&review.request, |asked| {
            asked.reviews.push(Said {
                person: review.reviewer,
                verdict: review.verdict,
                remark: review.remark,
            });
            asked.reviewed = asked.reviews.len() >= asked.reviewers as usize;
        });
    }

    fn end(&mut self, id: &RequestId, how: &'static str) {
        self.change(id, |asked| asked.ended = Some(how));
    }

    fn change(&mut self, id: &RequestId, change: impl FnOnce(&mut RequestRow)) {
        if let Some(asked) = self.asked.get_mut(id) {
            change(asked);
        }
    }

    /// A row of zeros for everybody and each role that they hold.
    fn held(&self, config: &Config) -> BTreeMap<(PersonName, RoleName), Row> {
        let scope = &self.scope;
        let persons = config.persons.iter();
        let persons =
            persons.filter(|(name, _)| scope.person.as_ref().is_none_or(|only| only == *name));
        let mut rows = BTreeMap::new();
        for (name, person) in persons {
            for (role_name, role) in &config.roles {
                let meant = scope.role.as_ref().is_none_or(|only| only == role_name);
                let there = scope
                    .target
                    .as_ref()
                    .is_none_or(|only| role.targets.contains(only));
                if meant && there && !role.groups.is_disjoint(&person.groups) {
                    let own = (name.clone(), role_name.clone());
                    let row = Row::empty(&own, true);
                    rows.insert(own, row);
                }
            }
        }
        rows
    }
}

impl Row {
    fn empty((person, role): &(PersonName, RoleName), held: bool) -> Self {
        Self {
            person: person.clone(),
            role: role.clone(),
            held,
            asked: 0,
            granted: 0,
            not_granted: 0,
            used: 0,
            sessions: 0,
            last_used: None,
            break_glass: 0,
            owed: 0,
            overdue: 0,
        }
    }

    fn count(&mut self, asked: &RequestRow, now: UnixTime) {
        let granted = asked.granted_until.is_some();
        self.asked += 1;
        self.granted += u64::from(granted);
        self.not_granted += u64::from(!granted);
        self.used += u64::from(asked.sessions > 0);
        self.sessions += asked.sessions;
        self.last_used = self.last_used.max(asked.last_used);
        self.break_glass += u64::from(granted && asked.break_glass);
        self.owed += u64::from(asked.is_owed());
        self.overdue += u64::from(asked.is_overdue(now));
    }
}

#[cfg(test)]
mod tests;
