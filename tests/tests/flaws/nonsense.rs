//! Targets that talk nonsense to a bastion.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World};

/// What a target says to whoever connects.
type Nonsense = (&'static str, fn(&mut TcpStream) -> std::io::Result<()>);

const BANNER: &[u8] = b"SSH-2.0-OpenSSH_9.9\r\n";

const NONSENSE: &[Nonsense] = &[
    ("lines", |to| {
        loop {
            to.write_all(b"no banner yet, but soon\r\n")?;
        }
    }),
    ("line", |to| {
        loop {
            to.write_all(&[b'x'; 4096])?;
        }
    }),
    ("length", |to| {
        to.write_all(BANNER)?;
        to.write_all(&[0xff; 64])?;
        idle(to)
    }),
    ("large", |to| {
        to.write_all(BANNER)?;
        to.write_all(&0x0fff_fff0_u32.to_be_bytes())?;
        loop {
            to.write_all(&[20; 4096])?;
        }
    }),
    ("lists", |to| {
        to.write_all(BANNER)?;
        to.write_all(&packet(&kexinit(&b"a,".repeat(16_000))))?;
        idle(to)
    }),
    ("length-of-list", |to| {
        to.write_all(BANNER)?;
        let mut payload = kexinit(b"curve25519-sha256");
        payload.splice(17..21, [0xff; 4]);
        to.write_all(&packet(&payload))?;
        idle(to)
    }),
    ("flood", |to| {
        to.write_all(BANNER)?;
        // Messages that mean nothing, for ever (RFC 4253 §11.2).
        let ignore = packet(&[&[2, 0, 0, 3, 0][..], &[7; 768]].concat());
        loop {
            to.write_all(&ignore)?;
        }
    }),
    ("prompts", |to| {
        to.write_all(BANNER)?;
        to.write_all(&packet(&[60; 40]))?;
        idle(to)
    }),
    ("closed", |to| to.write_all(BANNER)),
];

/// A packet in the clear (RFC 4253 §6).
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 8 - (payload.len() + 5) % 8 + 8;
    let length = u32::try_from(payload.len() + padding + 1).unwrap_or_default();
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap_or_default());
    packet.extend(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

/// The lists of what a server can do (RFC 4253 §7.1), each of them this.
fn kexinit(list: &[u8]) -> Vec<u8> {
    let mut payload = vec![20];
    payload.extend([7; 16]);
    for _ in 0..10 {
        payload.extend(u32::try_from(list.len()).unwrap_or_default().to_be_bytes());
        payload.extend(list);
    }
    payload.extend([0; 5]);
    payload
}

/// Says nothing more.
fn idle(from: &mut TcpStream) -> std::io::Result<()> {
    while from.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

fn resident(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.ok_or_else(|| Failure::new("no VmHWM"))
}

#[test]
fn a_target_that_talks_nonsense_is_named_and_costs_little() -> Result<()> {
    let mut extra = String::new();
    for (name, says) in NONSENSE {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let table = format!(
            "[target.\"{name}.prod\"]\naddress = \"127.0.0.1:{port}\"\nhost = \"ca\"\nlabels = {{ kind = \"nonsense\" }}\n\n"
        );
        extra += &table;
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = says(&mut stream);
            }
        });
    }
    extra += "[role.nonsense]\ngroups = [\"oncall\"]\nlogins = [\"LOGIN\"]\nlabels = { kind = \"nonsense\" }\napprovals = { count = 0 }\n";
    let mut world = World::with(&Setup {
        extra,
        ..Setup::default()
    })?;
    let web1 = world.at_web1();
    world.take(&world.alice, &web1, &[])?;
    world.jump(&[&web1, "echo before"])?.ok()?;
    let before = resident(world.bastion()?.id())?;
    for (name, _) in NONSENSE {
        let at = format!("{}@{name}.prod", world.login);
        world.take(&world.alice, &at, &[])?;
        let begin = Instant::now();
        let output = world.jump(&[&at, "echo never"])?.exits(255)?;
        let took = begin.elapsed();
        assert_eq!(output.out(), "", "{output}");
        // Ten seconds are what a target has; the rest is for a busy machine.
        assert!(took < Duration::from_secs(40), "{name}: {took:?}");
        output.says("hallpass: ")?.says(&format!("{name}.prod"))?;
    }
    let more = resident(world.bastion()?.id())?.saturating_sub(before);
    assert!(more < 16 << 10, "{more} KiB more");
    world.take(&world.alice, &web1, &[])?;
    world
        .jump(&[&web1, "echo after"])?
        .ok()?
        .prints("after\n")?;
    world.wait_finished(2 + NONSENSE.len(), Duration::from_secs(10))?;
    world.end()
}
