//! Promise 44: a configuration that cannot be enforced is refused, with its line and a hint.

#![expect(clippy::panic, reason = "a test's helper fails by panicking")]

#[path = "refusals/recordings.rs"]
mod recordings;
#[path = "refusals/roles.rs"]
mod roles;
#[path = "refusals/watching.rs"]
mod watching;
#[path = "refusals/witnesses.rs"]
mod witnesses;

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

const WITNESS: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKM5ZJ/0GyvgUsMn7ZYVDZyTbqBcBeOIDBPKZAsNd8pW";

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
