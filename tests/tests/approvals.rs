//! Approvals: what they cover, who may give them, and that each counts once.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Output, Person, Result, World, keys};

/// Signs `text` in `namespace` with the real `ssh-keygen`; gives the armoured signature.
fn sign(person: &Person, key: &PathBuf, namespace: &str, text: &str) -> Result<Vec<u8>> {
    let mut command = person.command("ssh-keygen")?;
    command
        .args(["-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        .env_remove("SSH_AUTH_SOCK");
    Ok(process::run_with(&mut command, text.as_bytes())?
        .ok()?
        .stdout)
}

/// The canonical text of a request, as `ssh ca show` gives it to be signed.
fn text_of(person: &Person, id: &str) -> Result<String> {
    let shown = person.ssh(&["ca", "show", id, "--text"])?.ok()?.out();
    assert!(shown.starts_with("hallpass-request-v1\n"), "{shown}");
    Ok(shown)
}

fn approve_with(person: &Person, id: &str, signature: &[u8]) -> Result<Output> {
    person.ssh_with(&["ca", "approve", id], signature)
}

#[test]
fn promise_28_stock_ssh_keygen_signs_and_verifies_an_approval() -> Result<()> {
    let world = World::new()?;
    let asked = world.ask(&world.alice, &world.at_db1(), &[])?;
    let text = text_of(&world.bob, &asked.id)?;
    let signature = sign(&world.bob, &world.bob.key(), "approval@hallpass", &text)?;
    approve_with(&world.bob, &asked.id, &signature)?.ok()?;
    asked.live.finish(LIMIT)?.ok()?;

    // The log keeps the signature, and the stock program checks it against the same text.
    let log = fs::read_to_string(world.log().join("entries"))?;
    let kept = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|line| {
            line.pointer("/entry/approval/signature")?
                .as_str()
                .map(str::to_owned)
        })
        .unwrap_or_default();
    let (file, signers) = (world.root().join("kept.sig"), world.root().join("signers"));
    fs::write(&file, kept)?;
    fs::write(
        &signers,
        format!("bob {}\n", keys::public_line(&world.bob.key())?),
    )?;
    let verify = |text: &str| -> Result<Output> {
        let mut command = world.bob.command("ssh-keygen")?;
        command
            .args(["-Y", "verify", "-n", "approval@hallpass", "-I", "bob", "-f"])
            .arg(&signers)
            .arg("-s")
            .arg(&file);
        process::run_with(&mut command, text.as_bytes())
    };
    verify(&text)?
        .ok()?
        .prints("Good \"approval@hallpass\" signature for bob")?;
    assert_ne!(
        verify(&text.replace("seconds: 900", "seconds: 901"))?.status,
        0
    );
    world.end()
}

#[test]
fn promise_28_a_changed_byte_breaks_an_approval() -> Result<()> {
    let world = World::new()?;
    let asked = world.ask(&world.alice, &world.at_db1(), &["--for", "10m"])?;
    let text = text_of(&world.bob, &asked.id)?;
    let changes = [
        ("seconds: 600", "seconds: 601"),
        ("person: alice", "person: carol"),
        ("break-glass: no", "break-glass: yes"),
        ("INC-42", "INC-43"),
    ];
    for (from, to) in changes {
        let other = text.replace(from, to);
        assert_ne!(other, text, "{from} stands in the text");
        let signature = sign(&world.bob, &world.bob.key(), "approval@hallpass", &other)?;
        approve_with(&world.bob, &asked.id, &signature)?
            .exits(1)?
            .says("does not belong to this text")?;
    }
    // Nor does a good signature by the wrong person, or for another purpose.
    let stranger = world.root().join("stranger");
    keys::make(&stranger, "stranger")?;
    let signature = sign(&world.bob, &stranger, "approval@hallpass", &text)?;
    approve_with(&world.bob, &asked.id, &signature)?
        .exits(1)?
        .says("unknown key")?;
    let signature = sign(&world.bob, &world.bob.key(), "file", &text)?;
    approve_with(&world.bob, &asked.id, &signature)?
        .exits(1)?
        .says("namespace")?;
    world
        .bob
        .ssh(&["ca", "show", &asked.id])?
        .ok()?
        .says("")
        .map(drop)?;
    world.bob.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
    asked.live.finish(LIMIT)?.ok()?;
    world.end()
}

#[test]
fn promise_28_a_hundred_collectors_of_one_grant_get_one_certificate() -> Result<()> {
    let world = World::new()?;
    let asked = world.ask(&world.alice, &world.at_db1(), &["--no-wait"])?;
    asked.live.finish(LIMIT)?.ok()?;
    world.bob.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
    // Half of them at a time: the CA lets 64 unauthenticated connections of one address stand.
    let mut certificates = BTreeSet::new();
    for _ in 0..2 {
        let mut live = Vec::new();
        for _ in 0..50 {
            let mut one = world.alice.ssh_live(&["ca", "collect", &asked.id])?;
            one.close();
            live.push(one);
        }
        for one in live {
            certificates.insert(one.finish(LIMIT)?.ok()?.out());
        }
    }
    assert_eq!(
        certificates.len(),
        1,
        "one hundred collectors hold {} certificates",
        certificates.len()
    );
    let log = fs::read_to_string(world.log().join("entries"))?;
    assert_eq!(
        log.matches("\"authority\":\"user\"").count(),
        1,
        "the log holds one intent"
    );
    world.end()
}

#[test]
fn promise_28_twenty_approvals_of_one_request_count_once() -> Result<()> {
    let world = World::new()?;
    let asked = world.ask(&world.alice, &world.at_db1(), &[])?;
    let text = text_of(&world.bob, &asked.id)?;
    let signature = sign(&world.bob, &world.bob.key(), "approval@hallpass", &text)?;
    let mut live = Vec::new();
    for _ in 0..20 {
        let mut one = world.bob.ssh_live(&["ca", "approve", &asked.id])?;
        let _ = one.send(&signature);
        one.close();
        live.push(one);
    }
    for one in live {
        let output = one.finish(LIMIT)?;
        assert!(matches!(output.status, 0 | 1), "{output}");
    }
    asked.live.finish(LIMIT)?.ok()?;
    let log = fs::read_to_string(world.log().join("entries"))?;
    assert_eq!(
        log.matches("\"authority\":\"user\"").count(),
        1,
        "one certificate"
    );
    assert_eq!(log.matches("{\"grant\":").count(), 1, "one grant");
    world.end()
}

#[test]
fn promise_28_a_replayed_approval_is_refused_after_a_restart_too() -> Result<()> {
    let mut world = World::new()?;
    let first = world.ask(&world.alice, &world.at_db1(), &[])?;
    let text = text_of(&world.bob, &first.id)?;
    let signature = sign(&world.bob, &world.bob.key(), "approval@hallpass", &text)?;
    approve_with(&world.bob, &first.id, &signature)?.ok()?;
    first.live.finish(LIMIT)?.ok()?;
    approve_with(&world.bob, &first.id, &signature)?
        .exits(1)?
        .says("granted")?;
    let second = world.ask(&world.alice, &world.at_db1(), &[])?;
    approve_with(&world.bob, &second.id, &signature)?
        .exits(1)?
        .says("does not belong to this text")?;
    drop(second.live);
    world.kill_ca();
    world.start_ca()?;
    approve_with(&world.bob, &first.id, &signature)?
        .exits(1)?
        .says("granted")?;
    world.end()
}

#[test]
fn promise_30_nobody_approves_themselves_with_whichever_key() -> Result<()> {
    // Bob asks for what Bob's own group approves, and has a second key.
    let spare = tempfile::tempdir()?;
    let second = spare.path().join("second");
    keys::make(&second, "bob@desktop")?;
    let extra = format!(
        "[person.dave]\ngroups = [\"oncall\"]\nkeys = [\"{}\"]\n",
        keys::public_line(&second)?
    );
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    // The key becomes Bob's second one: the same person by another key.
    let config = fs::read_to_string(world.config())?;
    let bobs = keys::public_line(&world.bob.key())?;
    let daves = config
        .split("[person.dave]")
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    let both = config
        .replace(&format!("[person.dave]{daves}"), "")
        .replace(
            &format!("\"{bobs}\""),
            &format!("\"{bobs}\", \"{}\"", keys::public_line(&second)?),
        );
    fs::write(world.config(), both)?;
    let mut world = world;
    world.kill_ca();
    world.start_ca()?;

    let asked = world.ask(&world.bob, &world.at_web1(), &["--role", "web-two"])?;
    world
        .bob
        .ssh(&["-A", "ca", "approve", &asked.id])?
        .exits(1)?
        .says("nobody approves their own request")?;
    let text = text_of(&world.carol, &asked.id)?;
    for key in [&world.bob.key(), &second] {
        let signature = sign(&world.bob, key, "approval@hallpass", &text)?;
        approve_with(&world.bob, &asked.id, &signature)?
            .exits(1)?
            .says("nobody approves their own request")?;
        // Carol's login does not make Bob's signature Carol's.
        let output = approve_with(&world.carol, &asked.id, &signature)?;
        assert_ne!(output.status, 0, "{output}");
    }
    world.carol.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
    asked.live.finish(LIMIT)?.ok()?;
    world.end()
}

#[test]
fn promise_30_persons_are_counted_not_signatures() -> Result<()> {
    let extra =
        "[role.db-two]\ngroups = [\"oncall\"]\nlogins = [\"owner\"]\ntargets = [\"db1.prod\"]\n\
                 approvals = { count = 2, from = \"sre\" }\n"
            .to_owned();
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let mut asked = world.ask(&world.alice, "owner@db1.prod", &[])?;
    // Carol is in two groups, and approves twice: she is one person.
    world.carol.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
    let again = world.carol.ssh(&["-A", "ca", "approve", &asked.id])?;
    assert_ne!(again.status, 0, "{again}");
    again.says("already")?;
    assert!(
        asked.live.runs(),
        "one person is not two: {}",
        asked.live.err()
    );
    world.bob.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
    asked.live.finish(LIMIT)?.ok()?;
    world.end()
}

#[test]
fn promise_30_a_person_in_two_groups_fills_one_of_two_quorums() -> Result<()> {
    let extra =
        "[role.db-both]\ngroups = [\"oncall\"]\nlogins = [\"owner\"]\ntargets = [\"db1.prod\"]\n\
         approvals = [{ count = 1, from = \"sre\" }, { count = 1, from = \"security\" }]\n"
            .to_owned();
    let world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let mut asked = world.ask(&world.alice, "owner@db1.prod", &[])?;
    // Carol is in both groups, and one person: it is Bob who is missing, for whichever of the two.
    world
        .carol
        .ssh(&["-A", "ca", "approve", &asked.id])?
        .ok()?
        .says("approved; still needs 1 of group security or sre (bob)")?;
    assert!(
        asked.live.runs(),
        "one person is not two: {}",
        asked.live.err()
    );
    world.bob.ssh(&["-A", "ca", "approve", &asked.id])?.ok()?;
    asked.live.finish(LIMIT)?.ok()?;
    world.end()
}

#[test]
fn who_may_not_approve_may_not() -> Result<()> {
    let world = World::new()?;
    let asked = world.ask(&world.bob, &world.at_web1(), &["--role", "web-two"])?;
    // Alice is not in sre, and is not told whether there is such a request.
    world
        .alice
        .ssh(&["-A", "ca", "approve", &asked.id])?
        .exits(2)?
        .says("there is no request")?;
    world
        .carol
        .ssh(&["ca", "deny", &asked.id, "--reason", "not tonight"])?
        .ok()?;
    asked.live.finish(LIMIT)?.exits(3)?.says("not tonight")?;
    world.end()
}
