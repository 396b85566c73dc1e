//! Forwarded connections that nobody answers, that are answered too late, and that are closed by the dozen.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::process::LIMIT;
use hallpass_tests::{Failure, Result, World, ports};
use tokio::net::TcpSocket;

use super::{asks, channels, forwarding, listens, told, world};

/// Something that listens and has no room for one more: who connects hears nothing, until somebody accepts.
fn full() -> Result<(TcpListener, Vec<TcpStream>)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _inside = runtime.enter();
    let socket = TcpSocket::new_v4()?;
    socket.bind(ports::address(0).into())?;
    let listener = socket.listen(1)?.into_std()?;
    listener.set_nonblocking(false)?;
    let address = listener.local_addr()?;
    let mut waiting = Vec::new();
    for _ in 0..10 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(stream) => waiting.push(stream),
            Err(_) => return Ok((listener, waiting)),
        }
    }
    Err(Failure::new("everybody gets in"))
}

/// Answers everybody, for ever.
fn answers_all(talks_on: bool) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream, talks_on));
        }
    });
    Ok(port)
}

/// Answers what somebody says, in another case. Who has said all is told on and on, if we talk on, until nobody takes it.
fn answer(mut stream: &TcpStream, talks_on: bool) -> std::io::Result<()> {
    let mut piece = [0; 64];
    while let count @ 1.. = stream.read(&mut piece)? {
        let said = piece.get(..count).unwrap_or_default();
        stream.write_all(&said.to_ascii_uppercase())?;
    }
    if !talks_on {
        return Ok(());
    }
    loop {
        stream.write_all(b".")?;
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_place_where_nothing_answers_is_refused_by_name_after_thirty_seconds_and_stops_no_other()
-> Result<()> {
    let forward = channels("\"forward\"", "forward-to = [\"127.0.0.1:*\"]");
    let (world, at) = world(&forward)?;
    let (silent, _held) = full()?;
    let (there, answers) = (silent.local_addr()?.port(), answers_all(false)?);
    let [here, live_one] = [ports::free()?, ports::free()?];
    let dead = format!("{here}:127.0.0.1:{there}");
    let good = format!("{live_one}:127.0.0.1:{answers}");
    let mut live = forwarding(&world, &at, &["-L", &dead, "-L", &good])?;
    listens(&mut live, live_one)?;
    let mut waits = TcpStream::connect(ports::address(here))?;
    let begin = Instant::now();
    // Beside it, on the same connection of the person's, others come and go.
    for _ in 0..3 {
        let answer = asks(TcpStream::connect(ports::address(live_one))?, b"query")?;
        assert_eq!(answer, b"QUERY");
    }
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    live.wait_err("the target does not answer: web1.prod was asked", LIMIT)?;
    let took = begin.elapsed();
    assert!((28..45).contains(&took.as_secs()), "{took:?}");
    waits.set_read_timeout(Some(LIMIT))?;
    assert!(
        matches!(waits.read(&mut [0; 8]), Ok(0) | Err(_)),
        "nothing comes"
    );
    drop(live);
    for path in world.wait_finished(4, LIMIT)? {
        let told = told(&path)?;
        let dead = told.iter().any(|line| line.get("refused").is_some());
        let to = told.first().map(|line| line["asked"]["to"].to_string());
        let is_dead = to.is_some_and(|to| to.contains(&format!(":{there}\"")));
        assert_eq!(dead, is_dead, "{told:?}");
    }
    world.end()
}

#[test]
fn what_the_person_s_client_opens_too_late_is_closed_and_held_by_nobody() -> Result<()> {
    let there = ports::free()?;
    let words = format!("listen-on = [\"localhost:{there}\"]");
    let (world, at) = world(&channels("\"remote-forward\"", &words))?;
    // The person's own service lets them wait.
    let (slow, held) = full()?;
    let back = format!("{there}:127.0.0.1:{}", slow.local_addr()?.port());
    let mut live = forwarding(&world, &at, &["-R", &back])?;
    live.wait_err("remote forward success", LIMIT)?;
    let mut guest = TcpStream::connect(("localhost", there))?;
    let begin = Instant::now();
    guest.set_read_timeout(Some(LIMIT))?;
    assert!(
        matches!(guest.read(&mut [0; 8]), Ok(0) | Err(_)),
        "nothing comes"
    );
    let took = begin.elapsed();
    assert!((9..20).contains(&took.as_secs()), "{took:?}");
    // Now it takes whoever has waited, and the person's `ssh` says that it has opened what it was asked for.
    let mut late = Vec::new();
    slow.set_nonblocking(true)?;
    let end = Instant::now() + LIMIT;
    while late.len() <= held.len() {
        match slow.accept() {
            Ok((stream, _)) => late.push(stream),
            Err(_) if Instant::now() > end => {
                return Err(Failure::new("`ssh` has not come back"));
            }
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
    drop(held);
    let mut last = late.pop().ok_or_else(|| Failure::new("nobody came"))?;
    last.set_nonblocking(false)?;
    last.set_read_timeout(Some(Duration::from_secs(5)))?;
    let closed = last.read(&mut [0; 8]);
    assert!(matches!(closed, Ok(0)), "still open after 5 s: {closed:?}");
    drop((late, live));
    world.wait_finished(1, LIMIT)?;
    world.end()
}

/// The connections that the target's `sshd` has now (proc(5): the local address, the other one, and the state, of which 01 is
/// open).
fn connections(world: &World) -> Result<usize> {
    let own = format!("0100007F:{:04X}", world.web1.port);
    let table = fs::read_to_string("/proc/net/tcp")?;
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let open = rows.filter(|row| row.get(1) == Some(&own.as_str()) && row.get(3) == Some(&"01"));
    Ok(open.count())
}

#[test]
fn of_many_that_are_closed_at_once_the_next_ones_wait_for_a_place() -> Result<()> {
    /// As many as there may be.
    const ALL: usize = config::limits::FORWARDED;
    let forward = channels("\"forward\"", "forward-to = [\"127.0.0.1:*\"]");
    let (world, at) = world(&forward)?;
    let (answers, here) = (answers_all(true)?, ports::free()?);
    let to = format!("{here}:127.0.0.1:{answers}");
    let mut live = forwarding(&world, &at, &["-L", &to])?;
    listens(&mut live, here)?;
    let one = || -> Result<TcpStream> {
        let mut stream = TcpStream::connect(ports::address(here))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"x")?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"X");
        Ok(stream)
    };
    let all: Vec<TcpStream> = (0..ALL).map(|_| one()).collect::<Result<_>>()?;
    let most = connections(&world)?;
    assert_eq!(most, ALL);
    // Each goes away while the other side still talks, so that it is the person's side that closes.
    drop(all);
    let begin = Instant::now();
    // Their connections to the target rest for a while, for what `sshd` has not handed on.
    thread::sleep(Duration::from_secs(1));
    assert!(connections(&world)? > ALL / 2, "they are gone at once");
    let next: Vec<TcpStream> = (0..3).map(|_| one()).collect::<Result<_>>()?;
    let took = begin.elapsed();
    assert!(
        (5..20).contains(&took.as_secs()),
        "they waited for {took:?}"
    );
    let end = Instant::now() + LIMIT;
    while connections(&world)? > next.len() {
        assert!(Instant::now() < end, "{} are left", connections(&world)?);
        thread::sleep(Duration::from_millis(100));
    }
    assert!(!live.err().contains("which is the most"), "{}", live.err());
    drop((next, live));
    world.wait_finished(ALL + 3, LIMIT)?;
    world.end()
}
