//! The flaws that were found in this field, one row each: where it was, and the tests that show it is not here.
//!
//! The rows of certificate authorities are whole. Those of bastions and of recordings name the tests that there are;
//! `Later` says what of such a row nobody has tested yet.

#[path = "flaws/nonsense.rs"]
mod nonsense;
#[path = "flaws/table.rs"]
mod table;

use std::fs;
use std::path::Path;

use hallpass_tests::failure::Context;
use hallpass_tests::process::LIMIT;
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, keys};
use table::Part::{Ca, Later, Relay};
use table::flaws;

#[test]
fn every_flaw_has_its_tests() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = Vec::new();
    for flaw in flaws() {
        let name = format!("{} ({})", flaw.what, flaw.found);
        match &flaw.part {
            Later("") => wrong.push(format!("{name}: no reason")),
            Ca | Relay if flaw.tests.is_empty() => wrong.push(format!("{name}: no test")),
            _ => {}
        }
        for test in flaw.tests {
            let (file, function) = test.split_once("::").unwrap_or_default();
            let path = root.join(file);
            let text = fs::read_to_string(&path).context(path.display())?;
            let head = text.split(&format!("fn {function}(")).next();
            let head = head.filter(|head| head.len() < text.len());
            let attributes = head.and_then(|head| head.rsplit("\n\n").next());
            if !attributes.is_some_and(|a| a.contains("#[test]") || a.contains("#[tokio::test")) {
                wrong.push(format!("{name}: there is no test {test}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let of_the_ca = flaws().filter(|flaw| flaw.part == Ca).count();
    assert!(of_the_ca >= 20, "{of_the_ca} rows are the CA's");
    Ok(())
}

#[test]
fn a_certificate_that_is_collected_again_keeps_every_restriction() -> Result<()> {
    let extra = "[role.near]\ngroups = [\"security\"]\nlogins = [\"LOGIN\"]\n\
                 targets = [\"web1.prod\"]\nsources = [\"127.0.0.0/8\"]\ncommand = \"id -un\"\n\
                 approvals = { count = 0 }\n";
    let mut world = World::with(&Setup {
        extra: extra.to_owned(),
        ..Setup::default()
    })?;
    let id = world.take(&world.carol, &world.at_web1(), &["--role", "near"])?;
    let first = fs::read(world.carol.certificate())?;
    let restrictions = "Critical Options: \n                force-command id -un\n                \
                        source-address 127.0.0.0/8\n";
    for round in 0..3 {
        let again = world.carol.ssh(&["ca", "collect", &id])?.ok()?;
        world.carol.save_certificate(&again.stdout)?;
        let shown = keys::show(&world.carol.certificate())?;
        assert!(shown.contains(restrictions), "{round}: {shown}");
        assert_eq!(again.stdout, first, "{round}: another certificate");
        if round == 1 {
            world.kill_ca();
            world.start_ca()?;
        }
    }
    // Nothing that is said while collecting widens it.
    for more in [&["--command", "sh"][..], &["--for", "12h"]] {
        let output = world.carol.ssh(&[&["ca", "collect", &id], more].concat())?;
        output.exits(2)?.says("unexpected argument")?;
    }
    world.end()
}

#[test]
fn names_are_compared_byte_for_byte() -> Result<()> {
    let mut world = World::new()?;
    let at = world.at_web1();
    let louder = |name: &str| name.to_uppercase();
    let (login, target) = (world.login.clone(), "web1.prod");
    for other in [
        format!("{}@{target}", louder(&login)),
        format!("{login}@{}", louder(target)),
        format!("{login}@Web1.prod"),
        format!("{login}@{target}."),
    ] {
        let asked = ["ca", "request", &other, "--reason", "another case"];
        let output = world.alice.ssh(&asked)?;
        assert!(matches!(output.status, 1 | 2), "{other}: {output}");
        assert_eq!(output.out(), "", "{other}: {output}");
    }
    // A role, too, is named as it is written.
    let output = world.alice.ssh(&[
        "ca",
        "request",
        &at,
        "--role",
        "Web-Look",
        "--reason",
        "another case",
    ])?;
    assert!(matches!(output.status, 1 | 2), "{output}");
    // And a certificate for one spelling opens no other one.
    world.take(&world.alice, &at, &[])?;
    let output = world.jump(&[&format!("{}@{target}", louder(&login)), "echo never"])?;
    assert_ne!(output.status, 0, "{output}");
    assert_eq!(output.out(), "", "{output}");
    world
        .bastion()?
        .wait_log("the certificate is not for", LIMIT)?;
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;
    world.end()
}

#[test]
fn a_revocation_is_of_the_grant_that_it_names_and_by_who_may() -> Result<()> {
    let world = World::new()?;
    let (db1, web1) = (world.at_db1(), world.at_web1());
    let first = world.grant(&world.alice, &db1, &[])?;
    let db1_certificate = fs::read(world.alice.certificate())?;
    let second = world.take(&world.alice, &web1, &[])?;
    let web1_certificate = fs::read(world.alice.certificate())?;
    let bobs = world.take(&world.bob, &db1, &["--role", "db-disk"])?;
    // Alice can neither revoke nor give back what is Bob's.
    for verb in [&["revoke"][..], &["return"]] {
        let mut args = [&["ca"], verb, &[bobs.as_str()]].concat();
        if verb == ["revoke"] {
            args.extend(["--reason", "mine now"]);
        }
        let output = world.alice.ssh(&args)?;
        assert!(matches!(output.status, 1 | 2), "{output}");
    }
    world
        .bob
        .ssh(&["-J", "bastion", &db1])?
        .ok()?
        .prints("forced")?;
    // Of two grants of one key the named one ends, and only that one.
    let revoke = ["ca", "revoke", &first, "--reason", "lost laptop"];
    world.carol.ssh(&revoke)?.ok()?;
    world.alice.save_certificate(&db1_certificate)?;
    let output = world.jump(&[&db1, "echo never"])?;
    assert_ne!(output.status, 0, "{output}");
    assert_eq!(output.out(), "", "{output}");
    world.alice.save_certificate(&web1_certificate)?;
    world.jump(&[&web1, "echo in"])?.ok()?.prints("in\n")?;
    world.alice.ssh(&["ca", "return", &second])?.ok()?;
    let output = world.jump(&[&web1, "echo never"])?;
    assert_ne!(output.status, 0, "{output}");
    world.end()
}
