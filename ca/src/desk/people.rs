//! What people do: ask, approve, deny, take back, collect.

use std::sync::Arc;

use config::Config;
use config::limits;
use config::rules::Role;
use config::words::{PersonName, RequestId};
use record::clock::UnixTime;
use record::entry::{Authority, Entry, Whom};
use record::request::{APPROVAL_NAMESPACE, Request};
use record::sshsig;
use record::text::{Command, Reason};
use ssh_key::{HashAlg, PublicKey};

use super::cases::{any_case, changed};
use super::glass;
use super::hall::Hall;
use super::may::{is_revoker, may_revoke};
use super::writer::{Answer, Decided, Writer, unavailable};
use super::{Ask, Asked, Caller, Issued, Refused, Standing};
use crate::alert::Event;
use crate::cert::{Permit, Plan};
use crate::issue::{Intent, Ledger as _};
use crate::policy::{self, Decision};
use crate::state::{Case, State};

impl Writer {
    pub(super) fn request(&mut self, caller: &Caller, ask: &Ask) -> Decided<Asked> {
        let asked = self.ask(caller, ask)?;
        Ok(self.told(asked))
    }

    /// The same; and if the request is granted at once, its certificate with the same sync.
    pub(super) fn obtain(
        &mut self,
        caller: &Caller,
        ask: &Ask,
    ) -> Decided<(Asked, Option<Issued>)> {
        let asked = self.ask(caller, ask)?;
        if !matches!(asked.standing, Standing::Granted { .. }) {
            let told = self.told(asked);
            return Ok(Answer::after(|press| Ok((told.give(press)?, None))));
        }
        let issued = self.collect(caller, &asked.id)?;
        let told = self.told(asked);
        Ok(Answer::after(move |press| {
            // In this order, so that the word of a grant is out even if the signer fails.
            let asked = told.give(press)?;
            let issued = issued.give(press)?;
            Ok((asked, Some(issued)))
        }))
    }

    fn ask(&mut self, caller: &Caller, ask: &Ask) -> Result<Asked, Refused> {
        let config = self.hall.config();
        self.must_be_in(&config, caller)?;
        let target = Whom::Target(ask.access.target.clone());
        if self.state.excluded.of(&target).is_some() {
            return Err(Refused::ShutOut(target));
        }
        let now = self.hall.now();
        let shaped = policy::shape(&config, &caller.person, caller.source, ask, now)?;
        let waiting = self.hall.open_requests_of(&self.state, &caller.person);
        if waiting >= limits::REQUESTS_OPEN_PER_PERSON {
            return Err(Refused::TooManyOpen);
        }
        self.must_not_ask_too_often(caller, ask, now)?;
        let request = Request {
            id: self.fresh_id()?,
            person: caller.person.clone(),
            key: caller.key.fingerprint(HashAlg::Sha256).to_string(),
            access: ask.access.clone(),
            role: shaped.role.clone(),
            command: shaped.command,
            seconds: shaped.life.as_secs(),
            break_glass: ask.break_glass,
            reason: ask.reason.clone(),
            policy: self.hall.policy(&config),
            asked: now,
            expires: now.after(limits::REQUEST_OPEN),
        };
        let facts = self.hall.facts(&self.state, &config, &request);
        if let Decision::Refused(why) =
            policy::decide(&facts.asking(&config, &request, caller.source))
        {
            if let Some((tell, event)) = glass::refused(&config, &request, &why) {
                self.hall.alerts.tell(now, tell, event);
            }
            return Err(changed(why));
        }
        let id = request.id.clone();
        self.hall.start_clock(&id, limits::REQUEST_OPEN);
        self.commit(Entry::Request {
            text: request.text(),
            source: caller.source,
        })?;
        // If only this becomes durable, the request waits; asking again makes another one.
        let standing = self.settle(&config, &id)?;
        Ok(Asked {
            id,
            role: shaped.role,
            standing,
            narrowed: shaped.narrowed,
        })
    }

    /// Refuses whoever has asked too often of late: each request stays in the log for good, also one that is withdrawn.
    fn must_not_ask_too_often(
        &self,
        caller: &Caller,
        ask: &Ask,
        now: UnixTime,
    ) -> Result<(), Refused> {
        let most = if ask.break_glass {
            limits::BREAK_GLASS_PER_HOUR
        } else {
            limits::REQUESTS_PER_HOUR
        };
        let (times, again) = self.state.asked.of(&caller.person, ask.break_glass, now);
        if times < most {
            return Ok(());
        }
        Err(Refused::TooManyAsked { most, again })
    }

