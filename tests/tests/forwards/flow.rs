//! Much goes through forwarded connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use hallpass_tests::process::LIMIT;
use hallpass_tests::{Result, ports};
use serde_json::Value;

use super::{channels, forwarding, listens, told, world};

#[test]
fn promise_15_forwarded_connections_go_both_ways_at_once_and_one_that_stands_still_stops_no_other()
-> Result<()> {
    const MANY: usize = 100 << 20;
    let forward = channels("\"exec\", \"forward\"", "forward-to = [\"127.0.0.1:*\"]");
    let (world, at) = world(&forward)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let there = listener.local_addr()?.port();
    let here = ports::free()?;
    let mut live = forwarding(&world, &at, &["-L", &format!("{here}:127.0.0.1:{there}")])?;
    listens(&mut live, here)?;

    // One that nobody reads from: all that fits goes up, and a flood that has no end wants to come down.
    let mut still = TcpStream::connect(ports::address(here))?;
    let (mut still_there, _) = listener.accept()?;
    still.write_all(&vec![7; 2 << 20])?;
    let ending = still_there.try_clone()?;
    let flooding = thread::spawn(move || {
        let piece = vec![7; 1 << 16];
        while still_there.write_all(&piece).is_ok() {}
    });

    // Beside it, one that moves a lot both ways.
    let near = TcpStream::connect(ports::address(here))?;
    let (far, _) = listener.accept()?;
    let both = [near, far].map(|stream| -> Result<_> {
        let (mut from, mut to) = (stream.try_clone()?, stream);
        let writing = thread::spawn(move || {
            let piece = vec![1; 1 << 16];
            for _ in 0..MANY >> 16 {
                to.write_all(&piece).unwrap();
            }
            to.shutdown(Shutdown::Write).unwrap();
        });
        let reading =
            thread::spawn(move || std::io::copy(&mut from, &mut std::io::sink()).unwrap());
        Ok((writing, reading))
    });
    for ends in both {
        let (writing, reading) = ends?;
        writing.join().unwrap();
        assert_eq!(reading.join().unwrap(), MANY as u64);
    }
    drop(still);
    // A reset was faster, or it was not.
    let _ = ending.shutdown(Shutdown::Both);
    flooding.join().unwrap();
    drop(live);
    let recordings = world.wait_finished(2, LIMIT)?;
    let sizes: Result<Vec<_>> = recordings
        .iter()
        .map(|path| {
            let told = told(path)?;
            Ok(told
                .last()
                .map(|last| last["closed"]["up"]["bytes"].clone()))
        })
        .collect();
    assert!(
        sizes?.contains(&Some(Value::from(MANY))),
        "the bytes of the live one are counted"
    );
    world.end()
}

#[test]
fn the_first_bytes_of_a_connection_arrive_whoever_speaks_first() -> Result<()> {
    const ROUNDS: usize = 6;
    let forward = channels("\"forward\"", "forward-to = [\"127.0.0.1:*\"]");
    let (world, at) = world(&forward)?;
    // One that greets at once, and says nothing more.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let there = listener.local_addr()?.port();
    let greeting = thread::spawn(move || -> Result<Vec<u8>> {
        let mut heard = Vec::new();
        for stream in listener.incoming().take(ROUNDS) {
            let mut stream = stream?;
            stream.write_all(b"220 hello\r\n")?;
            stream.shutdown(Shutdown::Write)?;
            stream.read_to_end(&mut heard)?;
        }
        Ok(heard)
    });
    let here = ports::free()?;
    let mut live = forwarding(&world, &at, &["-L", &format!("{here}:127.0.0.1:{there}")])?;
    listens(&mut live, here)?;
    for round in 0..ROUNDS {
        // One that speaks before the bastion has reached anybody; and one that waits to be spoken to.
        let mut stream = TcpStream::connect(ports::address(here))?;
        stream.set_read_timeout(Some(LIMIT))?;
        if round % 2 == 0 {
            stream.write_all(b"HELO me\r\n")?;
        }
        let mut greeted = Vec::new();
        stream.read_to_end(&mut greeted)?;
        assert_eq!(greeted, b"220 hello\r\n", "{round}");
        if round % 2 == 1 {
            stream.write_all(b"HELO me\r\n")?;
        }
        stream.shutdown(Shutdown::Write)?;
    }
    let heard = greeting
        .join()
        .map_err(|_| hallpass_tests::Failure::new("nobody greets"))??;
    assert_eq!(heard, b"HELO me\r\n".repeat(ROUNDS));
    drop(live);
    world.wait_finished(ROUNDS, LIMIT)?;
    world.end()
}
