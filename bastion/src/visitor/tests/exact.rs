//! Windows, principals, addresses, commands and bounds, each to its edge.

use super::*;

#[test]
fn promise_25_the_window_is_after_up_to_before_and_no_longer() {
    let mint = Mint::new();
    let certificate = mint.certificate(GOOD);
    let (after, before) = (certificate.valid_after(), certificate.valid_before());
    let source = "192.0.2.7".parse().unwrap();
    let at = |secs| {
        let shown = Shown {
            certificate: &certificate,
            user: "postgres%db1.prod",
            inside: None,
            source,
            own: &bastion(),
        };
        enter(shown, UnixTime::from_secs(secs), &mint.trust()).map(drop)
    };
    assert_eq!(
        at(after - 1),
        Err(Refusal::NotYet(UnixTime::from_secs(after)))
    );
    assert_eq!(at(after), Ok(()));
    assert_eq!(at(before - 1), Ok(()));
    assert_eq!(
        at(before),
        Err(Refusal::Expired(UnixTime::from_secs(before)))
    );
}

#[test]
fn promise_25_the_principal_is_exact() {
    let mint = Mint::new();
    let others = [
        "root%db1.prod",
        "postgres%db2.prod",
        "POSTGRES%db1.prod",
        "postgres%DB1.prod",
        "postgres%db1.prod.",
        "postgres%db1",
        "postgres%",
        "%db1.prod",
        "postgres%db1.prod%db1.prod",
        "postgres@db1.prod%db1.prod",
        "postgres%db1.prod\0",
        "postgres%../db1.prod",
    ];
    for user in others {
        let refused = mint.judged(GOOD, user).unwrap_err();
        assert!(
            matches!(refused, Refusal::NotFor { .. }),
            "{user:?}: {refused}"
        );
        assert!(
            !refused.to_string().contains('\0'),
            "nothing of theirs is shown raw"
        );
    }
    // Inside `ssh -J`, the target is the one that the connection is for, whatever the user name says.
    let db2: TargetName = "db2.prod".parse().unwrap();
    for user in ["postgres", "postgres%db1.prod"] {
        let refused = mint.judged_at(GOOD, user, Some(&db2), now()).unwrap_err();
        assert!(
            matches!(refused, Refusal::NotFor { .. }),
            "{user:?}: {refused}"
        );
    }
}

#[test]
fn promise_25_source_and_command_are_honoured() {
    let mint = Mint::new();
    let says = Says {
        options: &[
            "force-command=df -h",
            "source-address=192.0.2.0/24,2001:db8::/32",
        ],
        ..GOOD
    };
    let visitor = visitor(mint.judged(says, "postgres%db1.prod").unwrap());
    assert_eq!(visitor.command.as_deref(), Some("df -h"));
    // The outer connection of a jump is held to the source, too.
    let says = Says {
        options: &["source-address=198.51.100.0/24"],
        ..GOOD
    };
    assert!(matches!(
        mint.judged(says, "anybody").unwrap_err(),
        Refusal::Source(_)
    ));
}

#[test]
fn an_unknown_extension_only_widens_and_is_passed_over() {
    let mint = Mint::new();
    let says = Says {
        options: &["extension:from-the-future@example.com"],
        ..GOOD
    };
    assert!(mint.judged(says, "postgres%db1.prod").is_ok());
}

#[test]
fn promise_25_a_bound_is_a_bound() {
    let mint = Mint::new();
    let many: Vec<String> = (0..limits::PRINCIPALS)
        .map(|n| format!("u{n}@db1.prod"))
        .collect();
    let says = Says {
        principals: &many.join(","),
        ..GOOD
    };
    assert!(mint.judged(says, "u0%db1.prod").is_ok());
    let long = format!("force-command={}", "x".repeat(limits::COMMAND_BYTES + 1));
    assert_eq!(
        mint.refused(Says {
            options: &[&long],
            ..GOOD
        }),
        Refusal::BadCommand
    );
    let huge = format!(
        "extension:a@example.com={}",
        "x".repeat(limits::KEY_BLOB_BYTES)
    );
    assert_eq!(
        mint.refused(Says {
            options: &[&huge],
            ..GOOD
        }),
        Refusal::TooLarge
    );
}
