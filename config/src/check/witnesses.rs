//! Where the issuance log is published, and who cosigns it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::people::key;
use super::{Checked, flaw};
use crate::rules::{Bastion, Person, Witness, Witnesses};
use crate::words::{BastionName, PersonName, shown};
use crate::{file, limits};

/// Longest name of a witness, in bytes: a host name and a path, as of the log itself.
const NAME_BYTES: usize = 320;

/// Whose keys a witness must not have.
pub(super) struct Others<'a> {
    pub(super) persons: &'a BTreeMap<PersonName, Person>,
    pub(super) bastions: &'a BTreeMap<BastionName, Bastion>,
}

/// Where the CA's log is published, and its witnesses.
pub(super) fn log(
    base: &Path,
    given: &file::Ca,
    witness: BTreeMap<Spanned<String>, file::Witness>,
    others: &Others<'_>,
) -> Checked<(Option<PathBuf>, Witnesses)> {
    let publish = given.publish.as_ref().map(|dir| base.join(dir.get_ref()));
    let by = witnesses(witness, others)?;
    if publish.is_none()
        && let Some(first) = by.first()
    {
        return flaw(
            given.address.span(),
            format!(
                "{} cannot be asked: the log is not published",
                shown(&first.name)
            ),
            "add publish = \"DIR\" to [ca]: what witnesses are shown is taken from there",
        );
    }
    let need = match given.witnesses.as_ref().map(|witnesses| &witnesses.need) {
        None => 0,
        Some(need) if *need.get_ref() as usize > by.len() => {
            return flaw(
                need.span(),
                format!(
                    "{} witnesses are needed, and there are {}",
                    need.get_ref(),
                    by.len()
                ),
                "add [witness.\"NAME\"] tables, or need fewer",
            );
        }
        Some(need) => *need.get_ref() as usize,
    };
    Ok((publish, Witnesses { need, by }))
}

fn witnesses(
    given: BTreeMap<Spanned<String>, file::Witness>,
    others: &Others<'_>,
) -> Checked<Vec<Witness>> {
    let mut by: Vec<Witness> = Vec::new();
    for (name, witness) in given {
        let stray = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        let text = name.get_ref();
        if text.is_empty() || text.len() > NAME_BYTES || text.contains(stray) {
            return flaw(
                name.span(),
                format!("{} is not a name for a witness", shown(text)),
                "write it like w1.example.org/hallpass, as the witness itself does",
            );
        }
        if by.len() == limits::WITNESSES {
            return flaw(
                name.span(),
                format!("more than {} witnesses", limits::WITNESSES),
                "every checkpoint carries a line of each: keep those that differ",
            );
        }
        let at = witness.key.span();
        let key = key(&witness.key)?;
        if key.key_data().ed25519().is_none() {
            return flaw(
                at,
                "a witness signs with an Ed25519 key",
                "paste its ssh-ed25519 line",
            );
        }
        let taken = others.persons.values().flat_map(|person| &person.keys);
        let taken = taken.chain(others.bastions.values().map(|bastion| &bastion.identity));
        let mut taken = taken.chain(by.iter().map(|witness| &witness.key));
        if taken.any(|other| other.key_data() == key.key_data()) {
            return flaw(
                at,
                "this key is already used",
                "a witness has a key of its own: two with one key are one",
            );
        }
        let url = witness.url.get_ref();
        let plain = url
            .strip_prefix("http://")
            .is_some_and(|rest| !rest.is_empty());
        if !plain
            || !url
                .chars()
                .all(|c| c.is_ascii_graphic() && !matches!(c, '@' | '?' | '#'))
        {
            return flaw(
                witness.url.span(),
                format!("{} is not the address of a witness", shown(url)),
                "write it like http://w1.example.org:7025; its answers are signed, and TLS would be ended by a proxy",
            );
        }
        by.push(Witness {
            name: name.into_inner(),
            key,
            url: url.clone(),
        });
    }
    Ok(by)
}
