//! Connections that come out of the target: where it listens, and what it asks of the person's agent.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use hallpass_tests::process::LIMIT;
use hallpass_tests::{Result, ports};
use serde_json::Value;

use super::{channels, forwarding, lines, passed, shouts, told, world};

#[test]
fn promise_10_connections_out_of_the_target_are_recorded_by_place_size_and_digest() -> Result<()> {
    let there = ports::free()?;
    let socket = tempfile::Builder::new().prefix("hp-").tempdir_in("/tmp")?;
    let path = socket.path().join("back");
    let words = format!(
        "listen-on = [\"localhost:{there}\", \"localhost:0\", \"{}\"]",
        path.display()
    );
    let (mut world, at) = world(&channels("\"remote-forward\"", &words))?;
    let (here, answering) = shouts()?;
    let back = format!("{there}:127.0.0.1:{here}");
    let live = forwarding(&world, &at, &["-R", &back])?;
    ports::wait_for(there, LIMIT)?;
    // The one that looked whether it listens is the one that is answered.
    answering.join().unwrap();
    drop(live);
    let path_of_first = world.wait_finished(1, LIMIT)?.remove(0);
    let told_first = told(&path_of_first)?;
    assert_eq!(
        told_first[0]["listening"]["at"],
        format!("localhost:{there}")
    );
    assert_eq!(told_first[1]["asked"]["channel"], "forwarded-tcpip");
    assert_eq!(told_first[2]["opened"]["n"], 1);

    let (here, answering) = shouts()?;
    let back = format!("{}:127.0.0.1:{here}", path.display());
    let live = forwarding(&world, &at, &["-R", &back])?;
    let mut stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    };
    stream.write_all(b"hello")?;
    stream.shutdown(Shutdown::Write)?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    assert_eq!(all, b"HELLO");
    answering.join().unwrap();
    drop(live);
    let told_second = told(&world.wait_finished(2, LIMIT)?[1])?;
    assert_eq!(
        told_second[1]["asked"]["channel"],
        "forwarded-streamlocal@openssh.com"
    );
    let closed = &told_second[3]["closed"];
    assert_eq!(
        (&closed["down"], &closed["up"]),
        (&passed(b"hello")?, &passed(b"HELLO")?)
    );

    // A port of the target's choice; and one that the role does not give.
    let mut live = forwarding(&world, &at, &["-R", "0:127.0.0.1:1"])?;
    live.wait_err("Allocated port", LIMIT)?;
    drop(live);
    let mut live = forwarding(
        &world,
        &at,
        &["-R", &format!("{}:127.0.0.1:1", ports::free()?)],
    )?;
    live.wait_err("remote port forwarding failed", LIMIT)?;
    live.wait_err("lets the target listen on other places", LIMIT)?;
    world
        .bastion()?
        .wait_log("refused: forwarding from \"localhost:", LIMIT)?;
    world.wait_finished(4, LIMIT)?;
    world.end()
}

#[test]
fn promise_10_what_the_target_asks_of_the_agent_is_recorded() -> Result<()> {
    let (world, at) = world(&channels("\"shell\", \"exec\", \"agent\"", ""))?;
    let keys = world.jump(&["-A", &at, "ssh-add -L"])?.ok()?;
    assert!(keys.out().contains("alice@laptop"), "{keys}");
    let (_, events) = lines(&world.wait_finished(1, LIMIT)?[0])?;
    let told: Vec<Value> = told(&world.wait_finished(1, LIMIT)?[0])?;
    assert_eq!(told[0]["asked"]["channel"], "auth-agent@openssh.com");
    assert_eq!(told[2]["agent"]["request"], "request-identities");
    assert!(
        told.last()
            .is_some_and(|last| last["closed"]["down"]["bytes"] == 5),
        "{told:?}"
    );
    assert_eq!(events.last().map(|(code, _)| code.as_str()), Some("z"));
    // Without -A there is none, whatever the role gives.
    let none = world.jump(&[&at, "echo ${SSH_AUTH_SOCK-none}"])?.ok()?;
    assert_eq!(none.out(), "none\n");
    world.end()
}
