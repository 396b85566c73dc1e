//! Asks once who is in which group and who is on call, for a question about the policy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use config::outside::Roster;
use config::words::{PersonName, RosterName};
use record::clock::UnixTime;

use super::oncall::{self, Known, Rosters};
use super::trial::{TrialError, wrong};
use super::{ask, groups};

/// What was heard.
#[derive(Debug)]
pub struct Once {
    /// The configuration, with the groups that the program said.
    pub config: Config,
    /// Who is on call at that time, by each roster.
    pub on_call: BTreeMap<RosterName, BTreeSet<PersonName>>,
}

/// Runs the programs of groups and rosters, and reads the calendars. A program says who is on call now, whatever the
/// time is that the calendars are asked for.
pub async fn once(config: &Config, at: UnixTime) -> Result<Once, TrialError> {
    let mut members = BTreeMap::new();
    if let Some(rules) = &config.groups {
        let answer = ask::feed(&rules.feed).await;
        let told = answer.and_then(|answer| groups::read(config, &answer));
        members = told
            .map_err(|why| wrong("groups".to_owned(), &why))?
            .members;
    }
    let config = config.with_groups(&members);
    let mut rosters = Rosters::default();
    for (name, roster) in &config.on_call {
        let table = || format!("on-call.{name}");
        let known = match roster {
            Roster::Calendar(rules) => {
                let calendar = oncall::read(rules).map_err(|why| wrong(table(), &why))?;
                Known::Calendar(Arc::new(calendar))
            }
            Roster::Command(feed) => {
                let answer = ask::feed(feed).await;
                let told = answer.and_then(|answer| oncall::told(&config, &answer));
                let (persons, _) = told.map_err(|why| wrong(table(), &why))?;
                Known::Told {
                    persons,
                    until: Duration::MAX,
                }
            }
        };
        rosters.set(name.clone(), Some(known));
    }
    let each = config.on_call.keys().map(|name| {
        let persons = rosters.on_call(&config, name, at, Duration::ZERO);
        (name.clone(), persons)
    });
    let on_call = each.collect();
    Ok(Once { config, on_call })
}
