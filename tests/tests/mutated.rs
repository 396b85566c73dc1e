//! The bastion's door under streams that no client sends: what a real `ssh` says until it has logged in, mutated, and what
//! paramiko says behind the key exchange, mutated too.
//!
//! `HALLPASS_STREAMS` is how many streams are thrown instead of some thousands.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use hallpass_tests::chaos::Random;
use hallpass_tests::inject::Trace;
use hallpass_tests::process::{LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, ports, programs};

/// Streams that are thrown while nobody looks on, and while `strace` does.
const STREAMS: u64 = 6000;
const WATCHED: u64 = 1200;

/// Connections behind whose key exchange something is thrown.
const CONNECTIONS: u64 = 100;

/// The largest allocation that anybody brings about before logging in.
const MOST: u64 = 256 << 10;

/// What a mapping has beside the allocation that it is made for: a header, and the rest of a page.
const PAGE: u64 = 4096;

/// Who throws at once.
const THROWERS: u64 = 4;

fn streams() -> u64 {
    let asked = std::env::var("HALLPASS_STREAMS");
    asked.ok().and_then(|n| n.parse().ok()).unwrap_or(STREAMS)
}

/// Runs one good login through a relay, and keeps what went towards the bastion.
fn what_ssh_sends(world: &World) -> Result<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let server = world.bastion_port;
    let relay = thread::spawn(move || -> Result<Vec<u8>> {
        let (client, _) = listener.accept()?;
        let server = TcpStream::connect(ports::address(server))?;
        let (mut back, mut towards) = (server.try_clone()?, client.try_clone()?);
        let backwards = thread::spawn(move || drop(std::io::copy(&mut back, &mut towards)));
        let (mut from, mut to, mut sent) = (client, server, Vec::new());
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let piece = buffer.get(..count).unwrap_or_default();
            sent.extend_from_slice(piece);
            to.write_all(piece)?;
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = backwards.join();
        Ok(sent)
    });
    // By another port, so by another name than the one that `ssh-config` prints.
    let hosts = world.root().join("known");
    let door = world.public_of("door")?;
    fs::write(&hosts, format!("@cert-authority 127.0.0.1 {door}\n"))?;
    let known = format!("UserKnownHostsFile={}", hosts.display());
    let user = format!("{}%web1.prod@127.0.0.1", world.login);
    let alias = ["-o", "HostKeyAlias=127.0.0.1", "-o", &known];
    let args = [&alias[..], &["-p", &port, &user, "echo in"]].concat();
    world.alice.ssh(&args)?.ok()?.prints("in\n")?;
    relay
        .join()
        .map_err(|_| Failure::new("the relay panicked"))?
}

