//! Promise 44: a configuration that cannot be enforced is refused, with its line and a hint.

#![expect(clippy::panic, reason = "a test's helper fails by panicking")]

use std::path::Path;

use config::{Config, ConfigError};

const ALICE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnw5O/5ySzpZAZl3lfoE7iN+dfuCXIfd2nv5WPJzCl6";
const BOB: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFrSG6DJ8RWhg5G/tfGpUMYkhU2CRmZuQwhZGkfuwmio";
const EDGE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINULtJWq0fLQRs/NazLfZ9Heuf/jFLTiGcM68hm8Li8a";

const CA_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP+zBufrDI86fsFwGCde2ylEuER2igSs4LbelUm4eeBh";

fn good() -> String {
    format!(
        r#"[ca]
listen = "127.0.0.1:7022"
address = "ca.example.org:7022"
[bastion.edge]
listen = "127.0.0.1:7023"
address = "edge.example.org:22"
identity = "{EDGE}"
source = ["10.0.0.5/32"]
[person.alice]
groups = ["oncall"]
keys = ["{ALICE}"]
[person.bob]
groups = ["sre"]
keys = ["{BOB}"]
[target."db1.prod"]
address = "10.1.2.3:22"
host = "ca"
labels = {{ env = "prod" }}
[target."db2.prod"]
address = "10.1.2.4:22"
host = "{EDGE}"
[role.db]
groups = ["oncall"]
logins = ["postgres"]
targets = ["db1.prod"]
approvals = {{ count = 1, from = "sre" }}
longest = "1h"
"#
    )
}

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("hallpass.toml"), text.to_owned())
}

/// Replaces `from` in the good file and says what the refusal must say: its line and words.
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
    let alice = &config.persons["alice"];
    let access = "postgres@db1.prod".parse().unwrap();
    assert_eq!(config.roles_for(alice, &access).count(), 1);
    let bob = &config.persons["bob"];
    assert_eq!(
        config.roles_for(bob, &access).count(),
        0,
        "bob approves, he may not ask"
    );
    let other = "root@db1.prod".parse().unwrap();
    assert_eq!(config.roles_for(alice, &other).count(), 0, "another login");
}

#[test]
fn a_role_of_which_no_grant_may_run_is_refused() {
    let words = "a role of which no grant may run";
    refused("longest = \"1h\"", "live = 0", 27, words);
}

#[test]
fn promise_44_hours_that_never_come_are_refused() {
    let longest = "longest = \"1h\"";
    let day = |zone: &str, days: &str, from: &str, to: &str| {
        format!("hours = {{ zone = {zone:?}, days = {days}, from = {from:?}, to = {to:?} }}")
    };
    let good = day("Europe/Zurich", "[\"mon-fri\", \"sun\"]", "08:00", "18:00");
    load(&self::good().replacen(longest, &good, 1)).unwrap();
    let wrong = |text: &str, words: &str| refused(longest, text, 27, words);
    let zone = "there is no time zone \"Mars/Base\"";
    wrong(&day("Mars/Base", "[\"mon\"]", "08:00", "18:00"), zone);
    let weekday = "\"freitag\" is not a day";
    wrong(&day("UTC", "[\"freitag\"]", "08:00", "18:00"), weekday);
    let time = "\"8am\" is not a time of day";
    wrong(&day("UTC", "[\"mon\"]", "8am", "18:00"), time);
    wrong(&day("UTC", "[\"mon\"]", "08:00", "8am"), time);
    wrong(&day("UTC", "[]", "08:00", "18:00"), "the window is empty");
    wrong(
        &day("UTC", "[\"mon\"]", "08:00", "08:00"),
        "the window is empty",
    );
    wrong("hours = []", "hours names 0 windows");
    let one = day("UTC", "[\"mon\"]", "08:00", "18:00");
    let many = vec![one.trim_start_matches("hours = "); 17].join(", ");
    wrong(&format!("hours = [{many}]"), "hours names 17 windows");
    wrong(
        "hours = { from = \"08:00\", to = \"18:00\" }",
        "missing field `zone`",
    );
    wrong(
        "hours = \"08:00-18:00\"",
        "expected { zone = \"Europe/Zurich\"",
    );
    let any_time = "break-glass = { any-time = true }";
    wrong(any_time, "any-time on a role without hours");
    load(&self::good().replacen(longest, &format!("{any_time}\n{one}"), 1)).unwrap();
}

