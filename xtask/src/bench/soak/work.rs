//! What the mix is made of, each in a thread of its own until the end.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hallpass_tests::process::{self, LIMIT, Live};
use hallpass_tests::{Failure, Result, ports};

use super::super::measure;
use super::Mix;

/// One kind of work.
type Work = fn(&Mix);

pub(super) const ALL: &[Work] = &[commands, keystrokes, transfers, forwarded, files, screens];

/// Keys are exchanged again after so much, or so long.
const REKEY: &str = "RekeyLimit=16M 1m";

/// The bytes of one transfer.
const BULK: u64 = 128 << 20;

/// The bytes of one file, and of one forwarded connection.
const FILE: usize = 4 << 20;

/// How long anything that comes back may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Short commands, one after another, by both ways.
fn commands(mix: &Mix) {
    let door = format!("{}%web1.prod@bastion", mix.world.login);
    for to in [&["-J", "bastion", &mix.at][..], &[&door]].iter().cycle() {
        if mix.is_over() {
            break;
        }
        let said = mix.world.alice.ssh(&[to, &["echo said"][..]].concat());
        mix.count(
            "command",
            said.and_then(|o| o.ok()?.prints("said")).map(drop),
        );
        mix.rest(Duration::from_millis(500));
    }
}

/// One terminal that lives the whole time, with a keystroke now and then.
fn keystrokes(mix: &Mix) {
    let outcome = typing(mix);
    mix.count("terminal that lives the whole time", outcome);
}

fn typing(mix: &Mix) -> Result<()> {
    let args = ["-tt", "-o", REKEY, "-J", "bastion", &mix.at, measure::ECHO];
    let mut live = Live::start(&mut mix.world.alice.ssh_command(&args)?)?;
    live.wait_out("go>", LIMIT)?;
    let mut typed = 0;
    while !mix.is_over() {
        let word = format!("k{typed} ");
        live.send(&word)?;
        live.wait_out(&word, PATIENCE)?;
        typed += 1;
        mix.rest(seconds(3));
    }
    Ok(())
}

/// A long transfer down and one up, every half minute.
fn transfers(mix: &Mix) {
    while !mix.is_over() {
        mix.count("transfer", transfer(mix));
        mix.rest(seconds(30));
    }
}

fn transfer(mix: &Mix) -> Result<()> {
    let zeros = tempfile::NamedTempFile::new()?;
    File::options()
        .write(true)
        .open(zeros.path())?
        .set_len(BULK)?;
    let door = format!("{}%web1.prod@bastion", mix.world.login);
    let ssh = |command: &str| mix.world.alice.ssh_command(&["-o", REKEY, &door, command]);
    measure::transfer(&mut ssh(&measure::spring(BULK))?, None)?;
    measure::transfer(&mut ssh(measure::SINK)?, Some(zeros.path()))?;
    Ok(())
}

/// One `ssh -L` that lives the whole time, and connections through it.
fn forwarded(mix: &Mix) {
    let outcome = forwarding(mix);
    mix.count("forwarding that lives the whole time", outcome);
}

fn forwarding(mix: &Mix) -> Result<()> {
    let far = answering()?;
    let near = ports::free()?;
    let places = format!("127.0.0.1:{near}:127.0.0.1:{far}");
    let args = [
        "-N",
        "-o",
        "ExitOnForwardFailure=yes",
        "-J",
        "bastion",
        "-L",
        &places,
        &mix.at,
    ];
    let mut live = Live::start(&mut mix.world.alice.ssh_command(&args)?)?;
    ports::wait_for(near, LIMIT)?;
    while !mix.is_over() {
        mix.count("forwarded connection", through(near));
        mix.rest(seconds(5));
    }
    if live.runs() {
        Ok(())
    } else {
        Err(Failure::new(live.err()))
    }
}

/// A port that sends back all that it reads.
fn answering() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(std::io::Result::ok) {
            thread::spawn(move || {
                let mut to = stream.try_clone()?;
                std::io::copy(&mut stream, &mut to)?;
                to.shutdown(Shutdown::Write)
            });
        }
    });
    Ok(port)
}

fn through(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect(ports::address(port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut writing = stream.try_clone()?;
    let writer = thread::spawn(move || {
        writing.write_all(&vec![b'f'; FILE])?;
        writing.shutdown(Shutdown::Write)
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back)?;
    if writer.join().is_ok_and(|written| written.is_ok()) && back.len() == FILE {
        Ok(())
    } else {
        Err(Failure::new(format!("{} bytes came back", back.len())))
    }
}

/// A file there and back by `sftp`, every twenty seconds.
fn files(mix: &Mix) {
    while !mix.is_over() {
        mix.count("files", file(mix));
        mix.rest(seconds(20));
    }
}

fn file(mix: &Mix) -> Result<()> {
    let desk = tempfile::tempdir()?;
    let [from, far, back] = ["from", "far", "back"].map(|name| desk.path().join(name));
    fs::write(&from, vec![b's'; FILE])?;
    let batch = format!(
        "put {} {}\nget {} {}\n",
        from.display(),
        far.display(),
        far.display(),
        back.display()
    );
    let mut sftp: Command = mix.world.alice.command("sftp")?;
    sftp.arg("-F").arg(mix.world.alice.config());
    sftp.args(["-o", "BatchMode=yes", "-J", "bastion", "-b", "-", &mix.at]);
    process::run_with(&mut sftp, batch.as_bytes())?.ok()?;
    if fs::read(&back)? == fs::read(&from)? {
        Ok(())
    } else {
        Err(Failure::new("another file came back"))
    }
}

/// A terminal whose screen changes all the time, for a minute, again and again.
fn screens(mix: &Mix) {
    while !mix.is_over() {
        mix.count("screen", screen(mix));
        mix.rest(seconds(5));
    }
}

fn screen(mix: &Mix) -> Result<()> {
    let lines = "for i in $(seq 60); do printf '\\033[H\\033[2J'; ls -l /etc | head -30; sleep 1; done; exit 7";
    let args = ["-tt", "-J", "bastion", &mix.at, lines];
    let mut ssh = mix.world.alice.ssh_command(&args)?;
    let mut child = ssh
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            let failure = || Failure::new(format!("the screen ended with {status}"));
            return (status.code() == Some(7)).then_some(()).ok_or_else(failure);
        }
        if mix.is_over() {
            child.kill()?;
            child.wait()?;
            return Ok(());
        }
        mix.rest(seconds(1));
    }
}
