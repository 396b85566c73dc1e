//! Revocation lists, judged by a real `sshd` that has one as `RevokedKeys`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hallpass_tests::failure::Context;
use hallpass_tests::keys::Certificate;
use hallpass_tests::target::Target;
use hallpass_tests::{Failure, Output, Result, keys, process, programs};
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
