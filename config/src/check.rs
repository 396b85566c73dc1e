//! From the file's shapes to rules that can be enforced, or to the first thing that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ssh_key::PublicKey;
use toml::Spanned;

use crate::cidr::Cidr;
use crate::error::ConfigError;
use crate::rules::{
    Bastion, Ca, Channel, Config, HostPort, HostTrust, Person, Quorum, Role, Target,
};
use crate::words::{GroupName, PersonName, RoleName, TargetName, shown};
use crate::{file, limits, span};

/// What is wrong, before it has its file and line.
struct Flaw {
    at: Range<usize>,
    what: String,
    hint: String,
}

type Checked<T> = Result<T, Flaw>;

pub(crate) fn check(path: &Path, text: String) -> Result<Config, ConfigError> {
    let wrong = |flaw: Flaw| ConfigError::Wrong {
        path: path.to_owned(),
        line: span::line_of(&text, &flaw.at),
        what: flaw.what,
        hint: flaw.hint,
    };
    let file: file::File = toml::from_str(&text).map_err(|e| wrong(shape(&e)))?;
    let parts = Parts::check(path, file).map_err(wrong)?;
    Ok(parts.into_config(text))
}

struct Parts {
    ca: Ca,
    bastions: BTreeMap<crate::words::BastionName, Bastion>,
    persons: BTreeMap<PersonName, Person>,
    targets: BTreeMap<TargetName, Target>,
    roles: BTreeMap<RoleName, Role>,
}

impl Parts {
    fn check(path: &Path, file: file::File) -> Checked<Self> {
        let base = path.parent().unwrap_or(Path::new("."));
        let ca = ca(base, file.ca)?;
        let persons = persons(file.person)?;
        let bastions = bastions(base, file.bastion, &persons)?;
        let targets = targets(file.target)?;
        let roles = roles(file.role, &persons, &targets)?;
        Ok(Self {
            ca,
            bastions,
            persons,
            targets,
            roles,
        })
    }

    fn into_config(self, text: String) -> Config {
        let Self {
            ca,
            bastions,
            persons,
            targets,
            roles,
        } = self;
        Config {
            ca,
            bastions,
            persons,
            targets,
            roles,
            text,
        }
    }
}

fn flaw<T>(at: Range<usize>, what: impl Into<String>, hint: impl Into<String>) -> Checked<T> {
    Err(Flaw {
        at,
        what: what.into(),
        hint: hint.into(),
    })
}

/// What the TOML parser says, on one line.
fn shape(e: &toml::de::Error) -> Flaw {
    let what = e.message().lines().collect::<Vec<_>>().join(", ");
    let hint = if what.contains("unknown field") {
        "see `hallpass init` for a file that names every key"
    } else if what.contains("missing field") {
        "every part of the file must be complete; nothing is assumed"
    } else if what.contains("duplicate") {
        "a name stands for one thing; rename or remove one of the two"
    } else {
        "correct this line"
    };
    Flaw {
        at: e.span().unwrap_or(0..0),
        what,
        hint: hint.to_owned(),
    }
}

fn ca(base: &Path, ca: file::Ca) -> Checked<Ca> {
    Ok(Ca {
        listen: listen(&ca.listen)?,
        address: host_port(&ca.address)?,
        data: directory(base, ca.data, "ca"),
    })
}

/// The principal of the issuance log's key among the keys that evidence is checked against. A bastion of that
/// name could sign for the log.
const LOG: &str = "log";

