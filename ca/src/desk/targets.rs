//! What targets ask for, each by its own host key: to join, to renew, what to refuse.

use std::collections::BTreeSet;
use std::time::Duration;

use config::Config;
use config::keys::KeyName;
use config::limits;
use config::rules::{HostTrust, Target};
use config::words::{Login, TargetName};
use record::clock::UnixTime;
use record::entry::{Authority, Entry, Whom};
use record::fingerprint::Fingerprint;
use record::keyring::KeyChange;
use record::orders::{self, Joined, Orders, SignedOrders};
use record::token::JoinToken;
use ssh_key::PublicKey;

use super::bastions;
use super::exclusions::is_out;
use super::hall::Hall;
use super::may::may_invite;
use super::writer::{Answer, Decided, Writer, unavailable};
use super::{Caller, Desk, Refused};
use crate::cert::Plan;
use crate::issue::{Intent, Ledger as _};
use crate::keys::plain_key;
use crate::state::{Enrolled, State};

/// A machine that proved a host key, as which target, and the token that it brought.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The key that its connection proved.
    pub key: PublicKey,
    /// What it joins with; none: the key is known.
    pub token: Option<JoinToken>,
}

impl Desk {
    /// The target that is known by this host key: it joined with it, or the configuration pins it.
    pub fn target(&self, key: &PublicKey) -> Option<TargetName> {
        let config = self.hall.config();
        target_of(&self.hall.state(), &config, key)
    }

    /// Whether somebody may join with this token, and this key: asked before anything else is listened to.
    pub fn is_invited(&self, token: &JoinToken, key: &PublicKey) -> bool {
        let config = self.hall.config();
        let state = self.hall.state();
        let invited = self.hall.invited(&state, &config, token);
        invited.is_ok_and(|target| may_be(&state, &config, &target, key).is_ok())
    }

    /// A person makes a join token for a target.
    pub async fn invite(&self, caller: &Caller, target: &TargetName) -> Result<JoinToken, Refused> {
        let (caller, target) = (caller.clone(), target.clone());
        self.run(move |writer| {
            let config = writer.hall.config();
            writer.must_be_in(&config, &caller)?;
            may_invite(&config, &caller.person)?;
            writer.invite(Some(&caller), &target)
        })
        .await
    }

    /// A machine joins as a target, once with each token; or asks again, with the key that it joined with.
    pub async fn join(&self, machine: Machine, name: &TargetName) -> Result<Joined, Refused> {
        let name = name.clone();
        let of = name.clone();
        let certificate = self.run(move |writer| writer.join(&machine, &name)).await?;
        Ok(Joined {
            certificate,
            signers: self.hall.order_signers(),
            orders: self.orders(Some(&of))?,
        })
    }

    /// A target's host certificate: the newest one, or the next one when half of its life is over.
    pub async fn renew(&self, machine: Machine) -> Result<String, Refused> {
        self.run(move |writer| writer.renew(&machine)).await
    }

    /// What a target is to refuse and whom to believe, signed; or the same for a person, without what is a target's.
    pub fn orders(&self, target: Option<&TargetName>) -> Result<SignedOrders, Refused> {
        let orders = self.hall.orders(target)?;
        let signed = orders.sign(&self.hall.log_key()?);
        let signed = signed.map_err(|_| unavailable("the log's key does not sign"))?;
        let succession = self.hall.succession();
        Ok(SignedOrders {
            succession,
            ..signed
        })
    }
}

impl Writer {
    /// Makes a join token. Its digest stands in the log; the token stands nowhere.
    pub(super) fn invite(
        &mut self,
        caller: Option<&Caller>,
        target: &TargetName,
    ) -> Decided<JoinToken> {
        let config = self.hall.config();
        joinable(&config, target)?;
        let whom = Whom::Target(target.clone());
        if self.state.excluded.of(&whom).is_some() {
            return Err(Refused::ShutOut(whom));
        }
        let now = self.hall.now();
        if self.state.machines.outstanding(now) >= limits::TOKENS_OUT {
            return Err(Refused::TooManyTokens);
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|_| unavailable("the system gives no random bytes"))?;
        let token = JoinToken::from_random(random);
        self.commit(Entry::Invitation {
            target: target.clone(),
            token: token.digest(),
            until: now.after(limits::TOKEN_LIFE),
            person: caller.map(|caller| caller.person.clone()),
        })?;
        let target = target.clone();
        Ok(Answer::after(move |_| {
            tracing::info!(%target, "a join token was made");
            Ok(token)
        }))
    }

