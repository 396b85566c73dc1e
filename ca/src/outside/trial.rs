//! Asks everybody outside once, for `hallpass check`.

use config::Config;
use config::outside::{Check, Means, Roster};
use config::words::PersonName;

use super::{Question, Secret, Unheard, ask, groups, oncall};

/// Why something outside cannot be relied on.
#[derive(Debug, thiserror::Error)]
#[error("[{table}]: {why}")]
pub struct TrialError {
    /// The table of the configuration, for example `on-call.primary`.
    pub table: String,
    /// What is wrong, in words.
    pub why: String,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The table of the configuration.
    pub table: String,
    /// What it says, or that names in it are nobody's; in words.
    pub says: String,
}

/// Reads calendars and secrets; with `run`, runs the programs of groups and rosters too, and knocks at the checks'
/// services. No check is asked anything: there is no request to ask about.
pub async fn trial(config: &Config, run: bool) -> Result<Vec<Heard>, TrialError> {
    let mut heard = Vec::new();
    if let Some(rules) = config.groups.as_ref().filter(|_| run) {
        let table = || "groups".to_owned();
        let answer = ask::feed(&rules.feed).await;
        let told = answer.and_then(|answer| groups::read(config, &answer));
        let told = told.map_err(|why| wrong(table(), &why))?;
        let each = told.members.iter();
        let each = each.map(|(group, members)| format!("{group} {}", members.len()));
        let says = each.collect::<Vec<_>>().join(", ");
        heard.push(Heard {
            table: table(),
            says: format!("members: {says}{}", strangers(told.unknown)),
        });
    }
    for (name, roster) in &config.on_call {
        let table = format!("on-call.{name}");
        let says = match roster {
            Roster::Calendar(rules) => {
                let calendar = oncall::read(rules).map_err(|why| wrong(table.clone(), &why))?;
                let unknown = oncall::strangers(config, rules, &calendar);
                format!("the calendar is understood{}", strangers(unknown))
            }
            Roster::Command(feed) if run => {
                let answer = ask::feed(feed).await;
                let told = answer.and_then(|answer| oncall::told(config, &answer));
                let (persons, unknown) = told.map_err(|why| wrong(table.clone(), &why))?;
                let names: Vec<&str> = persons.iter().map(PersonName::as_str).collect();
                format!("on call: {}{}", names.join(", "), strangers(unknown))
            }
            Roster::Command(_) => continue,
        };
        heard.push(Heard { table, says });
    }
    for (name, check) in &config.checks {
        let table = format!("check.{name}");
        let said = knock(check, run).await;
        let says = said.map_err(|why| wrong(table.clone(), &why))?;
        heard.push(Heard { table, says });
    }
    Ok(heard)
}

async fn knock(check: &Check, run: bool) -> Result<String, Unheard> {
    Secret::read(&check.secret)?;
    match &check.means {
        Means::Command(words) => {
            let program = words.first().map(String::as_str).unwrap_or_default();
            let found = std::fs::metadata(program).map_err(Unheard::Start)?;
            let good = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
            if !good || !found.is_file() {
                return Err(Unheard::Start(std::io::ErrorKind::PermissionDenied.into()));
            }
            Ok("the program is there".to_owned())
        }
        Means::Post { .. } if run => {
            let most = config::limits::CHECK_ANSWER_BYTES;
            let nothing = Question {
                kind: "text/plain; charset=utf-8",
                ..Question::default()
            };
            // What it says to no question does not matter: it is there, and its certificate verifies.
            match super::put(&check.means, &nothing, check.deadline, most).await {
                Ok(_) | Err(Unheard::Status(_)) => Ok("the service is there".to_owned()),
                Err(why) => Err(why),
            }
        }
        Means::Post { .. } => Ok("the secret is good".to_owned()),
    }
}

pub(super) fn wrong(table: String, why: &dyn std::fmt::Display) -> TrialError {
    let why = why.to_string();
    TrialError { table, why }
}

fn strangers(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; not registered: {}", names.join(", "))
}
