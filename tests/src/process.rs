//! Running programs: each has a time limit, and each is ended by its own id.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};
use std::{fmt, fs};

use crate::failure::Context;
use crate::{Failure, Result};

/// How often a wait looks again.
const TICK: Duration = Duration::from_millis(10);

/// How long a command may take unless the caller says otherwise. Far more than any needs, since
/// a loaded machine with two cores runs several worlds at once.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a finished program left behind.
#[derive(Clone)]
pub struct Output {
    /// The exit status; 128 and the signal's number if a signal ended it, as a shell says it.
    pub status: i32,
    /// Standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Standard error, byte for byte.
    pub stderr: Vec<u8>,
    /// What was run, for messages.
    pub command: String,
}

impl Output {
    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The output itself if the status is 0, otherwise a failure that shows everything.
    pub fn ok(self) -> Result<Self> {
        self.exits(0)
    }

    /// The output itself if the status is this one, otherwise a failure that shows everything.
    pub fn exits(self, status: i32) -> Result<Self> {
        if self.status == status {
            Ok(self)
        } else {
            Err(Failure::new(format!(
                "expected exit status {status} of {self}"
            )))
        }
    }

    /// The output itself if standard error holds this text, otherwise a failure that shows everything.
    pub fn says(self, text: &str) -> Result<Self> {
        if self.err().contains(text) {
            Ok(self)
        } else {
            Err(Failure::new(format!(
                "expected {text:?} on standard error of {self}"
            )))
        }
    }

    /// The output itself if standard output holds this text, otherwise a failure that shows everything.
    pub fn prints(self, text: &str) -> Result<Self> {
        if self.out().contains(text) {
            Ok(self)
        } else {
            Err(Failure::new(format!(
                "expected {text:?} on standard output of {self}"
            )))
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n-- exit status {}\n-- standard output:\n{}\n-- standard error:\n{}",
            self.command,
            self.status,
            self.out(),
            self.err()
        )
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Runs a command to its end with nothing on standard input.
pub fn run(command: &mut Command) -> Result<Output> {
    let mut live = Live::start(command)?;
    live.close();
    live.finish(LIMIT)
}

/// Runs a command to its end with these bytes on standard input.
pub fn run_with(command: &mut Command, input: &[u8]) -> Result<Output> {
    let mut live = Live::start(command)?;
    // A program that refuses at once closes its end early; what it says matters then, not the pipe.
    let _ = live.send(input);
    live.close();
    live.finish(LIMIT)
}

/// The same command in a terminal of its own, 100 columns wide and 30 rows high: its three streams
/// become one.
pub fn in_terminal(command: &Command) -> Result<Command> {
    let mut script = Command::new(crate::programs::find("script")?);
    let shell = format!("stty cols 100 rows 30; exec {}", spell(command));
    script
        .arg("-qec")
        .arg(shell)
        .arg("/dev/null")
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh");
    Ok(script)
}

/// A program that runs while the test talks to it.
pub struct Live {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Stream,
    stderr: Stream,
    command: String,
}

impl Live {
    /// Starts a command with pipes for all three streams.
    pub fn start(command: &mut Command) -> Result<Self> {
        let text = spell(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context(&text)?;
        Ok(Self {
            stdin: child.stdin.take(),
            stdout: Stream::read(child.stdout.take()),
            stderr: Stream::read(child.stderr.take()),
            child,
            command: text,
        })
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to the program's standard input.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let stdin = self
            .stdin
            .as_mut()
            .ok_or_else(|| Failure::new("standard input is closed"))?;
        stdin.write_all(bytes.as_ref())?;
        Ok(stdin.flush()?)
    }

    /// Closes the program's standard input.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// What has arrived on standard output so far.
    pub fn out(&self) -> String {
        self.stdout.text()
    }

    /// What has arrived on standard error so far.
    pub fn err(&self) -> String {
        self.stderr.text()
    }

    /// Waits until standard output holds this text.
    pub fn wait_out(&mut self, text: &str, limit: Duration) -> Result<()> {
        self.wait(limit, text, |live| live.stdout.text().contains(text))
    }

    /// Waits until standard error holds this text.
    pub fn wait_err(&mut self, text: &str, limit: Duration) -> Result<()> {
        self.wait(limit, text, |live| live.stderr.text().contains(text))
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal, named as `kill` names it.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(self.child.id(), name)
    }

    /// Waits for the end and gives back everything; a program that outlives the limit is killed,
    /// and that is a failure which shows what it had said.
    pub fn finish(mut self, limit: Duration) -> Result<Output> {
        let end = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() >= end {
                let _ = self.child.kill();
                let status = self.child.wait()?;
                let output = self.output(status);
                return Err(Failure::new(format!("still ran after {limit:?}: {output}")));
            }
            sleep(TICK);
        };
        Ok(self.output(status))
    }

    fn wait(&mut self, limit: Duration, text: &str, met: impl Fn(&Self) -> bool) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            // Asked before the look, so that what a program says last is still seen.
            let runs = self.runs();
            if met(self) {
                return Ok(());
            }
            if !runs || Instant::now() >= end {
                self.stdout.settle();
                self.stderr.settle();
                if met(self) {
                    return Ok(());
                }
                let why = if runs {
                    format!("after {limit:?}")
                } else {
                    "when it ended".to_owned()
                };
                return Err(Failure::new(format!(
                    "{} had not said {text:?} {why}\n-- standard output:\n{}\n-- standard error:\n{}",
                    self.command,
                    self.out(),
                    self.err()
                )));
            }
            sleep(TICK);
        }
    }

