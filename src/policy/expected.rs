//! A person's own expectations of a policy: cases that are asked, and what the answer has to be.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use ca::desk::Ask;
use ca::policy::explain::{Question, Verdict, explain};
use config::span;
use config::words::{CheckName, PersonName, Principal, RoleName};
use record::clock::{Clock as _, SystemClock, UnixTime};
use record::text::Command;
use serde::Deserialize;
use toml::Spanned;

use super::{life, must_be_named, reason, words};
use crate::cli::Site;
use crate::failure::{Failure, Result, safe};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Expectations {
    case: Vec<Spanned<Case>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Case {
    name: Option<String>,
    person: PersonName,
    access: Principal,
    role: Option<RoleName>,
    command: Option<Command>,
    from: Option<IpAddr>,
    at: Option<UnixTime>,
    r#for: Option<String>,
    #[serde(default)]
    break_glass: bool,
    #[serde(default)]
    approved_by: Vec<PersonName>,
    denied_by: Option<PersonName>,
    #[serde(default)]
    on_call: BTreeSet<PersonName>,
    #[serde(default)]
    checked: BTreeSet<CheckName>,
    #[serde(default)]
    running: Vec<RoleName>,
    #[serde(default)]
    taken: Vec<UnixTime>,
    #[serde(default)]
    owes: Vec<RoleName>,
    #[serde(default)]
    proven: bool,
    expect: Expected,
    why: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Expected {
    Granted,
    Needs,
    Refused,
}

/// Asks every case, and tells each that comes out otherwise on a line of its own.
pub(super) fn test(site: &Site, path: &Path) -> Result<ExitCode> {
    let config = site.load()?;
    let text = read(path)?;
    let wrong = |e: toml::de::Error| {
        let line = span::line_of(&text, &e.span().unwrap_or(0..0));
        let what = e.message().lines().collect::<Vec<_>>().join(", ");
        Failure::new(format!("{}:{line}: {what}", path.display()))
    };
    let all: Expectations = toml::from_str(&text).map_err(wrong)?;
    let now = SystemClock::new().wall();
    let count = all.case.len();
    let mut out = io::stdout().lock();
    let mut failed = 0_usize;
    for case in all.case {
        let line = span::line_of(&text, &case.span());
        let case = case.into_inner();
        let (name, expect, why) = (case.title(), case.expect, case.why.clone());
        let place = |what: &str| format!("{}:{line}: {name}: {what}", path.display());
        let question = case
            .question(now)
            .and_then(|question| must_be_named(&config, &question).map(|()| question))
            .map_err(|e| Failure::new(place(&e.to_string())))?;
        let said = explain(&config, &question).verdict;
        let shown = words(&said);
        if expect != Expected::of(&said) || !why.is_none_or(|why| shown.contains(&why)) {
            failed += 1;
            writeln!(out, "{}", safe(&place(&shown), ""))?;
        }
    }
    let all = if count == 1 {
        "1 expectation"
    } else {
        &format!("{count} expectations")
    };
    if failed == 0 {
        writeln!(out, "good: {all}")?;
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(format!(
        "{failed} of {all} came out otherwise"
    )))
}

impl Case {
    fn title(&self) -> String {
        let plain = || format!("{} for {}", self.person, self.access);
        self.name.clone().unwrap_or_else(plain)
    }

    fn question(self, now: UnixTime) -> Result<Question> {
        let life = self.r#for.as_deref().map(life).transpose();
        let mut question = Question::of(
            self.person,
            Ask {
                access: self.access,
                role: self.role,
                life: life.map_err(Failure::new)?,
                reason: reason()?,
                command: self.command,
                break_glass: self.break_glass,
            },
        );
        question.source = self.from.unwrap_or(question.source);
        question.at = self.at.unwrap_or(now);
        question.approved_by = self.approved_by;
        question.denied_by = self.denied_by;
        question.on_call = self.on_call;
        question.checked = self.checked;
        question.running = self.running;
        question.taken = self.taken;
        question.owes = self.owes;
        question.proven = self.proven;
        Ok(question)
    }
}

impl Expected {
    const fn of(said: &Verdict) -> Self {
        match said {
            Verdict::Granted { .. } => Self::Granted,
            Verdict::Needs { .. } => Self::Needs,
            Verdict::Refused { .. } => Self::Refused,
        }
    }
}

fn read(path: &Path) -> Result<String> {
    let most = config::limits::CONFIG_BYTES;
    let mut text = String::new();
    let file = File::open(path).map_err(|e| Failure::file("read", path, &e))?;
    let read = file.take(most + 1).read_to_string(&mut text);
    read.map_err(|e| Failure::file("read", path, &e))?;
    if text.len() as u64 > most {
        let what = format!("{}: larger than {most} bytes", path.display());
        return Err(Failure::new(what));
    }
    Ok(text)
}
