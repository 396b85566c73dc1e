//! What a person may reach with the key that a bastion has seen proven: each grant is judged as if a session were to begin
//! under it, and nothing here begins one.

use config::rules::Role;
use config::words::BastionName;
use config::{Config, limits};
use record::api::reach::{Held, Reach, ReachAsk, Reachable, TakeAsk, Taken, Term};
use record::clock::UnixTime;
use record::text::Command;
use ssh_key::PublicKey;

use super::bastions::known;
use super::cases::changed;
use super::strays::NoCase;
use super::writer::{Answer, Decided, Writer};
use super::{Caller, Refused};
use crate::policy;
use crate::state::Case;

/// Most characters of a command that a list shows, so that the longest list fits into one API message.
const COMMAND_SHOWN: usize = 100;

/// The grant of the certificate that was shown.
struct Holder {
    case: Case,
    held: Held,
}

impl Writer {
    /// The grants that run for the key of the certificate that was shown.
    pub(super) fn reach(&mut self, bastion: &BastionName, ask: &ReachAsk) -> Decided<Reach> {
        let config = self.hall.config();
        let holder = self.holder(&config, bastion, &ask.held)?;
        let (person, now) = (&holder.case.request.person, self.hall.now());
        let roles = config.roles.keys();
        let running = roles.flat_map(|role| self.state.running_of(person, role, now));
        let mut rows: Vec<Reachable> = running
            .filter_map(|id| self.state.cases.get(id))
            .filter_map(|case| self.reachable(&config, &holder, case))
            .collect();
        // The one that was shown is there, however many there are.
        rows.sort_by_key(|row| !row.shown);
        rows.truncate(limits::REACH_ROWS);
        rows.sort_by_cached_key(|row| (row.access.to_string(), row.until));
        let person = person.clone();
        Ok(Answer::of(Reach { person, rows }))
    }

    /// The certificate of one of these grants once more.
    pub(super) fn take_again(&mut self, bastion: &BastionName, ask: &TakeAsk) -> Decided<Taken> {
        let config = self.hall.config();
        let holder = self.holder(&config, bastion, &ask.held)?;
        let case = self.state.cases.get(&ask.request);
        let case = case.filter(|case| self.reachable(&config, &holder, case).is_some());
        let serial = case.and_then(|case| case.certificate);
        // What cannot be reached is not told from what is not there.
        let serial = serial.ok_or_else(|| Refused::UnknownRequest(ask.request.clone()))?;
        let intent = self.intent(serial)?;
        let (request, person) = (ask.request.clone(), holder.case.request.person.clone());
        let bastion = bastion.clone();
        Ok(Answer::after(move |press| {
            let certificate = press.sign(intent)?.line;
            tracing::info!(%request, %person, serial, %bastion, "chosen at a bastion");
            Ok(Taken { certificate })
        }))
    }

    /// Whoever shows this certificate at a bastion could begin a session, or review, under it now.
    fn holder(
        &mut self,
        config: &Config,
        bastion: &BastionName,
        held: &Held,
    ) -> Result<Holder, Refused> {
        known(&self.state, config, bastion)?;
        let found = self
            .hall
            .case_of_certificate(&self.state, &held.certificate);
        let case = match found {
            Ok((case, _)) => case,
            Err(NoCase::Refused(why)) => return Err(why),
            Err(NoCase::Stray(stray)) => {
                return Err(self.stray(&stray, bastion, &held.access, held.source));
            }
        };
        let request = &case.request;
        if request.access != held.access {
            return Err(Refused::OtherAccess {
                given: request.access.clone(),
                asked: held.access.clone(),
            });
        }
        self.hall.must_run(&self.state, config, &case)?;
        let facts = self.hall.facts(&self.state, config, request);
        let (role, key) = policy::stands(&facts.of(config, &case)).map_err(changed)?;
        if !role.reachable_from(held.source) {
            return Err(Refused::Elsewhere {
                role: request.role.clone(),
                sources: role.sources.clone(),
                address: held.source,
            });
        }
        let caller = Caller {
            person: request.person.clone(),
            key: PublicKey::from(key.key_data().clone()),
            source: held.source,
        };
        self.must_be_in(config, &caller)?;
        let held = held.clone();
        Ok(Holder { case, held })
    }

