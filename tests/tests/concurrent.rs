//! Two certificate authorities over one directory, and a policy that is edited while people ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hallpass_tests::failure::Context;
use hallpass_tests::process::{LIMIT, Service};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, ports, programs};
use record::digest::Digest;
use record::entry::{Entry, Line};

/// A second `hallpass ca` over the world's directory, on a port of its own: how it is started, and its port.
fn second(world: &World) -> Result<(Command, u16)> {
    let port = ports::free()?;
    let listen = |port| format!("listen = \"127.0.0.1:{port}\"");
    let text = fs::read_to_string(world.config())?;
    let other = text.replacen(&listen(world.ca_port), &listen(port), 1);
    assert_ne!(other, text, "the CA's port stands in the configuration");
    let path = world.config().with_file_name("second.toml");
    fs::write(&path, other)?;
    let mut command = Command::new(programs::hallpass()?);
    command
        .arg("ca")
        .arg("--config")
        .arg(path)
        .env("NO_COLOR", "1");
    Ok((command, port))
}

/// Alice asks the CA that listens on this port.
fn ask(world: &World, port: u16) -> Result<Output> {
    let alias = format!("HostKeyAlias=[127.0.0.1]:{}", world.ca_port);
    let (port, at) = (port.to_string(), world.at_web1());
    world.alice.ssh(&[
        "-o",
        &alias,
        "-p",
        &port,
        "ca",
        "request",
        &at,
        "--reason",
        "which CA is it",
    ])
}

fn lines(world: &World) -> Result<Vec<Line>> {
    let path = world.log().join("entries");
    let text = fs::read_to_string(&path).context(path.display())?;
    let parse = |line| Line::parse(line).map_err(|e| Failure::new(e.to_string()));
    text.lines().map(parse).collect()
}

/// Certificates by the log, whose serials have no gap and no double.
fn issued(world: &World) -> Result<usize> {
    let serials: Vec<u64> = lines(world)?
        .into_iter()
        .filter_map(|line| match line.entry {
            Entry::Issue { serial, .. } => Some(serial),
            _ => None,
        })
        .collect();
    let first = serials.first().copied().unwrap_or_default();
    assert!(
        serials.iter().copied().eq((first..).take(serials.len())),
        "{serials:?}"
    );
    Ok(serials.len())
}

#[test]
fn promise_28_a_second_ca_over_the_same_directory_refuses() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    world.start_ca()?;
    let before = issued(&world)?;
    ask(&world, world.ca_port)?.ok()?;
    for round in 0..2 {
        let (mut command, _) = second(&world)?;
        let log = world.root().join("second.log");
        let mut other = Service::start("the second CA", &mut command, &log)?;
        let status = other.wait(LIMIT)?;
        assert_ne!(status, 0, "{round}: {}", other.log());
        assert!(
            other.log().contains("another process writes this log"),
            "{}",
            other.log()
        );
        // The first one has not noticed.
        ask(&world, world.ca_port)?.ok()?;
    }
    // Offline tools that write refuse as well; those that read do not.
    let rebuild = world.hallpass(&["ca", "rebuild"])?;
    assert_ne!(rebuild.status, 0, "{rebuild}");
    world.verify()?.ok()?;
    assert_eq!(issued(&world)?, before + 3);
    world.end()
}

#[test]
fn promise_28_of_two_cas_that_start_at_one_instant_one_serves() -> Result<()> {
    let world = World::lay_out(&Setup::default())?;
    let mut given = issued(&world)?;
    for round in 0..5 {
        let (mut command, port) = second(&world)?;
        let log = world.root().join("second.log");
        let mut services = [
            (world.service("ca", &[])?, world.ca_port),
            (Service::start("the second CA", &mut command, &log)?, port),
        ];
        let end = std::time::Instant::now() + LIMIT;
        while services.iter_mut().all(|(service, _)| service.runs()) {
            assert!(std::time::Instant::now() < end, "{round}: both serve");
            thread::sleep(Duration::from_millis(10));
        }
        let mut serving = services
            .iter_mut()
            .filter_map(|(s, port)| s.runs().then_some((s, *port)));
        let (survivor, port) = serving.next().ok_or_else(|| Failure::new("both refused"))?;
        survivor.wait_port(port, LIMIT)?;
        ask(&world, port)?.ok()?;
        given += 1;
        assert_eq!(issued(&world)?, given, "{round}");
        // kill -9, and the next two start at once over what it leaves.
        survivor.kill()?;
        world.verify()?.ok()?;
    }
    world.end()
}

