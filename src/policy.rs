//! `hallpass policy`: what a configuration would say, before it is put in force.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ca::desk::Ask;
use ca::policy::explain::{Explained, Question, Remembered, Verdict, explain};
use clap::{Args, Subcommand};
use config::Config;
use config::words::{CheckName, PersonName, Principal, RoleName};
use record::clock::{Clock as _, SystemClock, UnixTime};
use record::text::{Command, Reason};

use crate::cli::Site;
use crate::failure::{Failure, Result, safe};

mod expected;

/// What is asked of the policy.
#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say whether somebody would get an access, and why, role by role
    Explain(Box<ExplainArgs>),
    /// Hold the configuration against expectations of your own
    #[command(
        after_help = "FILE names cases: [[case]] person = \"alice\", access = \"postgres@db1.prod\", expect = \"granted\",\n\
        \"needs\" or \"refused\", and, where they matter, name, role, command, from, at, for, break-glass,\n\
        approved-by, denied-by, on-call, checked, running, taken, owes, proven and why (words that the answer has to\n\
        contain).\n\
        Exit status: 0 all hold, 1 one does not or something is wrong, 2 usage."
    )]
    Test {
        /// The expectations
        file: PathBuf,
    },
}

/// A request that nobody has made.
#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(crate) struct ExplainArgs {
    /// Who would ask
    person: PersonName,
    /// Login and target, for example postgres@db1.prod
    #[arg(value_name = "LOGIN@TARGET")]
    access: Principal,
    /// Under which role
    #[arg(long)]
    role: Option<RoleName>,
    /// With which command
    #[arg(long)]
    command: Option<Command>,
    /// For how long, for example 15m
    #[arg(long = "for", value_name = "TIME", value_parser = life)]
    life: Option<Duration>,
    /// From which address; 127.0.0.1 if left out
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// When, for example 2026-11-22T03:28:04Z; now if left out
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<UnixTime>,
    /// Before its approval
    #[arg(long)]
    break_glass: bool,
    /// Who has approved; several times for several
    #[arg(long, value_name = "PERSON")]
    approved_by: Vec<PersonName>,
    /// Who is on call, by every roster; nobody if left out
    #[arg(long, value_name = "PERSON")]
    on_call: Vec<PersonName>,
    /// Which automated checks have approved
    #[arg(long, value_name = "CHECK")]
    checked: Vec<CheckName>,
    /// Under which role the person has a grant running already; several times for several
    #[arg(long, value_name = "ROLE")]
    running: Vec<RoleName>,
    /// When the person took the role with --break-glass before; several times for several
    #[arg(long, value_name = "TIME", value_parser = moment)]
    taken: Vec<UnixTime>,
    /// Under which role the person owes a review that is overdue
    #[arg(long, value_name = "ROLE")]
    owes: Vec<RoleName>,
    /// The person proves with a token's PIN that it is they, where break-glass asks for that
    #[arg(long)]
    proven: bool,
    /// Count what the site's issuance log says: grants that run, break-glass, reviews that are owed,
    /// who is shut out, and what the program of [groups] said last
    #[arg(long)]
    log: bool,
    /// Run the programs of [groups] and [on-call.…] once, and read the calendars
    #[arg(long = "try")]
    run: bool,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(site: &Site, command: PolicyCommand) -> Result<ExitCode> {
    match command {
        PolicyCommand::Explain(args) => say(site, *args).map(|()| ExitCode::SUCCESS),
        PolicyCommand::Test { file } => expected::test(site, &file),
    }
}

fn say(site: &Site, args: ExplainArgs) -> Result<()> {
    let mut config = site.load()?;
    let (json, log, run) = (args.json, args.log, args.run);
    let mut question = args.question()?;
    if log {
        let known = Remembered::read(&config)?;
        if !run {
            config = known.with_groups(&config);
        }
        question.log = Some(Arc::new(known));
    }
    if run {
        let runtime = tokio::runtime::Runtime::new()?;
        let heard = runtime.block_on(ca::once(&config, question.at))?;
        config = heard.config;
        question.rosters = heard.on_call;
    }
    question.grouped = log || run;
    must_be_named(&config, &question)?;
    let explained = explain(&config, &question);
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &explained)?;
        writeln!(out)?;
        return Ok(());
    }
    let text = told(site, &question, &explained);
    Ok(out.write_all(safe(&text, "\n").as_bytes())?)
}

