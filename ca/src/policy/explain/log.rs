//! What the issuance log says, for a question about the policy.

use std::collections::{BTreeMap, BTreeSet};

use config::Config;
use config::words::{GroupName, PersonName};
use record::clock::UnixTime;
use record::entry::{Entry, Whom};
use record::fingerprint::Fingerprint;
use record::log::LogView;
use record::request::Request;

use super::Question;
use crate::desk::{DeskError, Refused};
use crate::history;
use crate::keys;
use crate::policy::History;
use crate::state::State;

/// What a site's log says, read beside a CA that may be running.
#[derive(Debug, Default)]
pub struct Remembered {
    state: State,
    groups: BTreeMap<GroupName, BTreeSet<PersonName>>,
}

impl Remembered {
    /// Reads the log, and checks it as a start of the CA does; nothing is known if the CA has never started.
    pub fn read(config: &Config) -> Result<Self, DeskError> {
        let dir = config.ca.data.join("log");
        let mut known = Self::default();
        if !dir.join("entries").exists() {
            return Ok(known);
        }
        let keys = keys::log_anchors(config)?;
        let mut wrong = None;
        LogView::read(&dir, &keys, |index, line| {
            if let Entry::Groups { groups, .. } = &line.entry {
                known.groups.clone_from(groups);
            }
            if let Err(why) = known.state.apply(line) {
                wrong.get_or_insert((index, why));
            }
        })?;
        match wrong {
            None => Ok(known),
            Some((index, why)) => Err(DeskError::Line {
                line: usize::try_from(index).map_or(usize::MAX, |index| index.saturating_add(1)),
                why,
            }),
        }
    }

    /// A configuration with the groups that its program was heard to say last.
    pub fn with_groups(&self, config: &Config) -> Config {
        config.with_groups(&self.groups)
    }

    pub(super) fn history(&self, request: &Request, now: UnixTime) -> History {
        history::of(&self.state, request, now)
    }

    /// Who of those whom a question is about is shut out.
    pub(super) fn shut_out(&self, config: &Config, question: &Question) -> Option<Refused> {
        let person = Whom::Person(question.person.clone());
        let target = Whom::Target(question.ask.access.target.clone());
        let out = |whom: &Whom| self.state.excluded.of(whom).is_some();
        if let Some(whom) = [person, target].into_iter().find(out) {
            return Some(Refused::ShutOut(whom));
        }
        let keys = config.persons.get(&question.person).map(|own| &own.keys)?;
        let out = |key: &Fingerprint| self.state.excluded.has_key(key);
        let mut prints = keys.iter().map(Fingerprint::of);
        // With a key that is left the person still asks.
        let first = prints.next().filter(out)?;
        let all = prints.all(|key| out(&key));
        all.then_some(Refused::ShutOut(Whom::Key(first)))
    }
}