/// The configuration with the role `edited` in one of its three shapes: so many approvals, or no such role.
fn shape(base: &str, approvals: Option<u32>) -> String {
    let Some(count) = approvals else {
        return base.to_owned();
    };
    format!(
        "{base}\n[role.edited]\ngroups = [\"oncall\"]\nlogins = [\"owner\"]\ntargets = [\"db1.prod\"]\n\
         approvals = {{ count = {count}, from = \"sre\" }}\n"
    )
}

/// Asks, lets Bob and Carol approve, and collects; any of it may be refused by the policy of that moment. Says whether
/// there was a certificate.
fn try_once(world: &World) -> Result<bool> {
    let asked = world.alice.ssh(&[
        "ca",
        "request",
        "owner@db1.prod",
        "--no-wait",
        "--reason",
        "while it is edited",
    ])?;
    let Ok(id) = hallpass_tests::access::request_id(&asked.err()) else {
        return Ok(false);
    };
    world.bob.ssh(&["-A", "ca", "approve", &id])?;
    world.carol.ssh(&["-A", "ca", "approve", &id])?;
    let collected = world.alice.ssh(&["ca", "collect", &id])?;
    assert_eq!(
        collected.status == 0,
        !collected.stdout.is_empty(),
        "{collected}"
    );
    Ok(collected.status == 0)
}

#[test]
fn promise_29_each_grant_satisfies_the_policy_that_was_in_force() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    let base = fs::read_to_string(world.config())?;
    let shapes = [Some(1), Some(2), None].map(|count| (count, shape(&base, count)));
    let needs: BTreeMap<String, Option<u32>> = shapes
        .iter()
        .map(|(count, text)| (Digest::of(text.as_bytes()).to_string(), *count))
        .collect();
    world.start_ca()?;
    let (id, path) = (world.ca()?.id(), world.config());
    let done = AtomicBool::new(false);
    let shared = &world;
    let certificates = thread::scope(|scope| -> Result<usize> {
        scope.spawn(|| {
            for (_, text) in shapes.iter().cycle() {
                // Whole or not at all, as an editor would save it.
                let new = path.with_extension("new");
                let saved = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
                if done.load(Ordering::Relaxed) || saved.is_err() {
                    return;
                }
                let _ = hallpass_tests::process::signal(id, "HUP");
                thread::sleep(Duration::from_millis(1200));
            }
        });
        let mut certificates = 0;
        let mut tried = || -> Result<()> {
            for _ in 0..40 {
                certificates += usize::from(try_once(shared)?);
                if certificates == 4 {
                    break;
                }
            }
            Ok(())
        };
        let outcome = tried();
        done.store(true, Ordering::Relaxed);
        outcome.map(|()| certificates)
    })?;
    let (mut in_force, mut grants) = (String::new(), 0);
    let mut under = BTreeSet::new();
    for line in lines(&world)? {
        match line.entry {
            Entry::Start { policy } => in_force = policy.to_string(),
            Entry::Grant {
                policy,
                approved_by,
                ..
            } => {
                assert_eq!(
                    policy.to_string(),
                    in_force,
                    "another policy than that of the moment"
                );
                let Some(Some(count)) = needs.get(&in_force).copied() else {
                    return Err(Failure::new("a grant under a policy without the role"));
                };
                let persons: BTreeSet<_> = approved_by.iter().collect();
                assert!(
                    persons.len() >= count as usize,
                    "{count} wanted: {approved_by:?}"
                );
                grants += 1;
                under.insert(count);
            }
            _ => {}
        }
    }
    assert!(
        grants >= certificates && certificates > 0,
        "{certificates} of {grants}"
    );
    eprintln!("{certificates} certificates of {grants} grants, under quorums {under:?}");
    world.end()
}
