//! What a program says of its groups: `{"version":1,"groups":{"sre":["alice","bob"]}}`.

use std::collections::{BTreeMap, BTreeSet};

use config::Config;
use config::words::{GroupName, PersonName, shown};
use record::digest::Digest;
use serde::Deserialize;

use super::Unheard;

/// The members of the program's groups.
pub(crate) type Members = BTreeMap<GroupName, BTreeSet<PersonName>>;

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The registered members of each of its groups; a group that it does not name has none.
    pub(crate) members: Members,
    /// The digest of its answer.
    pub(crate) answer: Digest,
    /// Names that are nobody's, as they can be shown; a few of them.
    pub(crate) unknown: BTreeSet<String>,
}

/// How many unknown names are told.
const UNKNOWN: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    version: u32,
    groups: BTreeMap<String, Vec<String>>,
}

/// Reads an answer; only registered persons count, and only groups that the configuration leaves to the program.
pub(crate) fn read(config: &Config, answer: &[u8]) -> Result<Told, Unheard> {
    let parsed: Answer =
        serde_json::from_slice(answer).map_err(|e| Unheard::Garbage(e.to_string()))?;
    version(parsed.version)?;
    let mut told = Told {
        members: Members::new(),
        answer: Digest::of(answer),
        unknown: BTreeSet::new(),
    };
    let own = config.groups.as_ref().map(|groups| &groups.names);
    for group in own.into_iter().flatten() {
        let names = parsed.groups.get(group.as_str());
        let members = registered(config, names.into_iter().flatten(), &mut told.unknown);
        told.members.insert(group.clone(), members);
    }
    Ok(told)
}

/// The registered persons among these names.
pub(super) fn registered<'a>(
    config: &Config,
    names: impl Iterator<Item = &'a String>,
    unknown: &mut BTreeSet<String>,
) -> BTreeSet<PersonName> {
    let mut persons = BTreeSet::new();
    for name in names {
        match config.persons.get_key_value(name.as_str()) {
            Some((person, _)) => drop(persons.insert(person.clone())),
            None if unknown.len() < UNKNOWN => drop(unknown.insert(shown(name))),
            None => {}
        }
    }
    persons
}

/// The one version of answers that is understood.
pub(super) fn version(given: u32) -> Result<(), Unheard> {
    if given == 1 {
        return Ok(());
    }
    let words = format!("it is of version {given}, and version 1 is understood");
    Err(Unheard::Garbage(words))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::testing::{config, config_text};

    fn rules() -> Config {
        let more = "[groups]\ncommand = [\"/x\"]\nnames = [\"night\", \"spare\"]\n";
        config(Path::new("/nowhere"), &format!("{}{more}", config_text()))
    }

    #[test]
    fn registered_members_of_its_own_groups_count() {
        let answer =
            br#"{"version":1,"groups":{"night":["alice","eve","../x"],"sre":["mallory"]}}"#;
        let told = read(&rules(), answer).unwrap();
        let night: Vec<_> = told.members["night"]
            .iter()
            .map(PersonName::as_str)
            .collect();
        assert_eq!(night, ["alice"]);
        assert!(told.members["spare"].is_empty() && told.members.len() == 2);
        assert_eq!(told.answer, Digest::of(answer));
        let unknown: Vec<_> = told.unknown.iter().map(String::as_str).collect();
        assert_eq!(unknown, ["\"../x\"", "\"eve\""]);
    }

    #[test]
    fn what_is_not_an_answer_is_none() {
        for (answer, why) in [
            (&b""[..], "EOF"),
            (b"[]", "expected struct"),
            (br#"{"version":1}"#, "missing field"),
            (br#"{"version":2,"groups":{}}"#, "version 2"),
            (br#"{"version":1,"groups":{},"more":1}"#, "unknown field"),
            (br#"{"version":1,"groups":{"night":"alice"}}"#, "a sequence"),
            (br#"{"version":1,"groups":{}} x"#, "trailing"),
            (b"{\"version\":1,\"groups\":{\"\xff\":[]}}", "unicode"),
        ] {
            let refused = read(&rules(), answer).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}, expected {why}");
        }
    }
}
