//! A program that a test talks to.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::{Output, TICK, shell_status, signal, spell};
use crate::failure::Context;
use crate::{Failure, Result};

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
