//! OpenSSH's rules of certificates (draft-ietf-sshm-cert, `ssh-keygen(1)` CERTIFICATES, `sshd_config(5)`): what this CA issues
//! keeps all of them, and the bastion judges hostile certificates as a real `sshd` does, or more strictly for a reason.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use hallpass_tests::failure::Context;
use hallpass_tests::keys::{self, Certificate};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World};
use record::entry::{Authority, Entry, Line};
use ssh_key::PrivateKey;

/// Takes fields of RFC 4251 from the front of some bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self, bytes: usize) -> u64 {
        let (head, rest) = self.0.split_at(bytes);
        self.0 = rest;
        head.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
    }

    fn string(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.number(4)).unwrap_or(usize::MAX);
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        head
    }

    fn text(&mut self) -> String {
        String::from_utf8_lossy(self.string()).into_owned()
    }

    fn texts(&mut self) -> Vec<String> {
        let mut inside = Fields(self.string());
        std::iter::from_fn(|| (!inside.0.is_empty()).then(|| inside.text())).collect()
    }

    /// Names and data; of an option without data the data is empty.
    fn options(&mut self) -> Vec<(String, Vec<u8>)> {
        let mut inside = Fields(self.string());
        let one = || (!inside.0.is_empty()).then(|| (inside.text(), inside.string().to_vec()));
        std::iter::from_fn(one).collect()
    }
}

/// The MUSTs of the draft over the bytes that were signed, read by nobody's code but this test's.
fn keeps_the_draft(signed: &[u8], authority: Authority, ca: &[u8]) {
    let mut fields = Fields(signed);
    let algorithm = fields.text();
    assert_eq!(
        algorithm, "ssh-ed25519-cert-v01@openssh.com",
        "§2.1: the name"
    );
    assert_eq!(fields.string().len(), 32, "§2.1: the nonce");
    assert_eq!(fields.string().len(), 32, "the Ed25519 key");
    assert!(fields.number(8) > 0, "a serial that can be revoked");
    let kind = fields.number(4);
    let user = matches!(authority, Authority::User | Authority::Session);
    assert_eq!(kind, if user { 1 } else { 2 }, "§2.1: the type");
    assert!(!fields.text().is_empty(), "a key id");
    let principals = fields.texts();
    assert!((1..=256).contains(&principals.len()), "{principals:?}");
    assert!(
        principals
            .iter()
            .all(|name| !name.is_empty() && !name.contains(['*', '?', ',', ' ']))
    );
    let (after, before) = (fields.number(8), fields.number(8));
    assert!(
        after < before && before < u64::MAX,
        "a window with both ends: {after}..{before}"
    );
    let (critical, extensions) = (fields.options(), fields.options());
    for options in [&critical, &extensions] {
        assert!(
            options.is_sorted_by(|a, b| a.0 < b.0),
            "§2.2: sorted, each once: {options:?}"
        );
    }
    assert!(
        user || critical.is_empty() && extensions.is_empty(),
        "a host certificate with options"
    );
    for (name, data) in &critical {
        assert!(
            ["force-command", "source-address"].contains(&name.as_str()),
            "{name}"
        );
        let mut inside = Fields(data);
        assert!(
            !inside.text().is_empty() && inside.0.is_empty(),
            "{name}: one string"
        );
    }
    for (name, data) in &extensions {
        assert_eq!(
            (name.as_str(), data.len()),
            ("permit-pty", 0),
            "a flag without data"
        );
    }
    assert!(fields.string().is_empty(), "§2.1: reserved is empty");
    assert_eq!(fields.string(), ca, "§2.1: the CA's key, plain");
    assert!(fields.0.is_empty(), "nothing behind it");
}

fn ca_of(world: &World, authority: Authority) -> Result<PrivateKey> {
    let name = match authority {
        Authority::User => "user",
        Authority::Session => "session",
        Authority::Host => "host",
        Authority::Door => "door",
    };
    let text = fs::read_to_string(world.ca_key(name))?;
    PrivateKey::from_openssh(text).context(name)
}

