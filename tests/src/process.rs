//! Running programs: each has a time limit, and each is ended by its own id.

mod live;
mod service;

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::{Failure, Result};

pub use live::Live;
pub use service::Service;

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
