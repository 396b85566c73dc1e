use super::*;
use crate::testing::{START, public};
use config::cidr::Cidr;
use record::clock::UnixTime;

fn plan(authority: Authority) -> Plan {
    let user = Kind::of(authority) == Kind::User;
    let source: Cidr = "10.0.0.5/32".parse().unwrap();
    let now = UnixTime::from_secs(START);
    Plan {
        authority,
        subject: public("alice"),
        serial: 42,
        key_id: "hallpass:7F3K-9QMD:alice".to_owned(),
        principals: vec![
            if user {
                "postgres@db1.prod"
            } else {
                "db1.prod"
            }
            .to_owned(),
        ],
        after: now,
        before: now.after(Duration::from_secs(60)),
        force_command: user.then(|| "id -un".to_owned()),
        source_address: if user { vec![source] } else { Vec::new() },
        permits: user.then_some(Permit::Pty).into_iter().collect(),
    }
}

const ALL: [Authority; 4] = [
    Authority::User,
    Authority::Session,
    Authority::Host,
    Authority::Door,
];

fn refused(plan: Plan) -> &'static str {
    let ca = public("ca");
    lint(plan.build(&ca, &[5; 32]).unwrap(), &ca).unwrap_err().0
}

#[test]
fn good_plans_pass() {
    for authority in ALL {
        let ca = public("ca");
        let unsigned = plan(authority).build(&ca, &[5; 32]).unwrap();
        assert!(lint(unsigned, &ca).is_ok(), "{authority:?}");
    }
}

#[test]
fn promise_24_no_principal_reaches_further_than_its_name() {
    for bad in [
        "",
        "alice,root",
        "postgres@db1.prod\n",
        "postgres@db 1",
        "*",
        "post*@db1.prod",
        "p@d?",
        "!root@db1.prod",
        "postgres@db1.prod\0",
        "pöstgres@db1.prod",
        "\u{202e}@db1",
    ] {
        for authority in ALL {
            let mut plan = plan(authority);
            plan.principals = vec![bad.to_owned()];
            let why = refused(plan);
            assert!(why.contains("principal"), "{bad:?}: {why}");
        }
    }
    let several = vec!["a@b".to_owned(), "c@d".to_owned()];
    for (principals, why) in [
        (Vec::new(), "it has none or too many principals"),
        (vec!["a@b".to_owned(); 257], "it cannot be read"),
        (several, "it is not for one login on one target"),
        (
            vec!["root".to_owned()],
            "it is not for one login on one target",
        ),
    ] {
        let plan = Plan {
            principals,
            ..plan(Authority::User)
        };
        assert_eq!(refused(plan), why);
    }
    let most = Plan {
        principals: vec!["gate".to_owned(); 256],
        ..plan(Authority::Door)
    };
    let ca = public("ca");
    assert!(lint(most.build(&ca, &[5; 32]).unwrap(), &ca).is_ok());
}

#[test]
fn promise_24_a_window_is_short_and_not_empty() {
    let now = UnixTime::from_secs(START);
    for authority in ALL {
        let most = longest(authority).as_secs() + 30;
        let ends = |seconds| Plan {
            after: now,
            before: now.after(Duration::from_secs(seconds)),
            ..plan(authority)
        };
        assert_eq!(refused(ends(most + 1)), "it is good for too long");
        assert_eq!(refused(ends(0)), "it is never good");
        let ca = public("ca");
        assert!(lint(ends(most).build(&ca, &[5; 32]).unwrap(), &ca).is_ok());
    }
}

#[test]
fn promise_24_a_host_certificate_carries_no_option() {
    for authority in [Authority::Host, Authority::Door] {
        let user = plan(Authority::User);
        let options = Plan {
            permits: [Permit::Pty].into(),
            ..plan(authority)
        };
        assert_eq!(refused(options), "a host certificate has options");
        let forced = Plan {
            force_command: user.force_command,
            ..plan(authority)
        };
        assert_eq!(refused(forced), "a host certificate has options");
    }
}

#[test]
fn what_identifies_a_certificate_is_held_to_its_form() {
    let base = || plan(Authority::User);
    assert_eq!(
        refused(Plan {
            serial: 0,
            ..base()
        }),
        "its serial is another"
    );
    assert_eq!(
        refused(Plan {
            subject: public("ca"),
            ..base()
        }),
        "it certifies the CA's own key"
    );
    let spaced = Plan {
        key_id: "a b\n".to_owned(),
        ..base()
    };
    assert_eq!(
        refused(spaced),
        "its key id would not stand on one line of a log"
    );
    let long = Plan {
        key_id: "a".repeat(257),
        ..base()
    };
    assert_eq!(refused(long), "its key id is empty or too long");
}

#[test]
fn promise_23_a_builder_that_errs_in_one_byte_is_caught() {
    let ca = public("ca");
    let good = plan(Authority::User).build(&ca, &[5; 32]).unwrap().bytes;
    let name = 4 + "ssh-ed25519-cert-v01@openssh.com".len();
    let nonce = name + 4..name + 36;
    for at in 0..good.len() {
        for flip in [1, 0x80] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            let unsigned = Unsigned {
                plan: plan(Authority::User),
                bytes,
            };
            let passed = lint(unsigned, &ca).is_ok();
            assert_eq!(
                passed,
                nonce.contains(&at),
                "byte {at}: only the nonce is free"
            );
        }
    }
    for cut in 0..good.len() {
        let bytes = good[..cut].to_vec();
        let unsigned = Unsigned {
            plan: plan(Authority::User),
            bytes,
        };
        assert!(lint(unsigned, &ca).is_err(), "cut at {cut}");
    }
    let mut longer = good;
    longer.push(0);
    let unsigned = Unsigned {
        plan: plan(Authority::User),
        bytes: longer,
    };
    assert_eq!(
        lint(unsigned, &ca).unwrap_err(),
        LintError("it cannot be read")
    );
}

#[test]
fn promise_23_a_plan_and_bytes_that_differ_are_told_apart() {
    let ca = public("ca");
    let other = || plan(Authority::User);
    let now = UnixTime::from_secs(START);
    let lies = [
        Plan {
            subject: public("bob"),
            ..other()
        },
        Plan {
            serial: 43,
            ..other()
        },
        Plan {
            principals: vec!["root@db1.prod".to_owned()],
            ..other()
        },
        Plan {
            before: now.after(Duration::from_secs(61)),
            ..other()
        },
        Plan {
            after: now.before(Duration::from_secs(1)),
            ..other()
        },
        Plan {
            force_command: None,
            ..other()
        },
        Plan {
            force_command: Some("id".to_owned()),
            ..other()
        },
        Plan {
            source_address: Vec::new(),
            ..other()
        },
        Plan {
            permits: [].into(),
            ..other()
        },
        Plan {
            key_id: "hallpass:7F3K-9QMD:bob".to_owned(),
            ..other()
        },
        plan(Authority::Host),
    ];
    for lie in lies {
        let bytes = lie.build(&ca, &[5; 32]).unwrap().bytes;
        let unsigned = Unsigned {
            plan: other(),
            bytes,
        };
        assert!(lint(unsigned, &ca).is_err());
    }
    let unsigned = other().build(&public("another"), &[5; 32]).unwrap();
    assert_eq!(
        lint(unsigned, &ca).unwrap_err(),
        LintError("it names another CA")
    );
}
