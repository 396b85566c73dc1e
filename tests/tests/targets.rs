//! Targets: how a machine joins, what it asks the CA from then on, and what reaches a real `sshd` of a revocation.

#[path = "targets/shut_out.rs"]
mod shut_out;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hallpass_tests::fresh::Fresh;
use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::{Failure, Result, World, keys, programs};

/// The serials of the session certificates under a grant.
fn session_serials(world: &World, id: &str) -> Result<Vec<u64>> {
    let shown = world.alice.ssh(&["ca", "show", id, "--json"])?.ok()?;
    let shown: serde_json::Value =
        serde_json::from_slice(&shown.stdout).map_err(|e| Failure::new(e.to_string()))?;
    let all = shown.get("certificates").and_then(|all| all.as_array());
    let authority = |one: &&serde_json::Value| one.get("authority") == Some(&"session".into());
    let sessions = all.into_iter().flatten().filter(authority);
    let serials = sessions.filter_map(|one| one.get("serial")?.as_u64());
    Ok(serials.collect())
}

/// What `sshd` would say of the list: it reads it.
fn is_readable(list: &Path) -> Result<()> {
    let mut query = Command::new(programs::find("ssh-keygen")?);
    process::run(query.args(["-Q", "-l", "-f"]).arg(list))?.ok()?;
    let mode = fs::metadata(list)?.permissions().mode() & 0o777;
    assert_eq!(mode, 0o644, "{}", list.display());
    Ok(())
}

#[test]
fn a_machine_joins_with_a_token_and_people_go_in() -> Result<()> {
    let fresh = Fresh::joined()?;
    let world = &fresh.world;
    let shown = fresh.certificate()?;
    let principals: Vec<&str> = shown
        .lines()
        .skip_while(|line| !line.contains("Principals:"))
        .skip(1)
        .take_while(|line| line.starts_with("                "))
        .map(str::trim)
        .collect();
    assert_eq!(principals, ["new1.prod"], "{shown}");
    assert!(shown.contains("host certificate"), "{shown}");
    world.take(&world.alice, &fresh.at(), &[])?;
    world
        .jump(&[&fresh.at(), "echo in"])?
        .ok()?
        .prints("in\n")?;
    assert_eq!(fresh.target.logins(), 1);
    // What it says in the log, for people.
    let log = fs::read_to_string(world.log().join("entries"))?;
    for entry in ["invitation", "enrolment"] {
        assert!(
            log.contains(&format!("{{\"{entry}\":")),
            "{entry} is not in the log"
        );
    }
    // The certificate is the same until half of its life is over, and comes back when it is lost.
    let path = keys::certificate(&fresh.target.host_key());
    let before = fs::read(&path)?;
    fresh.sync()?.ok()?;
    assert!(fs::read(&path)? == before, "it was renewed too early");
    fs::remove_file(&path)?;
    fresh.sync()?.ok()?.prints("renewed")?;
    assert!(fs::read(&path)? == before, "it came back as another one");
    fresh.join("new1.prod", None)?.ok()?;
    fresh.world.end()
}

#[test]
fn a_token_is_good_once_and_for_its_target() -> Result<()> {
    let fresh = Fresh::new()?;
    let token = fresh.token("new2.prod")?;
    fresh
        .join("new1.prod", Some(&token))?
        .exits(1)?
        .says("this token is for another target")?;
    assert!(!fresh.revoked().exists(), "something was installed");
    let token = fresh.token("new1.prod")?;
    fresh.join("new1.prod", Some(&token))?.ok()?;
    // The second time it does not even let anybody in.
    let other = fresh.directory.path().join("other");
    keys::make(&other, "other")?;
    for key in [&fresh.target.host_key(), &other] {
        let again = fresh.join_command("new1.prod", Some(&token), key);
        process::run(&mut again?)?
            .exits(1)?
            .says("spent, expired or another one's")?;
    }
    // Neither does no token at all, with a key that nobody knows, nor a token of somebody's own making.
    let unknown = fresh.join_command("new1.prod", None, &other);
    process::run(&mut unknown?)?
        .exits(1)?
        .says("it knows neither this host key")?;
    let made = format!("hpjoin-{}", "0".repeat(32));
    let unknown = fresh.join_command("new1.prod", Some(&made), &other);
    process::run(&mut unknown?)?
        .exits(1)?
        .says("it knows neither this host key")?;
    // Who does not enrol makes none; the CA with another key is not even asked.
    fresh
        .world
        .alice
        .ssh(&["ca", "token", "new1.prod"])?
        .exits(1)?
        .says("only members of security make join tokens")?;
    let token = fresh.token("new1.prod")?;
    let mut elsewhere = Command::new(programs::hallpass()?);
    let ca = format!("127.0.0.1:{}", fresh.world.ca_port);
    elsewhere
        .args([
            "target",
            "join",
            "new1.prod",
            "--token",
            &token,
            "--ca",
            &ca,
        ])
        .args([
            "--ca-key",
            &hallpass_tests::fresh::fingerprint(&fresh.world.public_of("door")?)?,
        ])
        .args(["--units", "", "--etc"])
        .arg(fresh.etc())
        .arg("--host-key")
        .arg(fresh.target.host_key());
    process::run(&mut elsewhere)?
        .exits(1)?
        .says("another host key than the pinned one")?;
    fresh.world.end()
}