    /// A grant for the same person's same key, if a session could begin under it now, and its certificate was issued: this is
    /// not where a debt begins.
    fn reachable(&self, config: &Config, holder: &Holder, case: &Case) -> Option<Reachable> {
        let (own, request) = (&holder.case.request, &case.request);
        let same = request.person == own.person && request.key == own.key;
        if !same || case.certificate.is_none() || self.is_out(&request.access.target) {
            return None;
        }
        let until = self.hall.must_run(&self.state, config, case).ok()?;
        let facts = self.hall.facts(&self.state, config, request);
        let (role, _) = policy::stands(&facts.of(config, case)).ok()?;
        let here = role.reachable_from(holder.held.source);
        let target = config.targets.contains_key(&request.access.target);
        (here && target && role.reads.is_none()).then(|| self.row(holder, case, role, until))
    }

    fn row(&self, holder: &Holder, case: &Case, role: &Role, until: UnixTime) -> Reachable {
        let request = &case.request;
        let left = self.hall.left(&request.id, until);
        let channels = role.opens(request.command.as_ref().map(Command::as_str));
        Reachable {
            request: request.id.clone(),
            access: request.access.clone(),
            role: request.role.clone(),
            until,
            left_ms: u64::try_from(left.as_millis()).unwrap_or(0),
            shown: request.id == holder.case.request.id,
            command: request.command.as_ref().map(begin_of),
            channels: channels.into_iter().collect(),
            terms: terms(role, request.break_glass),
        }
    }
}

/// A command as a list shows it: what is cut off is marked.
fn begin_of(command: &Command) -> String {
    let command = command.as_str();
    match command.char_indices().nth(COMMAND_SHOWN) {
        Some((end, _)) => format!("{}…", command.get(..end).unwrap_or_default()),
        None => command.to_owned(),
    }
}

fn terms(role: &Role, break_glass: bool) -> Vec<Term> {
    let all = [
        (Term::BreakGlass, break_glass),
        (Term::Observer, role.terms.observer.is_some()),
        (Term::Input, role.record_input),
        (Term::Masked, !role.terms.mask.is_empty()),
        (Term::Sealed, !role.recipients.is_empty()),
    ];
    let holding = all.into_iter().filter(|(_, holds)| *holds);
    holding.map(|(term, _)| term).collect()
}

#[cfg(test)]
mod tests {
    use config::rules::Channel;
    use config::words::RequestId;

    use super::*;

    #[test]
    fn the_longest_list_fits_into_a_message() {
        let (most, target) = ("a".repeat(limits::NAME_BYTES), limits::TARGET_BYTES);
        let command = "\u{1f600}".repeat(limits::COMMAND_BYTES / 4).parse();
        let shown = begin_of(&command.unwrap());
        assert_eq!(shown.chars().count(), COMMAND_SHOWN + 1);
        let access = format!("{}@{}", "a".repeat(limits::LOGIN_BYTES), "a".repeat(target));
        let row = Reachable {
            request: RequestId::from_random([255; 5]),
            access: access.parse().unwrap(),
            role: most.parse().unwrap(),
            until: "2026-11-22T15:28:04Z".parse().unwrap(),
            left_ms: u64::MAX,
            shown: false,
            command: Some(shown),
            channels: Channel::ALL.to_vec(),
            terms: vec![
                Term::BreakGlass,
                Term::Observer,
                Term::Input,
                Term::Masked,
                Term::Sealed,
            ],
        };
        let list = Reach {
            person: most.parse().unwrap(),
            rows: vec![row; limits::REACH_ROWS],
        };
        let bytes = serde_json::to_vec(&list).unwrap();
        assert!(bytes.len() <= limits::API_BODY_BYTES, "{}", bytes.len());
        let short = "id".parse().unwrap();
        assert_eq!(begin_of(&short), "id", "nothing is cut off");
    }
}
