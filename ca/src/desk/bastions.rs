//! What bastions ask for: doors, sessions, and their ends.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::keys::KeyName;
use config::limits;
use config::rules::HostTrust;
use config::words::{AlertName, BastionName, TargetName};
use config::{Config, rules};
use record::api::{self, Door};
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::{Authority, Entry, Sign, Whom};
use record::request::Request;
use record::text::{Command, is_visible};
use ssh_key::PublicKey;

use super::Refused;
use super::cases::changed;
use super::hall::Hall;
use super::strays::{NoCase, Stray};
use super::writer::{Answer, Decided, Writer, unavailable};
use crate::cert::{Permit, Plan};
use crate::issue::{self, Ledger as _};
use crate::keys::plain_key;
use crate::lint::{read_line, read_to_be_signed};
use crate::policy;
use crate::state::{Case, State};

/// Longest word that says why a session ended, in bytes.
const END_REASON_BYTES: usize = 64;

impl Writer {
    pub(super) fn door(
        &mut self,
        bastion: &BastionName,
        ask: &api::DoorAsk,
    ) -> Decided<api::DoorGiven> {
        let config = self.hall.config();
        let own = known(&self.state, &config, bastion)?;
        let key = certifiable(&self.state, &config, &ask.key)?;
        let (principals, name) = match &ask.door {
            Door::Own => {
                let mut names = vec![own.address.host.clone(), bastion.to_string()];
                names.dedup();
                (names, bastion.to_string())
            }
            Door::Target(target) if self.is_out(target) => {
                return Err(Refused::ShutOut(Whom::Target(target.clone())));
            }
            Door::Target(target) if config.targets.contains_key(target) => {
                (vec![target.to_string()], target.to_string())
            }
            Door::Target(_) => return Err(Refused::Because("there is no such target")),
        };
        let now = self.hall.now();
        let until = now.after(limits::DOOR_CERT_LIFE);
        let plan = Plan {
            authority: Authority::Door,
            subject: key,
            serial: self.state.next_serial(),
            key_id: format!("hallpass:door:{bastion}:{name}"),
            principals,
            after: now.before(limits::CLOCK_SKEW),
            before: until,
            force_command: None,
            source_address: Vec::new(),
            permits: BTreeSet::new(),
        };
        let intent = self.issue(plan, None, None)?;
        Ok(Answer::after(move |press| {
            let certificate = press.sign(intent)?.line;
            Ok(api::DoorGiven { certificate, until })
        }))
    }

    pub(super) fn open_session(
        &mut self,
        bastion: &BastionName,
        ask: &api::SessionAsk,
    ) -> Decided<api::SessionGiven> {
        let config = self.hall.config();
        let own = known(&self.state, &config, bastion)?;
        let found = self.hall.case_of_certificate(&self.state, &ask.certificate);
        let (case, serial) = match found {
            Ok(found) => found,
            Err(NoCase::Refused(why)) => return Err(why),
            Err(NoCase::Stray(stray)) => {
                return Err(self.stray(&stray, bastion, &ask.access, ask.source));
            }
        };
        let (role, until) = self.may_begin(&config, &case, ask)?;
        let request = &case.request;
        let target = config.targets.get(&request.access.target);
        let target = target.ok_or(Refused::Because("there is no such target"))?;
        let key = certifiable(&self.state, &config, &ask.key)?;
        if self.hall.any_session(&self.state, &ask.session)?.is_some() {
            return Err(Refused::SessionUsed(ask.session.clone()));
        }
        let alerted = self.begins(bastion, ask, request, &role)?;
        let channels = role.opens(request.command.as_ref().map(Command::as_str));
        // If only this becomes durable, the session stands begun without a certificate: nothing was opened.
        let now = self.hall.now();
        let plan = Plan {
            authority: Authority::Session,
            subject: key,
            serial: self.state.next_serial(),
            key_id: format!("hallpass:{}:{}", ask.session, request.person),
            principals: vec![request.access.to_string()],
            after: now.before(limits::CLOCK_SKEW),
            before: now.after(limits::SESSION_CERT_LIFE).min(until),
            force_command: request.command.as_ref().map(ToString::to_string),
            source_address: own.source.clone(),
            permits: Permit::of(&channels),
        };
        let intent = self.issue(plan, Some(request.id.clone()), Some(ask.session.clone()))?;
        let given = api::SessionGiven {
            certificate: String::new(),
            request: request.id.clone(),
            serial,
            person: request.person.clone(),
            role: request.role.clone(),
            until,
            left_ms: 0,
            command: request.command.as_ref().map(ToString::to_string),
            channels: channels.into_iter().collect(),
            files: role.files.clone(),
            terms: role.terms.clone(),
            forwards: role.forwards.clone(),
            alerted,
            record_input: role.record_input,
            recipients: role.recipients.clone(),
            host: target.address.host.clone(),
            port: target.address.port,
            host_trust: host_trust(&self.state, &ask.access.target, target)?,
        };
        let hall = self.hall.clone();
        Ok(Answer::after(move |press| {
            let certificate = press.sign(intent)?.line;
            let left = hall.left(&given.request, until);
            Ok(api::SessionGiven {
                certificate,
                left_ms: u64::try_from(left.as_millis()).unwrap_or(0),
                ..given
            })
        }))
    }