fn bastions(
    base: &Path,
    given: BTreeMap<Spanned<crate::words::BastionName>, file::Bastion>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<BTreeMap<crate::words::BastionName, Bastion>> {
    let mut bastions: BTreeMap<crate::words::BastionName, Bastion> = BTreeMap::new();
    for (name, bastion) in given {
        if name.get_ref().as_str() == LOG {
            return flaw(
                name.span(),
                "a bastion cannot be called log",
                "the issuance log signs under that name: call it otherwise",
            );
        }
        let at = bastion.identity.span();
        let identity = key(&bastion.identity)?;
        let taken = persons
            .values()
            .flat_map(|p| &p.keys)
            .chain(bastions.values().map(|b| &b.identity));
        if taken
            .into_iter()
            .any(|other| other.key_data() == identity.key_data())
        {
            return flaw(
                at,
                "this key is already used",
                "a bastion has an identity key of its own",
            );
        }
        let source = bastion.source.iter().map(cidr).collect::<Checked<_>>()?;
        let checked = Bastion {
            listen: listen(&bastion.listen)?,
            address: host_port(&bastion.address)?,
            data: directory(base, bastion.data, "bastion"),
            identity,
            source,
        };
        bastions.insert(name.into_inner(), checked);
    }
    Ok(bastions)
}

fn persons(
    given: BTreeMap<Spanned<PersonName>, file::Person>,
) -> Checked<BTreeMap<PersonName, Person>> {
    let mut persons: BTreeMap<PersonName, Person> = BTreeMap::new();
    for (name, person) in given {
        if person.keys.get_ref().is_empty() {
            return flaw(
                person.keys.span(),
                format!("{} has no key", name.get_ref()),
                "add the person's public key, as `ssh-add -L` prints it, or remove the person",
            );
        }
        let mut keys: Vec<PublicKey> = Vec::new();
        for text in person.keys.get_ref() {
            let parsed = key(text)?;
            if keys.iter().any(|own| own.key_data() == parsed.key_data()) {
                return flaw(
                    text.span(),
                    "this key stands here twice",
                    "remove one of the two",
                );
            }
            let owner = persons
                .iter()
                .find(|(_, p)| p.keys.iter().any(|k| k.key_data() == parsed.key_data()));
            if let Some((other, _)) = owner {
                return flaw(
                    text.span(),
                    format!("this key is {other}'s already"),
                    "a key proves one person: give each person keys of their own",
                );
            }
            keys.push(parsed);
        }
        let groups = person.groups.into_iter().map(Spanned::into_inner).collect();
        persons.insert(name.into_inner(), Person { groups, keys });
    }
    Ok(persons)
}

fn targets(
    given: BTreeMap<Spanned<TargetName>, file::Target>,
) -> Checked<BTreeMap<TargetName, Target>> {
    let mut targets: BTreeMap<TargetName, Target> = BTreeMap::new();
    for (name, target) in given {
        let address = host_port(&target.address)?;
        if let Some((other, _)) = targets.iter().find(|(_, t)| t.address == address) {
            return flaw(
                target.address.span(),
                format!("{address} is {other}'s address already"),
                "a machine is one target: two names for it would be two sets of rules",
            );
        }
        let host = host_trust(&target.host)?;
        targets.insert(
            name.into_inner(),
            Target {
                address,
                host,
                labels: target.labels,
            },
        );
    }
    Ok(targets)
}

fn host_trust(given: &Spanned<String>) -> Checked<HostTrust> {
    if given.get_ref() == "ca" {
        return Ok(HostTrust::Ca);
    }
    let keys = given
        .get_ref()
        .lines()
        .filter(|line| !line.trim().is_empty());
    let keys: Vec<_> = keys
        .map(|line| key_text(line, given.span()))
        .collect::<Checked<_>>()?;
    if keys.is_empty() {
        return flaw(
            given.span(),
            "no host key",
            "write host = \"ca\", or paste the target's public host key",
        );
    }
    Ok(HostTrust::Pinned(keys))
}

fn roles(
    given: BTreeMap<Spanned<RoleName>, file::Role>,
    persons: &BTreeMap<PersonName, Person>,
    targets: &BTreeMap<TargetName, Target>,
) -> Checked<BTreeMap<RoleName, Role>> {
    let mut roles: BTreeMap<RoleName, Role> = BTreeMap::new();
    for (name, role) in given {
        let at = name.span();
        let checked = self::role(role, persons, targets)?;
        if let Some((other, _)) = roles.iter().find(|(_, other)| same_reach(other, &checked)) {
            return flaw(
                at,
                format!(
                    "{} and {other} give the same access to the same people",
                    name.get_ref()
                ),
                "remove one, or make them differ in groups, logins, targets or command",
            );
        }
        roles.insert(name.into_inner(), checked);
    }
    Ok(roles)
}

/// Whether nobody could say which of two roles was meant.
fn same_reach(a: &Role, b: &Role) -> bool {
    a.command == b.command
        && !a.groups.is_disjoint(&b.groups)
        && !a.logins.is_disjoint(&b.logins)
        && !a.targets.is_disjoint(&b.targets)
}

fn role(
    given: file::Role,
    persons: &BTreeMap<PersonName, Person>,
    targets: &BTreeMap<TargetName, Target>,
) -> Checked<Role> {
    let groups = set(&given.groups, "groups")?;
    for group in given.groups.get_ref() {
        known_group(group, persons)?;
    }
    let quorum = quorum(&given.approvals, &groups, persons)?;
    let break_glass = match &given.break_glass {
        Some(flag) if *flag.get_ref() && quorum.is_none() => {
            return flaw(
                flag.span(),
                "break-glass on a role that needs no approval",
                "remove break-glass, or say which approvals it goes before",
            );
        }
        Some(flag) => *flag.get_ref(),
        None => false,
    };
    let command = command(given.command)?;
    Ok(Role {
        logins: set(&given.logins, "logins")?,
        targets: reach(given.groups.span(), given.targets, given.labels, targets)?,
        longest: longest(given.longest.as_ref())?,
        channels: channels(given.channels, command.is_some())?,
        record_input: given.record_input,
        groups,
        quorum,
        command,
        break_glass,
    })
}

fn set<T: Ord + Clone>(given: &Spanned<Vec<Spanned<T>>>, what: &str) -> Checked<BTreeSet<T>> {
    let set: BTreeSet<T> = given
        .get_ref()
        .iter()
        .map(|one| one.get_ref().clone())
        .collect();
    if set.is_empty() {
        return flaw(
            given.span(),
            format!("{what} is empty"),
            "a role without them gives nothing: name them, or remove the role",
        );
    }
    Ok(set)
}

fn known_group(group: &Spanned<GroupName>, persons: &BTreeMap<PersonName, Person>) -> Checked<()> {
    if persons
        .values()
        .any(|person| person.groups.contains(group.get_ref()))
    {
        return Ok(());
    }
    flaw(
        group.span(),
        format!("nobody is in group {}", group.get_ref()),
        "put a person in it with groups = [\"…\"], or correct its name",
    )
}

fn quorum(
    given: &Spanned<file::Approvals>,
    askers: &BTreeSet<GroupName>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<Option<Quorum>> {
    let at = given.span();
    let approvals = given.get_ref();
    let from = match (approvals.count, &approvals.from) {
        (0, None) => return Ok(None),
        (0, Some(_)) => {
            return flaw(
                at,
                "approvals of 0 persons name a group",
                "remove from, or count at least 1",
            );
        }
        (_, None) => {
            return flaw(
                at,
                "approvals name no group",
                "say who: approvals = { count = 1, from = \"sre\" }",
            );
        }
        (_, Some(from)) => from,
    };
    known_group(from, persons)?;
    let able: Vec<_> = persons
        .iter()
        .filter(|(_, p)| p.groups.contains(from.get_ref()))
        .collect();
    let stuck = persons.iter().find(|(name, person)| {
        let others = able.iter().filter(|(other, _)| other != name).count();
        !person.groups.is_disjoint(askers) && others < approvals.count as usize
    });
    if let Some((name, _)) = stuck {
        return flaw(
            at,
            format!(
                "{name} could never get {} approvals of {} by others",
                approvals.count,
                from.get_ref()
            ),
            "nobody approves themselves: put more persons in the group, or count fewer",
        );
    }
    Ok(Some(Quorum {
        count: approvals.count,
        from: from.get_ref().clone(),
    }))
}

fn reach(
    at: Range<usize>,
    names: Option<Spanned<Vec<Spanned<TargetName>>>>,
    labels: Option<Spanned<BTreeMap<String, String>>>,
    targets: &BTreeMap<TargetName, Target>,
) -> Checked<BTreeSet<TargetName>> {
    match (names, labels) {
        (Some(names), None) => {
            for name in names.get_ref() {
                if !targets.contains_key(name.get_ref()) {
                    return flaw(
                        name.span(),
                        format!("there is no target {}", name.get_ref()),
                        format!(
                            "add [target.{}], or correct the name",
                            shown(name.get_ref().as_str())
                        ),
                    );
                }
            }
            set(&names, "targets")
        }
        (None, Some(labels)) => {
            let wanted = labels.get_ref();
            let found: BTreeSet<_> = targets
                .iter()
                .filter(|(_, target)| {
                    wanted
                        .iter()
                        .all(|(key, value)| target.labels.get(key) == Some(value))
                })
                .map(|(name, _)| name.clone())
                .collect();
            if wanted.is_empty() || found.is_empty() {
                return flaw(
                    labels.span(),
                    "these labels select no target",
                    "correct them, or label a target so",
                );
            }
            Ok(found)
        }
        (Some(_), Some(labels)) => flaw(
            labels.span(),
            "both targets and labels",
            "select targets one way",
        ),
        (None, None) => flaw(
            at,
            "the role names no targets",
            "add targets = [\"…\"] or labels = { … }",
        ),
    }
}

fn longest(given: Option<&Spanned<String>>) -> Checked<Duration> {
    let Some(given) = given else {
        return Ok(limits::GRANT_DEFAULT);
    };
    let hint = "write it like 15m, 90s or 2h";
    let Some(longest) = crate::duration::parse(given.get_ref()) else {
        return flaw(
            given.span(),
            format!("{} is not a duration", shown(given.get_ref())),
            hint,
        );
    };
    if longest > limits::GRANT_LONGEST || longest < limits::GRANT_SHORTEST {
        return flaw(
            given.span(),
            format!("{} is not between 10s and 12h", given.get_ref()),
            hint,
        );
    }
    Ok(longest)
}

fn command(given: Option<Spanned<String>>) -> Checked<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    let text = given.get_ref();
    if text.trim().is_empty() {
        return flaw(
            given.span(),
            "the command is empty",
            "remove it, or say which command is forced",
        );
    }
    if text.len() > limits::COMMAND_BYTES || text.chars().any(char::is_control) {
        return flaw(
            given.span(),
            "the command is too long or has control characters",
            "put it in a script on the target",
        );
    }
    Ok(Some(given.into_inner()))
}

fn channels(
    given: Option<Spanned<Vec<Spanned<String>>>>,
    forced: bool,
) -> Checked<BTreeSet<Channel>> {
    let Some(given) = given else {
        return Ok(BTreeSet::from([Channel::Shell, Channel::Exec]));
    };
    let mut channels = BTreeSet::new();
    for name in given.get_ref() {
        channels.insert(match name.get_ref().as_str() {
            "shell" => Channel::Shell,
            "exec" => Channel::Exec,
            other => {
                return flaw(
                    name.span(),
                    format!(
                        "channel {} cannot be recorded, so it cannot be allowed",
                        shown(other)
                    ),
                    "this version carries shell and exec; every other channel is refused",
                );
            }
        });
    }
    if channels.is_empty() {
        return flaw(
            given.span(),
            "channels is empty",
            "remove it, or name shell, exec or both",
        );
    }
    if forced && !channels.contains(&Channel::Exec) {
        return flaw(
            given.span(),
            "a forced command without the exec channel",
            "add \"exec\" to channels",
        );
    }
    Ok(channels)
}

fn key(given: &Spanned<String>) -> Checked<PublicKey> {
    key_text(given.get_ref(), given.span())
}

fn key_text(text: &str, at: Range<usize>) -> Checked<PublicKey> {
    let hint = "paste one line as `ssh-add -L` or a .pub file shows it; certificates and RSA keys are not taken";
    if text.len() > limits::KEY_BLOB_BYTES {
        return flaw(at, "this is too long for a public key", hint);
    }
    match PublicKey::from_openssh(text.trim()) {
        Ok(key) if supported(&key) => Ok(key),
        Ok(key) => flaw(
            at,
            format!("keys of type {} are not taken", key.algorithm()),
            hint,
        ),
        Err(_) => flaw(at, "this is not a public key", hint),
    }
}

fn supported(key: &PublicKey) -> bool {
    use ssh_key::Algorithm::{Ecdsa, Ed25519, SkEcdsaSha2NistP256, SkEd25519};
    matches!(
        key.algorithm(),
        Ed25519 | SkEd25519 | Ecdsa { .. } | SkEcdsaSha2NistP256
    )
}

fn cidr(given: &Spanned<String>) -> Checked<Cidr> {
    given
        .get_ref()
        .parse()
        .map_err(|e: crate::words::WordError| Flaw {
            at: given.span(),
            what: e.to_string(),
            hint: "write it like 10.0.0.5/32".to_owned(),
        })
}

fn listen(given: &Spanned<String>) -> Checked<SocketAddr> {
    given.get_ref().parse().map_err(|_| Flaw {
        at: given.span(),
        what: format!("{} is not an address and a port", shown(given.get_ref())),
        hint: "write it like 0.0.0.0:7022 or [::]:7022".to_owned(),
    })
}

fn host_port(given: &Spanned<String>) -> Checked<HostPort> {
    let hint = "write it like db1.internal:22 or [2001:db8::1]:22";
    let parts = given.get_ref().rsplit_once(':').and_then(|(host, port)| {
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
    match parts {
        Some((host, port)) => Ok(HostPort {
            host: host.to_owned(),
            port,
        }),
        None => flaw(
            given.span(),
            format!("{} is not a host and a port", shown(given.get_ref())),
            hint,
        ),
    }
}

fn directory(base: &Path, given: Option<Spanned<String>>, default: &str) -> PathBuf {
    base.join(given.map_or_else(|| default.to_owned(), Spanned::into_inner))
}
