//! Revocation lists, judged by a real `sshd` that has one as `RevokedKeys`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hallpass_tests::failure::Context;
use hallpass_tests::keys::Certificate;
use hallpass_tests::target::Target;
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, keys, process, programs};
use record::clock::{Clock as _, SystemClock};
use record::krl::{Krl, KrlError};
use ssh_key::PublicKey;

/// A CA that is made by hand, and an `sshd` that trusts it.
struct Hand {
    directory: tempfile::TempDir,
    target: Target,
    login: String,
}

impl Hand {
    fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        for name in ["ca", "user"] {
            keys::make(&root.join(name), name)?;
        }
        let mut hand = Self {
            target: Target::new("db1.prod", &root.join("db1"))?,
            login: programs::login()?,
            directory,
        };
        hand.install(&list(1)?)?;
        let lines = format!("RevokedKeys {}", hand.revoked().display());
        let ca = keys::public_line(&hand.path("ca"))?;
        hand.target.start(&ca, &hand.login, &lines)?;
        Ok(hand)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn revoked(&self) -> PathBuf {
        self.path("revoked")
    }

    fn ca(&self) -> Result<PublicKey> {
        public(&self.path("ca"))
    }

    fn install(&self, krl: &Krl) -> Result<()> {
        install(&self.revoked(), &krl.encode().map_err(failed)?)
    }

    /// Logs in with a new certificate of this serial and key id.
    fn go_in(&self, serial: u64, id: &str) -> Result<Output> {
        let principals = format!("{}@db1.prod", self.login);
        let fields = Certificate {
            id,
            serial,
            principals: &principals,
            ..Certificate::default()
        };
        keys::certify(&self.path("ca"), &self.path("user"), &fields)?;
        go_in(&self.path("user"), &self.login, self.target.port)
    }

    /// The same, refused by the list as `sshd`'s log has it.
    fn is_refused(&self, serial: u64, id: &str) -> Result<()> {
        let before = reasons(&self.target);
        self.go_in(serial, id)?
            .exits(255)?
            .says("Permission denied")?;
        assert!(reasons(&self.target) > before, "{}", self.target.log());
        Ok(())
    }
}

/// How many keys `sshd` has refused because its list revokes them.
fn reasons(target: &Target) -> usize {
    let log = target.log();
    let lines = log.lines();
    lines
        .filter(|line| line.contains("-CERT SHA256:") && line.contains(" revoked by file "))
        .count()
}

/// Puts a list in place at once: a reader sees the old one or the new one.
fn install(at: &Path, krl: &[u8]) -> Result<()> {
    let new = at.with_extension("new");
    fs::write(&new, krl).context(new.display())?;
    fs::rename(&new, at).context(at.display())
}

