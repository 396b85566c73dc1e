//! Promise 44 for what is asked outside: programs, calendars and checks that cannot be enforced are refused.

#![expect(clippy::panic, reason = "a test's helper fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use config::outside::{Means, Roster};
use config::{Config, ConfigError};

const ALICE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnw5O/5ySzpZAZl3lfoE7iN+dfuCXIfd2nv5WPJzCl6";
const BOB: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrSG6DJ8RWhg5G/tfGpUMYkhU2CRmZuQwhZGkfuwmio";

fn good() -> String {
    format!(
        r#"[ca]
listen = "127.0.0.1:7022"
address = "ca.example.org:7022"
[person.alice]
groups = ["oncall"]
keys = ["{ALICE}"]
[person.bob]
groups = ["sre"]
keys = ["{BOB}"]
[target."db1.prod"]
address = "10.1.2.3:22"
host = "ca"
[groups]
command = ["/usr/local/bin/groups", "--all"]
names = ["dba"]
every = "5m"
timeout = "5s"
stale = "15m"
[on-call.primary]
calendar = "oncall.ics"
zone = "Europe/Berlin"
persons = {{ "B.Jones@example.org" = "bob" }}
[on-call.second]
command = ["/usr/local/bin/on-call"]
[check.ticket]
url = "https://checks.example.org/ticket"
ca-file = "ca.pem"
secret-file = "ticket.secret"
[role.db]
groups = ["oncall"]
logins = ["postgres"]
targets = ["db1.prod"]
approvals = [{{ count = 1, from = "sre", on-call = "primary" }}, {{ count = 2, from = "dba" }}, {{ check = "ticket" }}]
"#
    )
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/hallpass.toml"), text.to_owned())
}

#[track_caller]
fn refused(from: &str, to: &str, line: usize, words: &str) {
    let text = good();
    assert!(text.contains(from), "the good file has {from}");
    match load(&text.replacen(from, to, 1)) {
        Err(ConfigError::Wrong {
            line: at,
            what,
            hint,
            ..
        }) => {
            assert!(what.contains(words), "says {what:?}, expected {words:?}");
            assert_eq!(at, line, "line of {what:?}");
            assert!(!hint.is_empty());
        }
        Err(other) => panic!("another refusal: {other}"),
        Ok(_) => panic!("{to:?} was taken"),
    }
}

#[test]
fn the_good_file_is_taken() {
    let config = load(&good()).unwrap();
    let groups = config.groups.as_ref().unwrap();
    assert_eq!(groups.feed.stale, Duration::from_secs(900));
    let Roster::Calendar(calendar) = &config.on_call["primary"] else {
        panic!("a calendar");
    };
    assert_eq!(calendar.file, Path::new("/etc/oncall.ics"));
    assert!(calendar.persons.contains_key("b.jones@example.org"));
    assert!(matches!(config.checks["ticket"].means, Means::Post { .. }));
    let role = &config.roles["db"];
    assert_eq!(role.quorums.len(), 2);
    assert_eq!(role.quorums[0].to_string(), "1 of sre on call (primary)");
    assert!(role.checks.contains("ticket") && !role.granted_at_once());
}

#[test]
fn promise_44_programs_that_could_not_be_run_are_refused() {
    let command = "command = [\"/usr/local/bin/groups\", \"--all\"]";
    refused(command, "command = []", 14, "absolute path");
    refused(command, "command = [\"groups\"]", 14, "absolute path");
    refused(command, "command = [\"/x\\u0000\"]", 14, "absolute path");
    let long = format!("command = [\"/{}\"]", "x".repeat(4096));
    refused(command, &long, 14, "absolute path");
    refused(
        "every = \"5m\"",
        "every = \"0s\"",
        16,
        "\"0s\" is not between 1s and 1h",
    );
    refused(
        "timeout = \"5s\"",
        "timeout = \"2h\"",
        17,
        "not between 1s and 1h",
    );
    refused(
        "stale = \"15m\"",
        "stale = \"13h\"",
        18,
        "not between 1s and 12h",
    );
    refused(
        "stale = \"15m\"",
        "stale = \"5m\"",
        18,
        "stale after 5m, before the next",
    );
}

