//! Break-glass while everything else is down, all at once.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, keys, ports};

/// A role whose approval needs the identity provider, a person on call and a check, on a site that pages somebody and has
/// a witness. `DIR` holds the programs, `DEAD` is a port that nobody listens on, `MUTE` one where nobody answers.
const SITE: &str = r#"
[groups]
command = ["DIR/hang"]
names = ["directors"]
timeout = "2s"

[on-call.primary]
command = ["DIR/fail"]

[check.ticket]
url = "http://127.0.0.1:DEAD/ticket"
secret-file = "DIR/secret"

[alert]
url = "http://127.0.0.1:MUTE/page"

[role.fire]
groups = ["oncall"]
logins = ["LOGIN"]
targets = ["db1.prod"]
command = "echo in"
approvals = [
    { count = 1, from = "directors" },
    { count = 1, from = "sre", on-call = "primary" },
    { check = "ticket" },
]
break-glass = { review = { count = 1, from = "sre" } }

[ca.witnesses]
need = 1

[witness.w1]
key = "WITNESS"
url = "http://127.0.0.1:DEAD"
"#;

fn program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, format!("#!/bin/sh\n{text}\n"))?;
    Ok(fs::set_permissions(
        path,
        fs::Permissions::from_mode(0o700),
    )?)
}

#[test]
fn break_glass_lets_in_with_identity_provider_approvers_checks_alerts_and_witnesses_down()
-> Result<()> {
    let made = tempfile::Builder::new().prefix("hp-").tempdir()?;
    let dir = made.path();
    program(&dir.join("hang"), "exec sleep 600")?;
    program(&dir.join("fail"), "exit 1")?;
    fs::write(dir.join("secret"), "0123456789abcdef0123456789abcdef\n")?;
    fs::set_permissions(dir.join("secret"), fs::Permissions::from_mode(0o600))?;
    keys::make(&dir.join("w1"), "w1")?;
    // It takes connections, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0")?;
    let mute_port = mute.local_addr()?.port();
    let extra = SITE
        .replace("DIR", &dir.display().to_string())
        .replace("DEAD", &ports::free()?.to_string())
        .replace("MUTE", &mute_port.to_string())
        .replace("WITNESS", &keys::public_line(&dir.join("w1"))?);
    let mut world = World::with(&Setup {
        extra,
        ca: format!("publish = \"{}\"\n", dir.join("published").display()),
        ..Setup::default()
    })?;
    // Nobody who could approve is there, and the CA has just been started again: it never heard anybody outside.
    process::signal(world.bob.agent_id(), "KILL")?;
    process::signal(world.carol.agent_id(), "KILL")?;
    world.kill_ca();
    world.start_ca()?;

    let at = world.at_db1();
    let reason = ["--role", "fire", "--reason", "INC-42 all is dark"];
    // The ordinary way leads nowhere, and says for whom it waits.
    let ordinary = [&["ca", "request", &at, "--no-wait"], &reason[..]].concat();
    let waits = world.alice.ssh(&ordinary)?.err();
    assert!(
        waits.contains("directors") && waits.contains("primary"),
        "{waits}"
    );

    let began = Instant::now();
    let now = [&["ca", "request", &at, "--break-glass"], &reason[..]].concat();
    let given = world.alice.ssh(&now)?.ok()?.says("BREAK-GLASS")?;
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(10),
        "it waited for somebody: {took:?}"
    );
    world.alice.save_certificate(&given.stdout)?;
    world.jump(&[&at, "echo in"])?.ok()?.prints("in\n")?;

    // What could not be told is kept for whoever comes back, and what happened is recorded.
    let kept = fs::read_dir(world.root().join("site/ca/alerts"))?.count();
    assert_eq!(kept, 1, "the alert waits on the disk");
    world.wait_finished(1, LIMIT)?;
    world.end()
}
