//! Who and what is shut out: persons, keys, targets, bastions.

use std::collections::BTreeMap;

use config::words::{PersonName, RequestId};
use record::clock::UnixTime;
use record::entry::{Entry, Whom};
use record::fingerprint::Fingerprint;
use record::text::Reason;
use serde::{Deserialize, Serialize};

use crate::keys::plain_key;

use super::fold::{Impossible, Possible, must};
use super::{Case, End, State};

/// Everybody and everything that was ever shut out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Excluded(pub(super) BTreeMap<Whom, Exclusion>);

/// One exclusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exclusion {
    /// Since when.
    pub(crate) at: UnixTime,
    /// Who did it.
    pub(crate) by: PersonName,
    /// Why.
    pub(crate) reason: Reason,
    /// The keys that targets refuse with it.
    pub(crate) keys: Vec<Fingerprint>,
    /// Whether it was lifted since.
    pub(crate) lifted: bool,
}

impl Excluded {
    /// Why it is shut out, if it is.
    pub(crate) fn of(&self, whom: &Whom) -> Option<&Exclusion> {
        self.0.get(whom).filter(|exclusion| !exclusion.lifted)
    }

    /// Every exclusion that stands.
    pub(crate) fn standing(&self) -> impl Iterator<Item = (&Whom, &Exclusion)> {
        self.0.iter().filter(|(_, exclusion)| !exclusion.lifted)
    }

    /// Every key that is shut out, by itself or with its person.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Fingerprint> {
        self.standing().flat_map(|(whom, exclusion)| {
            let own = match whom {
                Whom::Key(key) => Some(*key),
                _ => None,
            };
            own.into_iter().chain(exclusion.keys.iter().copied())
        })
    }

    /// Whether this key is shut out, by itself or with its person.
    pub(crate) fn has_key(&self, key: &Fingerprint) -> bool {
        self.keys().any(|one| one == *key)
    }

    /// The same of a key in OpenSSH's one-line form; one that cannot be read is nobody's, and out.
    pub(super) fn has_line(&self, key: &str) -> bool {
        !self.0.is_empty()
            && plain_key(key).map_or(true, |key| self.has_key(&Fingerprint::of(&key)))
    }

    pub(super) fn check(&self, whom: &Whom) -> Possible {
        must(self.of(whom).is_none(), "it is shut out already")
    }

    pub(super) fn check_lift(&self, whom: &Whom) -> Possible {
        must(self.of(whom).is_some(), "it is not shut out")
    }

    pub(super) fn shut_out(&mut self, whom: Whom, exclusion: Exclusion) {
        self.0.insert(whom, exclusion);
    }

    pub(super) fn lift(&mut self, whom: &Whom) {
        if let Some(exclusion) = self.0.get_mut(whom) {
            exclusion.lifted = true;
        }
    }
}

impl State {
    /// Takes an entry about somebody or something that is shut out, or let in again.
    pub(super) fn of_exclusion(&mut self, at: UnixTime, entry: Entry) -> Possible {
        match entry {
            Entry::Exclusion {
                whom,
                keys,
                person: by,
                reason,
            } => {
                let exclusion = Exclusion {
                    at,
                    by,
                    reason,
                    keys,
                    lifted: false,
                };
                self.shut_out(whom, exclusion)
            }
            Entry::Restoration { whom, .. } => {
                self.excluded.lift(&whom);
                Ok(())
            }
            _ => Err(Impossible("it is not about anybody who is shut out")),
        }
    }

    /// Ends every running grant and every open request that is concerned.
    fn shut_out(&mut self, whom: Whom, exclusion: Exclusion) -> Possible {
        let concerned: Vec<(RequestId, bool)> = self
            .cases
            .iter()
            .filter(|(_, case)| case.end.is_none() && case.limit() > exclusion.at)
            .filter(|(_, case)| concerns(case, &whom, &exclusion.keys))
            .map(|(id, case)| (id.clone(), case.grant.is_some()))
            .collect();
        for (id, granted) in concerned {
            let (by, reason) = (exclusion.by.clone(), exclusion.reason.clone());
            if granted {
                self.end(&id, End::Revoked { by, reason })?;
            } else {
                self.close(&id, End::Denied { by, reason })?;
            }
        }
        self.excluded.shut_out(whom, exclusion);
        Ok(())
    }
}

/// Whether a request or its grant ends with this. A bastion's sessions end; the grants go on through another one.
pub(super) fn concerns(case: &Case, whom: &Whom, keys: &[Fingerprint]) -> bool {
    let request = &case.request;
    let with_it = match whom {
        Whom::Person(name) => request.person == *name,
        Whom::Key(key) => request.key == key.to_string(),
        Whom::Target(name) => request.access.target == *name,
        Whom::Bastion(_) => false,
    };
    with_it || keys.iter().any(|key| request.key == key.to_string())
}
