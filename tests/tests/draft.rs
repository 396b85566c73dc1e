//! What this CA issues keeps every MUST of draft-ietf-sshm-cert, read by nobody's code but this test's, whichever kind of key its
//! CAs have.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use hallpass_tests::failure::Context;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, keys};
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

/// The four CAs, by their keys' files.
const CAS: [&str; 4] = ["user", "session", "host", "door"];

const fn name_of(authority: Authority) -> &'static str {
    match authority {
        Authority::User => "user",
        Authority::Session => "session",
        Authority::Host => "host",
        Authority::Door => "door",
    }
}

fn ca_of(world: &World, authority: Authority) -> Result<PrivateKey> {
    let name = name_of(authority);
    let text = fs::read_to_string(world.ca_key(name))?;
    PrivateKey::from_openssh(text).context(name)
}

/// The CAs' keys are of another kind, and the targets are told.
fn with_keys(algorithm: &str) -> Result<World> {
    let near = "[role.near]\ngroups = [\"security\"]\nlogins = [\"LOGIN\"]\ntargets = [\"web1.prod\"]\n\
                sources = [\"127.0.0.0/8\", \"2001:db8::/32\"]\ncommand = \"id -un\"\n\
                approvals = { count = 0 }\n";
    let mut world = World::lay_out(&Setup {
        extra: near.to_owned(),
        ..Setup::default()
    })?;
    if algorithm != "ed25519" {
        for name in CAS {
            let key = world.ca_key(name);
            for old in [key.clone(), keys::public(&key)] {
                fs::remove_file(old)?;
            }
            keys::make_as(&key, name, algorithm)?;
        }
        let public = keys::public(&world.db1.host_key()).display().to_string();
        let certified = world
            .hallpass(&["target", "certify", "db1.prod", &public])?
            .ok()?;
        fs::write(keys::certificate(&world.db1.host_key()), certified.stdout)?;
        let (ca, login) = (world.public_of("session")?, world.login.clone());
        for target in [&mut world.db1, &mut world.web1] {
            target.stop();
            target.start(&ca, &login, "")?;
        }
    }
    world.start_ca()?;
    world.start_bastion()?;
    for person in [&world.alice, &world.bob, &world.carol] {
        world.introduce(person)?;
    }
    Ok(world)
}

/// Has each CA issue something, and gives back what the log says that each has signed.
fn issued(world: &World) -> Result<Vec<(Authority, Vec<u8>)>> {
    let (db1, web1) = (world.at_db1(), world.at_web1());
    world.take(&world.carol, &web1, &["--role", "near"])?;
    world.take(&world.alice, &web1, &["--for", "12h"])?;
    world.jump(&[&web1, "echo in"])?.ok()?;
    world.take(&world.bob, &db1, &["--role", "db-disk"])?;
    world.bob.ssh(&["-J", "bastion", &db1])?.ok()?;
    let log = fs::read_to_string(world.log().join("entries"))?;
    let mut all = Vec::new();
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
        all.push((authority, STANDARD.decode(to_be_signed).context("base64")?));
    }
    for name in CAS {
        let of = |(authority, _): &(Authority, Vec<u8>)| name_of(*authority) == name;
        assert!(all.iter().any(of), "none of {name}");
    }
    Ok(all)
}

/// What a file of a certificate holds.
fn whole(path: &Path) -> Result<Vec<u8>> {
    let line = fs::read_to_string(path)?;
    let digits = line.split(' ').nth(1).unwrap_or_default();
    STANDARD.decode(digits.trim()).context(path.display())
}

#[test]
fn promise_24_what_each_ca_issues_keeps_every_must_of_the_draft() -> Result<()> {
    let world = with_keys("ed25519")?;
    // Signed again, the bytes of the log are the very certificates that were given out: Ed25519 is deterministic.
    let mut seen = Vec::new();
    for (authority, signed) in issued(&world)? {
        let ca = ca_of(&world, authority)?;
        keeps_the_draft(
            &signed,
            authority,
            &ca.public_key().to_bytes().context("CA")?,
        );
        let signature = certificate_signature(&ca, &signed)?;
        let again = [signed.clone(), put(&signature)].concat();
        let text = format!(
            "ssh-ed25519-cert-v01@openssh.com {}\n",
            STANDARD.encode(&again)
        );
        let path = world.root().join("again-cert.pub");
        fs::write(&path, &text)?;
        let shown = keys::show(&path)?;
        let kind = match authority {
            Authority::User | Authority::Session => "user certificate",
            Authority::Host | Authority::Door => "host certificate",
        };
        assert!(shown.contains(kind), "{shown}");
        seen.push(again);
    }
    let alice = whole(&world.alice.certificate())?;
    assert!(seen.contains(&alice), "another certificate than Alice's");
    world.end()
}

/// `ssh` took the doors, `sshd` the session certificates and `ssh-keygen -L`, which verifies them, the rest.
#[test]
fn promise_24_cas_with_p256_keys_keep_every_must_of_the_draft_too() -> Result<()> {
    let world = with_keys("ecdsa")?;
    let mut all = issued(&world)?;
    // That of the world's making, before its keys were changed.
    assert_eq!(all.remove(0).0, Authority::Host);
    for (authority, signed) in &all {
        let ca = ca_of(&world, *authority)?;
        let blob = ca.public_key().to_bytes().context("CA")?;
        assert_eq!(Fields(&blob).text(), "ecdsa-sha2-nistp256");
        keeps_the_draft(signed, *authority, &blob);
    }
    let host = keys::certificate(&world.db1.host_key());
    for path in [
        &world.alice.certificate(),
        &world.carol.certificate(),
        &host,
    ] {
        let shown = keys::show(path)?;
        assert!(shown.contains("Signing CA: ECDSA "), "{shown}");
        let whole = whole(path)?;
        let mut own = all.iter().filter(|(_, signed)| whole.starts_with(signed));
        let (_, signed) = own.next().ok_or_else(|| Failure::new(shown.clone()))?;
        let mut rest = Fields(whole.get(signed.len()..).unwrap_or_default());
        let mut signature = Fields(rest.string());
        assert!(rest.0.is_empty(), "nothing behind the signature");
        assert_eq!(signature.text(), "ecdsa-sha2-nistp256", "RFC 5656 §3.1.2");
        let mut numbers = Fields(signature.string());
        assert!(signature.0.is_empty(), "nothing beside r and s");
        for number in [numbers.string(), numbers.string()] {
            // RFC 4251 §5, `mpint`: positive, and no longer than need be.
            let minimal = match number {
                [0, next, ..] => *next >= 0x80,
                [first, ..] => *first < 0x80,
                [] => false,
            };
            assert!(minimal && number.len() <= 33, "{number:?}");
        }
        assert!(numbers.0.is_empty(), "two numbers");
    }
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