#[test]
fn promise_44_commands_that_a_shell_could_change_are_refused() {
    let longest = "longest = \"1h\"";
    let good = "commands = [[\"systemctl\", \"restart\", \"{unit}\"]]";
    let config = load(&self::good().replacen(longest, good, 1)).unwrap();
    let role = &config.roles["db"];
    assert!(role.preapproves("systemctl restart nginx"));
    assert!(!role.preapproves("systemctl restart -n"));
    let wrong = |text: &str, words: &str| refused(longest, text, 27, words);
    wrong("commands = []", "commands names 0 commands");
    let many = vec!["[\"id\"]"; 65].join(", ");
    wrong(
        &format!("commands = [{many}]"),
        "commands names 65 commands",
    );
    wrong("commands = [[]]", "a command has 1 to 32 words");
    wrong(
        "commands = [[\"id\"], [\"id\"]]",
        "this command stands here twice",
    );
    wrong(
        "commands = [[\"ls\", \"*\"]]",
        "a shell could read \"*\" as something else",
    );
    wrong("commands = [[\"ls -l\"]]", "a shell could read \"ls -l\"");
    wrong("commands = [[\"exec\"]]", "is not the name of a program");
    wrong(
        "commands = [[\"ls\", \"{a\"]]",
        "has braces that are neither",
    );
    wrong(
        "commands = [[\"id\"]]\ncommand = \"id\"",
        "both command and commands",
    );
    wrong(
        "commands = [[\"id\"]]\nchannels = [\"shell\"]",
        "commands without the exec channel",
    );
}

#[test]
fn the_sample_is_taken() {
    let sample = config::sample::Sample {
        bastion: &"bastion".parse().unwrap(),
        identity: EDGE,
    };
    let config = load(&sample.text()).unwrap();
    assert!(config.roles.is_empty() && config.persons.is_empty());
}

#[test]
fn every_key_that_the_sample_explains_is_taken() {
    let sample = config::sample::Sample {
        bastion: &"bastion".parse().unwrap(),
        identity: EDGE,
    };
    let mut text = String::new();
    for line in sample.text().lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_key = bare
            .split_once(" = ")
            .is_some_and(|(key, _)| !key.contains(' '));
        text.push_str(if bare.starts_with('[') || is_key {
            bare
        } else {
            ""
        });
        text.push('\n');
    }
    let text = text.replace("ssh-ed25519 AAAA… alice@laptop", ALICE);
    let text = text.replace("ssh-ed25519 AAAA…", CA_KEY);
    // Who approves, and who watches: each is somebody else than whoever asks.
    let text = text + &format!("[person.bob]\ngroups = [\"sre\"]\nkeys = [\"{BOB}\"]\n");
    let text = text + &format!("[person.carol]\ngroups = [\"security\"]\nkeys = [\"{WITNESS}\"]\n");
    let text = text
        .replace("true: ", "")
        // A role has either one command or a list of them.
        .replacen("command = \"/usr/local/bin/failover\"", "", 1)
        .replacen("break-glass = false", "break-glass = true", 1);
    let config = load(&text).unwrap();
    assert_eq!(config.roles.len(), 4);
}

#[test]
fn promise_44_unknown_keys_are_refused() {
    refused(
        "longest = \"1h\"",
        "longst = \"1h\"",
        27,
        "unknown field `longst`",
    );
    refused("[role.db]", "[rule.db]", 22, "unknown field `rule`");
    refused(
        "count = 1,",
        "count = 1, form = \"x\",",
        26,
        "unknown field `form`",
    );
}

