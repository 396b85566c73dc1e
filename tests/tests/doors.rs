//! Both listeners, from outside: strangers who hold on, and partners who are gone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Result, World, ports, programs};

#[test]
fn promise_16_half_open_connections_keep_nobody_else_out() -> Result<()> {
    let (world, _) = World::on_web1()?;
    let mut strangers = Vec::new();
    for port in [world.ca_port, world.bastion_port] {
        for _ in 0..200 {
            // Past the bound a connection is refused or closed, which is as good.
            strangers.extend(TcpStream::connect_timeout(
                &ports::address(port).into(),
                LIMIT,
            ));
        }
    }
    // From another address: the bound is counted for each.
    let begin = Instant::now();
    world
        .alice
        .ssh(&["-b", "127.0.0.2", "ca", "whoami"])?
        .ok()?
        .prints("alice")?;
    let at_ca = begin.elapsed();
    let begin = Instant::now();
    let user = format!("{}%web1.prod@bastion", world.login);
    world
        .alice
        .ssh(&["-b", "127.0.0.2", &user, "echo in"])?
        .ok()?
        .prints("in\n")?;
    let at_bastion = begin.elapsed();
    let most = Duration::from_secs(3);
    assert!(
        at_ca < most && at_bastion < most,
        "{at_ca:?} at the CA, {at_bastion:?} at the bastion"
    );
    drop(strangers);
    world.end()
}

#[test]
fn promise_17_who_never_authenticates_is_shown_out() -> Result<()> {
    let world = World::new()?;
    let begin = Instant::now();
    let mut silent = Vec::new();
    let mut slow = Vec::new();
    for port in [world.ca_port, world.bastion_port] {
        silent.push(TcpStream::connect(ports::address(port))?);
        slow.push(TcpStream::connect(ports::address(port))?);
    }
    for stream in silent.iter().chain(&slow) {
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    }
    let mut open = vec![true; 4];
    while open.contains(&true) {
        assert!(
            begin.elapsed() < Duration::from_secs(24),
            "open after 24 s: {open:?}"
        );
        for (at, stream) in silent.iter_mut().chain(slow.iter_mut()).enumerate() {
            if open[at] && gone(stream) {
                open[at] = false;
                assert!(
                    begin.elapsed() > Duration::from_secs(15),
                    "closed after {:?}",
                    begin.elapsed()
                );
            }
        }
        for stream in &mut slow {
            let _ = stream.write_all(b"S");
        }
        sleep(Duration::from_millis(300));
    }
    world.end()
}

/// Reads what there is, and says whether the other side has closed.
fn gone(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                );
            }
        }
    }
}

#[test]
fn promise_22_without_the_ca_sessions_go_on_and_new_ones_are_told() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let mut live = world.alice.ssh_live(&[
        "-J",
        "bastion",
        &at,
        "echo begin; read line; echo got $line",
    ])?;
    live.wait_out("begin", LIMIT)?;
    world.kill_ca();
    let refused = world.jump(&[&at, "echo never"])?;
    assert_ne!(refused.status, 0, "{refused}");
    assert_eq!(refused.out(), "", "{refused}");
    refused.says("the CA cannot be reached")?;
    live.send("hello\n")?;
    live.finish(LIMIT)?.ok()?.prints("got hello\n")?;
    // It comes back, and so does everything else, without anybody touching the bastion.
    world.start_ca()?;
    let end = Instant::now() + LIMIT;
    while world.jump(&[&at, "echo again"])?.out() != "again\n" {
        assert!(
            Instant::now() < end,
            "the bastion has not found its CA again"
        );
        sleep(Duration::from_millis(200));
    }
    world.end()
}

#[test]
fn promise_35_nothing_that_a_stranger_sends_reaches_a_log_unescaped() -> Result<()> {
    let (world, at) = World::on_web1()?;
    let alice = &world.alice;
    let nasty = "\u{1b}]0;owned\u{7}\u{202e}gpj";
    let target = format!("{nasty}:22");
    alice.ssh(&["-W", &target, "bastion"])?.exits(255)?;
    let command = format!("echo '{nasty}\u{1b}[2J'");
    world.jump(&[&at, &command])?.ok()?;
    for line in [
        format!("whoami {nasty}"),
        format!("show {nasty}"),
        format!("request {at} --reason {nasty}"),
    ] {
        let output = alice.ssh(&["ca", &line])?;
        assert_ne!(output.status, 0, "{output}");
        assert!(!output.err().contains('\u{1b}'), "{output}");
    }
    for port in [world.ca_port, world.bastion_port] {
        let mut stream = TcpStream::connect(ports::address(port))?;
        stream.write_all(format!("SSH-2.0-{nasty}\r\n").as_bytes())?;
        let mut answer = [0; 256];
        let _ = stream.read(&mut answer);
    }
    // The end of every world looks for control characters in the logs.
    world.end()
}

/// A client that takes nothing but compressed streams.
const ONLY_ZLIB: &str = r#"
import socket, sys
import paramiko
for name in ("zlib", "zlib@openssh.com"):
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    transport.get_security_options().compression = (name,)
    try:
        transport.start_client(timeout=20)
    except (paramiko.SSHException, EOFError) as error:
        print("refused", name, error)
    else:
        print("taken", name)
    transport.close()
"#;

#[test]
fn promise_20_nothing_is_compressed_at_the_doors_nor_on_the_way_to_a_target() -> Result<()> {
    let world = World::with(&Setup {
        sshd: "LogLevel DEBUG2\nCompression yes".to_owned(),
        ..Setup::default()
    })?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    let door = format!("{}%web1.prod@bastion", world.login);
    let compressed = ["-vv", "-o", "Compression=yes"];
    for (way, connections) in [(&["-J", "bastion", &at][..], 2), (&[&door], 1)] {
        let args = [&compressed[..], way, &["echo in"]].concat();
        let output = world.alice.ssh(&args)?.ok()?.prints("in\n")?;
        let said = output.err();
        let lines = |words: &str| said.lines().filter(|line| line.contains(words)).count();
        for way in ["kex: server->client", "kex: client->server"] {
            assert_eq!(lines(way), connections, "{said}");
        }
        assert_eq!(lines("compression: none"), 2 * connections, "{said}");
        // What a door offers is nothing else; what `ssh` would rather have stands there too.
        let offered = said
            .lines()
            .filter(|line| line.ends_with("compression ctos: none"));
        assert_eq!(offered.count(), connections, "{said}");
        assert!(lines("compression ctos: zlib@openssh.com") >= 1, "{said}");
    }
    for port in [world.ca_port, world.bastion_port] {
        let mut python = Command::new(programs::find("/usr/bin/python3")?);
        python.args(["-c", ONLY_ZLIB, &port.to_string()]);
        let said = process::run(&mut python)?.ok()?.out();
        assert_eq!(said.matches("refused zlib").count(), 2, "{said}");
    }
    // The bastion as the client of a server that would compress.
    let log = world.web1.log();
    let agreed: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("kex: client->server"))
        .collect();
    assert_eq!(agreed.len(), 2, "{log}");
    for line in agreed {
        assert!(line.contains("compression: none"), "{line}");
    }
    assert!(
        log.contains("compression ctos: none,zlib@openssh.com"),
        "sshd would: {log}"
    );
    world.end()
}