    pub(super) fn end_session(
        &mut self,
        bastion: &BastionName,
        end: api::SessionEnd,
    ) -> Decided<api::Done> {
        let words = end.reason.len() <= END_REASON_BYTES && end.reason.chars().all(is_visible);
        if !words || end.reason.is_empty() {
            return Err(Refused::Because("why the session ended is a word or two"));
        }
        let begun = self.hall.any_session(&self.state, &end.session)?;
        let own = begun.filter(|session| session.bastion == *bastion);
        let own = own.ok_or_else(|| Refused::UnknownSession(end.session.clone()))?;
        if let Some(before) = own.end {
            if before.root == end.root && before.frames == end.frames {
                return Ok(Answer::of(api::Done {}));
            }
            tracing::error!(session = %end.session, %bastion, "ALARM: a session that has ended was given another recording");
            return Err(Refused::Because(
                "the session has ended with another recording",
            ));
        }
        self.commit(Entry::SessionEnd {
            session: end.session,
            reason: end.reason,
            root: end.root,
            frames: end.frames,
        })?;
        Ok(Answer::of(api::Done {}))
    }
}

impl Writer {
    /// The role, and the deadline, of a session that may begin under this grant: as both stand now, whatever the certificate says.
    fn may_begin(
        &self,
        config: &Config,
        case: &Case,
        ask: &api::SessionAsk,
    ) -> Result<(rules::Role, UnixTime), Refused> {
        let request = &case.request;
        if request.access != ask.access {
            return Err(Refused::OtherAccess {
                given: request.access.clone(),
                asked: ask.access.clone(),
            });
        }
        let until = self.hall.must_run(&self.state, config, case)?;
        let facts = self.hall.facts(&self.state, config, request);
        let (role, _) = policy::stands(&facts.of(config, case)).map_err(changed)?;
        if !role.reachable_from(ask.source) {
            return Err(Refused::Elsewhere {
                role: request.role.clone(),
                sources: role.sources.clone(),
                address: ask.source,
            });
        }
        if role.reads.is_some() {
            return Err(Refused::Because(
                "the grant is for reading recordings at a bastion, and opens no session",
            ));
        }
        if self.is_out(&request.access.target) {
            return Err(Refused::ShutOut(Whom::Target(
                request.access.target.clone(),
            )));
        }
        Ok((role.clone(), until))
    }

    /// Writes down that a session begins, and that its address is new, if the role wants to hear of that: this alert's name.
    fn begins(
        &mut self,
        bastion: &BastionName,
        ask: &api::SessionAsk,
        request: &Request,
        role: &rules::Role,
    ) -> Result<Option<AlertName>, Refused> {
        if let Some(most) = role.sessions {
            self.has_session_left(request, most)?;
        }
        let alert = self.new_source(role, &request.person, ask.source)?;
        self.commit(Entry::SessionBegin {
            session: ask.session.clone(),
            request: request.id.clone(),
            person: request.person.clone(),
            access: request.access.clone(),
            bastion: bastion.clone(),
            source: ask.source,
        })?;
        if let Some(alert) = &alert {
            self.commit(Entry::SessionAlert {
                session: ask.session.clone(),
                alert: alert.clone(),
                on: Sign::NewSource,
                ended: false,
            })?;
        }
        Ok(alert)
    }

