//! The configuration after every check: what the programs run on.

mod place;
mod role;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ssh_key::PublicKey;

use crate::bucket::Bucket;
use crate::cidr::Cidr;
use crate::error::ConfigError;
use crate::keys::{KeyName, KeyPlace};
use crate::limits;
use crate::outside::{Check, Groups, Means, Roster};
use crate::words::{
    BastionName, CheckName, GroupName, PersonName, Principal, RoleName, RosterName, TargetName,
};

pub use place::HostPort;
pub use role::{BreakGlass, Channel, Quorum, REVIEW, Reads, Review, Role};

/// Everything that `hallpass.toml` says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The certificate authority.
    pub ca: Ca,
    /// The bastions.
    pub bastions: BTreeMap<BastionName, Bastion>,
    /// The persons.
    pub persons: BTreeMap<PersonName, Person>,
    /// The inventory.
    pub targets: BTreeMap<TargetName, Target>,
    /// What may be asked for.
    pub roles: BTreeMap<RoleName, Role>,
    /// The groups whose members a program says.
    pub groups: Option<Groups>,
    /// Who is on call, and who says so.
    pub on_call: BTreeMap<RosterName, Roster>,
    /// The automated checks that roles name as approvers.
    pub checks: BTreeMap<CheckName, Check>,
    /// Who is told at once of what must not wait; none if nobody but the approvers who look.
    pub alert: Option<Alert>,
    /// The groups that may see the report over everybody; empty for nobody.
    pub auditors: BTreeSet<GroupName>,
    /// Where recordings lie beside the bastions' disks; none if nowhere.
    pub bucket: Option<Bucket>,
    /// The file's text, byte for byte, and behind it, as [`Config::with_groups`] writes them, the groups that a
    /// program said: its digest names the policy in every decision.
    pub text: String,
}

/// The certificate authority.
#[derive(Debug, Clone)]
pub struct Ca {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What people and bastions connect to.
    pub address: HostPort,
    /// Its directory: `keys/`, `log/`, `store/`.
    pub data: PathBuf,
    /// Where each of its private keys is.
    pub keys: BTreeMap<KeyName, KeyPlace>,
    /// The groups whose members shut out, and let in again, persons, keys, targets and bastions; none: nobody does.
    pub revokers: BTreeSet<GroupName>,
    /// The groups whose members make join tokens for targets; none: nobody does over SSH.
    pub enrollers: BTreeSet<GroupName>,
    /// Where the issuance log is published as tiles; none if it is not.
    pub publish: Option<PathBuf>,
    /// Who cosigns the issuance log.
    pub witnesses: Witnesses,
}

/// Who cosigns the issuance log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witnesses {
    /// How many have to cosign the entry of an access certificate before it is released.
    pub need: usize,
    /// All that are asked, by name.
    pub by: Vec<Witness>,
}

/// Somebody who cosigns the issuance log (<https://c2sp.org/tlog-witness>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name, as it signs.
    pub name: String,
    /// Its Ed25519 key.
    pub key: PublicKey,
    /// Its address: `http://`, a host, and perhaps a port and a path.
    pub url: String,
}

/// Who is told at once of what must not wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// How: it gets one JSON document for each event.
    pub means: Means,
    /// The file with the secret that each document is authenticated with; none if it is not.
    pub secret: Option<PathBuf>,
}

/// One bastion.
#[derive(Debug, Clone)]
pub struct Bastion {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What people connect to.
    pub address: HostPort,
    /// Its directory: `identity`, `recordings/`.
    pub data: PathBuf,
    /// The public half of its identity key: it signs its recordings and speaks to the CA with it.
    pub identity: PublicKey,
    /// The addresses that targets see it come from; session certificates are good from there only.
    /// Empty: session certificates carry no source-address.
    pub source: Vec<Cidr>,
}

/// One person.
#[derive(Debug, Clone)]
pub struct Person {
    /// The groups this person is in.
    pub groups: BTreeSet<GroupName>,
    /// The person's keys: each proves the same person.
    pub keys: Vec<PublicKey>,
}

/// One machine that sessions end on.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where its sshd listens.
    pub address: HostPort,
    /// How it proves that it is that machine.
    pub host: HostTrust,
    /// What roles may select it by.
    pub labels: BTreeMap<String, String>,
}

/// How a target proves that it is that machine. There is no trust on first use.
#[derive(Debug, Clone)]
pub enum HostTrust {
    /// It shows a host certificate of the host CA for its name.
    Ca,
    /// It has one of these keys.
    Pinned(Vec<PublicKey>),
}

impl Config {
    /// Reads and checks a configuration file. Relative paths in it are relative to its directory.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(limits::CONFIG_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > limits::CONFIG_BYTES {
            return Err(ConfigError::TooLarge {
                path: path.to_owned(),
                most: limits::CONFIG_BYTES,
            });
        }
        let text = String::from_utf8(bytes)
            .map_err(|e| unreadable(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))?;
        Self::parse(path, text)
    }

    /// Checks a configuration's text; `path` is for messages and relative paths.
    pub fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        crate::check::check(path, text)
    }

    /// This configuration with the members that a program said for its groups; persons who are not registered, and
    /// groups that are not the program's, are left out. The text says who they are, in comments, so that its digest
    /// covers them.
    #[must_use]
    pub fn with_groups(&self, told: &BTreeMap<GroupName, BTreeSet<PersonName>>) -> Self {
        let mut config = self.clone();
        if !config.text.is_empty() && !config.text.ends_with('\n') {
            config.text.push('\n');
        }
        let own = self.groups.as_ref().map(|groups| &groups.names);
        for group in own.into_iter().flatten() {
            let members = told.get(group).into_iter().flatten();
            let mut line = format!("# group {group}:");
            for name in members {
                if let Some(person) = config.persons.get_mut(name) {
                    person.groups.insert(group.clone());
                    line.push(' ');
                    line.push_str(name.as_str());
                }
            }
            config.text.push_str(&line);
            config.text.push('\n');
        }
        config
    }

    /// The person who has this key, whichever of the person's keys it is.
    pub fn person_of(&self, key: &PublicKey) -> Option<(&PersonName, &Person)> {
        self.persons
            .iter()
            .find(|(_, person)| has_key(&person.keys, key))
    }

    /// The bastion whose identity this is.
    pub fn bastion_of(&self, key: &PublicKey) -> Option<(&BastionName, &Bastion)> {
        self.bastions
            .iter()
            .find(|(_, bastion)| bastion.identity.key_data() == key.key_data())
    }

    /// The members of a group.
    pub fn members<'a>(&'a self, group: &'a GroupName) -> impl Iterator<Item = &'a PersonName> {
        self.persons
            .iter()
            .filter(move |(_, person)| person.groups.contains(group))
            .map(|(name, _)| name)
    }

    /// The roles under which this person may ask for this access, by name.
    pub fn roles_for<'a>(
        &'a self,
        person: &'a Person,
        principal: &'a Principal,
    ) -> impl Iterator<Item = (&'a RoleName, &'a Role)> {
        self.roles.iter().filter(move |(_, role)| {
            role.covers(principal) && !role.groups.is_disjoint(&person.groups)
        })
    }
}

fn has_key(keys: &[PublicKey], key: &PublicKey) -> bool {
    keys.iter().any(|own| own.key_data() == key.key_data())
}
