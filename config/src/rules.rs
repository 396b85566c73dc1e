//! The configuration after every check: what the programs run on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ssh_key::PublicKey;

use crate::cidr::Cidr;
use crate::command::{self, Pattern};
use crate::error::ConfigError;
use crate::files::FileRules;
use crate::hours::Hours;
use crate::keys::{KeyName, KeyPlace};
use crate::limits;
use crate::outside::{Check, Groups, Means, Roster};
use crate::recipient::Recipient;
use crate::words::{
    BastionName, CheckName, GroupName, Login, PersonName, Principal, RoleName, RosterName,
    TargetName, WordError,
};

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

/// What may be asked for, by whom, and who has to agree.
#[derive(Debug, Clone)]
pub struct Role {
    /// Who may ask.
    pub groups: BTreeSet<GroupName>,
    /// The accounts.
    pub logins: BTreeSet<Login>,
    /// The machines, with labels resolved against the inventory.
    pub targets: BTreeSet<TargetName>,
    /// The networks that requests come from, and that access certificates are good from; empty for any.
    pub sources: Vec<Cidr>,
    /// The longest life of a grant.
    pub longest: Duration,
    /// How many grants of the role one person may have running at once; none for any number.
    pub live: Option<u32>,
    /// When it is given; none for always.
    pub hours: Option<Hours>,
    /// Who has to agree: all of these, by distinct persons, each group named once. None if the role is
    /// granted at once.
    pub quorums: Vec<Quorum>,
    /// The automated checks that have to agree too, all of them. None of them counts as a person.
    pub checks: BTreeSet<CheckName>,
    /// The command that every session is forced to.
    pub command: Option<String>,
    /// Commands that are granted without anybody's word. If nobody has to agree to the role, it gives nothing else.
    pub commands: Vec<Pattern>,
    /// What a session may open.
    pub channels: BTreeSet<Channel>,
    /// What file transfers may do, if a session may open them.
    pub files: FileRules,
    /// Whether what the person types is recorded too, passwords at prompts included.
    pub record_input: bool,
    /// Who alone can open its recordings; empty if they are not sealed, so that whoever has the file can read it.
    pub recipients: Vec<Recipient>,
    /// On which terms the role may be taken first and reviewed afterwards; none if it may not.
    pub break_glass: Option<BreakGlass>,
}

/// On which terms a role may be taken before its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of its own in the file"
)]
pub struct BreakGlass {
    /// Whether that may be outside of the role's hours, too.
    pub any_time: bool,
    /// Whether the person has to prove with the PIN of a token that it is they.
    pub verify: bool,
    /// How often a person may do so under this role within [`limits::BREAK_GLASS_WEEK`]; none if as often as need be.
    pub per_week: Option<u32>,
    /// Who has to look at it afterwards.
    pub review: Review,
    /// Whether an overdue review keeps the person from new requests, break-glass apart.
    pub blocks: bool,
    /// Whether it keeps them from break-glass too.
    pub blocks_break_glass: bool,
}

/// Who has to look at what was done, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// How many different persons.
    pub count: u32,
    /// Of which groups, any of them; never empty.
    pub from: Vec<GroupName>,
    /// How long after the grant's deadline.
    pub within: Duration,
}

impl Role {
    /// Whether the role covers this login on this target.
    pub fn covers(&self, principal: &Principal) -> bool {
        self.logins.contains(&principal.login) && self.targets.contains(&principal.target)
    }

    /// Whether the role is given to somebody who comes from this address.
    pub fn reachable_from(&self, source: IpAddr) -> bool {
        self.sources.is_empty() || self.sources.iter().any(|block| block.contains(source))
    }

    /// Whether it is granted without anybody's word: no person and no check has to agree.
    pub fn granted_at_once(&self) -> bool {
        self.quorums.is_empty() && self.checks.is_empty()
    }

    /// Whether this command is one of those that are granted at once.
    pub fn preapproves(&self, command: &str) -> bool {
        let words = command::split(command);
        words.is_some_and(|words| self.commands.iter().any(|own| own.matches(&words)))
    }

    /// Whether the role gives sessions with this command, or without one. A forced command stands whatever is asked.
    pub fn takes(&self, command: Option<&str>) -> bool {
        let open = self.commands.is_empty() || !self.granted_at_once();
        open || command.is_some_and(|command| self.preapproves(command))
    }

    /// The hours that hold for a request, break-glass or not; none for any time.
    pub fn hours_for(&self, break_glass: bool) -> Option<&Hours> {
        let free = self
            .break_glass
            .as_ref()
            .is_some_and(|terms| terms.any_time);
        self.hours.as_ref().filter(|_| !(break_glass && free))
    }

    /// Whether somebody in these groups may approve the role.
    pub fn approved_by(&self, groups: &BTreeSet<GroupName>) -> bool {
        self.quorums
            .iter()
            .any(|quorum| groups.contains(&quorum.from))
    }

    /// The groups whose members approve the role.
    pub fn approvers(&self) -> Vec<GroupName> {
        let from = self.quorums.iter().map(|quorum| quorum.from.clone());
        from.collect()
    }
}

/// So many different persons of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// How many persons, at least one.
    pub count: u32,
    /// Of which group.
    pub from: GroupName,
    /// Only those who are on call by this roster, when they approve and when it is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_call: Option<RosterName>,
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.count, self.from)?;
        match &self.on_call {
            Some(roster) => write!(f, " on call ({roster})"),
            None => Ok(()),
        }
    }
}

/// A kind of channel that a session may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A login shell (RFC 4254 §6.5 `shell`).
    Shell,
    /// A command (RFC 4254 §6.5 `exec`).
    Exec,
    /// File transfers: the subsystem `sftp`, which `scp` uses too.
    Sftp,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Shell => "shell",
            Self::Exec => "exec",
            Self::Sftp => "sftp",
        })
    }
}

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = WordError;

    fn from_str(given: &str) -> Result<Self, WordError> {
        let parts = given.rsplit_once(':').and_then(|(host, port)| {
            let bare = host
                .strip_prefix('[')
                .and_then(|h| h.strip_suffix(']'))
                .unwrap_or(host);
            let good = bare
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'));
            let bracketed = bare.len() != host.len();
            let fits = good && !bare.is_empty() && bare.contains(':') == bracketed;
            Some((bare, port.parse().ok().filter(|p| *p > 0 && fits)?))
        });
        let (host, port) = parts.ok_or_else(|| WordError {
            what: "place",
            given: given.to_owned(),
            why: "write it like db1.internal:22 or [2001:db8::1]:22",
        })?;
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl HostPort {
    /// How `known_hosts` writes this place (`sshd(8)`, "SSH KNOWN HOSTS FILE FORMAT").
    pub fn known_hosts(&self) -> String {
        if self.port == 22 {
            self.host.clone()
        } else {
            format!("[{}]:{}", self.host, self.port)
        }
    }
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
