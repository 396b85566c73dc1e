//! Which certificates the bastion accepts: forged with stolen keys by the real `ssh-keygen`.

use std::fs;
use std::path::Path;

use hallpass_tests::keys::{self, Certificate};
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::{Result, World};

/// What is wrong with a forged certificate, which CA's key signs it, its fields, and what the
/// bastion says of it.
type Forgery<'a> = (&'a str, &'a Path, Certificate<'a>, &'a str);

fn forgeries<'a>(at: &'a str, user_ca: &'a Path, own_ca: &'a Path) -> Vec<Forgery<'a>> {
    let right = Certificate {
        principals: at,
        serial: 1,
        ..Certificate::default()
    };
    let with = |change: &dyn Fn(&mut Certificate<'a>)| {
        let mut fields = right.clone();
        change(&mut fields);
        fields
    };
    vec![
        (
            "another CA",
            own_ca,
            right.clone(),
            "not signed by this site's user CA",
        ),
        (
            "host type",
            user_ca,
            with(&|c| c.host = true),
            // `ssh` itself does not show a host certificate, so that only the bare key arrives.
            "no access certificate that is valid now was shown",
        ),
        (
            "no principal",
            user_ca,
            with(&|c| c.principals = ""),
            "names no principal",
        ),
        (
            "no login@target",
            user_ca,
            with(&|c| c.principals = "root"),
            "is not LOGIN@TARGET",
        ),
        (
            "another target",
            user_ca,
            with(&|c| c.principals = "root@db1.prod"),
            "opens no way to \"web1.prod\"",
        ),
        (
            "another login",
            user_ca,
            with(&|c| c.principals = "other@web1.prod"),
            "the certificate is not for",
        ),
        (
            "expired",
            user_ca,
            with(&|c| c.window = "-10m:-5m"),
            "Certificate is expired or not yet valid",
        ),
        (
            "not yet valid",
            user_ca,
            with(&|c| c.window = "+5m:+10m"),
            "Certificate is expired or not yet valid",
        ),
        (
            "used elsewhere",
            user_ca,
            with(&|c| c.options = &["source-address=192.0.2.0/24"]),
            "is not for connections from 127.0.0.1",
        ),
        (
            "unknown option",
            user_ca,
            with(&|c| c.options = &["critical:unknown@example=yes"]),
            "\"unknown@example\", which is not known here",
        ),
        (
            "not in the log",
            user_ca,
            with(&|c| c.serial = 999_999),
            "this CA never issued it",
        ),
        (
            "another's serial",
            user_ca,
            right.clone(),
            "this CA never issued it",
        ),
    ]
}

#[test]
fn promise_25_only_what_the_ca_issued_opens_anything() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let user_ca = world.ca_key("user");
    let own_ca = world.root().join("own_ca");
    keys::make(&own_ca, "own")?;
    for (case, ca, fields, why) in forgeries(&at, &user_ca, &own_ca) {
        let before = world.bastion()?.log().len();
        keys::certify(ca, &world.alice.key(), &fields)?;
        let output = world.jump(&[&at, "echo never"])?;
        assert_ne!(output.status, 0, "{case}: {output}");
        assert_eq!(output.out(), "", "{case}: {output}");
        let log = world.bastion()?.log();
        let told = format!("{}{}", output.err(), log.get(before..).unwrap_or_default());
        assert!(told.contains(why), "{case}: expected {why:?} in\n{told}");
    }
    assert_eq!(world.web1.logins(), 0, "the target has seen nobody");
    // A signature that the log does not know means that the key is in other hands.
    world.ca()?.wait_log("ALARM", LIMIT)?;
    world.end()
}

#[test]
fn promise_25_a_revoked_certificate_opens_nothing() -> Result<()> {
    let mut world = World::new()?;
    let at = world.at_db1();
    let id = world.grant(&world.alice, &at, &[])?;
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    world
        .carol
        .ssh(&["ca", "revoke", &id, "--reason", "lost laptop"])?
        .ok()?;
    let output = world.jump(&[&at, "echo never"])?;
    assert_ne!(output.status, 0, "{output}");
    assert_eq!(output.out(), "", "{output}");
    let told = format!("{}{}", output.err(), world.bastion()?.log());
    assert!(told.contains("revoked"), "{told}");
    world.end()
}

#[test]
fn promise_26_no_other_kind_of_key_opens_anything() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    // Every key of the site, as a person's key without a certificate; and the person's own.
    for key in [
        world.ca_key("user"),
        world.ca_key("session"),
        world.ca_key("door"),
        world.bastion_key(),
        world.alice.key(),
    ] {
        let copy = world.root().join("copy");
        fs::copy(&key, &copy)?;
        let identity = format!("IdentityFile={}", copy.display());
        let config = world.root().join("bare_config");
        let text = fs::read_to_string(world.alice.config())?
            .replace(&format!("{}", world.alice.key().display()), "/nonexistent");
        fs::write(&config, text)?;
        let mut ssh = world.alice.command("ssh")?;
        ssh.arg("-F").arg(&config).args([
            "-o",
            &identity,
            "-o",
            "IdentityAgent=none",
            "-W",
            "web1.prod:22",
            "bastion",
        ]);
        process::run(&mut ssh)?
            .exits(255)?
            .says("Permission denied")?;
        fs::remove_file(&copy)?;
    }
    // A key that the user CA certified is no CA: what it signs is nothing.
    let other = world.root().join("other");
    keys::make(&other, "other")?;
    keys::certify(
        &world.alice.key(),
        &other,
        &Certificate {
            principals: &at,
            ..Certificate::default()
        },
    )?;
    fs::copy(keys::certificate(&other), world.alice.certificate())?;
    fs::copy(&other, world.alice.key())?;
    fs::copy(keys::public(&other), keys::public(&world.alice.key()))?;
    let output = world.jump(&["-o", "IdentityAgent=none", &at, "echo never"])?;
    assert_ne!(output.status, 0, "{output}");
    world
        .bastion()?
        .wait_log("not signed by this site's user CA", LIMIT)?;
    // And the bastion lives.
    world.take(&world.bob, &world.at_db1(), &["--role", "db-disk"])?;
    world
        .bob
        .ssh(&["-J", "bastion", &world.at_db1()])?
        .ok()?
        .prints("forced")?;
    world.end()
}
