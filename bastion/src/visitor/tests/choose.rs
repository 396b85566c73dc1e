//! What is chosen is decided as if it had been named.

use super::*;

/// Somebody who has come with this certificate and named nothing.
fn passage(mint: &Mint, says: Says<'_>) -> Passage {
    match mint.judged(says, "anybody").unwrap() {
        Entry::Passage(passage) => passage,
        other => panic!("a passage was expected, not {other:?}"),
    }
}

fn choose(mint: &Mint, passage: &Passage, line: &str, access: &str) -> Result<Visitor, Refusal> {
    let access = access.parse().unwrap();
    passage.choose(line, &access, &bastion(), now(), &mint.trust())
}

#[test]
fn a_choice_opens_what_its_name_would_open_and_refuses_what_it_would_refuse() {
    let mint = Mint::new();
    let passage = passage(&mint, GOOD);
    let options = ["source-address=198.51.100.0/24"];
    let command = ["force-command=id"];
    let table = [
        GOOD,
        Says {
            principals: "postgres@db1.prod,root@web1.prod",
            ..GOOD
        },
        Says {
            principals: "root@web1.prod",
            ..GOOD
        },
        Says {
            principals: "review@bastion",
            ..GOOD
        },
        Says {
            principals: "",
            ..GOOD
        },
        Says {
            principals: "*",
            ..GOOD
        },
        Says {
            ca: "other",
            ..GOOD
        },
        Says { ca: "host", ..GOOD },
        Says {
            window: "-10m:-1m",
            ..GOOD
        },
        Says {
            window: "+5m:+10m",
            ..GOOD
        },
        Says {
            options: &options,
            ..GOOD
        },
        Says {
            options: &command,
            ..GOOD
        },
        Says {
            options: &["verify-required"],
            ..GOOD
        },
        Says { host: true, ..GOOD },
    ];
    let mut opened = 0;
    for says in table {
        // One that is made later may be valid from another second on.
        let certificate = mint.certificate(says);
        let line = certificate.to_openssh().unwrap();
        for (access, user) in [
            ("postgres@db1.prod", "postgres%db1.prod"),
            ("root@web1.prod", "root%web1.prod"),
            ("root@db1.prod", "root%db1.prod"),
        ] {
            let chosen = choose(&mint, &passage, &line, access);
            let named = mint.judged_of(&certificate, user, None, now());
            match (chosen, named) {
                (Ok(chosen), Ok(Entry::Visitor(named))) => {
                    opened += 1;
                    assert_eq!(chosen.access, named.access);
                    assert_eq!(chosen.access.to_string(), access);
                    assert_eq!(chosen.command, named.command);
                    assert_eq!(chosen.permits, named.permits);
                    assert_eq!((chosen.serial, chosen.source), (named.serial, named.source));
                }
                (Err(chosen), Err(named)) => assert_eq!(chosen, named, "{access}"),
                (chosen, named) => panic!("{access}: {chosen:?}, but {named:?}"),
            }
        }
    }
    assert_eq!(opened, 5);
}

#[test]
fn a_certificate_for_another_key_opens_nothing_however_good_it_is() {
    let mint = Mint::new();
    mint.key("bob", "ed25519");
    let passage = passage(&mint, GOOD);
    let of_bob = Says {
        subject: "bob",
        ..GOOD
    };
    let line = mint.certificate(of_bob).to_openssh().unwrap();
    let refused = choose(&mint, &passage, &line, "postgres@db1.prod");
    assert_eq!(refused.unwrap_err(), Refusal::OtherKey);
}

#[test]
fn a_choice_is_never_the_bastion_itself_and_never_unreadable() {
    let mint = Mint::new();
    let passage = passage(&mint, GOOD);
    let review = Says {
        principals: "review@bastion",
        ..GOOD
    };
    let line = mint.certificate(review).to_openssh().unwrap();
    let refused = choose(&mint, &passage, &line, "review@bastion").unwrap_err();
    assert!(matches!(refused, Refusal::NotFor { .. }), "{refused}");
    let good = mint.certificate(GOOD).to_openssh().unwrap();
    let long = format!("{good} {}", "x".repeat(2 * limits::KEY_BLOB_BYTES));
    for (line, why) in [
        (long.as_str(), Refusal::TooLarge),
        ("", Refusal::Signature),
        ("ssh-ed25519 AAAA", Refusal::Signature),
    ] {
        let refused = choose(&mint, &passage, line, "postgres@db1.prod");
        assert_eq!(refused.unwrap_err(), why);
    }
}
