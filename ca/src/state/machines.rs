//! Targets that may join, and those that have: what the log says of machines.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::words::{PersonName, TargetName};
use record::clock::UnixTime;
use record::digest::Digest;
use record::entry::Entry;
use record::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

use super::fold::{Impossible, Possible, must};
use super::{Certificate, State};
use crate::lint::read_to_be_signed;

/// The machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machines {
    /// Join tokens, by their digest; spent ones too.
    pub(crate) invited: BTreeMap<Digest, Invited>,
    /// Targets whose host key is known.
    pub(crate) enrolled: BTreeMap<TargetName, Enrolled>,
}

/// One join token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invited {
    /// For which target.
    pub(crate) target: TargetName,
    /// Until when.
    pub(crate) until: UnixTime,
    /// Who made it.
    pub(crate) by: Option<PersonName>,
    /// Whether somebody has joined with it.
    pub(crate) spent: bool,
}

/// A target whose host key is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enrolled {
    /// The host key, OpenSSH's one-line form.
    pub(crate) key: String,
    /// Its fingerprint.
    pub(crate) fingerprint: Fingerprint,
    /// Since when.
    pub(crate) at: UnixTime,
    /// Its newest host certificate.
    pub(crate) certificate: Option<HostCertificate>,
}

/// What a renewal needs to know of the certificate before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostCertificate {
    /// What was to be signed.
    pub(crate) logged: Certificate,
    /// It is good from here …
    pub(crate) after: UnixTime,
    /// … to here.
    pub(crate) before: UnixTime,
}

impl Enrolled {
    /// A key that a log's line names.
    fn read(line: &str, at: UnixTime) -> Possible<Self> {
        let key = crate::keys::plain_key(line);
        let key = key.map_err(|_| Impossible("the host key cannot be read"))?;
        Ok(Self {
            key: line.to_owned(),
            fingerprint: Fingerprint::of(&key),
            at,
            certificate: None,
        })
    }
}

impl Machines {
    /// The target that has this host key.
    pub(crate) fn target_of(&self, key: &PublicKey) -> Option<&TargetName> {
        let fingerprint = Fingerprint::of(key);
        let mut all = self.enrolled.iter();
        all.find(|(_, own)| own.fingerprint == fingerprint)
            .map(|(name, _)| name)
    }

    /// The tokens that somebody could join with.
    pub(crate) fn outstanding(&self, now: UnixTime) -> usize {
        let live = |token: &&Invited| !token.spent && now < token.until;
        self.invited.values().filter(live).count()
    }

    pub(super) fn check_invitation(&self, token: &Digest) -> Possible {
        must(!self.invited.contains_key(token), "the token exists")
    }

    pub(super) fn check_enrolment(
        &self,
        target: &TargetName,
        key: &str,
        token: Option<&Digest>,
    ) -> Possible {
        let joining = Enrolled::read(key, UnixTime::from_secs(0))?;
        let other = |(name, own): (&TargetName, &Enrolled)| {
            name != target && own.fingerprint == joining.fingerprint
        };
        must(
            !self.enrolled.iter().any(other),
            "the host key is another target's",
        )?;
        let Some(token) = token else { return Ok(()) };
        let invited = self.invited.get(token);
        let invited = invited.ok_or(Impossible("there is no such token"))?;
        must(!invited.spent, "the token is spent")?;
        must(invited.target == *target, "the token is for another target")
    }

    pub(super) fn check_renewal(&self, target: &TargetName, key: &Fingerprint) -> Possible {
        let own = self.enrolled.get(target);
        let own = own.ok_or(Impossible("the target has not joined"))?;
        must(
            own.fingerprint == *key,
            "the target has joined with another key",
        )
    }

    pub(super) fn invite(
        &mut self,
        token: Digest,
        target: TargetName,
        until: UnixTime,
        by: Option<PersonName>,
    ) {
        let invited = Invited {
            target,
            until,
            by,
            spent: false,
        };
        self.invited.insert(token, invited);
    }

    pub(super) fn enrol(
        &mut self,
        at: UnixTime,
        target: TargetName,
        key: &str,
        token: Option<Digest>,
    ) -> Possible {
        self.enrolled.insert(target, Enrolled::read(key, at)?);
        if let Some(invited) = token.and_then(|token| self.invited.get_mut(&token)) {
            invited.spent = true;
        }
        Ok(())
    }

    /// A host certificate is to be signed: it is a joined target's newest, if it is for one.
    pub(super) fn certified(&mut self, certificate: &Certificate) {
        let bytes = STANDARD.decode(&certificate.to_be_signed).ok();
        let Some(fields) = bytes.as_deref().and_then(read_to_be_signed) else {
            return;
        };
        let subject = Digest::of(&fields.subject());
        let [principal] = fields.principals.as_slice() else {
            return;
        };
        let own = self
            .enrolled
            .iter_mut()
            .find(|(name, own)| name.as_str() == *principal && own.fingerprint.digest() == subject);
        if let Some((_, own)) = own {
            own.certificate = Some(HostCertificate {
                logged: certificate.clone(),
                after: UnixTime::from_secs(fields.after),
                before: UnixTime::from_secs(fields.before),
            });
        }
    }
}

impl State {
    /// Whether an entry about a machine, or about somebody who is shut out, can follow.
    pub(super) fn check_machines(&self, entry: &Entry) -> Possible {
        match entry {
            Entry::Invitation { token, .. } => self.machines.check_invitation(token),
            Entry::Enrolment { target, key, token } => {
                self.machines.check_enrolment(target, key, token.as_ref())
            }
            Entry::Renewal { target, key } => self.machines.check_renewal(target, key),
            Entry::Exclusion { whom, .. } => self.excluded.check(whom),
            Entry::Restoration { whom, .. } => self.excluded.check_lift(whom),
            _ => Err(Impossible("it is not about a machine")),
        }
    }

    /// Takes an entry about a machine that may join, or has.
    pub(super) fn of_machines(&mut self, at: UnixTime, entry: Entry) -> Possible {
        match entry {
            Entry::Invitation {
                target,
                token,
                until,
                person,
            } => {
                self.machines.invite(token, target, until, person);
                Ok(())
            }
            Entry::Enrolment { target, key, token } => self.machines.enrol(at, target, &key, token),
            other => self.of_exclusion(at, other),
        }
    }
}
