//! Machines: the CA, bastions and targets, and where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::people::{key, key_text};
use super::roles::known_group;
use super::{Checked, Flaw, Known, flaw, keys};
use crate::cidr::Cidr;
use crate::file;
use crate::rules::{Bastion, Ca, HostPort, HostTrust, Person, Target, Witnesses};
use crate::words::{BastionName, GroupName, PersonName, TargetName, shown};

pub(super) fn ca(base: &Path, ca: file::Ca, known: Known<'_>) -> Checked<Ca> {
    let data = directory(base, ca.data, "ca");
    Ok(Ca {
        listen: listen(&ca.listen)?,
        address: host_port(&ca.address)?,
        keys: keys::keys(base, &data, ca.key)?,
        data,
        revokers: groups(&ca.revokers, known)?,
        enrollers: groups(&ca.enrollers, known)?,
        publish: None,
        witnesses: Witnesses::default(),
    })
}

fn groups(given: &[Spanned<GroupName>], known: Known<'_>) -> Checked<BTreeSet<GroupName>> {
    for group in given {
        known_group(group, known)?;
    }
    Ok(given.iter().map(|group| group.get_ref().clone()).collect())
}

/// The principal of the issuance log's key among the keys that evidence is checked against. A bastion of that
/// name could sign for the log.
const LOG: &str = "log";

pub(super) fn bastions(
    base: &Path,
    given: BTreeMap<Spanned<BastionName>, file::Bastion>,
    persons: &BTreeMap<PersonName, Person>,
) -> Checked<BTreeMap<BastionName, Bastion>> {
    let mut bastions: BTreeMap<BastionName, Bastion> = BTreeMap::new();
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

pub(super) fn targets(
    given: BTreeMap<Spanned<TargetName>, file::Target>,
    bastions: &BTreeMap<BastionName, Bastion>,
) -> Checked<BTreeMap<TargetName, Target>> {
    let mut targets: BTreeMap<TargetName, Target> = BTreeMap::new();
    for (name, target) in given {
        if bastions.contains_key(name.get_ref().as_str()) {
            return flaw(
                name.span(),
                format!("{} is a bastion's name already", name.get_ref()),
                "LOGIN@NAME has to mean one thing: call the target or the bastion otherwise",
            );
        }
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

pub(super) fn cidr(given: &Spanned<String>) -> Checked<Cidr> {
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
    given.get_ref().parse().or_else(|_| {
        flaw(
            given.span(),
            format!("{} is not a host and a port", shown(given.get_ref())),
            hint,
        )
    })
}

fn directory(base: &Path, given: Option<Spanned<String>>, default: &str) -> PathBuf {
    base.join(given.map_or_else(|| default.to_owned(), Spanned::into_inner))
}
