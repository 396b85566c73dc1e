//! Peers that stand still, go away, or come in crowds: sessions end all the same, and others get in.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Result, World, ports, programs};
use tokio::net::{TcpSocket, TcpStream};

/// A target that takes connections and never says a word.
fn hanging() -> Result<(TcpListener, Setup)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let extra = format!(
        "[target.\"hang.prod\"]\naddress = \"127.0.0.1:{port}\"\nhost = \"ca\"\n\n\
         [role.hang]\ngroups = [\"oncall\"]\nlogins = [\"LOGIN\"]\ntargets = [\"hang.prod\"]\napprovals = {{ count = 0 }}\n"
    );
    let setup = Setup {
        extra,
        ..Setup::default()
    };
    Ok((listener, setup))
}

/// The sessions that the CA knows of, and how many of them have ended.
fn sessions(world: &World) -> Result<(usize, usize)> {
    let listed = world.alice.ssh(&["ca", "sessions", "--json"])?.ok()?;
    let rows: serde_json::Value =
        serde_json::from_str(&listed.out()).map_err(|e| Failure::new(e.to_string()))?;
    let rows = rows.as_array().cloned().unwrap_or_default();
    let ended = rows.iter().filter(|row| !row["ended"].is_null()).count();
    Ok((rows.len(), ended))
}

/// Waits until every one of this many sessions has ended, as the CA knows it.
fn wait_ended(world: &World, count: usize, limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    loop {
        let known = sessions(world)?;
        if known == (count, count) {
            return Ok(());
        }
        if Instant::now() > end {
            let text =
                format!("{count} ended sessions expected, and the CA knows (all, ended) {known:?}");
            return Err(Failure::new(text));
        }
        sleep(Duration::from_millis(100));
    }
}

/// The processes below another one: those of an `sshd` serve its connections.
fn below(top: u32) -> Result<Vec<u32>> {
    let mut command = Command::new(programs::find("ps")?);
    let listed = process::run(command.args(["-e", "-o", "pid=,ppid="]))?
        .ok()?
        .out();
    let pairs: Vec<(u32, u32)> = listed
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().map(|word| word.parse().ok());
            Some((words.next()??, words.next()??))
        })
        .collect();
    let mut found = vec![top];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(
            pairs
                .iter()
                .filter(|pair| pair.1 == parent)
                .map(|pair| pair.0),
        );
        at += 1;
    }
    found.remove(0);
    Ok(found)
}

#[test]
fn a_client_that_goes_before_its_session_began_leaves_no_session_behind() -> Result<()> {
    let (listener, setup) = hanging()?;
    let world = World::with(&setup)?;
    let at = format!("{}@hang.prod", world.login);
    world.take(&world.alice, &at, &[])?;
    let live = world
        .alice
        .ssh_live(&["-J", "bastion", &at, "echo never"])?;
    // The bastion has reached the target, and waits for it.
    let (_held, _) = listener.accept()?;
    sleep(Duration::from_millis(300));
    drop(live);
    let recording = world.first_recording(LIMIT)?;
    world
        .hallpass(&["verify", recording.to_str().unwrap_or_default()])?
        .ok()?
        .prints("client-closed")?;
    wait_ended(&world, 1, LIMIT)?;
    world.end()
}

#[test]
fn a_session_that_is_revoked_while_its_target_hangs_ends_at_once() -> Result<()> {
    let (listener, setup) = hanging()?;
    let world = World::with(&setup)?;
    let at = format!("{}@hang.prod", world.login);
    let id = world.take(&world.alice, &at, &[])?;
    let live = world
        .alice
        .ssh_live(&["-J", "bastion", &at, "echo never"])?;
    let (_held, _) = listener.accept()?;
    world.alice.ssh(&["ca", "return", &id])?.ok()?;
    let begin = Instant::now();
    let output = live.finish(LIMIT)?;
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    assert_ne!(output.status, 0, "{output}");
    output.says("session ended: the grant was given back or revoked")?;
    wait_ended(&world, 1, LIMIT)?;
    world.verify()?.ok()?.prints("revoked")?;
    world.end()
}

