//! How long recordings are kept: what a file may say of it, and what is refused.

use std::path::Path;
use std::time::Duration;

use config::retention::Retention;
use config::{Config, ConfigError};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1VqaF0AhXU6AuNZmCP5fxb0YIdYG7MnQ3Uo1NDzUF8";
const OTHER: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBAhC9AG2MjR0S9PwiUIEGyXPIJYfnDgeyS3jpU/kF6c";

/// A file whose line 22 is `role`, and whose last lines are `table`.
fn file(role: &str, table: &str) -> String {
    format!(
        "[ca]
listen = \"127.0.0.1:7022\"
address = \"localhost:7022\"

[bastion.edge]
listen = \"127.0.0.1:7023\"
address = \"localhost:7023\"
identity = \"{OTHER}\"

[person.alice]
groups = [\"oncall\"]
keys = [\"{KEY}\"]

[target.\"db1.prod\"]
address = \"10.1.2.3:22\"
host = \"ca\"

[role.db]
groups = [\"oncall\"]
logins = [\"postgres\"]
targets = [\"db1.prod\"]
{role}
approvals = {{ count = 0 }}
{table}"
    )
}

fn load(role: &str, table: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("hallpass.toml"), file(role, table))
}

/// How long the role's recordings are kept.
fn kept(role: &str, table: &str) -> Option<Retention> {
    let config = load(role, table).ok()?;
    config.roles.values().next().map(|role| role.retention)
}

#[test]
fn a_role_keeps_as_it_says_or_as_all_do_or_for_ever() {
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    assert!(kept("", "").unwrap().is_forever());
    let table = "[recordings]\nretention = { age = \"365d\", size = \"50G\" }\n";
    let both = Retention {
        age: days(365),
        size: Some(50 << 30),
    };
    assert_eq!(kept("", table), Some(both));
    assert_eq!(both.to_string(), "for 365d, up to 53687091200 bytes");
    let own = Retention {
        age: days(90),
        size: None,
    };
    assert_eq!(kept("retention = \"90d\"", table), Some(own));
}

#[test]
fn promise_44_retention_that_cannot_be_meant_is_refused() {
    for (role, words) in [
        ("retention = \"59m\"", "is not between 1h and 36500d"),
        ("retention = \"36501d\"", "is not between 1h and 36500d"),
        ("retention = \"90\"", "is not between 1h and 36500d"),
        ("retention = {}", "neither an age nor a size"),
        ("retention = { size = \"0\" }", "is not a size"),
        ("retention = { days = 90 }", "unknown field `days`"),
        ("retention = 90", "expected \"90d\""),
        ("hold = true", "hold in a role that does not review"),
        (
            "review = true\nretention = \"90d\"",
            "retention in a review role",
        ),
    ] {
        let error = load(role, "").unwrap_err();
        let ConfigError::Wrong {
            line, what, hint, ..
        } = error
        else {
            panic!("another refusal: {error}");
        };
        assert!(what.contains(words), "{role}: {what}");
        assert_eq!(line, 21 + role.lines().count(), "{role}");
        assert!(!hint.is_empty());
    }
}
