//! What the door lets in, and what it does not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::site::{Live, Site, keygen, public, until};

#[test]
fn a_bastion_speaks_http_and_nothing_else() {
    let site = Site::new();
    let bastion = format!("IdentityFile={}", site.bastion.display());
    let as_bastion = ["-F", "none", "-o", &bastion, "-o", "IdentityAgent=none"];
    let known = format!("UserKnownHostsFile={}", site.path("known_hosts").display());
    let port = site.port.to_string();
    let run = |args: &[&str], input: &[u8]| {
        let mut command = site.alice.program("ssh");
        command
            .args(as_bastion)
            .args(["-o", &known, "-o", "BatchMode=yes", "-p", &port])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let ask = b"GET /v1/trust HTTP/1.1\r\nhost: ca\r\nconnection: close\r\n\r\n";
    let (_, out, err) = run(&["127.0.0.1", "-s", "hallpass-api-v1"], ask);
    assert!(out.starts_with("HTTP/1.1 200 OK\r\n"), "{out}{err}");
    assert!(out.contains("\"user_cas\":[\"ssh-ed25519 "), "{out}");

    let body = r#"{"door":"own","key":"ssh-ed25519 x","more":1}"#;
    let ask = format!(
        "POST /v1/doors HTTP/1.1\r\nhost: ca\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (_, out, err) = run(&["127.0.0.1", "-s", "hallpass-api-v1"], ask.as_bytes());
    assert!(out.starts_with("HTTP/1.1 400 "), "{out}{err}");
    assert!(out.contains("unknown field"), "{out}");

    let ask = format!(
        "POST /v1/doors HTTP/1.1\r\nhost: ca\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{}",
        config::limits::API_BODY_BYTES + 1,
        " ".repeat(config::limits::API_BODY_BYTES + 1)
    );
    let (_, out, err) = run(&["127.0.0.1", "-s", "hallpass-api-v1"], ask.as_bytes());
    assert!(out.starts_with("HTTP/1.1 413 "), "{out}{err}");

    let (status, out, err) = run(&["127.0.0.1", "whoami"], b"");
    assert_ne!(status, Some(0));
    assert_eq!(out, "", "{err}");
    let (_, out, _) = run(&["127.0.0.1"], b"");
    assert_eq!(out, "", "no page for a bastion");
}

#[test]
fn a_bastion_whose_key_was_replaced_is_a_stranger_on_its_open_connection() {
    let site = Site::new();
    let bastion = format!("IdentityFile={}", site.bastion.display());
    let known = format!("UserKnownHostsFile={}", site.path("known_hosts").display());
    let mut old = site.alice.program("ssh");
    old.args(["-F", "none", "-o", "IdentityAgent=none", "-o", &bastion])
        .args(["-o", &known, "-p", &site.port.to_string()])
        .args(["127.0.0.1", "-s", "hallpass-api-v1"]);
    let mut old = Live::new(&mut old);
    let ask = b"GET /v1/trust HTTP/1.1\r\nhost: ca\r\n\r\n";
    old.send(ask);
    until("its key is known", || old.out().contains("user_cas"));

    let new = site.path("new");
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", new.to_str().unwrap()]);
    let good = fs::read_to_string(site.config()).unwrap();
    let replaced = good.replace(&public(&site.bastion), &public(&new));
    fs::write(
        site.config(),
        replaced.replace("[role.web-look]", "[role.web-peek]"),
    )
    .unwrap();
    hangup();
    until("the new configuration is in force", || {
        site.alice.ca(&["roles"]).out.contains("web-peek")
    });
    old.send(ask);
    until("an answer", || old.out().matches("HTTP/1.1 ").count() == 2);
    assert!(old.out().contains("HTTP/1.1 403 "), "{}", old.out());
    drop(old.child.stdin.take());
    old.finish();
}

/// Tells every CA of this process to read its configuration again.
fn hangup() {
    let id = std::process::id().to_string();
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args(["-s", "HUP", &id]).status().unwrap().success());
}

#[test]
fn a_person_gets_neither_the_api_nor_any_other_channel() {
    let site = Site::new();
    for subsystem in ["hallpass-api-v1", "sftp"] {
        let said = site.alice.with(
            &["ca", "-s", subsystem],
            b"GET /v1/trust HTTP/1.1\r\nhost: ca\r\n\r\n",
        );
        assert_ne!(said.status, 0);
        assert_eq!(said.out, "");
        assert!(said.err.contains("subsystem request failed"), "{said:?}");
    }
    let port = site.port.to_string();
    let there = format!("127.0.0.1:{port}");
    let forward = site.alice.with(&["-W", &there, "ca"], b"");
    assert_ne!(forward.status, 0);
    assert!(forward.err.contains("forwarding failed"), "{forward:?}");
    let back = site.alice.with(
        &[
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            "0:127.0.0.1:1",
            "ca",
            "whoami",
        ],
        b"",
    );
    assert_ne!(back.status, 0, "{back:?}");
}

#[test]
fn with_a_terminal_lines_end_where_they_should() {
    let site = Site::new();
    let said = site.alice.with(&["-tt", "ca", "whoami"], b"");
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("alice\r\n"), "{said:?}");
    assert_eq!(
        said.out.matches('\n').count(),
        said.out.matches("\r\n").count()
    );
}