#[test]
fn an_answer_of_the_ca_that_is_lost_leaves_no_session_open() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    // The door certificate is there before the CA becomes slow.
    world.jump(&[&at, "echo before"])?.ok()?;
    let ca = world.ca()?.id().to_string();
    let mut slow = Command::new(programs::find("strace")?);
    slow.args(["-f", "-p", &ca, "-e", "trace=fdatasync"])
        .args(["-e", "inject=fdatasync:delay_enter=11000000:when=1"]);
    let mut slow = Live::start(&mut slow)?;
    slow.wait_err("attached", LIMIT)?;
    let refused = world.jump(&[&at, "echo never"])?;
    assert_ne!(refused.status, 0, "{refused}");
    assert_eq!(refused.out(), "", "{refused}");
    refused.says("the CA cannot be reached")?;
    wait_ended(&world, 2, LIMIT)?;
    slow.signal("INT")?;
    world.end()
}

#[test]
fn a_session_whose_target_stands_still_ends_at_its_deadline() -> Result<()> {
    let world = World::new()?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &["--for", "12s"])?;
    let begin = Instant::now();
    let ssh =
        process::spell(
            &world
                .alice
                .ssh_command(&["-J", "bastion", &at, "cat > /dev/null"])?,
        );
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec {ssh} < /dev/zero"));
    let live = Live::start(&mut command)?;
    while world.web1.logins() == 0 && begin.elapsed() < LIMIT {
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(500));
    // One of them may have gone meanwhile.
    let mut stopped = below(world.web1.id().unwrap_or_default())?;
    stopped.retain(|id| process::signal(*id, "STOP").is_ok());
    assert!(!stopped.is_empty(), "nothing serves the session");
    let ended = wait_ended(&world, 1, LIMIT);
    for id in &stopped {
        let _ = process::signal(*id, "CONT");
    }
    ended?;
    world.verify()?.ok()?.prints("deadline")?;
    let output = live.finish(LIMIT)?;
    assert_ne!(output.status, 0, "{}", output.err());
    world.end()
}

#[test]
fn a_session_whose_client_stands_still_ends_at_its_deadline() -> Result<()> {
    let world = World::new()?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &["--for", "12s"])?;
    let mut live = world.alice.ssh_live(&["-J", "bastion", &at, "yes"])?;
    live.wait_out("y\ny\n", LIMIT)?;
    let jump = below(live.id())?;
    live.signal("STOP")?;
    for id in &jump {
        process::signal(*id, "STOP")?;
    }
    let ended = wait_ended(&world, 1, LIMIT);
    for id in &jump {
        let _ = process::signal(*id, "CONT");
    }
    live.signal("CONT")?;
    ended?;
    world.verify()?.ok()?.prints("deadline")?;
    drop(live);
    world.end()
}

#[test]
fn a_reader_that_goes_away_costs_no_memory() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let before = resident(world.bastion()?.id())?;
    let ssh = process::spell(&world.alice.ssh_command(&["-J", "bastion", &at, "yes"])?);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{ssh} | head -1"));
    let mut live = Live::start(&mut command)?;
    live.wait_out("y\n", LIMIT)?;
    sleep(Duration::from_secs(5));
    let more = resident(world.bastion()?.id())?.saturating_sub(before);
    // OpenSSH tells only servers of its own kind that nobody reads any more, so the flood goes on.
    assert!(more < 32 << 10, "{more} KiB more");
    for id in below(live.id())? {
        // When one of them goes, those that it spoke with may go before their turn.
        let _ = process::signal(id, "TERM");
    }
    wait_ended(&world, 1, LIMIT)?;
    world.end()
}

/// Resident memory in KiB.
fn resident(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        })
        .ok_or_else(|| Failure::new("no VmRSS"))
}

#[test]
fn promise_16_a_crowd_from_many_addresses_keeps_nobody_out() -> Result<()> {
    let (world, _) = World::on_web1()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut crowd = Vec::new();
    for port in [world.ca_port, world.bastion_port] {
        for n in 0..600_u32 {
            let from = Ipv4Addr::new(127, 0, 1, u8::try_from(n / 50).unwrap_or_default());
            crowd.push(runtime.block_on(connect(from, port))?);
        }
    }
    let begin = Instant::now();
    world
        .alice
        .ssh(&["-b", "127.0.0.2", "ca", "whoami"])?
        .ok()?
        .prints("alice")?;
    let user = format!("{}%web1.prod@bastion", world.login);
    world
        .alice
        .ssh(&["-b", "127.0.0.2", &user, "echo in"])?
        .ok()?
        .prints("in\n")?;
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    drop(crowd);
    world.end()
}

/// A connection from one of this machine's own addresses, which says nothing.
async fn connect(from: Ipv4Addr, port: u16) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(ports::address(port).into()).await?)
}
