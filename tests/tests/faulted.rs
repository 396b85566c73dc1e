//! Whole sessions on a disk that is full, that two want to write to, and that fails while the bastion is told to end.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use hallpass_tests::inject::{self, Trace};
use hallpass_tests::process::{self, LIMIT, Live, Service};
use hallpass_tests::{Failure, Output, Result, World, ports, programs};

/// The calls with which a bastion uses its disk. Its writes to sockets, to its log and to the runtime's own wake-up are others.
const CALLS: &str = "pwrite64,fsync,fdatasync,fallocate,ftruncate,rename,renameat,renameat2,linkat,unlink,unlinkat,openat,mkdir,fstatfs,flock";

/// How many worlds are tried at once: each mostly waits.
const WORLDS: usize = 4;

fn run(world: &World, at: &str, command: &str) -> Result<Output> {
    let mut ssh = world.alice.ssh_live(&["-J", "bastion", at, command])?;
    ssh.close();
    ssh.finish(LIMIT)
}

/// A session that has begun.
fn begun(world: &World, flags: &[&str], at: &str, command: &str) -> Result<Live> {
    let command = format!("echo started; {command}");
    let args = [flags, &["-J", "bastion", at, &command]].concat();
    let mut live = world.alice.ssh_live(&args)?;
    live.wait_out("started", LIMIT)?;
    Ok(live)
}

/// What the recordings hold, as text.
fn recorded(world: &World) -> Result<String> {
    let mut text = String::new();
    for path in world.finished()? {
        let mut zstd = Command::new(programs::find("zstd")?);
        text += &process::run(zstd.arg("-dcq").arg(path))?.ok()?.out();
    }
    Ok(text)
}

#[test]
fn promise_03_on_a_full_disk_no_target_hears_of_a_new_session_and_a_running_one_has_its_end()
-> Result<()> {
    // What `statfs` says (64 bits each, this machine's order): type, size of a block, blocks, free ones, and ours of them.
    let words = [0x0102_1994_u64, 4096, 1 << 20, 0, 0];
    let bytes = words.iter().flat_map(|word| word.to_ne_bytes());
    let none: Vec<String> = bytes.map(|byte| format!("{byte:02x}")).collect();
    let none = none.concat();
    let no_room = format!("inject=fstatfs:poke_exit=@arg2={none}");
    let (mut world, at) = World::on_web1()?;
    let random = "read x; head -c 24M /dev/urandom | base64; sleep 60";
    for (full, why) in [
        (no_room.as_str(), "make room"),
        ("inject=fallocate:error=ENOSPC", "No space left on device"),
    ] {
        let mut quiet = begun(&world, &[], &at, "cat")?;
        let mut loud = begun(&world, &["-tt"], &at, random)?;
        let id = world.bastion()?.id();
        let calls = ["-e", "trace=fallocate,fstatfs", "-e", full];
        let strace = Trace::attach(id, &world.root().join("strace"), &calls)?;
        let before = world.web1.logins();
        let refused = run(&world, &at, "echo never")?;
        assert_eq!(
            (refused.out().as_str(), refused.status),
            ("", 255),
            "{full}"
        );
        refused.says("hallpass: ")?.says(why)?;
        assert_eq!(world.web1.logins(), before, "the target has heard of it");
        assert!(strace.has_struck()?, "{}", strace.findings()?);
        if full == no_room {
            drop(loud);
        } else {
            // It grows until there is no room left, and is told so.
            loud.send("\n")?;
            let output = loud.finish(LIMIT)?.exits(255)?;
            output.says("session ended: ")?;
        }
        quiet.send("still here\n")?;
        quiet.close();
        let output = quiet.finish(LIMIT)?.ok()?;
        assert_eq!(output.out(), "started\nstill here\n");
        strace.end()?;
        world.verify()?.ok()?;
        // There is room again, and nobody had to restart anything.
        run(&world, &at, "echo again")?.ok()?.prints("again\n")?;
    }
    let all = world.wait_finished(6, LIMIT)?;
    assert_eq!(
        all.len(),
        6,
        "each that began has its End, and no other one"
    );
    world.end()
}

