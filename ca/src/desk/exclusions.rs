//! Shutting out persons, keys, targets and bastions, and letting them in again.
//!
//! Whoever is shut out stays so until somebody lets them in again, whatever the configuration says meanwhile: a name that
//! was taken out of it and comes back is still shut out.

use config::Config;
use config::words::{BastionName, PersonName};
use record::entry::{Entry, Whom};
use record::fingerprint::Fingerprint;
use record::text::Reason;
use ssh_key::PublicKey;

use super::may::{is_revoker, may_exclude, may_restore};
use super::writer::{Answer, Decided, Writer};
use super::{Caller, Desk, Refused};
use crate::alert::Event;
use crate::issue::Ledger as _;
use crate::state::State;

impl Desk {
    /// Somebody or something is shut out: its grants and sessions end now, and it gets none. Says how many grants ended.
    pub async fn exclude(
        &self,
        caller: &Caller,
        whom: Whom,
        reason: Reason,
    ) -> Result<usize, Refused> {
        let caller = caller.clone();
        self.run(move |writer| writer.exclude(&caller, whom, reason))
            .await
    }

    /// It is let in again. What ended stays ended.
    pub async fn restore(
        &self,
        caller: &Caller,
        whom: Whom,
        reason: Reason,
    ) -> Result<(), Refused> {
        let caller = caller.clone();
        self.run(move |writer| writer.restore(&caller, whom, reason))
            .await
    }

    /// The configured bastion whose identity key this is, shut out or not: it may hear that it is, and nothing else.
    pub fn bastion_at_the_door(&self, key: &PublicKey) -> Option<BastionName> {
        if key.key_data().is_certificate() {
            return None;
        }
        let config = self.hall.config();
        config.bastion_of(key).map(|(name, _)| name.clone())
    }

    /// The bastion whose identity key this is, if it is one and not shut out.
    pub fn bastion(&self, key: &PublicKey) -> Option<BastionName> {
        let name = self.bastion_at_the_door(key)?;
        let out = is_out(&self.hall.state(), &Whom::Bastion(name.clone()), key);
        (!out).then_some(name)
    }
}

impl Writer {
    pub(super) fn exclude(
        &mut self,
        caller: &Caller,
        whom: Whom,
        reason: Reason,
    ) -> Decided<usize> {
        let config = self.hall.config();
        self.must_be_in(&config, caller)?;
        may_exclude(&config, caller, &whom)?;
        if !is_known(&self.state, &config, &whom) {
            return Err(Refused::UnknownWhom(whom));
        }
        if self.state.excluded.of(&whom).is_some() {
            return Err(Refused::AlreadyOut(whom));
        }
        let keys = match &whom {
            Whom::Person(name) => keys_of(&config, name),
            _ => Vec::new(),
        };
        let before = self.state.ended.count();
        self.commit(Entry::Exclusion {
            whom: whom.clone(),
            keys,
            person: caller.person.clone(),
            reason: reason.clone(),
        })?;
        let ended = usize::try_from(self.state.ended.count() - before).unwrap_or(usize::MAX);
        let by = caller.person.clone();
        let (hall, tell) = (self.hall.clone(), concerned(&config, &by, &whom));
        Ok(Answer::after(move |_| {
            tracing::warn!(%whom, %by, ended, "shut out");
            let event = Event::Exclusion {
                whom,
                by,
                reason,
                ended,
            };
            hall.alerts.tell(hall.now(), tell, event);
            Ok(ended)
        }))
    }

    pub(super) fn restore(&mut self, caller: &Caller, whom: Whom, reason: Reason) -> Decided<()> {
        let config = self.hall.config();
        self.must_be_in(&config, caller)?;
        may_restore(&config, caller, &whom)?;
        if self.state.excluded.of(&whom).is_none() {
            return Err(Refused::NotOut(whom));
        }
        self.commit(Entry::Restoration {
            whom: whom.clone(),
            person: caller.person.clone(),
            reason: reason.clone(),
        })?;
        let by = caller.person.clone();
        let (hall, tell) = (self.hall.clone(), concerned(&config, &by, &whom));
        Ok(Answer::after(move |_| {
            tracing::warn!(%whom, %by, "let in again");
            let event = Event::Restoration { whom, by, reason };
            hall.alerts.tell(hall.now(), tell, event);
            Ok(())
        }))
    }

    /// Whoever was shut out, or lost the key that they came with, while their command waited is too late.
    pub(super) fn must_be_in(&self, config: &Config, caller: &Caller) -> Result<(), Refused> {
        // No two persons have one key.
        let person = config.persons.get(&caller.person);
        let mut own = person.into_iter().flat_map(|person| &person.keys);
        if !own.any(|key| key.key_data() == caller.key.key_data()) {
            return Err(Refused::Key("it is not registered any more"));
        }
        let whom = Whom::Person(caller.person.clone());
        if is_out(&self.state, &whom, &caller.key) {
            return Err(Refused::ShutOut(whom));
        }
        Ok(())
    }
}

impl State {
    /// The keys that a person's signatures are believed by: registered, plain, and not shut out.
    pub(super) fn signing_keys<'a>(
        &self,
        config: &'a Config,
        person: &PersonName,
    ) -> Vec<&'a PublicKey> {
        let keys = config.persons.get(person).map(|person| &person.keys);
        let keys = keys.into_iter().flatten();
        keys.filter(|key| !key.key_data().is_certificate())
            .filter(|key| !self.excluded.has_key(&Fingerprint::of(key)))
            .collect()
    }
}

/// Whether somebody, or the key that they came with, is shut out.
pub(super) fn is_out(state: &State, whom: &Whom, key: &PublicKey) -> bool {
    state.excluded.of(whom).is_some() || state.excluded.has_key(&Fingerprint::of(key))
}

/// Whether there is such a one: a typing mistake must not look like somebody who is shut out.
fn is_known(state: &State, config: &Config, whom: &Whom) -> bool {
    let named = state.names.contains(whom);
    match whom {
        Whom::Person(name) => named || config.persons.contains_key(name),
        Whom::Target(name) => {
            named || config.targets.contains_key(name) || state.machines.enrolled.contains_key(name)
        }
        Whom::Bastion(name) => named || config.bastions.contains_key(name),
        Whom::Key(key) => {
            let people = config.persons.values().flat_map(|person| &person.keys);
            let bastions = config.bastions.values().map(|bastion| &bastion.identity);
            let configured = people
                .chain(bastions)
                .any(|one| Fingerprint::of(one) == *key);
            let mut machines = state.machines.enrolled.values();
            let known = named || configured || machines.any(|own| own.fingerprint == *key);
            // The CA's own keys are replaced, not shut out: targets would refuse everybody.
            let mut ring = state.ring.keys().iter();
            let ours = ring.any(|one| Fingerprint::of(&one.public) == *key);
            known && !ours
        }
    }
}

/// Everybody else who may shut out, and whoever has the key: they may not know yet that it is gone.
fn concerned(config: &Config, by: &PersonName, whom: &Whom) -> Vec<PersonName> {
    let has = |keys: &[PublicKey]| matches!(whom, Whom::Key(key) if keys.iter().any(|one| Fingerprint::of(one) == *key));
    let others = config.persons.iter().filter(|(name, _)| *name != by);
    let told = others.filter(|(name, person)| is_revoker(config, name) || has(&person.keys));
    told.map(|(name, _)| name.clone()).collect()
}

fn keys_of(config: &Config, name: &PersonName) -> Vec<Fingerprint> {
    let keys = config.persons.get(name).map(|person| &person.keys);
    keys.into_iter().flatten().map(Fingerprint::of).collect()
}
