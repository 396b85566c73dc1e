//! Targets' host keys: one that was replaced proves nothing any more, whatever certificate it still has.

use std::fs;
use std::path::Path;
use std::process::Command;

use hallpass_tests::fresh::{Fresh, fingerprint};
use hallpass_tests::{Output, Result, keys, process, programs};

/// Whether the list of refused host keys, as the CA serves it, refuses this.
fn listed(fresh: &Fresh, what: &Path) -> Result<Output> {
    let list = fresh.directory.path().join("hosts.krl");
    let served = fresh.world.alice.ssh(&["ca", "krl", "--hosts"])?.ok()?;
    fs::write(&list, served.stdout)?;
    let mut query = Command::new(programs::find("ssh-keygen")?);
    process::run(query.arg("-Q").arg("-f").arg(&list).arg(what))
}

#[test]
fn a_host_key_that_was_replaced_proves_nothing_though_its_certificate_is_good() -> Result<()> {
    let mut fresh = Fresh::joined()?;
    let at = fresh.at();
    fresh.world.take(&fresh.world.alice, &at, &[])?;
    fresh.world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    let old = keys::certificate(&fresh.target.host_key());
    listed(&fresh, &old)?.ok()?;

    // The machine is made anew, and joins with another key. What runs there still has the one before.
    let next = fresh.directory.path().join("next");
    keys::make(&next, "new1.prod")?;
    let token = fresh.token("new1.prod")?;
    process::run(&mut fresh.join_command("new1.prod", Some(&token), &next)?)?.ok()?;
    let replaced = fingerprint(&keys::public_line(&fresh.target.host_key())?)?;
    fresh
        .world
        .jump(&[&at, "echo in"])?
        .exits(255)?
        .says(&format!(
            "its host certificate is for the key {replaced}, and it has joined with another one"
        ))?;
    assert_eq!(fresh.target.logins(), 1, "nothing was sent to it");
    listed(&fresh, &old)?.exits(1)?.prints("REVOKED")?;
    listed(&fresh, &keys::certificate(&next))?.ok()?;
    // Whoever has the old key is a stranger to the CA as well.
    let held = fresh.join_command("new1.prod", None, &fresh.target.host_key());
    process::run(&mut held?)?
        .exits(1)?
        .says("it knows neither this host key nor this token")?;

    // With the key that it joined with, it is the target again.
    fresh.target.stop();
    for (from, to) in [
        (next.clone(), fresh.target.host_key()),
        (keys::certificate(&next), old),
    ] {
        fs::copy(from, to)?;
    }
    fresh.start()?;
    fresh.world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    fresh.world.end()
}

#[test]
fn a_certificate_of_the_host_cas_stolen_key_opens_no_bastion() -> Result<()> {
    let mut fresh = Fresh::joined()?;
    let at = fresh.at();
    fresh.world.take(&fresh.world.alice, &at, &[])?;
    // Somebody in the target's place has a key of their own, and the host CA's.
    fresh.target.stop();
    let stolen = fresh.target.host_key();
    for path in [
        stolen.clone(),
        keys::public(&stolen),
        keys::certificate(&stolen),
    ] {
        fs::remove_file(path)?;
    }
    keys::make(&stolen, "an impostor")?;
    let fields = keys::Certificate {
        principals: "new1.prod",
        host: true,
        ..keys::Certificate::default()
    };
    keys::certify(&fresh.world.ca_key("host"), &stolen, &fields)?;
    fresh.start()?;
    fresh
        .world
        .jump(&[&at, "echo in"])?
        .exits(255)?
        .says("and it has joined with another one")?;
    assert_eq!(fresh.target.logins(), 0, "nothing was sent to it");
    fresh.world.end()
}
