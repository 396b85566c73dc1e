//! How long recordings are kept: what a file may say of it, and what is refused.

mod common;

use std::time::Duration;

use config::ConfigError;
use config::retention::Retention;

use common::load;

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
