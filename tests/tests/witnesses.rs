//! Witnesses of the issuance log: they cosign no fork, and a CA that needs them waits for them.

use std::fs;
use std::path::Path;

use hallpass_tests::failure::Context as _;
use hallpass_tests::process::LIMIT;
use hallpass_tests::watch::{Witness, Witnesses, copy, out, path, peer, until, vkey};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, keys, ports};

/// Entries that need nobody: host certificates, by a CA that does not run.
fn more(world: &World, count: usize) -> Result<()> {
    let key = keys::public(&world.db1.host_key());
    for _ in 0..count.div_ceil(2) {
        world
            .hallpass(&["target", "certify", "db1.prod", path(&key)])?
            .ok()?;
    }
    Ok(())
}

/// Asks it for the newest note of a log, as one whose last one had `old` entries.
fn add(witness: &Witness, world: &World, log: &Path, old: u64) -> Result<String> {
    let note = fs::read_to_string(log.join("checkpoint.note"))?;
    let text = fs::read_to_string(log.join("entries"))?;
    let leaves: Vec<_> = text
        .lines()
        .map(|line| record::tree::leaf_hash(line.as_bytes()))
        .collect();
    let size = usize::try_from(old).unwrap_or(usize::MAX);
    let proof = record::tree::proof::consistency(&leaves, size).unwrap_or_default();
    let body = world.root().join("body");
    fs::write(&body, record::witness::Ask { old, proof, note }.body())?;
    witness.ask(&body, "/add-checkpoint")
}

#[test]
fn promise_09_a_witness_speaks_the_protocol_and_cosigns_no_fork() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    world.start_ca()?;
    world.kill_ca();
    let (port, key) = (ports::free()?, world.root().join("w1"));
    keys::make(&key, "w1")?;
    let witness = Witness::start(&world, "w1", port, &key)?;
    let log = world.log();
    // What the log has signed: a CA that is killed may have written an entry more than that.
    let size = |log: &Path| -> Result<u64> {
        let note = fs::read_to_string(log.join("checkpoint.note"))?;
        let size = note.lines().nth(1).unwrap_or_default();
        size.parse().context("the size of the log")
    };
    let first = size(&log)?;
    let line = add(&witness, &world, &log, 0)?;
    assert!(
        line.starts_with("\u{2014} w1 ") && line.contains(" 200 "),
        "{line}"
    );

    // A copy of the whole directory, as a backup would be; then the log goes on.
    let backup = world.root().join("backup");
    copy(&log, &backup)?;
    more(&world, 4)?;
    let second = size(&log)?;
    let conflict = add(&witness, &world, &log, 0)?;
    assert_eq!(conflict, format!("{first}\n 409 text/x.tlog.size"));
    add(&witness, &world, &log, first)?;

    // The backup is put back, and goes another way: an honest-looking log, with its own key.
    let kept = world.root().join("kept");
    copy(&log, &kept)?;
    copy(&backup, &log)?;
    fs::remove_dir_all(world.root().join("site/ca/store"))?;
    let rolled_back = add(&witness, &world, &log, first)?;
    assert_eq!(rolled_back, format!("{second}\n 409 text/x.tlog.size"));
    more(&world, 4)?;
    let fork = add(&witness, &world, &log, second)?;
    assert!(
        fork.contains("ALARM: the log has signed two trees"),
        "{fork}"
    );
    assert!(fork.contains(" 409 "), "{fork}");
    more(&world, 2)?;
    let fork = add(&witness, &world, &log, second)?;
    assert!(
        fork.contains("the proof does not") && fork.contains(" 422 "),
        "{fork}"
    );
    // Killed and started again it has forgotten nothing.
    drop(witness);
    let witness = Witness::start(&world, "w1", port, &key)?;
    let fork = add(&witness, &world, &log, second)?;
    assert!(fork.contains(" 422 "), "{fork}");
    witness.service.show_log();
    // What is not a call at all.
    let body = world.root().join("body");
    for (text, path, status) in [
        ("old 0\n", "/add-checkpoint", " 400 "),
        (
            "old 0\n\nother\n1\nAAAA\n\n\u{2014} other AAAAAAAA\n",
            "/add-checkpoint",
            " 404 ",
        ),
        ("old 0\n", "/other", " 404 "),
    ] {
        fs::write(&body, text)?;
        let said = witness.ask(&body, path)?;
        assert!(said.contains(status), "{said}");
    }
    copy(&kept, &log)?;
    fs::remove_dir_all(world.root().join("site/ca/store"))?;
    let again = add(&witness, &world, &log, second)?;
    assert!(again.contains(" 200 "), "{again}");
    assert!(witness.vkey.starts_with("w1+"));
    world.end()
}

#[test]
fn promise_09_an_access_certificate_waits_for_its_witnesses() -> Result<()> {
    let witnesses = Witnesses::new(3)?;
    let mut world = World::lay_out(&witnesses.setup(2)?)?;
    let (site, dir) = (world.root().join("site"), out(&world));
    let at = world.at_web1();
    let first = witnesses.start(&world, "w1")?;
    world.start_ca()?;
    let ask = ["ca", "request", &at, "--reason", "INC-42"];
    let mut live = world.alice.ssh_live(&ask)?;
    live.wait_err("waiting for witnesses", LIMIT)?;
    assert!(live.out().is_empty(), "released without witnesses");
    let mut second = witnesses.start(&world, "w2")?;
    let certificate = "ssh-ed25519-cert-v01@openssh.com ";
    live.finish(LIMIT)?.ok()?.prints(certificate)?;
    // What is published carries both cosignatures, for us and for another program.
    let (log, one, two) = (vkey(&world)?, &first.vkey, second.vkey.clone());
    peer(&dir, &[&log, one, &two])?.ok()?;
    let args = [
        "log",
        "verify",
        path(&dir),
        "--witness",
        one,
        "--witness",
        &two,
    ];
    world.hallpass(&args)?.ok()?.prints("cosigned by w1, w2")?;
    let backup = world.root().join("backup");
    copy(&site, &backup)?;

    // One of the two that answer is gone: nothing is released but break-glass.
    second.service.kill()?;
    let db = world.at_db1();
    let glass = ["ca", "request", &db, "--break-glass", "--reason", "INC-42"];
    world.alice.ssh(&glass)?.ok()?.prints(certificate)?;
    let refused = world.alice.ssh(&ask)?.exits(5)?;
    assert!(
        refused.out().is_empty() && refused.err().contains("witnesses"),
        "{refused}"
    );
    let kept = refused.err();
    let (_, id) = kept.rsplit_once("ssh ca collect ").unwrap_or_default();
    let id = id.trim().to_owned();
    let second = witnesses.start(&world, "w2")?;
    until("they cosign again", || {
        let collected = world.alice.ssh(&["ca", "collect", &id])?;
        Ok(collected.status == 0 && collected.out().starts_with(certificate))
    })?;
    world.verify()?.ok()?;

    // The CA's whole directory, what is published included, comes from a backup: the witnesses remember.
    world.kill_ca();
    fs::remove_dir_all(&site)?;
    copy(&backup, &site)?;
    world.start_ca()?;
    let refused = world.alice.ssh(&ask)?.exits(5)?;
    assert!(refused.out().is_empty(), "{refused}");
    world.ca()?.wait_log("ALARM", LIMIT)?;
    drop((first, second));
    world.end()
}