    pub(super) fn approve(
        &mut self,
        caller: &Caller,
        id: &RequestId,
        signature: &str,
    ) -> Decided<Standing> {
        let config = self.hall.config();
        let case = self.case(&config, caller, id)?;
        if case.request.person == caller.person {
            return Err(Refused::OwnRequest);
        }
        self.hall.must_be_open(&self.state, &config, &case)?;
        let facts = self.hall.facts(&self.state, &config, &case.request);
        let asking = facts.of(&config, &case);
        let (role, _) = policy::stands(&asking).map_err(changed)?;
        if role.quorums.is_empty() {
            return Err(Refused::NoApprovalNeeded);
        }
        let approver = config.persons.get(&caller.person);
        let approver = approver.ok_or_else(|| Refused::NotApprover(role.approvers()))?;
        policy::may_approve(role, &caller.person, &approver.groups, &asking)?;
        if case.approvers().contains(&caller.person) {
            return Err(Refused::AlreadyApproved);
        }
        let text = case.request.text();
        let keys = self.state.signing_keys(&config, &caller.person);
        sshsig::verify(keys, APPROVAL_NAMESPACE, text.as_bytes(), signature)
            .map_err(Refused::Signature)?;
        self.commit(Entry::Approval {
            request: id.clone(),
            person: caller.person.clone(),
            signature: signature.to_owned(),
            on_call: facts.on_call_of(&caller.person),
        })?;
        // If only this becomes durable, the approval stands, and whoever collects next settles the request.
        let standing = self.settle(&config, id)?;
        Ok(Answer::of(standing))
    }

    pub(super) fn deny(&mut self, caller: &Caller, id: &RequestId, reason: Reason) -> Decided<()> {
        let config = self.hall.config();
        let case = self.case(&config, caller, id)?;
        if case.request.person == caller.person {
            return Err(Refused::Own("withdraw it with ^C where it waits"));
        }
        self.hall.must_be_open(&self.state, &config, &case)?;
        let role = config.roles.get(&case.request.role);
        if let Some(role) = role.filter(|role| !role.quorums.is_empty()) {
            let person = config.persons.get(&caller.person);
            if !person.is_some_and(|person| role.approved_by(&person.groups)) {
                return Err(Refused::NotApprover(role.approvers()));
            }
        }
        self.commit(Entry::Denial {
            request: id.clone(),
            person: caller.person.clone(),
            reason,
        })?;
        Ok(Answer::of(()))
    }

    pub(super) fn withdraw(&mut self, caller: &Caller, id: &RequestId) -> Decided<()> {
        let config = self.hall.config();
        let case = self.own_case(&config, caller, id)?;
        self.hall.must_be_open(&self.state, &config, &case)?;
        let request = id.clone();
        self.commit(Entry::Withdrawal { request })?;
        Ok(Answer::of(()))
    }

    pub(super) fn give_back(&mut self, caller: &Caller, id: &RequestId) -> Decided<()> {
        let config = self.hall.config();
        let case = self.own_case(&config, caller, id)?;
        self.hall.must_run(&self.state, &config, &case)?;
        let request = id.clone();
        self.commit(Entry::Return { request })?;
        Ok(Answer::of(()))
    }

    pub(super) fn revoke(
        &mut self,
        caller: &Caller,
        id: &RequestId,
        reason: Reason,
    ) -> Decided<()> {
        let config = self.hall.config();
        self.must_be_in(&config, caller)?;
        let case = if is_revoker(&config, &caller.person) {
            any_case(&self.hall, &self.state, id)?
        } else {
            self.case(&config, caller, id)?
        };
        may_revoke(&config, &caller.person, &case)?;
        self.hall.must_run(&self.state, &config, &case)?;
        let told = reason.clone();
        self.commit(Entry::Revocation {
            request: id.clone(),
            person: caller.person.clone(),
            reason,
        })?;
        let event = Event::Revocation {
            request: id.clone(),
            person: case.request.person.clone(),
            access: case.request.access.clone(),
            by: caller.person.clone(),
            reason: told,
        };
        let (tell, hall) = (glass::approvers(&config, &case.request), self.hall.clone());
        Ok(Answer::after(move |_| {
            hall.alerts.tell(hall.now(), tell, event);
            Ok(())
        }))
    }