    fn join(&mut self, machine: &Machine, name: &TargetName) -> Decided<String> {
        let config = self.hall.config();
        let Some(token) = &machine.token else {
            let known = target_of(&self.state, &config, &machine.key);
            return match known {
                Some(known) if known == *name => self.renew(machine),
                _ => Err(Refused::Join("this host key is another target's")),
            };
        };
        let target = self.hall.invited(&self.state, &config, token)?;
        if target != *name {
            return Err(Refused::Join("this token is for another target"));
        }
        may_be(&self.state, &config, name, &machine.key)?;
        let intent = self.enrol(name, &machine.key, Some(token), limits::JOINED_CERT_LIFE)?;
        let (target, key) = (target, Fingerprint::of(&machine.key));
        Ok(Answer::after(move |press| {
            let line = press.sign(intent)?.line;
            tracing::warn!(%target, %key, "a machine has joined");
            Ok(line)
        }))
    }

    fn renew(&mut self, machine: &Machine) -> Decided<String> {
        let config = self.hall.config();
        let gone = Refused::Join("this host key is not one that a target has joined with");
        let known = target_of(&self.state, &config, &machine.key);
        let target = known.ok_or_else(|| gone.clone())?;
        joinable(&config, &target)?;
        let own = self.state.machines.enrolled.get(&target);
        let own = own.ok_or(gone)?;
        let now = self.hall.now();
        if let Some(intent) = self.still_good(own, now) {
            return Ok(Answer::after(move |press| Ok(press.sign(intent)?.line)));
        }
        self.commit(Entry::Renewal {
            target: target.clone(),
            key: own.fingerprint,
        })?;
        // If only this becomes durable, the target asks again.
        let plan = self.host_plan(&target, &machine.key, limits::JOINED_CERT_LIFE);
        let intent = self.issue(plan, None, None)?;
        Ok(Answer::after(move |press| {
            let signed = press.sign(intent)?;
            tracing::info!(%target, serial = signed.serial, "a host certificate is renewed");
            Ok(signed.line)
        }))
    }

    /// The newest certificate, while less than half of its life is over and its CA's key is believed: asked for again,
    /// it is signed again.
    fn still_good(&self, own: &Enrolled, now: UnixTime) -> Option<Intent> {
        let newest = own.certificate.as_ref()?;
        let half = newest.after.after(newest.before.since(newest.after) / 2);
        let believed = self.state.ring.believes(&newest.logged.to_be_signed, now);
        if now < newest.after || now >= half || !believed {
            return None;
        }
        Intent::again(&newest.logged, self.state.size).ok()
    }

    /// The operator certifies a host key, beside the stopped CA: the target is known by it from then on.
    pub(super) fn host(&mut self, target: &TargetName, line: &str) -> Decided<String> {
        let config = self.hall.config();
        joinable(&config, target)?;
        let key = plain_key(line).map_err(Refused::Key)?;
        may_be(&self.state, &config, target, &key)?;
        let intent = self.enrol(target, &key, None, limits::HOST_CERT_LIFE)?;
        Ok(Answer::after(move |press| Ok(press.sign(intent)?.line)))
    }

    fn enrol(
        &mut self,
        target: &TargetName,
        key: &PublicKey,
        token: Option<&JoinToken>,
        life: Duration,
    ) -> Result<Intent, Refused> {
        let written = key.to_openssh();
        let written = written.map_err(|_| unavailable("the host key cannot be written"))?;
        self.commit(Entry::Enrolment {
            target: target.clone(),
            key: written.trim_end().to_owned(),
            token: token.map(JoinToken::digest),
        })?;
        // If only this becomes durable, the token is spent, and the host key gets its certificate when it asks again.
        let plan = self.host_plan(target, key, life);
        self.issue(plan, None, None)
    }

    fn host_plan(&self, target: &TargetName, key: &PublicKey, life: Duration) -> Plan {
        let now = self.hall.now();
        Plan {
            authority: Authority::Host,
            subject: PublicKey::from(key.key_data().clone()),
            serial: self.state.next_serial(),
            key_id: format!("hallpass:host:{target}"),
            principals: vec![target.to_string()],
            after: now.before(limits::CLOCK_SKEW),
            before: now.after(life),
            force_command: None,
            source_address: Vec::new(),
            permits: BTreeSet::new(),
        }
    }
}