#[test]
fn promise_24_what_each_ca_issues_keeps_every_must_of_the_draft() -> Result<()> {
    let near = "[role.near]\ngroups = [\"security\"]\nlogins = [\"LOGIN\"]\ntargets = [\"web1.prod\"]\n\
                sources = [\"127.0.0.0/8\", \"2001:db8::/32\"]\ncommand = \"id -un\"\n\
                approvals = { count = 0 }\n";
    let world = World::with(&Setup {
        extra: near.to_owned(),
        ..Setup::default()
    })?;
    let (db1, web1) = (world.at_db1(), world.at_web1());
    world.take(&world.carol, &web1, &["--role", "near"])?;
    world.take(&world.alice, &web1, &["--for", "12h"])?;
    world.jump(&[&web1, "echo in"])?.ok()?;
    world.take(&world.bob, &db1, &["--role", "db-disk"])?;
    world.bob.ssh(&["-J", "bastion", &db1])?.ok()?;

    // Signed again, the bytes of the log are the very certificates that were given out: Ed25519 is deterministic.
    let log = fs::read_to_string(world.log().join("entries"))?;
    let mut seen = Vec::new();
    for line in log.lines() {
        let line = Line::parse(line).context("the log")?;
        let Entry::Issue {
            authority,
            to_be_signed,
            ..
        } = line.entry
        else {
            continue;
        };
        let signed = STANDARD.decode(to_be_signed).context("base64")?;
        let ca = ca_of(&world, authority)?;
        keeps_the_draft(
            &signed,
            authority,
            &ca.public_key().to_bytes().context("CA")?,
        );
        let signature = certificate_signature(&ca, &signed)?;
        let whole = [signed.clone(), put(&signature)].concat();
        let text = format!(
            "ssh-ed25519-cert-v01@openssh.com {}\n",
            STANDARD.encode(whole)
        );
        let path = world.root().join("again-cert.pub");
        fs::write(&path, &text)?;
        let shown = keys::show(&path)?;
        let kind = match authority {
            Authority::User | Authority::Session => "user certificate",
            Authority::Host | Authority::Door => "host certificate",
        };
        assert!(shown.contains(kind), "{shown}");
        if authority == Authority::User {
            seen.push(text.split(' ').nth(1).unwrap_or_default().trim().to_owned());
        }
        seen.push(format!("{authority:?}"));
    }
    for authority in ["User", "Session", "Host", "Door"] {
        assert!(
            seen.iter().any(|one| one == authority),
            "none of {authority}"
        );
    }
    let alice = fs::read_to_string(world.alice.certificate())?;
    let alice = alice.split(' ').nth(1).unwrap_or_default().trim();
    assert!(
        seen.iter().any(|one| one == alice),
        "another certificate than Alice's"
    );
    world.end()
}

/// A `string` of RFC 4251.
fn put(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    [&length.to_be_bytes(), bytes].concat()
}

/// An Ed25519 signature in the shape that stands in a certificate.
fn certificate_signature(ca: &PrivateKey, signed: &[u8]) -> Result<Vec<u8>> {
    let pair = ca.key_data().ed25519();
    let pair = pair.ok_or_else(|| Failure::new("not an Ed25519 key"))?;
    let key = SigningKey::from_bytes(&pair.private.to_bytes());
    let signature = key.sign(signed).to_bytes();
    Ok([&put(b"ssh-ed25519")[..], &put(&signature)].concat())
}

/// What one judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    In,
    Out,
}

use Judged::{In, Out};

/// A certificate, what `sshd` makes of it, and what the bastion does; where they differ, the bastion is the stricter one.
struct Case<'a> {
    name: &'a str,
    says: Certificate<'a>,
    sshd: Judged,
    bastion: Judged,
}