    pub(super) fn collect(&mut self, caller: &Caller, id: &RequestId) -> Decided<Issued> {
        let config = self.hall.config();
        let mut case = self.own_case(&config, caller, id)?;
        let mut alarm = None;
        if case.is_open() {
            let standing = self.settle(&config, id)?;
            alarm = Some(self.alarm(&config, &case.request, &standing));
            case = self.own_case(&config, caller, id)?;
        }
        let until = self.hall.must_run(&self.state, &config, &case)?;
        let facts = self.hall.facts(&self.state, &config, &case.request);
        let (role, key) = policy::stands(&facts.of(&config, &case)).map_err(changed)?;
        let intent = if let Some(serial) = case.certificate {
            self.intent(serial)?
        } else {
            // If only the debt becomes durable, the next one who collects issues the certificate under it.
            self.owe(&case, role, until)?;
            let plan = self.hall.access_plan(&self.state, &case, role, key, until);
            self.issue(plan, Some(id.clone()), None)?
        };
        let request = case.request;
        Ok(Answer::after(move |press| {
            if let Some(alarm) = alarm {
                alarm();
            }
            let signed = press.sign(intent)?;
            tracing::info!(request = %request.id, person = %request.person, serial = signed.serial, "access certificate released");
            Ok(Issued {
                certificate: signed.line,
                serial: signed.serial,
                access: request.access.clone(),
                until,
            })
        }))
    }

    /// What stands in the log already, to be signed again.
    pub(super) fn intent(&self, serial: u64) -> Result<Intent, Refused> {
        let found = self.state.certificates.get(&serial);
        let intent = found.and_then(|found| Intent::again(found, self.state.size).ok());
        intent.ok_or_else(|| unavailable("its log entry cannot be read"))
    }

    /// Decides an open request by what stands in the log, and grants it if that suffices: once, for a closed
    /// request is never decided again.
    pub(super) fn settle(
        &mut self,
        config: &Arc<Config>,
        id: &RequestId,
    ) -> Result<Standing, Refused> {
        let case = any_case(&self.hall, &self.state, id)?;
        let over = !case.is_open() || self.hall.is_over(&case);
        if over {
            return Ok(self.hall.standing_of(&self.state, config, &case));
        }
        let facts = self.hall.facts(&self.state, config, &case.request);
        match policy::decide(&facts.of(config, &case)) {
            Decision::Granted { until, approved_by } => {
                self.tell_law(config)?;
                self.commit(Entry::Grant {
                    request: id.clone(),
                    digest: case.digest,
                    until,
                    approved_by,
                    policy: self.hall.policy(config),
                    on_call: facts.on_call().clone(),
                })?;
                self.hall.start_clock(id, until.since(facts.now));
                tracing::info!(request = %id, person = %case.request.person, access = %case.request.access, %until, "granted");
                Ok(Standing::Granted { until })
            }
            Decision::Needs(_) | Decision::Unchecked(_) | Decision::Unproven => {
                Ok(self.hall.standing_of(&self.state, config, &case))
            }
            Decision::Refused(why) => Err(changed(why)),
        }
    }

    /// The answer to somebody who has asked; a grant before its approval is told to everybody else.
    fn told(&self, asked: Asked) -> Answer<Asked> {
        let case = self.state.cases.get(&asked.id);
        let config = self.hall.config();
        let alarm = case.map(|case| self.alarm(&config, &case.request, &asked.standing));
        let hall = self.hall.clone();
        Answer::after(move |_| {
            if let Some(alarm) = alarm {
                alarm();
            }
            if matches!(&asked.standing, Standing::Waiting { checks, .. } if !checks.is_empty()) {
                hall.heard.ask(asked.id.clone());
            }
            Ok(asked)
        })
    }

    fn fresh_id(&self) -> Result<RequestId, Refused> {
        let mut random = [0; 5];
        loop {
            getrandom::fill(&mut random)
                .map_err(|_| unavailable("the system gives no random bytes"))?;
            let id = RequestId::from_random(random);
            if self.hall.any_case(&self.state, &id)?.is_none() {
                return Ok(id);
            }
        }
    }
}

impl Hall {
    fn access_plan(
        &self,
        state: &State,
        case: &Case,
        role: &Role,
        key: &PublicKey,
        until: record::clock::UnixTime,
    ) -> Plan {
        let request = &case.request;
        let channels = role.opens(request.command.as_ref().map(Command::as_str));
        Plan {
            authority: Authority::User,
            subject: PublicKey::from(key.key_data().clone()),
            serial: state.next_serial(),
            key_id: format!("hallpass:{}:{}", request.id, request.person),
            principals: vec![request.access.to_string()],
            after: self.now().before(limits::CLOCK_SKEW),
            before: until,
            force_command: request.command.as_ref().map(ToString::to_string),
            source_address: role.sources.clone(),
            permits: Permit::of(&channels),
        }
    }

    fn open_requests_of(&self, state: &State, person: &PersonName) -> usize {
        let own = state.open_of(person);
        own.filter(|case| !self.is_over(case)).count()
    }
}
