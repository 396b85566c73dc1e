//! The disk of the recordings under a running bastion: each call of one short session fails or is its last, and calls that
//! do not return.
//!
//! Which calls there are is found by watching two sessions with `strace`. A call beyond the first of its kind in its thread is tried
//! only if `HALLPASS_INJECT=all` is set.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use hallpass_tests::inject::{self, Trace};
use hallpass_tests::process::{self, LIMIT};
use hallpass_tests::world::Setup;
use hallpass_tests::{Failure, Output, Result, World, keys, programs, watch};

/// The calls with which the bastion uses a disk. Its writes to sockets and to the runtime's own wake-up are others.
const CALLS: &str = "pwrite64,fsync,fdatasync,fallocate,ftruncate,rename,renameat,renameat2,linkat,unlink,unlinkat,openat,mkdir,fstatfs";

/// How often of one kind a call is tried, unless all are.
const TRIED: u32 = 1;

/// Lets `strace` do something to the running bastion.
fn traced(world: &mut World, args: &[&str]) -> Result<Trace> {
    let id = world.bastion()?.id();
    Trace::attach(id, &world.root().join("strace"), args)
}

/// A session that says two words, and hears one.
fn session(world: &World, at: &str, name: &str) -> Result<Output> {
    let command = format!("echo first {name}; cat; echo last {name}");
    let args = ["-J", "bastion", at, &command];
    let mut ssh = world.alice.ssh_live(&args)?;
    let _ = ssh.send("between\n");
    ssh.close();
    ssh.finish(LIMIT)
}

fn whole(name: &str) -> String {
    format!("first {name}\nbetween\nlast {name}\n")
}

/// Every place of one session: the call, and its how manieth in its thread.
fn places(world: &mut World, at: &str) -> Result<Vec<(String, u32)>> {
    let strace = traced(world, &["-e", &format!("trace={CALLS}")])?;
    for name in ["one", "two"] {
        session(world, at, name)?.ok()?;
    }
    world.wait_finished(2, LIMIT)?;
    Ok(inject::places(&strace.end()?, inject::tried(TRIED)))
}

/// The same world, whose recordings only a reviewer opens.
fn sealed() -> Result<(World, String)> {
    let desk = tempfile::tempdir()?;
    let key = desk.path().join(REVIEWER);
    keys::make(&key, REVIEWER)?;
    let recipient = keys::public_line(&key)?;
    let world = World::with(&Setup {
        extra: format!("[recordings]\nrecipients = [\"{recipient}\"]\n"),
        ..Setup::default()
    })?;
    fs::copy(&key, world.root().join(REVIEWER))?;
    let at = world.at_web1();
    world.take(&world.alice, &at, &[])?;
    Ok((world, at))
}

/// The key of [`sealed`] recordings, in the world's directory.
const REVIEWER: &str = "reviewer";

/// What all recordings hold, as text.
fn recorded(world: &World) -> Result<String> {
    let mut text = String::new();
    let key = world.root().join(REVIEWER);
    for path in world.finished()? {
        let mut read = if key.exists() {
            let mut export = world.hallpass_command(&["export", "--format", "txt"])?;
            export.arg("--identity").arg(&key);
            export
        } else {
            let mut zstd = Command::new(programs::find("zstd")?);
            zstd.arg("-dcq");
            zstd
        };
        text += &process::run(read.arg(path))?.ok()?.out();
    }
    Ok(text)
}

/// Whoever heard something heard what is recorded.
fn nothing_unrecorded(world: &World, name: &str, output: &Output) -> Result<()> {
    let (heard, recorded) = (output.out(), recorded(world)?);
    assert!(whole(name).starts_with(&heard), "{output}");
    for line in heard.lines() {
        let of_this = |word: &str| line == format!("{word} {name}");
        if of_this("first") || of_this("last") {
            assert!(
                recorded.contains(line),
                "{line:?} is not recorded: {output}"
            );
        }
    }
    Ok(())
}