impl Hall {
    /// The target that a token is for, if somebody may join with it now.
    fn invited(
        &self,
        state: &State,
        config: &Config,
        token: &JoinToken,
    ) -> Result<TargetName, Refused> {
        let invited = state.machines.invited.get(&token.digest());
        let invited = invited.ok_or(Refused::Join("there is no such token"))?;
        if invited.spent {
            return Err(Refused::Join("the token has been used"));
        }
        // A clock that was set back since does not make it good again.
        let now = state.last.map_or(self.now(), |last| last.max(self.now()));
        if now >= invited.until {
            return Err(Refused::Join("the token has expired: make another one"));
        }
        joinable(config, &invited.target)?;
        Ok(invited.target.clone())
    }

    /// The keys that sign orders.
    fn order_signers(&self) -> Vec<String> {
        self.believed(KeyName::Log).iter().map(line).collect()
    }

    /// How the log's keys followed one another, for a target that has slept: the newest that it would take.
    fn succession(&self) -> Vec<KeyChange> {
        let state = self.state();
        let newest = state.ring.chain().succession().rev();
        let mut steps: Vec<_> = newest.take(limits::LOG_KEYS_FOLLOWED).cloned().collect();
        steps.reverse();
        steps
    }

    fn orders(&self, target: Option<&TargetName>) -> Result<Orders, Refused> {
        let config = self.config();
        let (number, krl) = self
            .numbered_krl()
            .map_err(|why| Refused::Unavailable(format!("the revocation list: {why}")))?;
        let sources = config.bastions.values().flat_map(|bastion| &bastion.source);
        let bastions = target.map(|_| sources.copied().collect());
        Ok(Orders {
            v: orders::VERSION,
            at: self.now(),
            number,
            target: target.cloned(),
            session_cas: self.believed(KeyName::Session).iter().map(line).collect(),
            signers: self.order_signers(),
            logins: target.map(|name| logins(&config, name)).unwrap_or_default(),
            bastions: bastions.unwrap_or_default(),
            krl: orders::carried(&krl),
        })
    }
}

/// The target that is known by this key: pinned, or joined, and not shut out.
fn target_of(state: &State, config: &Config, key: &PublicKey) -> Option<TargetName> {
    if key.key_data().is_certificate() {
        return None;
    }
    let pinned = config
        .targets
        .iter()
        .find(|(_, target)| match &target.host {
            HostTrust::Ca => false,
            HostTrust::Pinned(keys) => keys.iter().any(|own| own.key_data() == key.key_data()),
        });
    let joined = || {
        let name = state.machines.target_of(key)?;
        config.targets.get_key_value(name)
    };
    let (name, target) = pinned.or_else(joined)?;
    let other = pinned.is_none() && !matches!(target.host, HostTrust::Ca);
    let out = is_out(state, &Whom::Target(name.clone()), key);
    (!out && !other).then(|| name.clone())
}

/// Whether this key may be the host key of this target: nobody's, and not shut out.
fn may_be(
    state: &State,
    config: &Config,
    target: &TargetName,
    key: &PublicKey,
) -> Result<(), Refused> {
    let whom = Whom::Target(target.clone());
    if is_out(state, &whom, key) {
        return Err(Refused::ShutOut(whom));
    }
    let line = key.to_openssh().unwrap_or_default();
    let key = bastions::certifiable(state, config, &line)?;
    let other = state
        .machines
        .target_of(&key)
        .filter(|name| *name != target);
    let pinned = config.targets.values().any(|one| match &one.host {
        HostTrust::Ca => false,
        HostTrust::Pinned(keys) => keys.iter().any(|own| own.key_data() == key.key_data()),
    });
    if other.is_some() || pinned {
        return Err(Refused::Join("this host key is another target's"));
    }
    Ok(())
}

/// A target that shows a host certificate, and so may have one.
fn joinable<'a>(config: &'a Config, target: &TargetName) -> Result<&'a Target, Refused> {
    let found = config.targets.get(target);
    let found = found.ok_or(Refused::Join("the inventory has no such target"))?;
    match found.host {
        HostTrust::Ca => Ok(found),
        HostTrust::Pinned(_) => Err(Refused::Join(
            "the configuration pins its host key; host = \"ca\" lets it join",
        )),
    }
}

/// The accounts that some role names on a target.
fn logins(config: &Config, target: &TargetName) -> Vec<Login> {
    let roles = config.roles.values();
    let roles = roles.filter(|role| role.targets.contains(target));
    let logins: BTreeSet<_> = roles.flat_map(|role| &role.logins).collect();
    logins.into_iter().cloned().collect()
}

fn line(key: &PublicKey) -> String {
    let bare = PublicKey::from(key.key_data().clone());
    bare.to_openssh().unwrap_or_default().trim_end().to_owned()
}
