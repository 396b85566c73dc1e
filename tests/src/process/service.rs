//! A program in the background.

use std::fs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{TICK, shell_status, signal, spell};
use crate::failure::Context;
use crate::{Failure, Result};

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
