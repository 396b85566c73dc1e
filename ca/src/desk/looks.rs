//! The questions that change nothing.

use std::time::Duration;

use config::Config;
use config::words::RequestId;
use record::api;
use record::clock::UnixTime;
use record::request::Request;

use super::cases::{concerning, concerns};
use super::glass::debt_row;
use super::hall::Hall;
use super::outside;
use super::{
    ApprovalRow, Caller, CertificateRow, EndRow, Need, PendingRow, Refused, RoleRow, SessionFilter,
    SessionRow, Shown,
};
use crate::state::{Case, Session, State};
use config::words::SessionId;

impl Hall {
    pub(super) fn text(&self, caller: &Caller, id: &RequestId) -> Result<String, Refused> {
        let case = concerning(self, &self.state(), &self.config(), caller, id)?;
        Ok(case.request.text())
    }

    pub(super) fn show(&self, caller: &Caller, id: &RequestId) -> Result<Shown, Refused> {
        let config = self.config();
        let state = self.state();
        let case = concerning(self, &state, &config, caller, id)?;
        let debt = debt_row(&config, &case, self.now());
        let standing = self.standing_of(&state, &config, &case);
        let approvals = case.approvals.iter().map(|approval| ApprovalRow {
            person: approval.person.clone(),
            at: approval.at,
            signature: approval.signature.clone(),
        });
        let sessions = case.sessions.iter();
        let request = Request::clone(&case.request);
        Ok(Shown {
            text: request.text(),
            certificates: self.certificates(&state, &case),
            approvals: approvals.collect(),
            checks: self.check_rows(&config, &case),
            sessions: sessions
                .filter_map(|id| self.session(&state, &case, id))
                .collect(),
            id: request.id,
            person: request.person,
            key: request.key,
            source: case.source,
            access: request.access,
            role: request.role,
            command: request.command,
            seconds: request.seconds,
            break_glass: request.break_glass,
            reason: request.reason,
            asked: request.asked,
            expires: request.expires,
            standing,
            proof: case.proof,
            debt,
        })
    }

    pub(super) fn roles(&self, caller: &Caller) -> Vec<RoleRow> {
        let config = self.config();
        let Some(person) = config.persons.get(&caller.person) else {
            return Vec::new();
        };
        let own = config.roles.iter();
        let own = own.filter(|(_, role)| !role.groups.is_disjoint(&person.groups));
        own.map(|(name, role)| RoleRow {
            role: name.clone(),
            logins: role.logins.iter().cloned().collect(),
            targets: role.targets.iter().cloned().collect(),
            sources: role.sources.iter().map(ToString::to_string).collect(),
            longest_seconds: role.longest.as_secs(),
            approvals: role.quorums.clone(),
            checks: role.checks.iter().cloned().collect(),
            command: role.command.clone(),
            commands: role.commands.iter().map(ToString::to_string).collect(),
            commands_only: !role.takes(None),
            hours: role.hours.as_ref().map(ToString::to_string),
            live: role.live,
            channels: role.channels.iter().copied().collect(),
            break_glass: role.break_glass.is_some(),
        })
        .collect()
    }

    pub(super) fn pending(&self, caller: &Caller) -> Vec<PendingRow> {
        let config = self.config();
        let state = self.state();
        let open = state.cases.values();
        let open = open.filter(|case| case.is_open() && !self.is_over(case));
        let mut rows: Vec<_> = open
            .filter_map(|case| self.pending_row(&state, &config, caller, case))
            .collect();
        rows.sort_by_key(|row| row.asked);
        rows
    }

    fn pending_row(
        &self,
        state: &State,
        config: &Config,
        caller: &Caller,
        case: &Case,
    ) -> Option<PendingRow> {
        let needs = self.needs(state, config, case);
        let for_you = needs
            .iter()
            .any(|need: &Need| need.who.contains(&caller.person));
        let request = &case.request;
        if !for_you && request.person != caller.person {
            return None;
        }
        Some(PendingRow {
            id: request.id.clone(),
            person: request.person.clone(),
            access: request.access.clone(),
            role: request.role.clone(),
            command: request.command.clone(),
            seconds: request.seconds,
            reason: request.reason.clone(),
            asked: request.asked,
            expires: request.expires,
            needs,
            checks: outside::unchecked(config, case),
            for_you,
        })
    }

    pub(super) fn sessions(&self, caller: &Caller, filter: &SessionFilter) -> Vec<SessionRow> {
        let config = self.config();
        let since = self.now().before(filter.since.unwrap_or(Duration::MAX));
        let now = self.now();
        let mut rows = Vec::new();
        let mut look = |id: SessionId, session: Session| {
            let person = filter.person.as_ref();
            let target = filter.target.as_ref();
            let wanted = person.is_none_or(|person| session.person == *person)
                && target.is_none_or(|target| session.access.target == *target)
                && session.began >= since;
            let case = wanted.then(|| self.any_case(&self.state(), &session.request));
            let case = case.and_then(Result::ok).flatten();
            if let Some(case) = case.filter(|case| concerns(&config, &caller.person, case)) {
                rows.push(row(id, session, &case, now));
            }
        };
        let live = self.state().sessions.clone();
        for (id, session) in live.clone() {
            look(id, session);
        }
        // Of one that leaves meanwhile, only the first is told.
        self.newest_sessions(|id, session| {
            if !live.contains_key(&id) {
                look(id, session);
            }
            true
        });

        rows.sort_by(|a, b| (b.began, &b.session).cmp(&(a.began, &a.session)));
        rows
    }

    pub(super) fn ended_after(&self, after: u64) -> api::Ended {
        let state = self.state();
        let late = state.ended.after(after);
        let live = late.filter(|id| {
            let case = state.cases.get(*id);
            case.is_some_and(|case| case.limit() > self.now())
        });
        api::Ended {
            keys: state.ring.steps(),
            next: state.ended.count(),
            requests: live.cloned().collect(),
            shut_out: false,
        }
    }

    fn certificates(&self, state: &State, case: &Case) -> Vec<CertificateRow> {
        let of_sessions = case.sessions.iter().filter_map(|id| {
            let session = self.any_session(state, id).ok()??;
            session.certificate
        });
        let serials = case.certificate.into_iter().chain(of_sessions);
        let found = serials.filter_map(|serial| self.any_certificate(state, serial).ok()?);
        found
            .map(|certificate| CertificateRow {
                serial: certificate.serial,
                authority: certificate.authority,
                at: certificate.at,
                session: certificate.session,
            })
            .collect()
    }

    fn session(&self, state: &State, case: &Case, id: &SessionId) -> Option<SessionRow> {
        let session = self.any_session(state, id).ok()??;
        Some(row(id.clone(), session, case, self.now()))
    }
}

fn row(id: SessionId, session: Session, case: &Case, now: UnixTime) -> SessionRow {
    SessionRow {
        session: id,
        person: session.person,
        access: session.access,
        bastion: session.bastion,
        request: session.request,
        role: case.request.role.clone(),
        break_glass: case.request.break_glass,
        review: case.debt.as_ref().map(|debt| debt.word(now)),
        source: session.source,
        began: session.began,
        ended: session.end.map(|end| EndRow {
            at: end.at,
            reason: end.reason,
            root: end.root,
            frames: end.frames,
        }),
    }
}