    fn output(&mut self, status: ExitStatus) -> Output {
        self.stdout.settle();
        self.stderr.settle();
        Output {
            status: shell_status(status),
            stdout: self.stdout.bytes(),
            stderr: self.stderr.bytes(),
            command: self.command.clone(),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program in the background whose output goes to a file. It ends when this is dropped.
pub struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts a command; both of its output streams are appended to `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let open = || File::options().create(true).append(true).open(log);
        let child = command
            .stdin(Stdio::null())
            .stdout(open().context(log.display())?)
            .stderr(open().context(log.display())?)
            .spawn()
            .context(spell(command))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the program has written so far, runs before this one included.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until the log holds this text.
    pub fn wait_log(&mut self, text: &str, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let runs = self.runs();
            let log = self.log();
            if log.contains(text) {
                return Ok(());
            }
            if !runs || Instant::now() >= end {
                let why = if runs {
                    format!("after {limit:?}")
                } else {
                    "when it ended".to_owned()
                };
                return Err(Failure::new(format!(
                    "{} had not logged {text:?} {why}:\n{log}",
                    self.name
                )));
            }
            sleep(TICK);
        }
    }

    /// Waits until the program listens on this port.
    pub fn wait_port(&mut self, port: u16, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        while self.runs() && Instant::now() < end {
            if crate::ports::wait_for(port, TICK).is_ok() {
                return Ok(());
            }
        }
        Err(Failure::new(format!(
            "{} does not listen on port {port}:\n{}",
            self.name,
            self.log()
        )))
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal, named as `kill` names it.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(self.child.id(), name)
    }

    /// Waits for the end; the status as a shell says it.
    pub fn wait(&mut self, limit: Duration) -> Result<i32> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Ok(shell_status(status));
            }
            sleep(TICK);
        }
        Err(Failure::new(format!(
            "{} still runs after {limit:?}:\n{}",
            self.name,
            self.log()
        )))
    }

    /// Ends the program with `kill -9` and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Prints the end of the log on standard error, under a heading.
    pub fn show_log(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(200)..)
            .unwrap_or_default();
        eprintln!("---- log of {}\n{}", self.name, last.join("\n"));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub fn signal(id: u32, name: &str) -> Result<()> {
    // The shell's own `kill`: the program of that name is not installed everywhere.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("kill -s {name} {id}"));
    run(&mut command)?.ok().map(drop)
}

/// A command as a person would type it, near enough for a message.
pub fn spell(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| quote(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// One word, quoted for a shell where it has to be.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn shell_status(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// One output stream, read by its own thread so that no pipe ever fills.
struct Stream {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(source: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        let reader = source.map(|mut source| {
            thread::spawn(move || {
                let mut buffer = [0; 16 * 1024];
                while let Ok(count @ 1..) = source.read(&mut buffer) {
                    let mut bytes = into.lock().unwrap_or_else(PoisonError::into_inner);
                    bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
            })
        });
        Self { bytes, reader }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Waits for the end of the stream, but not for long: a grandchild may hold it open.
    fn settle(&mut self) {
        let end = Instant::now() + Duration::from_secs(2);
        while let Some(reader) = &self.reader {
            if reader.is_finished() || Instant::now() >= end {
                self.reader = None;
            } else {
                sleep(TICK);
            }
        }
    }
}