/// The configuration of a second bastion over the same directory, which listens elsewhere.
fn second(world: &World, name: &str) -> Result<PathBuf> {
    let usual = fs::read_to_string(world.config())?;
    let listens = |port: u16| format!("listen = \"127.0.0.1:{port}\"");
    let other = usual.replace(&listens(world.bastion_port), &listens(ports::free()?));
    if other == usual {
        return Err(Failure::new("the bastion listens nowhere"));
    }
    let path = world.config().with_file_name(name);
    fs::write(&path, other)?;
    Ok(path)
}

/// Starts it under `strace`, and gives its exit status and what was found.
fn start_second(world: &World, name: &str, args: &[&str]) -> Result<(i32, String, String)> {
    let config = second(world, &format!("{name}.toml"))?;
    let findings = world.root().join(format!("{name}.strace"));
    let bastion = world.root().join("site/bastion");
    let mut strace = Command::new(programs::find("strace")?);
    strace.args(["-f", "-y", "-o"]).arg(&findings).args(args);
    // Nothing else of its start is about the store.
    for path in ["", "recordings", "recordings/.lock", "ends", "alerts"] {
        strace.arg("-P").arg(bastion.join(path));
    }
    strace
        .arg(programs::hallpass()?)
        .args(["bastion", "--config"])
        .arg(&config)
        .env("NO_COLOR", "1");
    let log = world.root().join(format!("{name}.log"));
    let mut service = Service::start(name, &mut strace, &log)?;
    let status = service.wait(LIMIT)?;
    let found = fs::read_to_string(&findings)?;
    Ok((status, found, service.log()))
}

#[test]
fn promise_08_a_second_bastion_on_the_store_refuses_whichever_of_its_calls_fails() -> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let mut session = begun(&world, &[], &at, "cat")?;
    let trace = format!("trace={CALLS}");
    let (status, found, said) = start_second(&world, "second", &["-e", &trace])?;
    assert_ne!(status, 0, "{said}");
    assert!(said.contains("another bastion writes to "), "{said}");
    let places = inject::places(&found, inject::tried(3));
    assert!(places.iter().any(|(call, _)| call == "flock"), "{found}");
    let faults: Vec<(usize, String, String)> = places
        .iter()
        .flat_map(|(call, nth)| {
            ["error=EIO", "error=ENOSPC", "signal=KILL"]
                .map(|fault| (call, format!("inject={call}:{fault}:when={nth}")))
        })
        .enumerate()
        .map(|(at, (call, fault))| (at, format!("trace={call}"), fault))
        .collect();
    let next = Mutex::new(faults.iter());
    let struck = thread::scope(|scope| {
        let try_all = || -> Result<usize> {
            let mut struck = 0;
            loop {
                let fault = next.lock().ok().and_then(|mut next| next.next());
                let Some((at, trace, fault)) = fault else {
                    return Ok(struck);
                };
                let args = ["-e", trace.as_str(), "-e", fault.as_str()];
                let (status, found, said) = start_second(&world, &format!("try-{at}"), &args)?;
                assert_ne!(status, 0, "{fault}: {said}");
                assert!(!said.contains("listening"), "{fault}: {said}");
                struck += usize::from(found.contains("INJECTED") || found.contains("SIGKILL"));
            }
        };
        let tries: Vec<_> = (0..WORLDS).map(|_| scope.spawn(try_all)).collect();
        let done = tries.into_iter().map(|one| {
            let done = one.join().map_err(|_| Failure::new("a try panicked"));
            done.and_then(|struck| struck)
        });
        done.sum::<Result<usize>>()
    })?;
    eprintln!("{struck} of {} faults struck", faults.len());
    assert!(struck * 10 >= faults.len() * 9, "{struck} of {faults:?}");
    // The first one has noticed nothing.
    session.send("still here\n")?;
    session.close();
    let output = session.finish(LIMIT)?.ok()?;
    assert_eq!(output.out(), "started\nstill here\n");
    run(&world, &at, "echo again")?.ok()?.prints("again\n")?;
    assert_eq!(world.wait_finished(2, LIMIT)?.len(), 2);
    assert!(world.bastion()?.runs());
    world.end()
}

