//! Every reason to turn a certificate away, each with a certificate that the real `ssh-keygen` made.

mod choose;
mod exact;
mod kinds;

use super::*;
use record::clock::{Clock as _, SystemClock};
use russh::keys::key::parse_public_key;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        self.judged_of(&self.certificate(says), user, inside, now)
    }

    fn judged_of(
        &self,
        certificate: &Certificate,
        user: &str,
        inside: Option<&TargetName>,
        now: UnixTime,
    ) -> Result<Entry, Refusal> {
        let source = "192.0.2.7".parse().unwrap();
        enter(
            Shown {
                certificate,
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
