//! The CA's keys follow one another while people are inside, before a real `sshd`.

use std::fs;
use std::path::Path;
use std::process::Command;

use hallpass_tests::keys::Certificate;
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::{Output, Result, World, keys, programs, ring};

const CAS: [&str; 4] = ["user", "session", "host", "door"];

/// What an administrator brings to each target: the session CA's keys, as `target setup` prints them.
fn set_targets_up(world: &World) -> Result<Vec<String>> {
    let script = world
        .hallpass(&["target", "setup", "web1.prod"])?
        .ok()?
        .out();
    let keys: Vec<String> = script
        .lines()
        .filter(|line| line.starts_with("ssh-ed25519 "))
        .map(str::to_owned)
        .collect();
    for target in ["db1", "web1"] {
        let path = world.root().join(target).join("session_ca.pub");
        fs::write(path, keys.join("\n") + "\n")?;
    }
    Ok(keys)
}

/// Past the bastion, with a certificate that a session CA's key has signed.
fn straight(world: &World, ca: &Path) -> Result<Output> {
    let key = world.root().join("thief");
    if !key.exists() {
        keys::make(&key, "thief")?;
    }
    let principals = format!("{}@web1.prod", world.login);
    let fields = Certificate {
        principals: &principals,
        ..Certificate::default()
    };
    keys::certify(ca, &key, &fields)?;
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
        .arg(&key)
        .args([
            "-l",
            &world.login,
            "-p",
            &world.web1.port.to_string(),
            "127.0.0.1",
            "echo in",
        ]);
    process::run(&mut command)
}

#[test]
fn keys_follow_one_another_while_people_are_inside() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let mut inside = world.alice.ssh_live(&["-tt", "-J", "bastion", &at])?;
    inside.send("echo \"be$((1))fore\"\n")?;
    inside.wait_out("be1fore", LIMIT)?;
    let old = fs::read(world.alice.certificate())?;
    let stolen = world.root().join("stolen");
    fs::copy(world.ca_key("session"), &stolen)?;

    // Announced: listed everywhere, and nothing is signed with it yet.
    world
        .hallpass(&["keys", "switch", "session"])?
        .exits(1)?
        .says("has announced no session key yet")?;
    for name in CAS {
        let said = world.hallpass(&["keys", "rotate", name])?.ok()?;
        assert!(
            said.out().contains("systemctl reload hallpass-ca"),
            "{said}"
        );
        ring::reload(&mut world, name, &["current", "announced"])?;
    }
    assert_eq!(set_targets_up(&world)?.len(), 2);
    world.introduce(&world.alice)?;
    let known = fs::read_to_string(world.alice.known_hosts())?;
    assert_eq!(known.matches("@cert-authority ").count(), 1 + 2);
    world
        .jump(&[&at, "echo announced"])?
        .ok()?
        .prints("announced\n")?;

    // The new ones sign. Who is inside stays, who has a certificate goes in, and who asks gets a new one.
    for name in CAS {
        world.hallpass(&["keys", "switch", name])?.ok()?;
        ring::reload(&mut world, name, &["old", "current"])?;
    }
    inside.send("echo \"af$((1))ter\"\n")?;
    inside.wait_out("af1ter", LIMIT)?;
    world.jump(&[&at, "echo old"])?.ok()?.prints("old\n")?;
    world.take(&world.alice, &at, &[])?;
    inside.send("exit 0\n")?;
    inside.finish(LIMIT)?.ok()?;
    world.kill_bastion();
    world.start_bastion()?;
    world.jump(&[&at, "echo new"])?.ok()?.prints("new\n")?;
    let session = ring::listed(&world, "session")?;
    let new = session[1]["fingerprint"].as_str().unwrap_or_default();
    assert!(
        world.web1.log().contains(new),
        "sshd took the new session CA's certificate"
    );
    straight(&world, &stolen)?.ok()?.prints("in\n")?;

    // Retired: what the old keys have signed opens nothing, neither here nor at a target.
    world
        .hallpass(&["keys", "retire", "user"])?
        .exits(1)?
        .says("certificates under it are good until")?;
    for name in CAS {
        world.hallpass(&["keys", "retire", name, "--now"])?.ok()?;
        ring::reload(&mut world, name, &["retired", "current"])?;
    }
    assert_eq!(set_targets_up(&world)?.len(), 1);
    straight(&world, &stolen)?
        .exits(255)?
        .says("Permission denied")?;
    let fresh = fs::read(world.alice.certificate())?;
    world.alice.save_certificate(&old)?;
    let refused = world.jump(&[&at, "echo never"])?;
    assert_ne!(refused.status, 0, "{refused}");
    assert_eq!(refused.out(), "", "{refused}");
    world.alice.save_certificate(&fresh)?;
    world.jump(&[&at, "echo new"])?.ok()?.prints("new\n")?;

    // And it survives a restart.
    world.kill_ca();
    world.start_ca()?;
    world.take(&world.alice, &at, &[])?;
    world.jump(&[&at, "echo again"])?.ok()?.prints("again\n")?;
    world.end()
}