impl ExplainArgs {
    fn question(self) -> Result<Question> {
        let mut question = Question::of(
            self.person,
            Ask {
                access: self.access,
                role: self.role,
                life: self.life,
                reason: reason()?,
                command: self.command,
                break_glass: self.break_glass,
            },
        );
        question.source = self.from.unwrap_or(question.source);
        question.at = self.at.unwrap_or_else(|| SystemClock::new().wall());
        question.approved_by = self.approved_by;
        question.on_call = BTreeSet::from_iter(self.on_call);
        question.checked = BTreeSet::from_iter(self.checked);
        question.running = self.running;
        question.taken = self.taken;
        question.owes = self.owes;
        question.proven = self.proven;
        Ok(question)
    }
}

/// A role that is supposed of somebody has to be one: a typing mistake must not look like an answer.
fn must_be_named(config: &Config, question: &Question) -> Result<()> {
    let roles = &config.roles;
    if let Some(name) = question
        .running
        .iter()
        .find(|name| !roles.contains_key(*name))
    {
        return Err(Failure::new(format!(
            "there is no role {name} to have running"
        )));
    }
    let taken = |name: &&RoleName| {
        roles
            .get(*name)
            .is_some_and(|role| role.break_glass.is_some())
    };
    match question.owes.iter().find(|name| !taken(name)) {
        None => Ok(()),
        Some(name) => Err(Failure::new(format!(
            "role {name} has no break-glass, so nobody owes a review under it"
        ))),
    }
}

fn told(site: &Site, question: &Question, explained: &Explained) -> String {
    let verdict = words(&explained.verdict);
    let role = explained.role.as_ref();
    let role = role.map_or_else(String::new, |role| format!(" under role {role}"));
    let mut text = format!(
        "{} for {} from {} at {}{role}: {verdict}\n",
        question.person, question.ask.access, question.source, question.at
    );
    for narrowed in &explained.narrowed {
        let _ = writeln!(text, "  narrowed: {narrowed}");
    }
    for note in &explained.notes {
        let _ = writeln!(text, "  note: {note}");
    }
    for judged in &explained.roles {
        let place = judged.line.map_or_else(String::new, |line| {
            format!(" ({}:{line})", site.path().display())
        });
        let said = words(&judged.verdict);
        let _ = writeln!(
            text,
            "  role {}, {}{place}: {said}",
            judged.role, judged.rule
        );
    }
    text
}

/// The verdict as `granted`, `needs` or `refused`, and why.
fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Granted { until, approved_by } if approved_by.is_empty() => {
            format!("granted until {until}, by nobody's approval")
        }
        Verdict::Granted { until, approved_by } => {
            let by: Vec<&str> = approved_by.iter().map(PersonName::as_str).collect();
            format!("granted until {until}, approved by {}", by.join(" and "))
        }
        Verdict::Needs { checks, .. } if !checks.is_empty() => {
            let checks: Vec<&str> = checks.iter().map(CheckName::as_str).collect();
            format!("needs check {}", checks.join(" and "))
        }
        Verdict::Needs { approvals, .. } => ca::desk::Need::all(approvals),
        Verdict::Refused { why } => format!("refused: {why}"),
    }
}

/// What stands where a person's reason would: no rule looks at it.
fn reason() -> Result<Reason> {
    Ok("a question about the policy".parse()?)
}

fn life(typed: &str) -> std::result::Result<Duration, &'static str> {
    config::duration::parse(typed).ok_or("write it like 90s, 15m or 1h30m")
}

fn moment(typed: &str) -> std::result::Result<UnixTime, String> {
    typed.parse().map_err(|e| format!("{e}"))
}