/// Whether the fault was done.
fn struck(world: &mut World, strace: &Trace) -> Result<bool> {
    Ok(!world.bastion()?.runs() || strace.has_struck()?)
}

#[test]
fn promise_1_killed_at_every_call_of_a_session_the_bastion_forwarded_nothing_unrecorded()
-> Result<()> {
    killed_at_every_call(World::on_web1()?)
}

#[test]
fn promise_1_killed_at_every_call_of_a_sealed_session_the_bastion_forwarded_nothing_unrecorded()
-> Result<()> {
    killed_at_every_call(sealed()?)
}

fn killed_at_every_call((mut world, at): (World, String)) -> Result<()> {
    let places = places(&mut world, &at)?;
    let mut hit = 0;
    for (index, (call, nth)) in places.iter().enumerate() {
        let name = format!("killed-{index}");
        let injection = format!("inject={call}:signal=KILL:when={nth}");
        let filter = format!("trace={call}");
        let strace = traced(&mut world, &["-e", &filter, "-e", &injection])?;
        let output = session(&world, &at, &name)?;
        hit += usize::from(struck(&mut world, &strace)?);
        drop(strace);
        world.kill_bastion();
        // Its start ends what was left.
        world.start_bastion()?;
        world.verify()?.ok()?;
        nothing_unrecorded(&world, &name, &output)?;
    }
    assert!(inject::enough(hit, places.len()), "{hit} of {places:?}");
    session(&world, &at, "again")?.ok()?;
    world.end()
}

#[test]
fn promise_2_whichever_call_of_a_session_fails_nothing_is_forwarded_unrecorded_and_others_go_on()
-> Result<()> {
    whichever_call_fails(World::on_web1()?)
}

#[test]
fn promise_2_whichever_call_of_a_sealed_session_fails_nothing_is_forwarded_unrecorded() -> Result<()>
{
    whichever_call_fails(sealed()?)
}

fn whichever_call_fails((mut world, at): (World, String)) -> Result<()> {
    let places = places(&mut world, &at)?;
    let mut hit = 0;
    for (index, (call, nth)) in places.iter().enumerate() {
        let name = format!("failed-{index}");
        let mut beside = world
            .alice
            .ssh_live(&["-J", "bastion", &at, "echo up; cat"])?;
        beside.wait_out("up\n", LIMIT)?;
        let error = if index % 2 == 0 { "EIO" } else { "ENOSPC" };
        let injection = format!("inject={call}:error={error}:when={nth}");
        let filter = format!("trace={call}");
        let strace = traced(&mut world, &["-e", &filter, "-e", &injection])?;
        let output = session(&world, &at, &name)?;
        hit += usize::from(struck(&mut world, &strace)?);
        drop(strace);
        let complete = output.status == 0 && output.out() == whole(&name);
        let named = output.err().contains("hallpass: ");
        assert!(complete || named, "{call} {nth} {error}: {output}");
        let _ = beside.send("still here\n");
        beside.close();
        let other = beside.finish(LIMIT)?;
        if call.ends_with("sync") {
            // Promise 4: nobody knows any more what is durable. Everybody is told, until a restart has looked.
            let told = "lost the trust in its disk";
            let poisoned = output.err().contains(told) || other.err().contains(told);
            if poisoned {
                let refused = session(&world, &at, &format!("{name}-later"))?;
                assert_eq!(
                    (refused.out().as_str(), refused.status),
                    ("", 255),
                    "{refused}"
                );
                refused.says(told)?;
            }
        } else {
            assert_eq!(
                other.ok()?.out(),
                "up\nstill here\n",
                "{call} {nth} {error}"
            );
        }
        world.kill_bastion();
        world.start_bastion()?;
        world.verify()?.ok()?;
        nothing_unrecorded(&world, &name, &output)?;
    }
    assert!(inject::enough(hit, places.len()), "{hit} of {places:?}");
    session(&world, &at, "again")?.ok()?;
    world.end()
}

/// Says something every fifth of a second, for as long as anybody lets it.
const TICKING: &str = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.2; done";

