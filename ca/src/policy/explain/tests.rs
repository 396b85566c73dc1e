//! Every no is a sentence for a person, beside the key of the role that says it.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::testing::{START, ask, config, config_text};

const ROLES: &str = r#"
[role.night]
groups = ["oncall"]
logins = ["night"]
targets = ["db1.prod"]
approvals = [{ count = 1, from = "sre" }]
hours = { zone = "Pacific/Auckland", days = ["mon"], from = "08:00", to = "08:01" }
live = 1
commands = [["echo", "fixed"]]
break-glass = { verify = true, per-week = 2, blocks = true, blocks-break-glass = true, any-time = true }

[role.day]
groups = ["oncall"]
logins = ["day"]
targets = ["db1.prod"]
approvals = [{ count = 1, from = "sre" }]
live = 1
commands = [["echo", "fixed"]]
break-glass = { per-week = 2, blocks = true, blocks-break-glass = true }

[role.inside]
groups = ["oncall"]
logins = ["inside"]
targets = ["db1.prod"]
approvals = { count = 0 }
sources = ["10.0.0.0/8"]
commands = [["echo", "fixed"]]
"#;

fn rules() -> Config {
    config(Path::new("/nowhere"), &(config_text() + ROLES))
}

fn question(access: &str) -> Question {
    let mut question = Question::of("alice".parse().unwrap(), ask(access));
    question.at = UnixTime::from_secs(START);
    question
}

fn role(name: &str) -> RoleName {
    name.parse().unwrap()
}

fn under(name: &str, question: &Question) -> Judged {
    let all = explain(&rules(), question).roles;
    all.into_iter().find(|one| one.role == role(name)).unwrap()
}

fn why(judged: &Judged) -> &str {
    match &judged.verdict {
        Verdict::Refused { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each no")]
fn every_no_is_a_sentence_beside_the_key_that_says_it() {
    let day = || question("day@db1.prod");
    let glass = |mut question: Question| {
        question.ask.break_glass = true;
        question
    };
    let ago = |secs| UnixTime::from_secs(START).before(Duration::from_secs(secs));
    let with = |change: &dyn Fn(&mut Question)| {
        let mut question = day();
        change(&mut question);
        question
    };
    let echo = |question: &mut Question| question.ask.command = Some("echo off".parse().unwrap());
    let cases = [
        (
            "night",
            question("night@db1.prod"),
            "hours",
            "is given mon 08:00-08:01 Pacific/Auckland only",
        ),
        (
            "day",
            with(&|q| q.running = vec![role("day")]),
            "live",
            "give one back first",
        ),
        (
            "day",
            with(&|q| q.denied_by = Some("bob".parse().unwrap())),
            "approvals",
            "bob denied it",
        ),
        (
            "day",
            with(&|q| q.owes = vec![role("day")]),
            "break-glass",
            "is overdue: somebody of sre has to review it",
        ),
        (
            "day",
            with(&|q| q.person = "nobody".parse().unwrap()),
            "groups",
            "there is no person nobody",
        ),
        (
            "day",
            with(&|q| q.person = "bob".parse().unwrap()),
            "groups",
            "role day",
        ),
        (
            "day",
            question("night@db1.prod"),
            "logins",
            "role day does not cover night@db1.prod",
        ),
        (
            "day",
            question("day@web1.prod"),
            "targets",
            "role day does not cover day@web1.prod",
        ),
        (
            "inside",
            question("inside@db1.prod"),
            "sources",
            "only for connections from 10.0.0.0/8",
        ),
        (
            "inside",
            {
                let mut question = question("inside@db1.prod");
                question.source = "10.0.0.1".parse().unwrap();
                echo(&mut question);
                question
            },
            "commands",
            "only for these commands",
        ),
        (
            "inside",
            glass(question("inside@db1.prod")),
            "sources",
            "only for connections",
        ),
        (
            "day",
            {
                let mut question = glass(day());
                question.taken = vec![ago(60), ago(30)];
                question
            },
            "break-glass",
            "2 times within seven days",
        ),
        (
            "night",
            glass(question("night@db1.prod")),
            "break-glass",
            "sk- key",
        ),
    ];
    for (name, question, rule, words) in cases {
        let judged = under(name, &question);
        let said = why(&judged);
        assert!(said.contains(words), "{name}, {rule}: {said}");
        assert_eq!(judged.rule, rule, "{said}");
        assert!(!said.contains(['{', '}']), "{said}");
        let known = judged.line.is_some_and(|line| line > 1);
        assert!(known, "{name}, {rule} stands in the file");
    }
}

#[test]
fn what_was_long_ago_or_owed_elsewhere_counts_for_nothing() {
    let mut question = question("day@db1.prod");
    question.ask.break_glass = true;
    let week = limits::BREAK_GLASS_WEEK;
    question.taken = vec![question.at.before(week); 5];
    question.running = vec![role("night")];
    let said = explain(&rules(), &question);
    assert!(matches!(said.verdict, Verdict::Granted { .. }), "{said:?}");
    let notes = said.notes.join("; ");
    assert!(
        notes.contains("1 of sre have to review it until"),
        "{notes}"
    );
}

#[test]
fn a_command_that_is_given_at_once_says_that_nothing_else_is_asked() {
    let mut question = question("day@db1.prod");
    question.ask.command = Some("echo fixed".parse().unwrap());
    let said = explain(&rules(), &question);
    assert!(matches!(said.verdict, Verdict::Granted { .. }), "{said:?}");
    let note = "gives this command at once: nobody is asked, and no automated check";
    assert!(said.notes.iter().any(|one| one.contains(note)), "{said:?}");
    let looked = said.notes.iter().any(|one| one.contains("--log"));
    assert!(looked, "its `live` was not looked up: {said:?}");
}
