//! Every reason to turn a certificate away, each with a certificate that the real `ssh-keygen` made.

mod choose;

use std::path::{Path, PathBuf};
use std::process::Command;

use record::clock::{Clock as _, SystemClock};
use russh::keys::key::parse_public_key;

use super::*;

/// Keys and authorities in a directory that goes away.
struct Mint {
    dir: tempfile::TempDir,
}

/// What a certificate says, as `ssh-keygen` takes it.
#[derive(Clone, Copy)]
struct Says<'a> {
    ca: &'a str,
    subject: &'a str,
    principals: &'a str,
    window: &'a str,
    options: &'a [&'a str],
    host: bool,
}

/// A good one.
const GOOD: Says<'static> = Says {
    ca: "user",
    subject: "alice",
    principals: "postgres@db1.prod",
    window: "-1m:+10m",
    options: &[],
    host: false,
};

impl Mint {
    fn new() -> Self {
        let mint = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for name in ["user", "other", "host", "alice"] {
            mint.key(name, "ed25519");
        }
        mint
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn key(&self, name: &str, algorithm: &str) {
        keygen(&[
            "-q",
            "-t",
            algorithm,
            "-N",
            "",
            "-C",
            name,
            "-f",
            text(&self.path(name)),
        ]);
    }

    fn public(&self, name: &str) -> PublicKey {
        let line = std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        PublicKey::from_openssh(&line).unwrap()
    }

    fn trust(&self) -> Trust {
        Trust::new(&[self.public("user")], &[self.public("host")]).unwrap()
    }

    fn certificate(&self, says: Says<'_>) -> Certificate {
        let (ca, subject) = (
            self.path(says.ca),
            self.path(&format!("{}.pub", says.subject)),
        );
        let mut args = vec![
            "-q",
            "-s",
            text(&ca),
            "-I",
            "test",
            "-z",
            "7",
            "-V",
            says.window,
        ];
        if !says.principals.is_empty() {
            args.extend(["-n", says.principals]);
        }
        if says.host {
            args.push("-h");
        }
        for option in says.options {
            args.extend(["-O", option]);
        }
        args.push(text(&subject));
        keygen(&args);
        let line =
            std::fs::read_to_string(self.path(&format!("{}-cert.pub", says.subject))).unwrap();
        Certificate::from_openssh(&line).unwrap()
    }

    /// What the bastion says to this certificate, on its own port, for this user name.
    fn judged(&self, says: Says<'_>, user: &str) -> Result<Entry, Refusal> {
        self.judged_at(says, user, None, now())
    }

    fn judged_at(
        &self,
        says: Says<'_>,
        user: &str,
        inside: Option<&TargetName>,
        now: UnixTime,
    ) -> Result<Entry, Refusal> {
        let certificate = self.certificate(says);
        let source = "192.0.2.7".parse().unwrap();
        enter(
            Shown {
                certificate: &certificate,
                user,
                inside,
                source,
                own: &bastion(),
            },
            now,
            &self.trust(),
        )
    }

    fn refused(&self, says: Says<'_>) -> Refusal {
        self.judged(says, "postgres%db1.prod").unwrap_err()
    }
}

fn bastion() -> BastionName {
    "bastion".parse().unwrap()
}

fn now() -> UnixTime {
    SystemClock::new().wall()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn keygen(args: &[&str]) {
    let output = Command::new("ssh-keygen").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "ssh-keygen: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn visitor(entry: Entry) -> Visitor {
    match entry {
        Entry::Visitor(visitor) => visitor,
        _ => panic!("a visitor was expected"),
    }
}

#[test]
fn a_good_certificate_opens_its_login_on_its_target() {
    let mint = Mint::new();
    let two_ways = [
        mint.judged(GOOD, "postgres%db1.prod"),
        mint.judged_at(GOOD, "postgres", Some(&"db1.prod".parse().unwrap()), now()),
    ];
    for entry in two_ways {
        let visitor = visitor(entry.unwrap());
        assert_eq!(visitor.access.to_string(), "postgres@db1.prod");
        assert_eq!((visitor.serial, visitor.command), (7, None));
    }
}

#[test]
fn without_a_percent_sign_it_opens_only_the_way_to_its_targets() {
    let mint = Mint::new();
    let says = Says {
        principals: "postgres@db1.prod,root@db1.prod,root@web1.prod",
        ..GOOD
    };
    for user in ["postgres", "anybody", ""] {
        let Ok(Entry::Passage(passage)) = mint.judged(says, user) else {
            panic!("a passage was expected")
        };
        let targets: Vec<_> = passage.targets.iter().map(TargetName::as_str).collect();
        assert_eq!(targets, ["db1.prod", "web1.prod"]);
    }
}

#[test]
fn a_review_certificate_opens_this_bastion_and_no_target() {
    let mint = Mint::new();
    let review = Says {
        principals: "review@bastion",
        ..GOOD
    };
    let Entry::Reviewer(reviewer) = mint.judged(review, "review").unwrap() else {
        panic!("it is for the bastion itself");
    };
    assert_eq!(reviewer.access.to_string(), "review@bastion");
    // Inside `ssh -J`, a name is a target's.
    let inside: TargetName = "bastion".parse().unwrap();
    let inner = mint.judged_at(review, "review", Some(&inside), now());
    assert!(matches!(inner, Ok(Entry::Visitor(_))), "{inner:?}");
    for (says, user) in [
        (GOOD, "review"),
        (
            Says {
                principals: "review@other",
                ..GOOD
            },
            "review",
        ),
    ] {
        let refused = mint.judged(says, user).unwrap_err();
        assert!(
            matches!(&refused, Refusal::NotFor { asked, .. } if asked == "review@bastion"),
            "{refused}"
        );
    }
}

#[test]
fn promise_25_every_wrong_certificate_is_turned_away_for_its_own_reason() {
    let mint = Mint::new();
    mint.key("ecdsa", "ecdsa-sha2-nistp384");
    let source = Refusal::Source("192.0.2.7".parse().unwrap());
    let table = [
        (
            "wrong CA",
            Says {
                ca: "other",
                ..GOOD
            },
            Refusal::WrongCa,
        ),
        ("the host CA", Says { ca: "host", ..GOOD }, Refusal::WrongCa),
        (
            "a CA key of another kind",
            Says {
                ca: "ecdsa",
                ..GOOD
            },
            Refusal::CaKind,
        ),
        (
            "empty principals",
            Says {
                principals: "",
                ..GOOD
            },
            Refusal::NoPrincipals,
        ),
        (
            "a bare name",
            Says {
                principals: "postgres",
                ..GOOD
            },
            Refusal::Principal("postgres".to_owned()),
        ),
        (
            "one bad name among good ones",
            Says {
                principals: "postgres@db1.prod,*",
                ..GOOD
            },
            Refusal::Principal("*".to_owned()),
        ),
        (
            "verify-required",
            Says {
                options: &["verify-required"],
                ..GOOD
            },
            Refusal::VerifyRequired,
        ),
        (
            "source-address",
            Says {
                options: &["source-address=198.51.100.0/24"],
                ..GOOD
            },
            source,
        ),
        (
            "an unknown critical option",
            Says {
                options: &["critical:only-on-sunday@example.com=yes"],
                ..GOOD
            },
            Refusal::UnknownOption("only-on-sunday@example.com".to_owned()),
        ),
    ];
    for (what, says, reason) in table {
        assert_eq!(mint.refused(says), reason, "{what}");
    }
}

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

#[test]
fn promise_26_a_host_certificate_is_not_an_access_certificate() {
    let mint = Mint::new();
    assert_eq!(
        mint.refused(Says { host: true, ..GOOD }),
        Refusal::HostCertificate
    );
}

#[test]
fn promise_26_a_certified_key_is_no_authority() {
    let mint = Mint::new();
    // `other` is certified by the user CA, and signs a certificate of its own.
    mint.certificate(Says {
        subject: "other",
        ..GOOD
    });
    assert_eq!(
        mint.refused(Says {
            ca: "other",
            ..GOOD
        }),
        Refusal::WrongCa
    );
    // And a CA that names a key of another kind than the two is not believed.
    mint.key("ecdsa", "ecdsa-sha2-nistp384");
    assert_eq!(
        Trust::new(&[mint.public("ecdsa")], &[mint.public("host")]),
        Err(BadTrust)
    );
}

#[test]
fn a_ca_in_hardware_may_have_an_ecdsa_key() {
    let mint = Mint::new();
    mint.key("p256", "ecdsa-sha2-nistp256");
    let says = Says { ca: "p256", ..GOOD };
    let certificate = mint.certificate(says);
    let shown = Shown {
        certificate: &certificate,
        user: "postgres%db1.prod",
        inside: None,
        source: "192.0.2.7".parse().unwrap(),
        own: &bastion(),
    };
    let trust = Trust::new(&[mint.public("p256")], &[mint.public("host")]).unwrap();
    assert!(matches!(enter(shown, now(), &trust), Ok(Entry::Visitor(_))));
    assert_eq!(
        enter(shown, now(), &mint.trust()).unwrap_err(),
        Refusal::WrongCa
    );
}

#[test]
fn promise_26_a_ca_key_is_no_user_key() {
    let mint = Mint::new();
    for subject in ["user", "host"] {
        assert_eq!(
            mint.refused(Says { subject, ..GOOD }),
            Refusal::CaKey,
            "{subject}"
        );
    }
}

#[test]
fn promise_26_a_certificate_nested_a_thousand_deep_is_refused_and_nothing_dies() {
    for depth in [9, 100, 1_000] {
        let blob = nested(depth);
        assert!(parse_public_key(&blob).is_err(), "{depth} deep");
    }
    // What is nested less deep than russh looks is parsed, and refused here.
    let mint = Mint::new();
    for depth in 2..9 {
        let certificate = Certificate::from_bytes(&nested(depth)).unwrap();
        let source = "192.0.2.7".parse().unwrap();
        let shown = Shown {
            certificate: &certificate,
            user: "postgres%db1.prod",
            inside: None,
            source,
            own: &bastion(),
        };
        assert_eq!(
            enter(shown, now(), &mint.trust()).unwrap_err(),
            Refusal::CaKind,
            "{depth} deep"
        );
    }
}

/// A certificate whose authority is a certificate whose authority is a certificate …
fn nested(depth: usize) -> Vec<u8> {
    let string = |bytes: &[u8]| {
        let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(bytes);
        out
    };
    let mut inner = [string(b"ssh-ed25519"), string(&[7; 32])].concat();
    for _ in 0..depth {
        inner = [
            string(b"ssh-ed25519-cert-v01@openssh.com"),
            string(&[1; 32]),
            string(&[7; 32]),
            7_u64.to_be_bytes().to_vec(),
            1_u32.to_be_bytes().to_vec(),
            string(b"nested"),
            string(&string(b"postgres@db1.prod")),
            0_u64.to_be_bytes().to_vec(),
            u64::MAX.to_be_bytes().to_vec(),
            string(b""),
            string(b""),
            string(b""),
            string(&inner),
            string(&[string(b"ssh-ed25519"), string(&[0; 64])].concat()),
        ]
        .concat();
    }
    inner
}