fn cases<'a>(at: &'a str, two: &'a str) -> Vec<Case<'a>> {
    let right = Certificate {
        principals: at,
        serial: 1,
        ..Certificate::default()
    };
    let with = |name, sshd, bastion, change: &dyn Fn(&mut Certificate<'a>)| {
        let mut says = right.clone();
        change(&mut says);
        Case {
            name,
            says,
            sshd,
            bastion,
        }
    };
    vec![
        with("right", In, In, &|_| {}),
        with("no serial", In, In, &|c| c.serial = 0),
        with("for ever", In, In, &|c| c.window = "always:forever"),
        with("empty key id", In, In, &|c| c.id = ""),
        with("no principal", Out, Out, &|c| c.principals = ""),
        with("the login alone", Out, Out, &|c| c.principals = "root"),
        with("a wildcard", Out, Out, &|c| c.principals = "*@web1.prod"),
        with("everything", Out, Out, &|c| c.principals = "*"),
        with("expired", Out, Out, &|c| c.window = "-10m:-5m"),
        with("not yet", Out, Out, &|c| c.window = "+5m:+10m"),
        with("host type", Out, Out, &|c| c.host = true),
        with("from here", In, In, &|c| {
            c.options = &["source-address=127.0.0.0/8"];
        }),
        with("from here or there", In, In, &|c| {
            c.options = &["source-address=192.0.2.0/24,127.0.0.1/32"];
        }),
        with("from there", Out, Out, &|c| {
            c.options = &["source-address=192.0.2.0/24"];
        }),
        with("from an address that is none", Out, Out, &|c| {
            c.options = &["critical:source-address=xxxxx"];
        }),
        with("from no address", Out, Out, &|c| {
            c.options = &["critical:source-address="];
        }),
        with("one command", In, In, &|c| {
            c.options = &["force-command=echo in"];
        }),
        with("an unknown critical option", Out, Out, &|c| {
            c.options = &["critical:unknown@example=yes"];
        }),
        with("an unknown extension", In, In, &|c| {
            c.options = &["extension:unknown@example=yes"];
        }),
        // `sshd` asks it of tokens alone; the bastion cannot see a login's PIN, and lets nobody in who should give one.
        with("verify-required without a token", In, Out, &|c| {
            c.options = &["verify-required"];
        }),
        with("no extension", In, In, &|c| c.options = &["clear"]),
        // One name among others: `sshd` looks for its own; ours are for one way in, each well-formed.
        with("a name that is no way in", In, Out, &|c| {
            c.principals = two;
        }),
    ]
}

/// Whether Alice gets into the target's own `sshd` with the certificate that lies beside her key.
fn by_sshd(world: &World) -> Result<Judged> {
    let (port, to) = (
        world.web1.port.to_string(),
        format!("{}@127.0.0.1", world.login),
    );
    let output = world.alice.ssh(&[
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-p",
        &port,
        &to,
        "echo in",
    ])?;
    Ok(if output.status == 0 { In } else { Out })
}

/// Whether the bastion's own checks let the certificate pass: then only the CA's log refuses it, which holds no such one.
fn by_bastion(world: &mut World, at: &str) -> Result<(Judged, String)> {
    let before = world.bastion()?.log().len();
    let output = world.jump(&[at, "echo in"])?;
    assert_ne!(output.status, 0, "nobody issued it: {output}");
    let log = world.bastion()?.log();
    let told = format!("{}{}", output.err(), log.get(before..).unwrap_or_default());
    let passed = told.contains("this CA never issued it");
    Ok((if passed { In } else { Out }, told))
}

#[test]
fn promise_25_the_bastion_judges_as_sshd_does_or_more_strictly() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let (user_ca, session_ca) = (world.ca_key("user"), world.ca_key("session"));
    let key = world.alice.key();
    let mut differ = 0;
    let two = format!("{at},not-a-way-in");
    for case in cases(&at, &two) {
        let certify = |ca: &Path| keys::certify(ca, &key, &case.says).map(drop);
        certify(&session_ca)?;
        assert_eq!(by_sshd(&world)?, case.sshd, "sshd: {}", case.name);
        certify(&user_ca)?;
        let (judged, told) = by_bastion(&mut world, &at)?;
        assert_eq!(judged, case.bastion, "bastion: {}\n{told}", case.name);
        assert!(
            judged == Out || case.sshd == In,
            "{}: wider than sshd",
            case.name
        );
        differ += u32::from(judged != case.sshd);
    }
    assert_eq!(differ, 2, "cases in which the bastion is stricter");
    world.end()
}