#[test]
fn promise_17_a_connection_that_never_logs_in_is_closed() {
    let site = Site::new();
    let began = Instant::now();
    let slow = std::thread::spawn({
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
        move || {
            let hello = b"SSH-2.0-slow\r\n".iter().chain(std::iter::repeat(&0));
            for byte in hello {
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    });
    let mut silent = TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    let mut all = Vec::new();
    silent
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let _ = silent.read_to_end(&mut all);
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(19) && took < Duration::from_secs(23),
        "{took:?}"
    );
    slow.join().unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(24),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn promise_16_half_open_connections_of_one_source_leave_room_for_others() {
    let site = Site::new();
    let held: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(("127.0.0.1", site.port)).unwrap())
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let who = site.alice.with(&["-b", "127.0.0.2", "ca", "whoami"], b"");
    assert_eq!(who.status, 0, "{who:?}");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    drop(held);
    until("the places are given back", || {
        site.alice.ca(&["whoami"]).status == 0
    });
}

#[test]
fn promise_20_nothing_is_compressed() {
    let site = Site::new();
    let who = site.alice.with(
        &[
            "-v",
            "-o",
            "LogLevel=DEBUG1",
            "-o",
            "Compression=yes",
            "ca",
            "whoami",
        ],
        b"",
    );
    assert_eq!(who.status, 0, "{who:?}");
    let agreed = |direction: &str| {
        let line = who.err.lines().find(|line| line.contains(direction));
        line.is_some_and(|line| line.contains("compression: none"))
    };
    assert!(agreed("kex: server->client"), "{}", who.err);
    assert!(agreed("kex: client->server"), "{}", who.err);
}

#[test]
fn promise_44_a_bad_file_keeps_the_old_configuration() {
    let site = Site::new();
    let good = fs::read_to_string(site.config()).unwrap();
    fs::write(
        site.config(),
        good.replace("[role.web-look]", "[role.web-look]\nspeed = 3"),
    )
    .unwrap();
    hangup();
    std::thread::sleep(Duration::from_millis(300));
    let roles = site.alice.ca(&["roles"]);
    assert!(roles.out.contains("web-look"), "{roles:?}");
    fs::write(
        site.config(),
        good.replace("[role.web-look]", "[role.web-peek]"),
    )
    .unwrap();
    hangup();
    until("the new role is there", || {
        site.alice.ca(&["roles"]).out.contains("web-peek")
    });
    // A person who is taken out is a stranger from then on.
    let gone = good.replace("[person.alice]", "[person.alicia]");
    fs::write(site.config(), gone).unwrap();
    hangup();
    until("alice is gone", || {
        site.alice.ca(&["whoami"]).out.contains("alicia")
    });
}

#[test]
fn a_stop_leaves_waiting_requests_open() {
    let mut site = Site::new();
    let live = site
        .alice
        .live(&["ca", "request", "postgres@db1.prod", "--reason", "INC-42"]);
    live.wait_err("waiting for approval … ");
    let id = live.err()[8..17].to_owned();
    site.stop();
    let told = live.finish();
    assert_eq!(told.status, 5, "{told:?}");
    assert!(told.err.contains("your request stays open"), "{told:?}");
    site.start();
    assert_eq!(site.bob.with(&["-A", "ca", "approve", &id], b"").status, 0);
    assert_eq!(site.alice.ca(&["collect", &id]).status, 0);
}

#[test]
fn a_dead_connection_is_not_waited_for() {
    let site = Site::new();
    let live = site
        .alice
        .live(&["ca", "request", "postgres@db1.prod", "--reason", "INC-42"]);
    live.wait_err("waiting for approval … ");
    live.signal("STOP");
    // Keepalives find out: four of fifteen seconds. Shown here is only that others are served meanwhile.
    assert_eq!(site.bob.ca(&["pending"]).status, 0);
    live.signal("CONT");
    live.signal("KILL");
    live.finish();
    until("the request is withdrawn", || {
        site.bob.ca(&["pending"]).err.contains("nothing waits")
    });
}

/// What a real `ssh` sends until it has logged in, mutated: bits flipped, lengths made huge, pieces cut,
/// doubled and moved. The server must neither die nor keep anybody else out.
#[test]
fn promise_18_mutated_streams_before_the_login_do_no_harm() {
    let site = Site::new();
    count_panics();
    let before = PANICS.load(Ordering::SeqCst);
    let good = what_ssh_sends(&site);
    assert!(
        good.starts_with(b"SSH-2.0-") && good.len() > 1000,
        "{} bytes",
        good.len()
    );
    std::thread::scope(|scope| {
        for worker in 0..8_u64 {
            let (good, port) = (&good, site.port);
            scope.spawn(move || {
                let mut random = Random(worker + 1);
                for _ in 0..1000 {
                    throw(port, &mutated(good, &mut random));
                }
            });
        }
        for _ in 0..10 {
            let who = site.alice.with(&["-b", "127.0.0.9", "ca", "whoami"], b"");
            assert_eq!(who.status, 0, "{who:?}");
        }
    });
    until("a good login works", || {
        site.alice.ca(&["whoami"]).status == 0
    });
    assert_eq!(PANICS.load(Ordering::SeqCst), before, "the server panicked");
}

/// Panics in the server's own threads, which the runtime would hide.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current()
            .name()
            .is_some_and(|name| name.starts_with("tokio-"))
        {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        usual(panic);
    }));
}