#[test]
fn promise_44_what_is_missing_is_refused() {
    refused(
        "logins = [\"postgres\"]\n",
        "",
        22,
        "missing field `logins`",
    );
    refused(
        "approvals = { count = 1, from = \"sre\" }\n",
        "",
        22,
        "missing field `approvals`",
    );
    refused("targets = [\"db1.prod\"]\n", "", 23, "names no targets");
    refused(
        "logins = [\"postgres\"]",
        "logins = []",
        24,
        "logins is empty",
    );
    refused(
        "groups = [\"oncall\"]\nlogins",
        "groups = []\nlogins",
        23,
        "groups is empty",
    );
    refused(
        "targets = [\"db1.prod\"]",
        "targets = []",
        25,
        "targets is empty",
    );
    refused(
        &format!("keys = [\"{ALICE}\"]"),
        "keys = []",
        11,
        "alice has no key",
    );
}

#[test]
fn promise_44_a_bastion_cannot_sign_for_the_log() {
    refused(
        "[bastion.edge]",
        "[bastion.log]",
        4,
        "a bastion cannot be called log",
    );
}

#[test]
fn promise_44_a_review_role_that_means_two_things_is_refused() {
    let review = |more: &str| format!("longest = \"1h\"\nreview = true\n{more}");
    let longest = "longest = \"1h\"";
    for (key, value) in [
        ("command", "\"id\""),
        ("channels", "[\"shell\"]"),
        ("record-input", "true"),
        ("recipients", "[]"),
    ] {
        let more = review(&format!("{key} = {value}\n"));
        refused(longest, &more, 29, &format!("{key} in a review role"));
    }
    refused(
        longest,
        "longest = \"1h\"\nreview = \"yes\"\n",
        28,
        "expected a boolean",
    );
    refused(
        longest,
        "longest = \"1h\"\nerase = true\n",
        28,
        "erase in a role that does not review",
    );
    refused("db2.prod", "edge", 19, "edge is a bastion's name already");
    let underscore = good()
        .replace("[bastion.edge]", "[bastion.edge_1]")
        .replace(longest, &review(""));
    let why = load(&underscore).unwrap_err().to_string();
    assert!(why.contains("review@edge_1 cannot be asked for"), "{why}");
}

#[test]
fn promise_44_an_observer_who_cannot_be_there_is_refused() {
    let longest = "longest = \"1h\"";
    let with = |observer: &str| format!("longest = \"1h\"\nobserver = {observer}\n");
    refused(longest, &with("true"), 22, "no role lets anybody watch");
    let grace = "\"0s\" is not between 1s and 12h";
    refused(longest, &with("{ grace = \"0s\" }"), 28, grace);
    refused(longest, &with("\"bob\""), 28, "true, false or { grace");
    let review = "[role.look]\nreview = true\ngroups = [\"sre\"]\nlogins = [\"postgres\"]\n\
                  targets = [\"db1.prod\"]\napprovals = { count = 0 }\n";
    let text = good().replace(longest, &with("true")) + review;
    let config = load(&text).unwrap();
    let role = config.roles.values().next().unwrap();
    assert_eq!(role.terms.observer, Some(config::limits::OBSERVER_GRACE));
    refused(
        longest,
        "longest = \"1h\"\nreview = true\nobserver = true\n",
        29,
        "observer in a review role",
    );
}

#[test]
fn a_review_role_gives_the_bastion_and_reads_what_it_names() {
    let text = good().replace("longest = \"1h\"", "review = true");
    let config = load(&text).unwrap();
    let role = config.roles.values().next().unwrap();
    let session = "postgres@db1.prod".parse().unwrap();
    assert!(role.covers(&"review@edge".parse().unwrap()));
    assert!(!role.covers(&session), "it opens no session");
    let reads = role.reads.as_ref().unwrap();
    assert!(!reads.erases, "that has to be said");
    let eraser = load(&text.replace("review = true", "review = true\nerase = true")).unwrap();
    let eraser = eraser.roles.values().next().unwrap();
    assert!(eraser.reads.as_ref().unwrap().erases);
    assert!(!reads.holds, "that too");
    let holder = load(&text.replace("review = true", "review = true\nhold = true")).unwrap();
    let holder = holder.roles.values().next().unwrap();
    assert!(holder.reads.as_ref().unwrap().holds);
    assert!(reads.covers(&session));
    assert!(!reads.covers(&"postgres@db2.prod".parse().unwrap()));
    assert!(!reads.covers(&"root@db1.prod".parse().unwrap()));
}