/// Bits flipped, lengths made huge, pieces cut, doubled and moved.
fn mutated(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap_or(0);
    for _ in 0..=below(4) {
        let at = below(bytes.len());
        let end = (at + 1 + below(64)).min(bytes.len());
        let (bit, to) = (below(8), below(bytes.len()));
        let Some(piece) = bytes.get_mut(at..end) else {
            continue;
        };
        match below(6) {
            0 => piece.iter_mut().take(1).for_each(|byte| *byte ^= 1 << bit),
            1 => piece.fill(0xff),
            2 => piece.fill(0),
            3 => bytes.truncate(at + 1),
            4 => drop(bytes.drain(at..end)),
            _ => {
                let piece = piece.to_vec();
                bytes.splice(to..to, piece);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// Sends it all, and waits until the other side closes; what comes back does not matter.
fn throw(port: u16, bytes: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(ports::address(port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer) {}
    Ok(())
}

fn throw_all(port: u16, good: &[u8], count: u64, seed: u64) -> Result<()> {
    thread::scope(|scope| {
        let throwers: Vec<_> = (0..THROWERS)
            .map(|thrower| {
                scope.spawn(move || -> Result<()> {
                    let mut random = Random::new(seed + thrower);
                    for _ in 0..count / THROWERS {
                        throw(port, &mutated(good, &mut random))?;
                    }
                    Ok(())
                })
            })
            .collect();
        throwers.into_iter().try_for_each(|thrower| {
            let thrown = thrower.join();
            thrown.map_err(|_| Failure::new("a thrower panicked"))?
        })
    })
}

/// Throws behind the key exchange; how many messages.
fn throw_behind(world: &World, connections: u64) -> Result<u64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/mutate.py");
    let mut python = Command::new(programs::find("/usr/bin/python3")?);
    python
        .arg(script)
        .arg(world.bastion_port.to_string())
        .arg(format!("{}%web1.prod", world.login))
        .args([
            world.alice.key().display().to_string(),
            connections.to_string(),
        ]);
    let said = Live::start(&mut python)?.finish(LIMIT * 3)?.ok()?.out();
    let sent = said.trim().parse();
    sent.map_err(|_| Failure::new(format!("no number: {said}")))
}

/// The sizes of the mappings that are made for one allocation each.
fn mappings(findings: &str) -> Vec<u64> {
    let sizes = findings.lines().filter_map(|line| {
        let (_, call) = line.split_once(' ')?;
        let (call, arguments) = call.trim().split_once('(')?;
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let of_threads = ["MAP_STACK", "MAP_NORESERVE", "PROT_NONE"];
        let own = |line: &str| !of_threads.iter().any(|word| line.contains(word));
        match call {
            "mmap" if line.contains("MAP_ANONYMOUS") && own(line) => arguments.get(1)?.parse().ok(),
            "mremap" => arguments.get(2)?.parse().ok(),
            _ => None,
        }
    });
    sizes.collect()
}

#[test]
fn promise_18_mutated_streams_at_the_bastion_do_no_harm_and_cost_little() -> Result<()> {
    let mut world = World::lay_out(&Setup::default())?;
    // What is larger than this has a mapping of its own then, which `strace` sees (mallopt(3)).
    world.set_env("MALLOC_MMAP_THRESHOLD_", &MOST.to_string());
    world.set_env("MALLOC_ARENA_MAX", "1");
    world.start_ca()?;
    world.start_bastion()?;
    world.introduce(&world.alice)?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    let good = what_ssh_sends(&world)?;
    assert!(
        good.starts_with(b"SSH-2.0-") && good.len() > 1000,
        "{} bytes",
        good.len()
    );
    let port = world.bastion_port;
    let begin = std::time::Instant::now();
    thread::scope(|scope| -> Result<()> {
        let throwing = scope.spawn(|| throw_all(port, &good, streams(), 18));
        // Meanwhile others get in.
        while !throwing.is_finished() {
            let door = format!("{}%web1.prod@bastion", world.login);
            let args = ["-b", "127.0.0.9", &door, "echo in"];
            world.alice.ssh(&args)?.ok()?.prints("in\n")?;
        }
        let thrown = throwing.join();
        thrown.map_err(|_| Failure::new("a thrower panicked"))?
    })?;
    eprintln!("{} streams in {:?}", streams(), begin.elapsed());

    let id = world.bastion()?.id();
    let findings = world.root().join("strace");
    let strace = Trace::attach(id, &findings, &["-e", "trace=mmap,mremap"])?;
    throw_all(port, &good, WATCHED, 1_000_000)?;
    let sent = throw_behind(&world, CONNECTIONS)?;
    eprintln!("{sent} messages behind the key exchange");
    assert!(sent > CONNECTIONS, "{sent}");
    let before = mappings(&strace.findings()?);
    let largest = before.iter().copied().max().unwrap_or(0);
    assert!(
        largest <= MOST + PAGE,
        "{largest} bytes at once, of {before:?}"
    );
    // What allocates more is seen, and a good login works.
    let much = "head -c 1000000 /dev/urandom | base64; echo in";
    world.jump(&["-tt", &at, much])?.ok()?.prints("in\r\n")?;
    let after = mappings(&strace.end()?);
    let largest = after.iter().copied().max().unwrap_or(0);
    assert!(
        largest > MOST,
        "a session's compressor is not seen: {after:?}"
    );
    let log = world.bastion()?.log();
    assert!(!log.contains("panicked"), "{log}");
    world.end()
}