/// Runs one good login through a relay, and keeps what went towards the server.
fn what_ssh_sends(site: &Site) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let server = site.port;
    let relay = std::thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
        let (mut back, mut towards) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let backwards = std::thread::spawn(move || drop(std::io::copy(&mut back, &mut towards)));
        let mut sent = Vec::new();
        let (mut from, mut to, mut buffer) = (client, server, [0; 4096]);
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            sent.extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        drop(to.shutdown(std::net::Shutdown::Both));
        backwards.join().unwrap();
        sent
    });
    let known = format!("HostKeyAlias=[127.0.0.1]:{}", site.port);
    let who = site
        .alice
        .with(&["-o", &known, "-p", &port, "ca", "whoami"], b"");
    assert_eq!(who.status, 0, "{who:?}");
    relay.join().unwrap()
}

fn mutated(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1));
        let end = (at + 1 + random.below(64)).min(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..end].fill(0xff),
            2 => bytes[at..end].fill(0),
            3 => bytes.truncate(at + 1),
            4 => drop(bytes.drain(at..end)),
            _ => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// Sends it all and closes; what comes back does not matter.
fn throw(port: u16, bytes: &[u8]) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        panic!("the server no longer listens");
    };
    let limit = Some(Duration::from_millis(50));
    stream.set_read_timeout(limit).unwrap();
    stream.set_write_timeout(limit).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.read(&mut [0; 4096]);
}

/// A linear congruential generator (Knuth, MMIX): the same streams in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}