#[test]
fn promise_44_what_is_there_twice_is_refused() {
    refused("[person.bob]", "[person.alice]", 12, "duplicate key");
    refused(BOB, ALICE, 14, "alice's already");
    refused(EDGE, ALICE, 7, "already used");
    refused(
        "10.1.2.4:22",
        "10.1.2.3:22",
        20,
        "db1.prod's address already",
    );
    let again = "[role.db]\ngroups = [\"oncall\"]\nlogins = [\"postgres\"]\ntargets = [\"db1.prod\"]\n\
                 approvals = { count = 1, from = \"sre\" }\n[role.z]";
    refused("[role.db]", again, 27, "z and db give the same access");
}

#[test]
fn promise_44_rules_that_cannot_be_enforced_are_refused() {
    refused(
        "count = 1",
        "count = 2",
        26,
        "could never get 2 approvals of sre by others",
    );
    refused(
        "groups = [\"sre\"]",
        "groups = [\"oncall\", \"x\"]",
        26,
        "nobody is in group sre",
    );
    refused(
        "from = \"sre\"",
        "from = \"oncall\"",
        26,
        "alice could never get 1 approvals",
    );
    refused("count = 1, from", "count = 0, from", 26, "name a group");
    refused(
        "count = 1, from = \"sre\"",
        "count = 1",
        26,
        "name no group",
    );
    refused(
        "targets = [\"db1.prod\"]",
        "targets = [\"db9.prod\"]",
        25,
        "no target db9.prod",
    );
    refused(
        "targets = [\"db1.prod\"]",
        "labels = { env = \"test\" }",
        25,
        "select no target",
    );
    refused("longest = \"1h\"", "longest = \"13h\"", 27, "not between");
    refused(
        "longest = \"1h\"",
        "longest = \"1 hour\"",
        27,
        "not a duration",
    );
    refused(
        "longest = \"1h\"",
        "channels = [\"tun\"]",
        27,
        "cannot be recorded",
    );
    refused("longest = \"1h\"", "channels = []", 27, "channels is empty");
    refused(
        "longest = \"1h\"",
        "command = \"a\\nb\"",
        27,
        "control characters",
    );
    refused(
        "longest = \"1h\"",
        "command = \" \"",
        27,
        "the command is empty",
    );
    refused(
        "longest = \"1h\"",
        "command = \"x\"\nchannels = [\"shell\"]",
        28,
        "without the exec channel",
    );
    refused(
        "longest = \"1h\"",
        "command = \"x\"\nchannels = [\"exec\", \"sftp\"]",
        28,
        "a forced command and the sftp channel",
    );
    refused(
        "{ count = 1, from = \"sre\" }",
        "{ count = 0 }\nbreak-glass = true",
        27,
        "needs no approval",
    );
}

#[test]
fn promise_44_networks_that_nobody_could_come_from_are_refused() {
    let sources = |blocks: &str| format!("longest = \"1h\"\nsources = [{blocks}]");
    let from = "longest = \"1h\"";
    refused(from, &sources(""), 28, "names 0 networks");
    refused(from, &sources("\"10.0.0.1/8\""), 28, "bits set behind");
    refused(from, &sources("\"office\""), 28, "is not an address");
    refused(
        from,
        &sources("\"10.0.0.0/8\", \"10.0.0.0/8\""),
        28,
        "twice",
    );
    let many: Vec<String> = (0..17).map(|n| format!("\"10.{n}.0.0/16\"")).collect();
    refused(from, &sources(&many.join(", ")), 28, "names 17 networks");
    let text = good().replace(from, &sources("\"10.0.0.0/8\", \"2001:db8::/32\""));
    let role = &load(&text).unwrap().roles["db"];
    assert!(role.reachable_from("10.9.9.9".parse().unwrap()));
    assert!(!role.reachable_from("192.0.2.7".parse().unwrap()));
}

