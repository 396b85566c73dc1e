//! Forwarded connections, by the stock `ssh` and a real `sshd`: each is recorded, or refused by name.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "forwards/back.rs"]
mod back;
#[path = "forwards/editor.rs"]
mod editor;
#[path = "forwards/flow.rs"]
mod flow;
#[path = "forwards/lingering.rs"]
mod lingering;
#[path = "forwards/x11.rs"]
mod x11;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, ports, programs};
use serde_json::Value;

/// A world in which Alice's role for `web1.prod` has these words.
fn world(words: &str) -> Result<(World, String)> {
    world_with(words, "X11Forwarding yes".to_owned())
}

/// The same, with these lines for `sshd`.
fn world_with(words: &str, sshd: String) -> Result<(World, String)> {
    World::on_web1_as(&Setup {
        sshd,
        look: words.to_owned(),
        ..Setup::default()
    })
}

fn channels(names: &str, more: &str) -> String {
    format!("channels = [{names}]\n{more}")
}

/// Something that listens, takes one connection, reads all, and then answers it back with another case.
fn shouts() -> Result<(u16, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let answering = thread::spawn(move || {
        for stream in listener.incoming().take(1).flatten() {
            shout(stream.try_clone().unwrap(), stream);
        }
    });
    Ok((port, answering))
}

fn shout(mut from: impl Read, mut to: impl Write) {
    let mut all = Vec::new();
    from.read_to_end(&mut all).unwrap();
    to.write_all(&all.to_ascii_uppercase()).unwrap();
}

/// An `ssh -N` with these flags.
fn forwarding(world: &World, at: &str, flags: &[&str]) -> Result<Live> {
    let args = [
        &[
            "-v",
            "-N",
            "-o",
            "ExitOnForwardFailure=yes",
            "-J",
            "bastion",
        ],
        flags,
        &[at],
    ];
    world.alice.ssh_live(&args.concat())
}

/// Waits until `ssh` listens on this port, without connecting to it.
fn listens(live: &mut Live, port: u16) -> Result<()> {
    live.wait_err(&format!("listening on 127.0.0.1 port {port}"), LIMIT)
}

/// Says something over a connection, and gives what comes back.
fn asks(mut stream: TcpStream, text: &[u8]) -> Result<Vec<u8>> {
    stream.write_all(text)?;
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    Ok(all)
}

/// The lines of a recording: its header, and code and data of each event.
fn lines(path: &Path) -> Result<(Value, Vec<(String, String)>)> {
    let text = process::run(Command::new(programs::find("zstd")?).arg("-dcq").arg(path))?.ok()?;
    let text = text.out();
    let (header, events) = text.split_once('\n').unwrap_or_default();
    let events: Result<Vec<_>> = events
        .lines()
        .map(|line| json::<(f64, String, String)>(line).map(|(_, code, data)| (code, data)))
        .collect();
    Ok((json(header)?, events?))
}

fn json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Failure::new(format!("{e}: {text}")))
}

/// What a recording says of forwarded connections, without what had passed before their ends.
fn told(path: &Path) -> Result<Vec<Value>> {
    let mut told = told_whole(path)?;
    told.retain(|line| line.get("passed").is_none());
    Ok(told)
}

fn told_whole(path: &Path) -> Result<Vec<Value>> {
    let (_, events) = lines(path)?;
    let own = events.iter().filter(|(code, _)| code == "c");
    own.map(|(_, data)| json(data)).collect()
}

fn passed(bytes: &[u8]) -> Result<Value> {
    let mut command = Command::new(programs::find("b3sum")?);
    let sum = process::run_with(&mut command, bytes)?.ok()?.out();
    let digest = format!("blake3:{}", sum.split(' ').next().unwrap_or_default());
    Ok(serde_json::json!({ "bytes": bytes.len(), "digest": digest }))
}

/// The recording of one connection holds this and nothing else.
fn is_told(path: &Path, channel: &str, to: &str, up: &[u8], down: &[u8]) -> Result<()> {
    let (header, _) = lines(path)?;
    assert_eq!(header["hallpass"]["kind"], "forward");
    assert_eq!(header["hallpass"]["command"], to);
    let told = told(path)?;
    let [asked, opened, closed] = told.as_slice() else {
        return Err(Failure::new(format!("{told:?}")));
    };
    assert_eq!(asked["asked"]["channel"], channel);
    assert_eq!(asked["asked"]["to"], to);
    assert_eq!(opened["opened"]["n"], 1);
    assert_eq!(closed["closed"]["up"], passed(up)?);
    assert_eq!(closed["closed"]["down"], passed(down)?);
    assert_eq!(closed["closed"]["closed"], true);
    let whole = told_whole(path)?;
    let first = whole.iter().find_map(|line| line.get("passed"));
    let first = first.ok_or_else(|| Failure::new("nothing says what has passed so far"))?;
    assert_eq!(first["n"], 1);
    Ok(())
}