#[test]
fn promise_44_a_group_has_one_source() {
    refused(
        "names = [\"dba\"]",
        "names = [\"dba\", \"sre\"]",
        15,
        "group sre is bob's by this file",
    );
    refused("names = [\"dba\"]", "names = []", 15, "names is empty");
    refused(
        "names = [\"dba\"]",
        "names = [\"other\"]",
        33,
        "nobody is in group dba",
    );
}

#[test]
fn promise_44_rosters_without_one_source_are_refused() {
    refused(
        "calendar = \"oncall.ics\"\n",
        "",
        19,
        "primary needs one source",
    );
    refused(
        "zone = \"Europe/Berlin\"",
        "command = [\"/x\"]",
        19,
        "primary needs one source",
    );
    refused(
        "zone = \"Europe/Berlin\"",
        "every = \"5m\"",
        21,
        "no every, timeout or stale",
    );
    refused(
        "bin/on-call\"]",
        "bin/on-call\"]\nzone = \"UTC\"",
        25,
        "zone is for calendars",
    );
    refused("= \"bob\" }", "= \"eve\" }", 22, "there is no person eve");
    refused(
        "on-call = \"primary\"",
        "on-call = \"third\"",
        33,
        "there is no roster third",
    );
}

#[test]
fn promise_44_checks_that_could_not_be_asked_are_refused() {
    let url = "url = \"https://checks.example.org/ticket\"";
    refused(url, "url = \"http://checks.example.org/\"", 26, "use https");
    refused(
        url,
        "url = \"http://127.0.0.1:1/\"",
        27,
        "ca-file is for https",
    );
    refused(url, "command = [\"/x\"]", 27, "ca-file is for https");
    refused(&format!("{url}\n"), "", 25, "one way to be reached");
    refused(
        "secret-file = \"ticket.secret\"\n",
        "",
        25,
        "missing field `secret-file`",
    );
    refused(
        "secret-file",
        "deadline = \"3m\"\nsecret-file",
        28,
        "not between 1s and 2m",
    );
    refused(
        "{ check = \"ticket\" }",
        "{ check = \"other\" }",
        33,
        "there is no check other",
    );
    refused(
        "{ check = \"ticket\" }",
        "{ check = \"ticket\", count = 1 }",
        33,
        "not a person",
    );
    refused(
        "{ count = 2, from = \"dba\" }",
        "{ check = \"ticket\" }",
        33,
        "ticket stands in approvals twice",
    );
}

#[test]
fn what_a_program_says_fills_its_own_groups_only() {
    let config = load(&good()).unwrap();
    let said = [("dba", vec!["alice", "eve"]), ("sre", vec!["alice"])];
    let told: BTreeMap<_, BTreeSet<_>> = said
        .into_iter()
        .map(|(group, names)| {
            let names = names.into_iter().map(|name| name.parse().unwrap());
            (group.parse().unwrap(), names.collect())
        })
        .collect();
    let with = config.with_groups(&told);
    let alice = &with.persons["alice"];
    assert!(alice.groups.contains("dba") && !alice.groups.contains("sre"));
    assert!(!with.persons.contains_key("eve"));
    assert_eq!(with.text, format!("{}# group dba: alice\n", config.text));
    assert_eq!(
        config.with_groups(&BTreeMap::new()).text,
        format!("{}# group dba:\n", config.text)
    );
}

#[test]
fn break_glass_does_not_hang_on_a_program() {
    let role = "[role.db]\ngroups = [\"oncall\"]";
    let glass = |groups: &str| format!("[role.db]\nbreak-glass = true\ngroups = [{groups}]");
    refused(role, &glass("\"dba\""), 30, "only a program fills");
    let either = good().replacen(role, &glass("\"dba\", \"oncall\""), 1);
    assert!(load(&either).is_ok());
}