    /// Whether the person may have one more session of the role beside those that run.
    fn has_session_left(&self, request: &Request, most: u32) -> Result<(), Refused> {
        let now = self.hall.now();
        let own = self.state.sessions.values().filter(|session| {
            let case = self.state.cases.get(&session.request);
            session.end.is_none()
                && session.person == request.person
                && case.is_some_and(|case| case.request.role == request.role && case.limit() > now)
        });
        if own.count() >= most as usize {
            let role = request.role.clone();
            return Err(Refused::ManySessions { role, most });
        }
        Ok(())
    }

    pub(super) fn is_out(&self, target: &TargetName) -> bool {
        let whom = Whom::Target(target.clone());
        self.state.excluded.of(&whom).is_some()
    }
}

impl Hall {
    /// The request whose access certificate this is, to the byte, and the certificate's serial.
    pub(super) fn case_of_certificate(
        &self,
        state: &State,
        line: &str,
    ) -> Result<(Case, u64), NoCase> {
        let no = |why| NoCase::Refused(Refused::Certificate(why));
        let whole = read_line(line).ok_or(no("it cannot be read"))?;
        let fields = read_to_be_signed(&whole.to_be_signed).ok_or(no("it cannot be read"))?;
        let believed = state.ring.trusted(KeyName::User, self.now());
        if !believed.iter().any(|ca| issue::verifies(&whole, ca)) {
            return Err(no("the user CA has not signed it"));
        }
        // What is over may have left the state, and opens nothing whoever signed it.
        let now = self.now().secs();
        if now < fields.after || now >= fields.before {
            return Err(NoCase::Refused(Refused::Closed(super::Standing::Expired)));
        }
        let text = STANDARD.encode(&whole.to_be_signed);
        let Some(logged) = state.access_certificate(&text) else {
            let old = self.any_certificate(state, fields.serial);
            let old = old.map_err(NoCase::Refused)?;
            if old.is_some_and(|old| old.to_be_signed == text) {
                return Err(NoCase::Refused(Refused::Closed(super::Standing::Expired)));
            }
            // The key signed what this CA never logged: somebody else has the key.
            return Err(NoCase::Stray(Stray {
                serial: fields.serial,
                key_id: fields.key_id.to_owned(),
                digest: Digest::of(&whole.to_be_signed),
            }));
        };
        let case = logged.request.as_ref().and_then(|id| state.cases.get(id));
        let case = case.filter(|case| case.certificate == Some(logged.serial));
        let case = case.ok_or(no("this CA never issued it"))?;
        Ok((case.clone(), logged.serial))
    }
}

/// A key that a bastion or a machine wants certified: plain, and nobody else's.
pub(super) fn certifiable(
    state: &State,
    config: &Config,
    line: &str,
) -> Result<PublicKey, Refused> {
    let key = plain_key(line).map_err(Refused::Key)?;
    if state.ring.find(&key).is_some() {
        return Err(Refused::Key("it is a key of the CA"));
    }
    if config.person_of(&key).is_some() {
        return Err(Refused::Key("it is a person's key"));
    }
    if config.bastion_of(&key).is_some() {
        return Err(Refused::Key("it is a bastion's key"));
    }
    Ok(key)
}

pub(super) fn known<'a>(
    state: &State,
    config: &'a Config,
    bastion: &BastionName,
) -> Result<&'a rules::Bastion, Refused> {
    let whom = Whom::Bastion(bastion.clone());
    if state.excluded.of(&whom).is_some() {
        return Err(Refused::ShutOut(whom));
    }
    let own = config.bastions.get(bastion);
    own.ok_or(Refused::Because(
        "this bastion is not in the configuration any more",
    ))
}

fn host_trust(
    state: &State,
    name: &TargetName,
    target: &rules::Target,
) -> Result<api::HostTrust, Refused> {
    match &target.host {
        HostTrust::Ca => {
            let own = state.machines.enrolled.get(name);
            Ok(api::HostTrust::Ca(own.map(|own| own.key.clone())))
        }
        HostTrust::Pinned(keys) => {
            let lines = keys
                .iter()
                .map(PublicKey::to_openssh)
                .collect::<Result<_, _>>();
            let lines = lines.map_err(|_| unavailable("a pinned host key cannot be written"))?;
            Ok(api::HostTrust::Pinned(lines))
        }
    }
}