#[test]
fn promise_6_a_disk_that_makes_nothing_durable_ends_sessions_after_ten_seconds_by_name()
-> Result<()> {
    nothing_becomes_durable(World::on_web1()?)
}

#[test]
fn promise_6_a_disk_that_makes_nothing_durable_ends_sealed_sessions_after_ten_seconds_by_name()
-> Result<()> {
    nothing_becomes_durable(sealed()?)
}

fn nothing_becomes_durable((mut world, at): (World, String)) -> Result<()> {
    let mut live = world.alice.ssh_live(&["-J", "bastion", &at, TICKING])?;
    live.wait_out("tick 1\n", LIMIT)?;
    let slow = "inject=fdatasync:delay_enter=25000000";
    let strace = traced(&mut world, &["-e", "trace=fdatasync", "-e", slow])?;
    let begin = Instant::now();
    let said = "the disk of the recordings has not answered for 10 s";
    live.wait_err(said, Duration::from_secs(20))?;
    let told = begin.elapsed();
    assert!(told > Duration::from_secs(9), "told after {told:?}");
    let refused = session(&world, &at, "refused")?;
    assert_eq!(refused.out(), "", "{refused}");
    refused.says(said)?;
    let output = live.finish(LIMIT)?.exits(255)?;
    drop(strace);
    world.kill_bastion();
    world.start_bastion()?;
    let recorded = recorded(&world)?;
    let last = output.out();
    let last = last.lines().last().ok_or_else(|| Failure::new("silence"))?;
    assert!(recorded.contains(last), "{last} is not recorded");
    world.end()
}

#[test]
fn promise_6_a_write_that_does_not_return_ends_the_bastion_after_ten_seconds() -> Result<()> {
    a_write_does_not_return(World::on_web1()?)
}

#[test]
fn promise_6_a_write_of_a_sealed_recording_that_does_not_return_ends_the_bastion_after_ten_seconds()
-> Result<()> {
    a_write_does_not_return(sealed()?)
}

fn a_write_does_not_return((mut world, at): (World, String)) -> Result<()> {
    let mut live = world.alice.ssh_live(&["-J", "bastion", &at, TICKING])?;
    live.wait_out("tick 1\n", LIMIT)?;
    let slow = "inject=pwrite64:delay_enter=40000000";
    let strace = traced(&mut world, &["-e", "trace=pwrite64", "-e", slow])?;
    let begin = Instant::now();
    let said = "the disk of the recordings has not answered for 10 s: this bastion ends";
    world.bastion()?.wait_log(said, Duration::from_secs(20))?;
    let status = world.bastion()?.wait(LIMIT)?;
    assert_eq!(status, 128 + 6, "ended by SIGABRT");
    assert!(begin.elapsed() > Duration::from_secs(9));
    drop(strace);
    let output = live.finish(LIMIT)?.exits(255)?;
    world.kill_bastion();
    world.start_bastion()?;
    let recorded = recorded(&world)?;
    let last = output.out();
    let last = last.lines().last().ok_or_else(|| Failure::new("silence"))?;
    assert!(recorded.contains(last), "{last} is not recorded");
    session(&world, &at, "again")?.ok()?;
    world.end()
}

#[test]
fn a_recording_that_begins_after_nobody_waits_for_it_is_ended_and_the_ca_hears_of_it() -> Result<()>
{
    let (mut world, at) = World::on_web1()?;
    let slow = "inject=fallocate:delay_enter=13000000:when=1";
    let strace = traced(&mut world, &["-e", "trace=fallocate", "-e", slow])?;
    let refused = session(&world, &at, "late")?;
    assert_eq!(
        (refused.out().as_str(), refused.status),
        ("", 255),
        "{refused}"
    );
    refused.says("nothing was opened, because the recorder does not begin")?;
    world.wait_finished(1, LIMIT)?;
    drop(strace);
    watch::until("the CA hears why", || {
        let listed = world.alice.ssh(&["ca", "sessions"])?.ok()?;
        Ok(listed.out().contains("recorder"))
    })?;
    world.end()
}