/// The places of a bastion's end in which one session still runs.
fn places_of_the_end(world: &mut World, at: &str) -> Result<Vec<(String, u32)>> {
    let session = begun(world, &[], at, "cat")?;
    let id = world.bastion()?.id();
    let trace = format!("trace={CALLS}");
    let strace = Trace::attach(id, &world.root().join("strace"), &["-e", &trace])?;
    world.bastion()?.signal("TERM")?;
    let status = world.bastion()?.wait(Duration::from_secs(20))?;
    assert_eq!(status, 0);
    session.finish(LIMIT)?.says("this bastion is closing")?;
    let found = strace.end()?;
    // What goes to a socket or to another thread is no disk's.
    let of_disks = |line: &&str| !line.contains("<socket:") && !line.contains("<anon_inode:");
    let lines: Vec<&str> = found.lines().filter(of_disks).collect();
    Ok(inject::places(&lines.join("\n"), inject::tried(1)))
}

/// A bastion is told to end while a session runs, and this happens at one of its calls.
fn ends_with(world: &mut World, at: &str, name: &str, call: &str, fault: &str) -> Result<bool> {
    world.start_bastion()?;
    let command = format!("echo of-{name}; cat");
    let mut session = begun(world, &[], at, &command)?;
    session.wait_out(&format!("of-{name}\n"), LIMIT)?;
    let id = world.bastion()?.id();
    let trace = format!("trace={call}");
    let args = ["-e", trace.as_str(), "-e", fault];
    let strace = Trace::attach(id, &world.root().join("strace"), &args)?;
    world.bastion()?.signal("TERM")?;
    let begin = Instant::now();
    let status = world.bastion()?.wait(Duration::from_secs(25));
    let status = status.map_err(|e| Failure::new(format!("{fault}: {e}")))?;
    let killed = fault.contains("KILL");
    assert!(
        status == 0 || (killed && status == 137),
        "{fault}: {status}"
    );
    assert!(begin.elapsed() < Duration::from_secs(20), "{fault}");
    let output = session.finish(LIMIT)?.exits(255)?;
    if !killed {
        output.says("hallpass: ")?;
    }
    let struck = strace.has_struck()? || status == 137;
    drop(strace);
    world.kill_bastion();
    // The next start ends what this one could not.
    world.start_bastion()?;
    world.verify()?.ok()?;
    let recorded = recorded(world)?;
    assert!(
        recorded.contains(&format!("of-{name}")),
        "{fault}: not recorded"
    );
    world.kill_bastion();
    Ok(struck)
}

#[test]
fn promise_11_told_to_end_while_any_call_fails_or_is_the_last_the_bastion_ends_and_nothing_is_lost()
-> Result<()> {
    let (mut world, at) = World::on_web1()?;
    let places = places_of_the_end(&mut world, &at)?;
    world.end()?;
    assert!(places.len() > 3, "{places:?}");
    let faults: Vec<(usize, &str, String)> = places
        .iter()
        .flat_map(|(call, nth)| {
            ["error=EIO", "signal=KILL"]
                .map(|fault| (call.as_str(), format!("inject={call}:{fault}:when={nth}")))
        })
        .enumerate()
        .map(|(at, (call, fault))| (at, call, fault))
        .collect();
    let next = Mutex::new(faults.iter());
    let struck = thread::scope(|scope| {
        let try_all = || -> Result<usize> {
            let (mut world, at) = World::on_web1()?;
            world.kill_bastion();
            let mut struck = 0;
            loop {
                let fault = next.lock().ok().and_then(|mut next| next.next());
                let Some((n, call, fault)) = fault else {
                    world.end()?;
                    return Ok(struck);
                };
                let done = ends_with(&mut world, &at, &n.to_string(), call, fault)?;
                struck += usize::from(done);
            }
        };
        let tries: Vec<_> = (0..WORLDS).map(|_| scope.spawn(try_all)).collect();
        let done = tries.into_iter().map(|one| {
            let done = one.join().map_err(|_| Failure::new("a try panicked"));
            done.and_then(|struck| struck)
        });
        done.sum::<Result<usize>>()
    })?;
    eprintln!("{struck} of {} faults struck: {places:?}", faults.len());
    assert!(
        inject::enough(struck, faults.len()),
        "{struck} of {faults:?}"
    );
    Ok(())
}
