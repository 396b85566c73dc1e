//! From the file's shapes to rules that can be enforced, or to the first thing that is wrong.

mod alert;
mod bucket;
mod commands;
mod files;
mod forwards;
mod glass;
mod hours;
mod keys;
mod outside;
mod people;
mod places;
mod quorums;
mod recipients;
mod retention;
mod review;
mod roles;
mod terms;
mod witnesses;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use crate::bucket::Bucket;
use crate::error::ConfigError;
use crate::outside::{Check, Groups, Roster};
use crate::rules::{Alert, Bastion, Ca, Config, Person, Role, Target};
use crate::words::{
    BastionName, CheckName, GroupName, PersonName, RoleName, RosterName, TargetName,
};
use crate::{file, span};

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

/// Whom and what the rest of the file may name.
#[derive(Clone, Copy)]
struct Known<'a> {
    persons: &'a BTreeMap<PersonName, Person>,
    groups: Option<&'a Groups>,
    rosters: &'a BTreeMap<RosterName, Roster>,
    checks: &'a BTreeMap<CheckName, Check>,
}

impl Known<'_> {
    /// Whether a program says who is in this group.
    fn is_told(&self, group: &GroupName) -> bool {
        self.groups
            .is_some_and(|groups| groups.names.contains(group))
    }
}

struct Parts {
    ca: Ca,
    bastions: BTreeMap<BastionName, Bastion>,
    persons: BTreeMap<PersonName, Person>,
    targets: BTreeMap<TargetName, Target>,
    roles: BTreeMap<RoleName, Role>,
    groups: Option<Groups>,
    on_call: BTreeMap<RosterName, Roster>,
    checks: BTreeMap<CheckName, Check>,
    alert: Option<Alert>,
    auditors: BTreeSet<GroupName>,
    bucket: Option<Bucket>,
}

impl Parts {
    fn check(path: &Path, file: file::File) -> Checked<Self> {
        let base = path.parent().unwrap_or(Path::new("."));
        let persons = people::persons(file.person)?;
        let bastions = places::bastions(base, file.bastion, &persons)?;
        let others = witnesses::Others {
            persons: &persons,
            bastions: &bastions,
        };
        let (publish, witnesses) = witnesses::log(base, &file.ca, file.witness, &others)?;
        let targets = places::targets(file.target, &bastions)?;
        let groups = outside::groups(file.groups, &persons)?;
        let on_call = outside::rosters(base, file.on_call, &persons)?;
        let checks = outside::checks(base, file.check)?;
        let known = Known {
            persons: &persons,
            groups: groups.as_ref(),
            rosters: &on_call,
            checks: &checks,
        };
        let mut ca = places::ca(base, file.ca, known)?;
        (ca.publish, ca.witnesses) = (publish, witnesses);
        let recipients = recipients::by_default(file.recordings.as_ref())?;
        let defaults = roles::Defaults {
            recipients,
            retention: retention::by_default(file.recordings.as_ref())?,
        };
        let roles = roles::roles(file.role, known, &targets, &bastions, &defaults)?;
        let alert = file
            .alert
            .as_ref()
            .map(|alert| alert::alert(base, alert))
            .transpose()?;
        let auditors = alert::auditors(file.report, known)?;
        let bucket = bucket::bucket(base, file.recordings.as_ref())?;
        Ok(Self {
            ca,
            bastions,
            persons,
            targets,
            roles,
            groups,
            on_call,
            checks,
            alert,
            auditors,
            bucket,
        })
    }

    fn into_config(self, text: String) -> Config {
        let Self {
            ca,
            bastions,
            persons,
            targets,
            roles,
            groups,
            on_call,
            checks,
            alert,
            auditors,
            bucket,
        } = self;
        Config {
            ca,
            bastions,
            persons,
            targets,
            roles,
            groups,
            on_call,
            checks,
            alert,
            auditors,
            bucket,
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