fn go_in(key: &Path, login: &str, port: u16) -> Result<Output> {
    let mut command = Command::new(programs::find("ssh")?);
    command
        .args([
            "-F",
            "/dev/null",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "BatchMode=yes",
        ])
        .args(["-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(key)
        .args(["-l", login, "-p", &port.to_string(), "127.0.0.1", "echo in"]);
    process::run(&mut command)
}

/// A list that revokes nothing yet.
fn list(number: u64) -> Result<Krl> {
    let mut krl = Krl::new(number, SystemClock::new().wall());
    krl.comment("hallpass").map_err(failed)?;
    Ok(krl)
}

fn public(key: &Path) -> Result<PublicKey> {
    let line = keys::public_line(key)?;
    PublicKey::from_openssh(&line).map_err(|error| Failure::new(error.to_string()))
}

fn failed(error: KrlError) -> Failure {
    Failure::new(error.to_string())
}

#[test]
fn a_certificate_opens_nothing_from_the_moment_the_list_is_replaced() -> Result<()> {
    let hand = Hand::new()?;
    for serial in 41..=43 {
        hand.go_in(serial, "free")?.ok()?.prints("in\n")?;
    }
    let mut krl = list(2)?;
    krl.revoke_serials(&hand.ca()?, [42]).map_err(failed)?;
    hand.install(&krl)?;
    hand.is_refused(42, "free")?;
    for serial in [41, 43] {
        hand.go_in(serial, "free")?.ok()?.prints("in\n")?;
    }
    // Every form that is written, next to a list of full size.
    krl.revoke_ranges(&hand.ca()?, [50..=59]).map_err(failed)?;
    let many = (100..200_100).step_by(2);
    krl.revoke_serials(&hand.ca()?, many).map_err(failed)?;
    krl.revoke_key_id(&hand.ca()?, "named").map_err(failed)?;
    hand.install(&krl)?;
    for (serial, id) in [(42, "free"), (55, "free"), (100_100, "free"), (41, "named")] {
        hand.is_refused(serial, id)?;
    }
    for serial in [41, 60, 100_101] {
        hand.go_in(serial, "free")?.ok()?.prints("in\n")?;
    }
    // A list without it lets it in again: the list alone decides.
    hand.install(&list(4)?)?;
    hand.go_in(42, "free")?.ok()?.prints("in\n")?;
    let mut krl = list(5)?;
    krl.revoke_key(&hand.ca()?).map_err(failed)?;
    hand.install(&krl)?;
    hand.is_refused(41, "free")
}

#[test]
fn the_ca_lists_what_was_revoked_and_signs_the_very_bytes() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = directory.path().join("revoked");
    let empty = list(1)?.encode().map_err(failed)?;
    install(&at, &empty)?;
    let world = World::with(&Setup {
        sshd: format!("RevokedKeys {}", at.display()),
        ..Setup::default()
    })?;
    let id = world.take(&world.alice, &world.at_web1(), &[])?;
    world
        .jump(&[&world.at_web1(), "echo in"])?
        .ok()?
        .prints("in\n")?;

    // Whoever held the session certificate, made again here, would go in with it.
    let serial = session_serial(&world, &id)?;
    let subject = directory.path().join("stolen");
    keys::make(&subject, "stolen")?;
    let principals = world.at_web1();
    let fields = Certificate {
        serial,
        principals: &principals,
        ..Certificate::default()
    };
    keys::certify(&world.ca_key("session"), &subject, &fields)?;
    let steal = || go_in(&subject, &world.login, world.web1.port);
    install(&at, &world.bob.ssh(&["ca", "krl"])?.ok()?.stdout)?;
    steal()?.ok()?.prints("in\n")?;

    world.alice.ssh(&["ca", "return", &id])?.ok()?;
    let (krl, signature, size) = listed(&world)?;
    install(&at, &krl)?;
    steal()?.exits(255)?.says("Permission denied")?;
    assert_eq!(reasons(&world.web1), 1, "{}", world.web1.log());

    let mut query = Command::new(programs::find("ssh-keygen")?);
    query.args(["-Q", "-l", "-f"]).arg(&at);
    let listed = process::run(&mut query)?.ok()?.out();
    assert!(
        listed.contains(&format!("# KRL version {size}\n")),
        "{listed}"
    );
    let serials = listed.lines().filter(|line| line.starts_with("serial: "));
    assert_eq!(serials.collect::<Vec<_>>(), [format!("serial: {serial}")]);
    is_signed(&world, directory.path(), &krl, &signature)?;

    world
        .alice
        .ssh(&["-tt", "ca", "krl"])?
        .exits(2)?
        .says("ssh -T ca krl")?;
    world.end()
}

/// The list, the signature and the size of the log that both are for: the bastion may yet report an end
/// in between.
fn listed(world: &World) -> Result<(Vec<u8>, Vec<u8>, usize)> {
    let size = || -> Result<usize> {
        let entries = fs::read_to_string(world.log().join("entries"))?;
        Ok(entries.lines().count())
    };
    loop {
        let before = size()?;
        let krl = world.bob.ssh(&["ca", "krl"])?.ok()?.stdout;
        let signature = world.bob.ssh(&["ca", "krl", "--signature"])?.ok()?.stdout;
        if size()? == before {
            return Ok((krl, signature, before));
        }
    }
}

/// The serial of the one session certificate under a grant.
fn session_serial(world: &World, id: &str) -> Result<u64> {
    let shown = world.alice.ssh(&["ca", "show", id, "--json"])?.ok()?;
    let shown: serde_json::Value =
        serde_json::from_slice(&shown.stdout).map_err(|error| Failure::new(error.to_string()))?;
    let certificates = shown.get("certificates").and_then(|all| all.as_array());
    let authority = |one: &&serde_json::Value| one.get("authority") == Some(&"session".into());
    let session = certificates.into_iter().flatten().find(authority);
    session
        .and_then(|one| one.get("serial")?.as_u64())
        .ok_or_else(|| Failure::new(format!("no session certificate in {shown}")))
}

/// Stock `ssh-keygen` accepts the signature with the site's own `allowed_signers`, and for these bytes only.
fn is_signed(world: &World, directory: &Path, krl: &[u8], signature: &[u8]) -> Result<()> {
    let signers = directory.join("allowed_signers");
    fs::write(&signers, world.hallpass(&["trust"])?.ok()?.stdout)?;
    let file = directory.join("revoked.sig");
    fs::write(&file, signature)?;
    let verify = |bytes: &[u8]| {
        let mut command = Command::new(programs::find("ssh-keygen")?);
        command.args(["-Y", "verify", "-I", "log", "-n", record::krl::NAMESPACE]);
        command.arg("-f").arg(&signers).arg("-s").arg(&file);
        process::run_with(&mut command, bytes)
    };
    verify(krl)?.ok()?;
    let mut other = krl.to_vec();
    other.push(0);
    verify(&other)?.exits(255).map(drop)
}