#[test]
fn promise_44_quorums_that_cannot_be_met_are_refused() {
    let one = "{ count = 1, from = \"sre\" }";
    refused(
        one,
        "[{ count = 1, from = \"sre\" },\n{ count = 1, from = \"sre\" }]",
        27,
        "sre stands in approvals twice",
    );
    refused(one, "[]", 26, "an empty list");
    refused(
        one,
        "[{ count = 1, from = \"sre\" },\n{ count = 0, from = \"x\" }]",
        27,
        "of 0 persons",
    );
    refused(one, "[{ count = 1 }]", 26, "name no group");
    refused(
        one,
        "[{ count = 1, form = \"sre\" }]",
        26,
        "unknown field `form`",
    );
    refused(one, "\"sre\"", 26, "expected { count = 1");
    refused(
        one,
        "[{ count = 1, from = \"sre\" },\n{ count = 1, from = \"security\" }]",
        27,
        "nobody is in group security",
    );
    let text = good()
        .replace("groups = [\"sre\"]", "groups = [\"sre\", \"security\"]")
        .replace(
            one,
            "[{ count = 1, from = \"sre\" }, { count = 1, from = \"security\" }]",
        );
    let refused = load(&text).unwrap_err().to_string();
    let words = "alice could never get 1 approvals of sre and 1 approvals of security by others";
    assert!(refused.contains(words), "bob counts once: {refused}");
    let many: Vec<String> = (0..9)
        .map(|n| format!("{{ count = 1, from = \"g{n}\" }}"))
        .collect();
    let text = good().replace(one, &format!("[{}]", many.join(", ")));
    let refused = load(&text).unwrap_err().to_string();
    assert!(refused.contains("more than 8 groups"), "{refused}");
}

#[test]
fn promise_44_words_of_the_wrong_shape_are_refused() {
    refused(
        "logins = [\"postgres\"]",
        "logins = [\"a,b\"]",
        24,
        "login \"a,b\"",
    );
    refused(
        "[person.bob]",
        "[person.\"../bob\"]",
        12,
        "person \"../bob\"",
    );
    refused(
        "[target.\"db2.prod\"]",
        "[target.\"DB2\"]",
        19,
        "target \"DB2\"",
    );
    refused("10.0.0.5/32", "10.0.0.5/8", 8, "bits set behind its prefix");
    refused("10.1.2.3:22", "10.1.2.3", 16, "not a host and a port");
    refused(
        "127.0.0.1:7022",
        "localhost:7022",
        2,
        "not an address and a port",
    );
    refused(BOB, "ssh-ed25519 AAAA", 14, "not a public key");
    refused("host = \"ca\"", "host = \"\"", 17, "no host key");
}

const WITNESS: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKM5ZJ/0GyvgUsMn7ZYVDZyTbqBcBeOIDBPKZAsNd8pW";

/// The good file with a published log and one witness; `LINES` for the rest of the witness's table.
fn witnessed(need: u32, name: &str, key: &str, url: &str) -> String {
    let published = "address = \"ca.example.org:7022\"\npublish = \"out\"";
    let text = good().replacen("address = \"ca.example.org:7022\"", published, 1);
    format!(
        "{text}[ca.witnesses]\nneed = {need}\n[witness.\"{name}\"]\nkey = \"{key}\"\nurl = \"{url}\"\n"
    )
}

#[test]
fn promise_44_witnesses_that_could_not_be_asked_are_refused() {
    let url = "http://w1.example.org:7025";
    let config = load(&witnessed(1, "w1", WITNESS, url)).unwrap();
    assert_eq!(config.ca.witnesses.need, 1);
    assert_eq!(config.ca.witnesses.by.len(), 1);
    assert_eq!(config.ca.publish.as_deref(), Some(Path::new("out")));
    assert!(load(&good()).unwrap().ca.publish.is_none());

    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
    for (text, line, words) in [
        (
            witnessed(2, "w1", WITNESS, url),
            30,
            "2 witnesses are needed, and there are 1",
        ),
        (
            witnessed(1, "w 1", WITNESS, url),
            31,
            "not a name for a witness",
        ),
        (
            witnessed(1, "", WITNESS, url),
            31,
            "not a name for a witness",
        ),
        (
            witnessed(1, "w1", EDGE, url),
            32,
            "this key is already used",
        ),
        (
            witnessed(1, "w1", ALICE, url),
            32,
            "this key is already used",
        ),
        (witnessed(1, "w1", ecdsa, url), 32, "Ed25519"),
        (
            witnessed(1, "w1", WITNESS, "https://w1"),
            33,
            "not the address of a witness",
        ),
        (
            witnessed(1, "w1", WITNESS, "http://u@w1"),
            33,
            "not the address of a witness",
        ),
        (
            witnessed(1, "w1", WITNESS, url).replace("publish = \"out\"\n", ""),
            3,
            "the log is not published",
        ),
    ] {
        match load(&text) {
            Err(ConfigError::Wrong { line: at, what, .. }) => {
                assert!(what.contains(words), "says {what:?}, expected {words:?}");
                assert_eq!(at, line, "line of {what:?}");
            }
            other => panic!("{words}: {other:?}"),
        }
    }
}

