//! A CA's key in other hands: what it opens, who is told, and what a stranger sees who has the log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::watch::{entries, path};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Pager, Result, World, keys, programs};
use record::entry::{Entry, Line};
use record::log::Log;
use record::request::APPROVAL_NAMESPACE;
use record::sshsig;
use ssh_key::PrivateKey;

#[test]
fn promise_25_a_stolen_user_ca_key_opens_nothing_and_is_told_once() -> Result<()> {
    let pager = Pager::new(false)?;
    let mut world = World::with(&Setup {
        extra: format!("[report]\nauditors = [\"security\"]\n{}", pager.table()),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    let stolen = keys::Certificate {
        id: "hallpass:0000-0000:alice\u{7}",
        principals: &at,
        serial: 2,
        ..keys::Certificate::default()
    };
    keys::certify(&world.ca_key("user"), &world.alice.key(), &stolen)?;
    for _ in 0..3 {
        let refused = world.jump(&[&at, "echo never"])?;
        assert_ne!(refused.status, 0, "{refused}");
        assert!(refused.out().is_empty(), "{refused}");
    }
    assert_eq!(world.web1.logins(), 0, "the target has seen nobody");
    world
        .ca()?
        .wait_log("ALARM: the user CA's key has signed", LIMIT)?;
    // A real program gets the alert, once, for those who audit.
    let alert = pager.wait("stray-certificate", LIMIT)?;
    assert_eq!(alert["tell"], serde_json::json!(["carol"]));
    let event = &alert["event"]["stray-certificate"];
    assert_eq!(event["bastion"], "bastion");
    let what = event["what"].as_str().unwrap_or_default();
    assert!(
        what.starts_with("serial 2, ") && what.contains(&at) && !what.contains('\u{7}'),
        "{alert}"
    );
    assert_eq!(pager.events().matches("stray-certificate").count(), 1);
    // The attempt is an entry, once, for everybody who watches.
    let log = world.log();
    let shown = world.hallpass(&["log", "show", path(&log)])?.ok()?.out();
    let told: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("ALARM"))
        .collect();
    assert_eq!(told.len(), 1, "{shown}");
    let said = told.concat();
    assert!(
        said.contains("serial 2,") && !said.contains('\u{7}'),
        "{said}"
    );
    let json = world
        .hallpass(&["log", "show", "--json", path(&log)])?
        .ok()?
        .out();
    assert_eq!(json.matches("\"stray\":").count(), 1, "{json}");
    world.end()
}

#[test]
fn promise_25_a_stolen_session_ca_key_is_seen_in_the_target_s_log() -> Result<()> {
    let (world, at) = World::on_web1()?;
    world.jump(&[&at, "echo honest"])?.ok()?;
    let sshd = world.root().join("sshd.log");
    let state = world.root().join("seen");
    let log = world.log();
    let watch = || {
        fs::write(&sshd, world.web1.log())?;
        let args = ["log", "monitor", path(&log), "--state", path(&state)];
        world.hallpass(&[&args[..], &["--sshd-log", path(&sshd)]].concat())
    };
    assert_eq!(world.web1.logins(), 1);
    watch()?.ok()?;
    // Whoever has this key enters the target directly: nothing there asks the CA.
    let key = world.root().join("thief");
    keys::make(&key, "thief")?;
    let stolen = keys::Certificate {
        id: "hallpass:forged",
        principals: &at,
        serial: 4,
        ..keys::Certificate::default()
    };
    keys::certify(&world.ca_key("session"), &key, &stolen)?;
    let mut ssh = Command::new(programs::find("ssh")?);
    ssh.args([
        "-F",
        "/dev/null",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "BatchMode=yes",
    ]);
    ssh.args(["-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(&key);
    ssh.args([
        "-l",
        &world.login,
        "-p",
        &world.web1.port.to_string(),
        "127.0.0.1",
        "echo in",
    ]);
    process::run(&mut ssh)?.ok()?.prints("in")?;
    // The monitor finds that login, and only that one.
    let found = watch()?.exits(1)?;
    assert!(
        found.err().contains("ALARM: a target was entered"),
        "{found}"
    );
    assert!(found.err().contains("hallpass:forged"), "{found}");
    assert_eq!(
        found.err().matches("Accepted publickey").count(),
        1,
        "{found}"
    );
    world.end()
}

/// A log that somebody with the log's key writes, from the one of a world that does not run: each entry as they like it.
fn rewritten(
    world: &World,
    name: &str,
    mut change: impl FnMut(Entry) -> Option<Entry>,
) -> Result<PathBuf> {
    let wrong = |e: &dyn std::fmt::Display| Failure::new(e.to_string());
    let key = PrivateKey::read_openssh_file(world.ca_key("log")).map_err(|e| wrong(&e))?;
    let dir = world.root().join(name);
    let mut log = Log::open(&dir, key).map_err(|e| wrong(&e))?.log;
    for text in entries(world)?.lines() {
        let line = Line::parse(text).map_err(|e| wrong(&e))?;
        if let Some(entry) = change(line.entry) {
            let line = Line::new(line.at, entry);
            log.append(&line).map_err(|e| wrong(&e))?;
        }
    }
    Ok(dir)
}

/// The canonical text of a request, as the log holds it.
fn text_of(world: &World, id: &str) -> Result<String> {
    let all = entries(world)?;
    let lines = all.lines().filter_map(|text| Line::parse(text).ok());
    let mut texts = lines.filter_map(|line| match line.entry {
        Entry::Request { text, .. } => Some(text),
        _ => None,
    });
    let found = texts.find(|text| text.contains(&format!("\nid: {id}\n")));
    found.ok_or_else(|| Failure::new(format!("no request {id}")))
}

#[test]
fn promise_28_a_grant_without_its_approval_is_named_whoever_signed_the_log() -> Result<()> {
    let mut world = World::new()?;
    let at = world.at_db1();
    let id = world.grant(&world.alice, &at, &[])?;
    let honest = world.hallpass(&["log", "verify", path(&world.log())])?;
    honest
        .ok()?
        .prints(", 1 grant borne out by its approvals")?;
    world.kill_ca();
    let trust = world.root().join("site/allowed_signers");
    let judged = |dir: &Path, why: &str| -> Result<()> {
        let state = dir.with_extension("seen");
        let args = [path(dir), "--trust", path(&trust)];
        let verify = [&["log", "verify"], &args[..]].concat();
        let monitor = ["log", "monitor", "--state", path(&state)];
        let whole = [&["verify"], &args[..]].concat();
        for args in [verify, [&monitor, &args[..]].concat(), whole] {
            let found = world.hallpass(&args)?.exits(1)?;
            let said = found.out() + &found.err();
            assert!(said.contains("ALARM: entry "), "{found}");
            assert!(said.contains(why), "{found}");
        }
        assert!(!state.exists(), "what is not believed is not kept");
        Ok(())
    };
    let same = rewritten(&world, "same", Some)?;
    let args = ["log", "verify", path(&same), "--trust", path(&trust)];
    world.hallpass(&args)?.ok()?;

    let gone = rewritten(&world, "gone", |entry| match entry {
        Entry::Approval { .. } => None,
        Entry::Grant {
            request,
            digest,
            until,
            policy,
            on_call,
            ..
        } => Some(Entry::Grant {
            request,
            digest,
            until,
            approved_by: Vec::new(),
            policy,
            on_call,
        }),
        other => Some(other),
    })?;
    let lacks = "the log does not bear it out: the approvals do not fill the role's quorums";
    judged(&gone, lacks)?;

    // Alice signs for Bob.
    let own = PrivateKey::read_openssh_file(world.alice.key())
        .map_err(|e| Failure::new(e.to_string()))?;
    let text = text_of(&world, &id)?;
    let signed = sshsig::sign(&own, APPROVAL_NAMESPACE, text.as_bytes());
    let signed = signed.map_err(|e| Failure::new(e.to_string()))?;
    let forged = rewritten(&world, "forged", |entry| match entry {
        Entry::Approval {
            request,
            person,
            on_call,
            ..
        } => Some(Entry::Approval {
            request,
            person,
            signature: signed.clone(),
            on_call,
        }),
        other => Some(other),
    })?;
    judged(&forged, "bob's approval: ")?;
    world.end()
}
