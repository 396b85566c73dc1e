//! What the configuration said about who may approve what, as the log keeps it: so that a stranger, and the CA's own
//! signer, can judge a grant's approvals by the log alone.
//!
//! A start, a reload and each change of groups write what has changed. Only what approvals are judged by stands here:
//! of each role its quorums and checks, of each person who could approve something the groups and keys; of each who has
//! to prove that it is they, the keys.

use std::collections::{BTreeMap, BTreeSet};

use config::Config;
use config::cidr::Cidr;
use config::command::{self, Pattern};
use config::rules::{Person, Quorum, Role};
use config::words::{CheckName, GroupName, PersonName, RoleName};
use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

/// Who may approve what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Law {
    persons: BTreeMap<PersonName, Approver>,
    roles: BTreeMap<RoleName, Terms>,
}

/// Somebody who could approve something, or has to prove who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Approver {
    /// The groups this person is in, as far as some quorum names them.
    pub groups: BTreeSet<GroupName>,
    /// The person's keys, OpenSSH's one-line form.
    pub keys: Vec<String>,
}

/// On which terms a role is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Terms {
    /// Who has to agree; nobody if it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quorums: Vec<Quorum>,
    /// The automated checks that have to agree too.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub checks: BTreeSet<CheckName>,
    /// The commands that are granted without anybody's word, as the configuration writes them, with spaces between the
    /// words. If nobody has to agree to the role, it gives nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// The longest life of a grant, in seconds.
    pub longest: u64,
    /// Whether it may be taken before its approval.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// Whether the person has to prove then, with the PIN of a token, that it is they.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verify: bool,
    /// The networks that its access certificates are good from, as the certificates name them; empty for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Cidr>,
}

/// What has changed in a law; none for what is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LawChange {
    /// Persons who could approve something.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub persons: BTreeMap<PersonName, Option<Approver>>,
    /// Roles.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<RoleName, Option<Terms>>,
}

impl Law {
    /// What a configuration says.
    pub fn of(config: &Config) -> Self {
        let quorums = config.roles.values().flat_map(|role| &role.quorums);
        let named: BTreeSet<&GroupName> = quorums.map(|quorum| &quorum.from).collect();
        let persons = config.persons.iter().filter_map(|(name, person)| {
            let groups = person.groups.iter().filter(|group| named.contains(group));
            let groups: BTreeSet<_> = groups.cloned().collect();
            let plain = |key: &&PublicKey| !key.key_data().is_certificate();
            let bare = |key: &PublicKey| PublicKey::from(key.key_data().clone()).to_openssh().ok();
            let keys = person.keys.iter().filter(plain).filter_map(bare).collect();
            let counts = !groups.is_empty() || proves(config, person);
            counts.then(|| (name.clone(), Approver { groups, keys }))
        });
        let roles = config.roles.iter();
        Self {
            persons: persons.collect(),
            roles: roles
                .map(|(name, role)| (name.clone(), terms(role)))
                .collect(),
        }
    }

    /// A role's terms.
    pub fn role(&self, name: &RoleName) -> Option<&Terms> {
        self.roles.get(name)
    }

    /// Somebody who could approve something.
    pub fn person(&self, name: &PersonName) -> Option<&Approver> {
        self.persons.get(name)
    }

    /// What has to change for this law to become `other`, in parts of which each fits into a line of the log; none if
    /// nothing has to.
    pub fn towards(&self, other: &Self) -> Vec<LawChange> {
        let mut parts = Parts::default();
        for (name, change) in changes(&self.persons, &other.persons) {
            let part = parts.with_room(weight(&change));
            part.persons.insert(name.clone(), change);
        }
        for (name, change) in changes(&self.roles, &other.roles) {
            let part = parts.with_room(weight(&change));
            part.roles.insert(name.clone(), change);
        }
        parts.done
    }

    /// Takes a change.
    pub fn apply(&mut self, change: LawChange) {
        for (name, person) in change.persons {
            replace(&mut self.persons, name, person);
        }
        for (name, terms) in change.roles {
            replace(&mut self.roles, name, terms);
        }
    }
}

impl Terms {
    /// Whether this command is one of those that are granted at once.
    pub fn preapproves(&self, asked: &str) -> bool {
        let Some(asked) = command::split(asked) else {
            return false;
        };
        let patterns = self.commands.iter().filter_map(|text| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            Pattern::read(&words).ok()
        });
        patterns.into_iter().any(|pattern| pattern.matches(&asked))
    }
}

impl LawChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.persons.is_empty() && self.roles.is_empty()
    }
}

/// Most bytes of one part: half a line of the log, whose JSON escapes nothing of what stands here.
const PART_BYTES: usize = crate::log::LINE_BYTES / 2;

#[derive(Default)]
struct Parts {
    done: Vec<LawChange>,
    left: usize,
}

impl Parts {
    fn with_room(&mut self, weight: usize) -> &mut LawChange {
        if self.done.is_empty() || self.left < weight {
            self.done.push(LawChange::default());
            self.left = PART_BYTES;
        }
        self.left = self.left.saturating_sub(weight);
        let last = self.done.len() - 1;
        #[expect(
            clippy::indexing_slicing,
            reason = "one was pushed just now, or was there"
        )]
        &mut self.done[last]
    }
}

/// About how many bytes a change takes, its name included.
fn weight<T: Serialize>(change: &T) -> usize {
    let written = serde_json::to_string(change).unwrap_or_default();
    written.len() + 2 * config::limits::NAME_BYTES
}

fn changes<'a, K: Ord, T: Clone + PartialEq>(
    from: &'a BTreeMap<K, T>,
    to: &'a BTreeMap<K, T>,
) -> impl Iterator<Item = (&'a K, Option<T>)> {
    let gone = from.keys().filter(|name| !to.contains_key(name));
    let new = to.iter().filter(|(name, is)| from.get(name) != Some(is));
    gone.map(|name| (name, None))
        .chain(new.map(|(name, is)| (name, Some(is.clone()))))
}

fn replace<K: Ord, T>(map: &mut BTreeMap<K, T>, name: K, is: Option<T>) {
    match is {
        Some(is) => map.insert(name, is),
        None => map.remove(&name),
    };
}

/// Whether this person holds a role that wants a proof before it is taken first.
fn proves(config: &Config, person: &Person) -> bool {
    config.roles.values().any(|role| {
        let terms = role.break_glass.as_ref();
        terms.is_some_and(|terms| terms.verify) && !role.groups.is_disjoint(&person.groups)
    })
}

fn terms(role: &Role) -> Terms {
    Terms {
        quorums: role.quorums.clone(),
        checks: role.checks.clone(),
        commands: role.commands.iter().map(ToString::to_string).collect(),
        longest: role.longest.as_secs(),
        break_glass: role.break_glass.is_some(),
        verify: role.break_glass.as_ref().is_some_and(|terms| terms.verify),
        sources: role.sources.clone(),
    }
}