#[test]
fn promise_10_a_connection_through_the_target_is_recorded_by_place_size_and_digest() -> Result<()> {
    let forward = channels("\"forward\"", "forward-to = [\"127.0.0.1:*\", \"/tmp/*\"]");
    let (world, at) = world(&forward)?;

    // -L, -W, -D, and -L to a socket.
    let (there, answering) = shouts()?;
    let to = format!("127.0.0.1:{there}");
    let here = ports::free()?;
    let mut live = forwarding(&world, &at, &["-L", &format!("{here}:{to}")])?;
    listens(&mut live, here)?;
    assert_eq!(
        asks(TcpStream::connect(ports::address(here))?, b"query")?,
        b"QUERY"
    );
    answering.join().unwrap();
    let recordings = world.wait_finished(1, LIMIT)?;
    is_told(&recordings[0], "direct-tcpip", &to, b"query", b"QUERY")?;
    drop(live);

    let (there, answering) = shouts()?;
    let to = format!("127.0.0.1:{there}");
    let jump = ["-W", &to, "-J", "bastion", &at];
    assert_eq!(world.alice.ssh_with(&jump, b"words")?.ok()?.out(), "WORDS");
    answering.join().unwrap();
    is_told(
        &world.wait_finished(2, LIMIT)?[1],
        "direct-tcpip",
        &to,
        b"words",
        b"WORDS",
    )?;

    let (there, answering) = shouts()?;
    let here = ports::free()?;
    let mut live = forwarding(&world, &at, &["-D", &here.to_string()])?;
    listens(&mut live, here)?;
    let mut socks = TcpStream::connect(ports::address(here))?;
    let [high, low] = there.to_be_bytes();
    socks.write_all(&[4, 1, high, low, 127, 0, 0, 1, 0])?;
    let mut answer = [0; 8];
    socks.read_exact(&mut answer)?;
    assert_eq!(answer[1], 90, "SOCKS 4: granted");
    assert_eq!(asks(socks, b"page")?, b"PAGE");
    answering.join().unwrap();
    let to = format!("127.0.0.1:{there}");
    is_told(
        &world.wait_finished(3, LIMIT)?[2],
        "direct-tcpip",
        &to,
        b"page",
        b"PAGE",
    )?;
    drop(live);

    let there = tempfile::Builder::new().prefix("hp-").tempdir_in("/tmp")?;
    let path = there.path().join("socket");
    let listener = UnixListener::bind(&path)?;
    let answering = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        shout(stream.try_clone().unwrap(), stream);
    });
    let here = ports::free()?;
    let to = path.display().to_string();
    let mut live = forwarding(&world, &at, &["-L", &format!("{here}:{to}")])?;
    listens(&mut live, here)?;
    assert_eq!(
        asks(TcpStream::connect(ports::address(here))?, b"row")?,
        b"ROW"
    );
    answering.join().unwrap();
    let recordings = world.wait_finished(4, LIMIT)?;
    is_told(
        &recordings[3],
        "direct-streamlocal@openssh.com",
        &to,
        b"row",
        b"ROW",
    )?;
    drop(live);

    // A reviewer reads it.
    let path = recordings[0].to_str().unwrap_or_default();
    let text = world
        .hallpass(&["export", "--format", "txt", path])?
        .ok()?
        .out();
    assert!(text.contains("[1] connection to \"127.0.0.1:"), "{text}");
    assert!(text.contains("[1] closed, sent 5 bytes blake3:"), "{text}");
    // The role gives nothing else.
    world
        .jump(&[&at, "id"])?
        .exits(255)?
        .says("does not allow a command")?;
    world.end()
}

#[test]
fn promise_10_a_place_that_the_role_does_not_give_is_refused_by_name_and_a_refusal_of_the_target_is_one()
-> Result<()> {
    let closed = ports::free()?;
    let words = format!("forward-to = [\"127.0.0.1:{closed}\"]");
    let (world, at) = world(&channels("\"exec\", \"forward\"", &words))?;
    let refused = |to: &str, why: &str| -> Result<()> {
        world.jump(&["-W", to, &at])?.exits(255)?.says(why)?;
        Ok(())
    };
    let to = format!("127.0.0.1:{}", world.web1.port);
    refused(&to, &format!("gives no connection to \"{to}\""))?;
    refused(
        &format!("localhost:{closed}"),
        "gives no connection to \"localhost:",
    )?;
    refused(
        &format!("127.0.0.1:{closed}"),
        "connect failed: hallpass: web1.prod: Connect failed",
    )?;
    let told = told(&world.wait_finished(3, LIMIT)?[2])?;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1]["refused"]["why"].as_str().is_some(), "{told:?}");
    // Nothing of another kind comes with it.
    let back = [
        "-o",
        "ExitOnForwardFailure=yes",
        "-R",
        "0:127.0.0.1:1",
        &at,
        "id",
    ];
    world
        .jump(&back)?
        .exits(255)?
        .says("remote port forwarding failed")?;
    world
        .jump(&["-A", &at, "true"])?
        .ok()?
        .says("agent forwarding is not carried")?;
    // The outer connection is a way to the targets, and no more.
    world
        .alice
        .ssh(&["-W", &format!("127.0.0.1:{closed}"), "bastion"])?
        .exits(255)?
        .says("opens no way to")?;
    world.end()
}

#[test]
fn promise_10_a_command_that_was_asked_for_closes_all_else() -> Result<()> {
    let words = channels("\"exec\", \"forward\", \"agent\"", "forward-to = [\"*:*\"]");
    let (world, at) = world(&words)?;
    world.take(&world.alice, &at, &["--command", "echo only"])?;
    let to = format!("127.0.0.1:{}", world.web1.port);
    world
        .jump(&["-W", &to, &at])?
        .exits(255)?
        .says("forwarding a port is not carried")?;
    let run = world
        .jump(&["-A", &at])?
        .ok()?
        .says("agent forwarding is not carried")?;
    assert_eq!(run.out(), "only\n");
    world.end()
}