#[test]
fn of_many_machines_with_one_token_one_joins() -> Result<()> {
    let fresh = Fresh::new()?;
    let token = fresh.token("new1.prod")?;
    let mut running = Vec::new();
    for n in 0..8 {
        let key = fresh.directory.path().join(format!("key{n}"));
        keys::make(&key, "machine")?;
        let mut command = fresh.join_command("new1.prod", Some(&token), &key)?;
        // Each is a machine of its own.
        command
            .arg("--etc")
            .arg(fresh.directory.path().join(format!("etc{n}")));
        running.push(command);
    }
    let mut live = Vec::new();
    for command in &running {
        let mut own = Command::new(command.get_program());
        let mut args: Vec<_> = command.get_args().map(std::ffi::OsString::from).collect();
        let at = args.iter().position(|arg| arg == "--etc").unwrap_or(0);
        args.drain(at..at + 2);
        live.push(Live::start(own.args(args))?);
    }
    let mut good = 0;
    for one in live {
        let output = one.finish(LIMIT)?;
        good += usize::from(output.status == 0);
    }
    assert_eq!(good, 1, "so many machines have joined");
    fresh.world.end()
}

#[test]
fn a_target_that_left_the_inventory_is_not_renewed() -> Result<()> {
    let mut fresh = Fresh::joined()?;
    let token = fresh.token("new2.prod")?;
    let config = fresh.world.config();
    let text = fs::read_to_string(&config)?;
    let without = text
        .replace("\"new1.prod\"", "\"else1.prod\"")
        .replace("\"new2.prod\"", "\"else2.prod\"");
    fs::write(&config, without)?;
    fresh.world.ca()?.signal("HUP")?;
    let end = Instant::now() + LIMIT;
    loop {
        let output = fresh.sync()?;
        if output.status != 0 {
            output.says("not in its inventory")?;
            break;
        }
        assert!(Instant::now() < end, "the target is still known");
    }
    let other = fresh.directory.path().join("other");
    keys::make(&other, "other")?;
    let late = fresh.join_command("new2.prod", Some(&token), &other);
    process::run(&mut late?)?
        .exits(1)?
        .says("it knows neither this host key nor this token")?;
    fresh.world.end()
}

#[test]
fn a_revoked_session_certificate_opens_nothing_after_a_sync() -> Result<()> {
    let fresh = Fresh::joined()?;
    let world = &fresh.world;
    let id = world.take(&world.alice, &fresh.at(), &[])?;
    world
        .jump(&[&fresh.at(), "echo in"])?
        .ok()?
        .prints("in\n")?;
    let serials = session_serials(world, &id)?;
    let [serial] = serials.as_slice() else {
        return Err(Failure::new(format!("session certificates: {serials:?}")));
    };
    fresh.sync()?.ok()?;
    fresh.steal(*serial)?.ok()?.prints("in\n")?;
    world
        .carol
        .ssh(&["ca", "revoke", &id, "--reason", "lost laptop"])?
        .ok()?;
    fresh.steal(*serial)?.ok()?.prints("in\n")?;
    fresh.sync()?.ok()?.prints("is in force")?;
    is_readable(&fresh.revoked())?;
    fresh
        .steal(*serial)?
        .exits(255)?
        .says("Permission denied")?;
    assert!(
        fresh.target.log().contains(" revoked by file "),
        "{}",
        fresh.target.log()
    );
    fresh.steal(serial + 1000)?.ok()?.prints("in\n")?;
    let id = world.take(&world.alice, &fresh.at(), &[])?;
    world
        .jump(&[&fresh.at(), "echo in"])?
        .ok()?
        .prints("in\n")?;
    assert_ne!(session_serials(world, &id)?, [*serial]);
    fresh.world.end()
}

#[test]
fn a_sync_that_fails_leaves_what_sshd_reads() -> Result<()> {
    let mut fresh = Fresh::joined()?;
    fresh.sync()?.ok()?;
    let before = fs::read(fresh.revoked())?;
    fresh.world.kill_ca();
    fresh.sync()?.exits(1)?.says("the CA at 127.0.0.1")?;
    assert!(fs::read(fresh.revoked())? == before, "the list has changed");
    fresh.steal(7)?.ok()?.prints("in\n")?;
    fresh.world.start_ca()?;
    // Whatever the disk does at whichever step, or the power: the list before, or the new one.
    let calls = "unlink,unlinkat,openat,write,fchmod,fsync,rename,renameat,renameat2,utimensat";
    let mut lists = BTreeSet::new();
    for fault in ["error=EIO", "error=ENOSPC", "signal=KILL"] {
        for nth in 1..=12 {
            // Something new each time.
            fresh.world.take(&fresh.world.alice, &fresh.at(), &[])?;
            let sync = fresh.sync_command()?;
            let mut strace = Command::new(programs::find("strace")?);
            strace
                .args(["-f", "-o"])
                .arg(fresh.directory.path().join("trace"))
                .arg("-P")
                .arg(fresh.revoked())
                .arg("-P")
                .arg(fresh.etc().join("hallpass/.revoked.new"))
                .args(["-e", &format!("trace={calls}"), "-e"])
                .arg(format!("inject={calls}:{fault}:when={nth}"))
                .arg(sync.get_program())
                .args(sync.get_args());
            let output = process::run(&mut strace)?;
            let trace = fs::read_to_string(fresh.directory.path().join("trace"))?;
            let hit = trace.contains("(INJECTED)") || trace.contains("killed by SIGKILL");
            assert!(nth > 1 || hit, "nothing was injected:\n{trace}{output}");
            is_readable(&fresh.revoked())?;
            lists.insert(fs::read(fresh.revoked())?);
        }
    }
    assert!(lists.len() > 3, "no sync came through: {}", lists.len());
    fresh.steal(7)?.ok()?.prints("in\n")?;
    fresh.sync()?.ok()?;
    fresh.world.end()
}