#[test]
fn those_who_shut_out_and_those_who_enrol_are_groups_with_somebody_in_them() {
    let address = "address = \"ca.example.org:7022\"";
    for key in ["revokers", "enrollers"] {
        let with = |groups: &str| format!("{address}\n{key} = {groups}");
        refused(
            address,
            &with("[\"security\"]"),
            4,
            "nobody is in group security",
        );
        refused(address, &with("[\"\"]"), 4, "group \"\"");
        refused(address, &with("\"sre\""), 4, "expected a sequence");
        let config = load(&good().replace(address, &with("[\"sre\"]"))).unwrap();
        let (revokers, enrollers) = (config.ca.revokers, config.ca.enrollers);
        assert_eq!(revokers.len() + enrollers.len(), 1, "{key}");
    }
    let config = load(&good()).unwrap();
    assert!(config.ca.revokers.is_empty() && config.ca.enrollers.is_empty());
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = Config::load(Path::new("/nonexistent/hallpass.toml"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("hallpass init"), "{error}");
}

/// Replaces the last line of the good role.
const LONGEST: &str = "longest = \"1h\"";

#[test]
fn promise_44_break_glass_that_nobody_could_review_is_refused() {
    let glass = |terms: &str| format!("{LONGEST}\nbreak-glass = {terms}");
    refused(
        LONGEST,
        &glass("{ per-week = 0 }"),
        28,
        "per-week is not between 1 and 100",
    );
    refused(
        LONGEST,
        &glass("{ per-week = 101 }"),
        28,
        "per-week is not between 1 and 100",
    );
    refused(
        LONGEST,
        &glass("{ verfy = true }"),
        28,
        "unknown field `verfy`",
    );
    refused(
        LONGEST,
        &glass("\"yes\""),
        28,
        "expected true, false or { verify",
    );
    refused(
        LONGEST,
        &glass("{ review = { count = 0 } }"),
        28,
        "a review by 0 persons",
    );
    refused(
        LONGEST,
        &glass("{ review = { count = 2 } }"),
        28,
        "what alice does could never be reviewed by 2 others of sre",
    );
    refused(
        LONGEST,
        &glass("{ review = { from = \"oncall\" } }"),
        28,
        "what alice does could never be reviewed by 1 others of oncall",
    );
    refused(
        LONGEST,
        &glass("{ review = { from = \"audit\" } }"),
        28,
        "nobody is in group audit",
    );
    for within in ["9s", "91d"] {
        let terms = format!("{{ review = {{ within = \"{within}\" }} }}");
        refused(LONGEST, &glass(&terms), 28, "is not between 10s and 90d");
    }
    refused(
        LONGEST,
        &glass("{ review = { within = \"soon\" } }"),
        28,
        "is not a duration",
    );
    refused(
        LONGEST,
        &glass("{ blocks-break-glass = true }"),
        28,
        "blocks-break-glass without blocks",
    );
}

#[test]
fn break_glass_is_reviewed_by_the_approvers_unless_the_role_says_who() {
    let of = |terms: &str| {
        let text = good().replacen(LONGEST, &format!("{LONGEST}\nbreak-glass = {terms}"), 1);
        load(&text).unwrap().roles["db"].break_glass.clone()
    };
    assert_eq!(of("false"), None);
    let plain = of("true").unwrap();
    assert_eq!(of("{}"), Some(plain.clone()));
    assert!(!plain.verify && !plain.blocks && plain.per_week.is_none());
    assert_eq!(
        (plain.review.count, plain.review.within.as_secs()),
        (1, 86_400)
    );
    assert_eq!(plain.review.from, ["sre".parse().unwrap()]);
    let all = of(
        "{ verify = true, per-week = 2, review = { count = 1, from = \"sre\", within = \"2h\" }, blocks = true }",
    );
    let all = all.unwrap();
    assert!(all.verify && all.blocks && !all.blocks_break_glass);
    assert_eq!(
        (all.per_week, all.review.within.as_secs()),
        (Some(2), 7_200)
    );
}

#[test]
fn promise_44_alerts_and_reports_that_reach_nobody_are_refused() {
    let with = |table: &str| format!("{LONGEST}\n{table}");
    refused(
        LONGEST,
        &with("[alert]"),
        28,
        "it needs one way to be reached",
    );
    for command in ["[]", "[\"page\"]"] {
        let table = format!("[alert]\ncommand = {command}");
        refused(LONGEST, &with(&table), 29, "not a program's absolute path");
    }
    refused(
        LONGEST,
        &with("[alert]\nurl = \"http://example.org/\""),
        29,
        "cannot be asked",
    );
    refused(
        LONGEST,
        &with("[alert]\nurl = \"https://example.org/\"\ncommand = [\"/x\"]"),
        28,
        "one way",
    );
    refused(
        LONGEST,
        &with("[report]\nauditors = []"),
        29,
        "auditors is empty",
    );
    refused(
        LONGEST,
        &with("[report]\nauditors = [\"audit\"]"),
        29,
        "nobody is in group audit",
    );
    refused(LONGEST, &with("[report]"), 28, "missing field `auditors`");
    let text = good().replacen(LONGEST, &with("[report]\nauditors = [\"sre\"]"), 1);
    assert!(load(&text).unwrap().auditors.contains("sre"));
}

#[test]
fn promise_44_files_that_cannot_be_given_so_are_refused() {
    for (files, words) in [
        (
            "channels = [\"sftp\"] \nfiles = { read = false, write = false }",
            "neither read nor written",
        ),
        (
            "channels = [\"exec\"]\nfiles = { read = false }",
            "files without the sftp channel",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { paths = [] }",
            "paths names 0 directories",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { paths = [\"srv\"] }",
            "is not a full path",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { paths = [\"/srv/../etc\"] }",
            "is not a full path",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { largest = \"1 GB\" }",
            "is not a size",
        ),
        (
            "channels = [\"sftp\"]\nfiles = { largest = \"18446744073709551615K\" }",
            "is not a size",
        ),
    ] {
        refused("longest = \"1h\"", files, 28, words);
    }
}

const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

#[test]
fn promise_44_recipients_that_could_not_open_anything_are_refused() {
    let with = |recordings: &str, role: &str| {
        let text = good().replacen(
            "longest = \"1h\"\n",
            &format!("longest = \"1h\"\n{role}"),
            1,
        );
        load(&format!("{text}{recordings}"))
    };
    let recipients = |config: &Config| {
        let role = config.roles.values().next().unwrap();
        (role.recipients.threshold(), role.recipients.of().len())
    };
    assert_eq!(recipients(&load(&good()).unwrap()), (1, 0));
    let both = format!("[recordings]\nrecipients = [\"{AGE}\", \"{ALICE} alice\"]\n");
    assert_eq!(recipients(&with(&both, "").unwrap()), (1, 2));
    let own = format!("recipients = [\"{AGE}\"]\n");
    assert_eq!(recipients(&with(&both, &own).unwrap()), (1, 1));
    let pair = format!("\"{AGE}\", \"{ALICE} alice\"");
    let table =
        |threshold: u32| format!("recipients = {{ threshold = {threshold}, of = [{pair}] }}\n");
    assert_eq!(recipients(&with("", &table(2)).unwrap()), (2, 2));
    for threshold in [0, 3] {
        let error = with("", &table(threshold)).unwrap_err().to_string();
        let words = format!("{threshold} of 2 recipients cannot come together");
        assert!(error.contains(&words), "{error}");
    }

    let lines = good().lines().count();
    let many = vec![format!("\"{AGE}\""); 33].join(", ");
    for (list, words) in [
        (String::new(), "recipients is empty"),
        ("\"alice\"".into(), "neither a key of age"),
        ("\"AGE-SECRET-KEY-1QQ\"".into(), "this is a private key"),
        (
            format!("\"{}\"", AGE.replace("ql3z", "ql3x")),
            "a character is wrong",
        ),
        (
            format!("\"{AGE}\", \"{AGE}\""),
            "this recipient stands here twice",
        ),
        (many, "there are 33 recipients"),
    ] {
        let table = format!("[recordings]\nrecipients = [{list}]\n");
        let error = with(&table, "").unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains(&format!(":{}:", lines + 2)),
            "{error}"
        );
        let key = format!("recipients = [{list}]\n");
        let error = with("", &key).unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains(&format!(":{}:", lines + 1)),
            "{error}"
        );
    }
}

#[test]
fn promise_44_masks_that_would_mask_nothing_or_not_in_time_are_refused() {
    let many: Vec<String> = (0..33).map(|n| format!("{{ pattern = 'x{n}' }}")).collect();
    for (mask, words) in [
        (String::new(), "mask is empty"),
        ("\"card\"".into(), "is nothing that is known by name"),
        ("\"cards\", \"cards\"".into(), "stands in mask twice"),
        (
            "{ pattern = 'a' }, { pattern = 'a' }".into(),
            "stands in mask twice",
        ),
        ("{ pattern = '(a' }".into(), "is no pattern: unclosed group"),
        ("{ pattern = 'a*' }".into(), "it matches nothing at all"),
        ("{ pattern = '(((a{99}){99}){99}){99}' }".into(), "exceed"),
        (
            format!("{{ pattern = '{}' }}", "a".repeat(513)),
            "longer than 512 bytes",
        ),
        (many.join(", "), "mask has more than 32 patterns"),
        ("{ patern = 'a' }".into(), "unknown field `patern`"),
        ("7".into(), "expected \"cards\""),
    ] {
        refused("longest = \"1h\"", &format!("mask = [{mask}]"), 27, words);
    }
}

#[test]
fn promise_44_limits_that_no_session_could_keep_are_refused() {
    for (limit, words) in [
        ("idle = \"9s\"", "is not between 10s and 12h"),
        ("idle = \"12h1s\"", "is not between 10s and 12h"),
        ("idle = \"soon\"", "is not between 10s and 12h"),
        ("largest-session = \"0\"", "is not a size"),
        ("sessions = 0", "a role of which no session may run"),
    ] {
        refused("longest = \"1h\"", limit, 27, words);
    }
}

#[test]
fn promise_44_alerts_of_sessions_that_could_not_be_told_are_refused() {
    let many: Vec<String> = (0..33)
        .map(|n| format!("{{ name = \"a{n}\", volume = \"1G\" }}"))
        .collect();
    for (alerts, words) in [
        (String::new(), "alerts names 0 things"),
        (many.join(", "), "alerts names 33 things"),
        (
            "{ name = \"a\" }".into(),
            "alert a is of nothing, or of several things",
        ),
        (
            "{ name = \"a\", rate = \"1M\", volume = \"1G\" }".into(),
            "alert a is of nothing, or of several things",
        ),
        (
            "{ name = \"a\", screen = '[' }".into(),
            "is no pattern: unclosed character class",
        ),
        ("{ name = \"a\", rate = \"fast\" }".into(), "is not a size"),
        (
            "{ name = \"a\", rate = \"1M\" }, { name = \"a\", rate = \"2M\" }".into(),
            "two alerts of one role are called a",
        ),
        (
            "{ name = \"a b\", rate = \"1M\" }".into(),
            "alert \"a b\": it has a character that is not allowed there",
        ),
        (
            "{ name = \"a\", rate = \"1M\", ends = true }".into(),
            "unknown field `ends`",
        ),
    ] {
        refused(
            "longest = \"1h\"",
            &format!("alerts = [{alerts}]"),
            27,
            words,
        );
    }
    for within in ["59m", "91d", "often"] {
        refused(
            "longest = \"1h\"",
            &format!("new-source = \"{within}\""),
            27,
            "is not between 1h and 90d",
        );
    }
}
