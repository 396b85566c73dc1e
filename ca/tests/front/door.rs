//! What the door lets in, and what it does not.

mod mutated;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::site::{Live, Site, new_key, public, until};

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
    new_key(&new);
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
